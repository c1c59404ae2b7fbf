"""Arrays that are kept are used again in one thread, and never shared between threads."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np

from ser_core._utils import kept_arrays


def test_an_array_is_used_again_for_the_same_use_and_kind():
    first = kept_arrays.scratch("a test", 3, 4)
    first[:] = 7.0
    again = kept_arrays.scratch("a test", 12)
    assert np.shares_memory(first, again) and (again == 7.0).all()
    assert not np.shares_memory(first, kept_arrays.scratch("another test", 12))
    assert not np.shares_memory(first, kept_arrays.scratch("a test", 12, kind="float32"))


def test_large_arrays_are_new():
    size = kept_arrays.KEPT + 1
    assert not np.shares_memory(kept_arrays.scratch("large", size), kept_arrays.scratch("large", size))


def test_threads_have_their_own():
    both = Barrier(2)

    def addresses(_):
        both.wait()
        return kept_arrays.scratch("threads", 8).ctypes.data

    with ThreadPoolExecutor(2) as pool:
        assert len(set(pool.map(addresses, range(2)))) == 2


def test_arrays_are_aligned():
    for kind in ("float32", "float64", "complex128"):
        assert kept_arrays.aligned(5, 3, kind=kind).ctypes.data % 64 == 0
