"""Threads and processes: the order of results, and the threads that each process may start."""

import os

import numpy as np
import pytest

from ser_core.features import pool


def test_results_of_threads_are_in_order():
    for count in (0, 3, 64, 1_000):
        assert pool.in_threads(lambda i: i * i, range(count), 3) == [i * i for i in range(count)]


def test_an_error_in_a_thread_is_raised():
    with pytest.raises(ZeroDivisionError):
        pool.in_threads(lambda i: 1 // (i - 70), range(100), 2)


def blas_threads(_):
    import threadpoolctl

    np.ones((300, 300)) @ np.ones((300, 300))
    limits = [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    return limits, [os.environ[name] for name in pool.THREAD_LIMITS]


@pytest.mark.parametrize(("cores", "workers", "threads"), [(2, 2, 1), (8, 2, 4), (1, 2, 1)])
def test_all_processes_together_have_one_thread_per_core(monkeypatch, cores, workers, threads):
    for name in pool.THREAD_LIMITS:
        monkeypatch.setenv(name, "16")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    for limits, environment in pool.in_processes(blas_threads, [0, 1], workers):
        assert limits and set(limits) == {threads} and environment == [str(threads)] * len(pool.THREAD_LIMITS)
