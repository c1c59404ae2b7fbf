"""Help every room: errors, folders, quiet consoles, safe writing."""
