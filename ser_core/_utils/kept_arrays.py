"""Keep arrays that are used again and again, one set per thread.

Large new arrays cost more than the arithmetic on them, because the system clears each of their pages.
"""

import math
import threading
from functools import lru_cache

import numpy as np

KEPT = 2**18
"""Values in an array that is kept and used again. Larger ones are new: 5 s at 48 kHz still fit."""


def scratch(use: str, *shape: int, kind: str = "float64") -> np.ndarray:
    """Return an array of this thread that is used again: its content stands until the next call for the same use.

    Parameters
    ----------
    use : str
        what the array is for
    *shape : int
        its size; an array of more than :data:`KEPT` values is new
    kind : str, default "float64"
        type of its values

    Returns
    -------
    ndarray of ``kind`` [``shape``], with any content
    """
    count = math.prod(shape)
    if count > KEPT:
        return np.empty(shape, dtype=kind)
    return _kept(threading.get_ident(), use, kind)[:count].reshape(shape)


@lru_cache(maxsize=64)
def _kept(thread: int, use: str, kind: str) -> np.ndarray:
    return aligned(KEPT, kind=kind)


def aligned(*shape: int, kind: str = "float64") -> np.ndarray:
    """Return zeros that begin at a multiple of 64 bytes, where vector instructions are fastest.

    >>> aligned(3, 5).ctypes.data % 64
    0
    """
    count, size = math.prod(shape), np.dtype(kind).itemsize
    memory = np.zeros(count + 64 // size, dtype=kind)
    start = -memory.ctypes.data % 64 // size
    return memory[start : start + count].reshape(shape)
