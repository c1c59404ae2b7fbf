"""Exported networks with their runtimes alone: each file is a whole example to copy from."""
