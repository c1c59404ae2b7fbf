"""Share work out to threads and to processes."""

import contextlib
import os
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from multiprocessing import get_context
from types import ModuleType
from typing import Any

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


def in_processes(
    function: Callable, values: Sequence, workers: int, *, here: Callable | None = None
) -> Iterator[tuple[int, Any]]:
    """Call a function with each value in new processes, which end with this one.

    The processes do not import the program that starts them, so that a script needs no ``if __name__ == "__main__"``.

    Parameters
    ----------
    function : callable
        of a module
    values : sequence
        taken from the first on
    workers : int
        processes; the threads of linear algebra in each are limited so that all together have one per core
    here : callable, optional
        the same for this process, which then is one of the processes and works while the others start

    Yields
    ------
    place of a value, and its result, as they come

    Raises
    ------
    Exception
        that of the first value which has one, after all results before it
    """
    started, waiting = workers - (here is not None), deque(enumerate(values))
    running: dict[Future, int] = {}
    failed: dict[int, Exception] = {}
    threads = max(1, (os.cpu_count() or 1) // workers)
    with ProcessPoolExecutor(max(1, started), get_context("spawn"), start_process, (threads,)) as processes:
        try:
            while waiting or running:
                while waiting and len(running) < 2 * started:
                    place, value = waiting.popleft()
                    with _no_main_module():
                        running[processes.submit(function, value)] = place
                if here and waiting:
                    place, value = waiting.popleft()
                    future: Future = Future()
                    running[future] = place
                    with _limited(threads):
                        _set(future, here, value)
                else:
                    wait(running, return_when=FIRST_COMPLETED)
                for future in [future for future in running if future.done()]:
                    place, error = running.pop(future), future.exception()
                    if isinstance(error, Exception):
                        failed[place] = error
                        waiting.clear()  # those that run came before
                    else:
                        yield place, future.result()
        except BaseException:
            processes.shutdown(cancel_futures=True)
            raise
    if failed:
        raise failed[min(failed)]


def _set(future: Future, function: Callable, value: Any) -> None:
    """Give a future the result of a function, or its exception."""
    try:
        future.set_result(function(value))
    except Exception as error:
        future.set_exception(error)


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Hide the program's own module from processes that start; they would otherwise run its script, too."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _limited(threads: int) -> contextlib.AbstractContextManager:
    """Return a context in which the linear algebra of this process has a number of threads."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return contextlib.nullcontext()
    return threadpool_limits(threads)


def start_process(threads: int) -> None:
    """Prepare a process: limit the threads of linear algebra, of which each process would start one per core.

    Parameters
    ----------
    threads : int
        for the libraries that are loaded, and by the environment for those that are loaded later
    """
    os.environ.update(dict.fromkeys(THREAD_LIMITS, str(threads)))
    _limited(threads)
    warnings.simplefilter("ignore", SerWarning)  # the parent says it once
    follow_parent()
