"""Sweeps: an iterator of specs in, results as they finish out; a failed run is a result, and the sweep goes on.

A run is trained in a process that does nothing else (:mod:`ser_core.experiments.worker`), with one TensorFlow thread.
So it gives the same numbers alone, with others or on a cluster (:mod:`ser_core.experiments.cluster`). Existing results
are reused; a killed sweep takes its processes with it and resumes with the same command.
"""

import contextlib
import functools
import itertools
import queue
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import compute_features, corpus_version
from ser_core.experiments.run import data_version as data_version_
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.experiments.worker import MAX_ATTEMPTS, Worker


def expand(base: Spec, **choices: Iterable) -> Iterator[Spec]:
    """All combinations of the named fields' values, the last varying fastest: ``expand(Spec(), fold=range(6))``."""
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
    """Run every spec whose result the store does not hold.

    Parameters
    ----------
    specs : what to run, in the order in which it is wanted
    workers : processes; each trains one cell at a time
    scheduler : address of a Dask scheduler, whose workers then run the cells (:mod:`ser_core.experiments.cluster`)
    fresh : train anew what the store holds
    progress : a bar with the estimated time left, on standard error

    Yields
    ------
    RunResult
        as the runs finish; those of the store first. A run that failed has the status ``error``

    Raises
    ------
    SerError
        for a scheduler that does not answer. A cell's own trouble is its row.
    """
    from tqdm import tqdm

    specs = list(dict.fromkeys(specs))
    version_of = functools.cache(cached_corpus_version)  # each corpus is read once
    bar = tqdm(total=len(specs), desc="cells", unit="cell", disable=None if progress else True)
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
    """Version of a corpus by its name (``cache.data_version``)."""
    return corpus_version(corpus)


def _stored(spec: Spec, version_of: Callable[[str], str]) -> RunResult | None:
    try:
        name = spec_hash(spec, data_version_(spec, version_of))
    except SerError:  # the cell itself will say so in its row
        return None
    result = store.load_row(store.store_dir() / f"{name}.json")
    return result if result and result.ok else None


def _compute(specs: list[Spec], workers: int, *, fresh: bool, progress: bool) -> Iterator[RunResult]:
    """Features first, by all cores; then the cells. One whose process is killed begins again in a new one."""
    with contextlib.suppress(Exception):  # the cell itself will say so in its row
        compute_features(specs, progress=progress)
    waiting, killed = deque(specs), Counter()
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
            if result is not None:
                idle.append(child)
                yield result
            elif spec is None:  # it was idle
                idle.remove(child)
            else:
                killed[spec] += 1
                if killed[spec] < MAX_ATTEMPTS:
                    waiting.appendleft(spec)
                else:
                    message = f"the process that trained this cell was killed {MAX_ATTEMPTS} times"
                    yield store.failed_result(spec, RuntimeError(message))
    finally:  # also after Ctrl-C: what runs stops, and goes on from its last epoch next time
        for child in (*running, *idle):
            child.stop()
