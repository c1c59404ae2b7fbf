"""Fit one network on one fold."""
