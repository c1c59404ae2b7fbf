"""State what the paper prints, and check claims by computation."""
