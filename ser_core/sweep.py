"""Many cells: an iterator of specs in, rows as they finish out. A failed cell is a row, and the sweep goes on.

Cells run in spawned processes, each with one TensorFlow thread, so that they give the same numbers alone or side by
side. What the store holds is not run again; a killed sweep is started again with the same command.
"""

import itertools
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context

from ser_core import experiment
from ser_core.experiment import Spec


def expand(base: Spec, **choices: Iterable) -> Iterator[Spec]:
    """All combinations of the named fields' values, the last varying fastest: ``expand(Spec(), fold=range(6))``."""
    from dataclasses import replace

    for values in itertools.product(*choices.values()):
        yield replace(base, **dict(zip(choices, values)))


def run_cell(spec: Spec, fresh: bool = False) -> dict:
    """One cell without bars; whatever goes wrong becomes its row."""
    try:
        return experiment.run(spec, fresh=fresh, progress=False)
    except Exception as error:
        return experiment.failure(spec, error)


def sweep(specs: Iterable[Spec], *, workers: int = 1, fresh: bool = False, progress: bool = True) -> Iterator[dict]:
    """Run every spec that the store does not hold.

    Parameters
    ----------
    specs : what to run, in the order in which it is wanted
    workers : processes; each trains one cell at a time
    fresh : train anew what the store holds
    progress : a bar with the estimated time left, on standard error

    Yields
    ------
    dict
        rows as they finish: those of the store first
    """
    from tqdm import tqdm

    specs = list(dict.fromkeys(specs))
    bar = tqdm(total=len(specs), desc="cells", unit="cell", disable=None if progress else True)
    waiting = []
    for spec in specs:
        row = None if fresh else _stored(spec)
        if row is None:
            waiting.append(spec)
        else:
            bar.update()
            yield row
    if waiting:
        for row in _compute(waiting, min(workers, len(waiting)), fresh, progress):
            bar.update()
            yield row
    bar.close()


def _stored(spec: Spec) -> dict | None:
    from ser_core import cache, corpora
    from ser_core.errors import SerError

    try:
        name = experiment.spec_hash(spec, cache.data_version(corpora.load(spec.corpus)))
    except SerError:
        return None
    row = experiment.load_row(experiment.store_dir() / f"{name}.json")
    return row if row and row["status"] == "ok" else None


def _compute(specs: list[Spec], workers: int, fresh: bool, progress: bool) -> Iterator[dict]:
    """Features first, by all cores; then the cells. A worker that dies is a row, and the rest go to a new pool."""
    for spec in specs:
        try:
            experiment.prepare(spec, progress=progress)
        except Exception:  # the cell itself will say so in its row
            continue
    remaining = dict.fromkeys(specs)
    attempts = dict.fromkeys(specs, 0)
    while remaining:
        pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        futures = {pool.submit(run_cell, spec, fresh): spec for spec in remaining}
        try:
            for future in as_completed(futures):
                row = future.result()
                remaining.pop(futures[future])
                yield row
        except BrokenProcessPool:
            for spec in list(remaining):
                attempts[spec] += 1
                if attempts[spec] > 2:
                    remaining.pop(spec)
                    yield experiment.failure(spec, RuntimeError("the process that trained this cell was killed twice"))
        except BaseException:  # Ctrl-C: the running cells stop too, and go on from their last epoch next time
            pool.shutdown(wait=False, cancel_futures=True)
            for process in active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
