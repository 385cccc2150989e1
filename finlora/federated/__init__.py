"""Federated LoRA on Flower: clients train on their own rows, and adapter tensors alone travel."""
