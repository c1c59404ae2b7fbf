"""Compute many runs in parallel: specs go in, results come out as they finish.

Each run is trained in its own process (:mod:`ser_core.experiments.worker`) with one TensorFlow thread. It gives the
same numbers alone, in parallel with others, or on a cluster (:mod:`ser_core.experiments.cluster`). A failed run has a
result with status ``error``, and the sweep continues. Existing results are reused, and the same command resumes a
killed sweep, whose processes end with it.
"""

import contextlib
import functools
import itertools
import queue
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import replace

from ser_core._utils.errors import SerError, StorageError
from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import compute_features, corpus_version
from ser_core.experiments.run import data_version as data_version_
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.experiments.worker import MAX_ATTEMPTS, Worker


def expand(base: Spec, **choices: Iterable) -> Iterator[Spec]:
    """Return the specs of all combinations of the values of some fields; the last field varies fastest.

    Parameters
    ----------
    base : Spec
        it sets all other fields
    **choices
        name of a field to an iterable of its values

    Yields
    ------
    Spec

    Examples
    --------
    >>> [(spec.fold, spec.seed) for spec in expand(Spec(corpus="demo"), fold=range(2), seed=(0, 1))]
    [(0, 0), (0, 1), (1, 0), (1, 1)]
    """
    for values in itertools.product(*choices.values()):
        yield replace(base, **dict(zip(choices, values)))


def run_sweep(
    specs: Iterable[Spec],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    fresh: bool = False,
    progress: bool = True,
) -> Iterator[RunResult]:
    """Run every spec that has no stored result.

    Parameters
    ----------
    specs : iterable of Spec
        in the order of their importance
    workers : int, default 1
        processes; each trains one run at a time
    scheduler : str, optional
        address of a Dask scheduler whose workers train the runs (:mod:`ser_core.experiments.cluster`)
    fresh : bool, default False
        recompute stored results
    progress : bool, default True
        show a progress bar with the estimated time left, on standard error

    Yields
    ------
    RunResult
        stored results first, then the others as they finish; a failed run has the status ``error``

    Raises
    ------
    SerError
        for a scheduler that does not answer, and for less than one process
    StorageError
        where the store takes no more; the same command continues once it does
    """
    from tqdm import tqdm

    if workers < 1:
        raise SerError(f"workers {workers}: at least one process is needed")
    specs = list(dict.fromkeys(specs))
    version_of = functools.cache(cached_corpus_version)  # each corpus is read once
    bar = tqdm(total=len(specs), desc="runs", unit="run", disable=None if progress else True)
    waiting = []
    for spec in specs:
        result = None if fresh else _stored(spec, version_of)
        if result is None:
            waiting.append(spec)
        else:
            bar.update()
            yield result
    if scheduler and waiting:
        from ser_core.experiments import cluster

        results = cluster.run_on_cluster(waiting, scheduler, version_of, fresh=fresh, progress=progress)
    else:
        results = _compute(waiting, workers, fresh=fresh, progress=progress)
    with contextlib.closing(bar), contextlib.closing(results):
        for result in results:
            bar.update()
            yield result


def cached_corpus_version(corpus: str) -> str:
    """Return the version of a corpus, by its name (:func:`ser_core.features.cache.data_version`)."""
    return corpus_version(corpus)


def _stored(spec: Spec, version_of: Callable[[str], str]) -> RunResult | None:
    """Return the stored result of a spec; None where it is missing or an error."""
    try:
        name = spec_hash(spec, data_version_(spec, version_of))
    except SerError:  # the run fails in the same way, and its result has the message
        return None
    result = store.load_row(store.store_dir() / f"{name}.json")
    return result if result and result.ok else None


def _compute(specs: list[Spec], workers: int, *, fresh: bool, progress: bool) -> Generator[RunResult, None, None]:
    """Compute features on all cores, then train the runs; a run whose process is killed restarts in a new one."""
    with contextlib.suppress(Exception):  # the run fails in the same way, and its result has the message
        compute_features(specs, progress=progress)
    waiting, killed = deque(specs), Counter[Spec]()
    answers: queue.SimpleQueue = queue.SimpleQueue()
    idle: list[Worker] = []
    running: dict[Worker, Spec] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                child = idle.pop() if idle else Worker(answers)
                running[child] = waiting.popleft()
                child.send(running[child], fresh)
            child, result = answers.get()
            spec = running.pop(child, None)
            if isinstance(result, StorageError):  # the other runs would meet the same
                idle.append(child)
                raise result
            if result is not None:
                idle.append(child)
                yield result
            elif spec is None:  # an idle process ended
                idle.remove(child)
            else:
                killed[spec] += 1
                if killed[spec] < MAX_ATTEMPTS:
                    waiting.appendleft(spec)
                else:
                    message = f"the process that trained this run was killed {MAX_ATTEMPTS} times"
                    yield store.failed_result(spec, RuntimeError(message))
    finally:  # also after Ctrl-C: unfinished runs stop, and resume from their last epoch next time
        for child in (*running, *idle):
            child.stop()
