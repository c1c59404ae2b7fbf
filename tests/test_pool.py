"""Threads and processes: the order of results, and the threads that each process may start."""

import os
import subprocess
import sys

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
    for _, (limits, environment) in pool.in_processes(blas_threads, [0, 1], workers):
        assert limits and set(limits) == {threads} and environment == [str(threads)] * len(pool.THREAD_LIMITS)


def inverse(value):
    return 1 / value, os.getpid()


@pytest.mark.parametrize("here", [None, inverse])
def test_processes_give_each_result_with_its_place(here):
    values = list(range(1, 30))
    results = dict(pool.in_processes(inverse, values, 2, here=here))
    assert {place: result for place, (result, _) in results.items()} == {i: 1 / v for i, v in enumerate(values)}
    processes = {process for _, process in results.values()}
    assert (os.getpid() in processes) == (here is not None) and len(processes) <= 2


@pytest.mark.parametrize("here", [None, inverse])
def test_results_before_an_error_come_first(here):
    values = [1, 2, 4, 0, "text", 5]
    found = []
    with pytest.raises(ZeroDivisionError):
        found.extend(place for place, _ in pool.in_processes(inverse, values, 2, here=here))
    assert {0, 1, 2} <= set(found) and 3 not in found


def test_a_script_needs_no_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import math\nfrom ser_core.features import pool\nprint(sorted(pool.in_processes(math.sqrt, [1, 4, 9], 2)))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "[(0, 1.0), (1, 2.0), (2, 3.0)]\n", "")
