"""The public interface: the functions that a notebook needs, reached as ``import ser_core as ser``.

Each is a short call into one room. Nothing heavy is imported before it is used.
"""
