"""Split corpora into training, validation and test, and audit splits for leakage."""
