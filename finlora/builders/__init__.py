"""Dataset builders: code that makes data files, one module per task family."""
