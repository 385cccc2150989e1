"""Federated LoRA on Flower: clients train, only their adapters travel."""
