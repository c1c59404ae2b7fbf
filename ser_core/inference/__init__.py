"""Use a trained network: predict, export, measure latency."""
