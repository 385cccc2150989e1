"""Federated training: what runs beside Flower, and what is measured and kept of it."""
