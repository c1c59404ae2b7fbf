"""Small speech-emotion-recognition networks, and what can truly be said of them.

The package is flat: data moves from ``corpora`` through ``audio``, ``augment``, ``features``, ``splits``, ``models``,
``training`` and ``metrics`` to ``experiment``, and from there to what people see. Nothing is imported here, so that
``import ser_core`` is instant.
"""

__version__ = "0.1.0"
