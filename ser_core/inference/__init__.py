"""Use trained networks: predict, export, measure latency."""
