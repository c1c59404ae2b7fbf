"""Keeps what libraries written in C print on standard error out of sight."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_ONE_AT_A_TIME = threading.RLock()
"""Two threads that turn standard error aside and back in the wrong order would lose it for good."""


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Standard error of the whole process leads nowhere inside; Python's own ``sys.stderr`` included."""
    with _ONE_AT_A_TIME:
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, ValueError):  # there is none
            yield
            return
        try:
            with open(os.devnull, "wb") as nowhere:
                os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def quiet_loading():
    """A context in which TensorFlow's libraries say nothing on standard error while they are loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return silence_stderr()
