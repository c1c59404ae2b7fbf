"""Suppress what C libraries print on standard error."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

_LOCK = threading.RLock()
"""Held while standard error is redirected: two threads that restore it in the wrong order would lose it."""


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard standard error of the whole process, including Python's own ``sys.stderr``.

    Returns
    -------
    context manager
        Standard error is restored on exit. A process without standard error is left alone.
    """
    with _LOCK:
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            original = os.dup(2)
        except (OSError, ValueError):  # this process has no standard error
            yield
            return
        try:
            with open(os.devnull, "wb") as null:
                os.dup2(null.fileno(), 2)
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)


def quiet_loading() -> AbstractContextManager[None]:
    """Return a context in which TensorFlow's libraries are loaded without printing on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return silence_stderr()
