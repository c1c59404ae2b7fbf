"""Split corpora into training, validation and test, and look for leakage between them."""
