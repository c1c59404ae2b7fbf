"""Frozen folds, one CSV per corpus and protocol, and :mod:`ser_core.protocols.folds.make`, which wrote them."""
