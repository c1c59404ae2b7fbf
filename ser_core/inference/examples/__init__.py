"""Run exported networks with their runtimes only; each file is a complete example to copy."""
