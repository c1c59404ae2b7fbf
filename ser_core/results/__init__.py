"""Pool, compare and tabulate stored results."""
