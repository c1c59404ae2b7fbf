"""Share work out to threads and to processes."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

from ser_core._utils.errors import SerWarning
from ser_core._utils.processes import follow_parent

MANY = 64
"""Values from which threads are worth starting."""
PART = 16
"""Values that a thread takes at once."""
THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables that limit the threads of linear algebra."""


def in_threads(
    function: Callable, values: Sequence, workers: int | None = None, *, many: int = MANY, part: int = PART
) -> list:
    """Call a function that mostly reads and hashes with each value, in threads where there are many.

    Parameters
    ----------
    function : callable
    values : sequence
    workers : int, optional
        threads; by default one per core
    many : int, default 64
        values from which threads are started
    part : int, default 16
        values that a thread takes at once

    Returns
    -------
    list
        its results, in the order of ``values``

    Examples
    --------
    >>> in_threads(abs, [-1, 2])
    [1, 2]
    """
    workers = workers or os.cpu_count() or 1
    if workers == 1 or len(values) < many:
        return [function(value) for value in values]
    parts = [values[i : i + part] for i in range(0, len(values), part)]
    with ThreadPoolExecutor(workers) as threads:
        done = threads.map(lambda chosen: [function(value) for value in chosen], parts)
        return [result for results in done for result in results]


def in_processes(function: Callable, values: Sequence, workers: int) -> Iterator:
    """Call a function with each value in new processes, which end with this one.

    Parameters
    ----------
    function : callable
        of a module
    values : sequence
    workers : int
        processes; the threads of linear algebra in each are limited so that all together have one per core

    Yields
    ------
    its results, in the order of ``values``
    """
    start = (max(1, (os.cpu_count() or 1) // workers),)
    with ProcessPoolExecutor(workers, get_context("spawn"), start_process, start) as processes:
        try:
            yield from processes.map(function, values)
        except BaseException:
            processes.shutdown(cancel_futures=True)
            raise


def start_process(threads: int) -> None:
    """Prepare a process: limit the threads of linear algebra, of which each process would start one per core.

    Parameters
    ----------
    threads : int
        for the libraries that are loaded, and by the environment for those that are loaded later
    """
    os.environ.update(dict.fromkeys(THREAD_LIMITS, str(threads)))
    with contextlib.suppress(ImportError):
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
    warnings.simplefilter("ignore", SerWarning)  # the parent says it once
    follow_parent()
