"""Frozen folds: one CSV a corpus and protocol, and the script that made them (``python -m ser_core.protocols.folds.make``)."""
