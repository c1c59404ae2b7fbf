"""Many cells: an iterator of specs in, rows as they finish out. A failed cell is a row, and the sweep goes on.

A cell is trained in a process that does nothing else (:class:`Child`), with one TensorFlow thread, so that it gives
the same numbers alone, beside others or on a cluster (:mod:`ser_core.cluster`). What the store holds is not run again;
a killed sweep takes its processes with it and is started again with the same command.
"""

import contextlib
import functools
import hashlib
import itertools
import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace

from ser_core import cache, corpora, experiment
from ser_core.errors import SerError
from ser_core.experiment import Spec

ATTEMPTS = 3
"""So often is a cell begun whose process is killed from outside, before that becomes its row."""


def expand(base: Spec, **choices: Iterable) -> Iterator[Spec]:
    """All combinations of the named fields' values, the last varying fastest: ``expand(Spec(), fold=range(6))``."""
    for values in itertools.product(*choices.values()):
        yield replace(base, **dict(zip(choices, values)))


def sweep(
    specs: Iterable[Spec],
    *,
    workers: int = 1,
    scheduler: str | None = None,
    fresh: bool = False,
    progress: bool = True,
) -> Iterator[dict]:
    """Run every spec that the store does not hold.

    Parameters
    ----------
    specs : what to run, in the order in which it is wanted
    workers : processes; each trains one cell at a time
    scheduler : address of a Dask scheduler, whose workers then run the cells (:mod:`ser_core.cluster`)
    fresh : train anew what the store holds
    progress : a bar with the estimated time left, on standard error

    Yields
    ------
    dict
        rows as they finish: those of the store first

    Raises
    ------
    SerError
        for a scheduler that does not answer. A cell's own trouble is its row.
    """
    from tqdm import tqdm

    specs = list(dict.fromkeys(specs))
    version_of = functools.cache(data_version)  # each corpus is read once
    bar = tqdm(total=len(specs), desc="cells", unit="cell", disable=None if progress else True)
    waiting = []
    for spec in specs:
        row = None if fresh else _stored(spec, version_of)
        if row is None:
            waiting.append(spec)
        else:
            bar.update()
            yield row
    if scheduler and waiting:
        from ser_core import cluster

        rows = cluster.compute(waiting, scheduler, version_of, fresh=fresh, progress=progress)
    else:
        rows = _compute(waiting, workers, fresh=fresh, progress=progress)
    with contextlib.closing(bar), contextlib.closing(rows):
        for row in rows:
            bar.update()
            yield row


def data_version(corpus: str) -> str:
    """Version of a corpus by its name (``cache.data_version``)."""
    return cache.data_version(corpora.load(corpus))


def _stored(spec: Spec, version_of: Callable[[str], str]) -> dict | None:
    try:
        name = experiment.spec_hash(spec, version_of(spec.corpus))
    except SerError:  # the cell itself will say so in its row
        return None
    row = experiment.load_row(experiment.store_dir() / f"{name}.json")
    return row if row and row["status"] == "ok" else None


def run_cell(spec: Spec, fresh: bool = False) -> dict:
    """One cell without bars; whatever goes wrong becomes its row."""
    try:
        with alone(spec):
            return experiment.run(spec, fresh=fresh, progress=False)
    except Exception as error:
        return experiment.failure(spec, error)


@contextlib.contextmanager
def alone(spec: Spec) -> Iterator[None]:
    """Wait until no other process works on this cell in this store, and let none begin.

    The lock is the system's, on ``<store>/<digest>.lock``, and goes with the process that holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    digest = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()[:16]
    path = experiment.store_dir() / f"{digest}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("w")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break  # else the one before removed the file after it was opened here
        file.close()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


class Child:
    """A process that runs the cells it is sent, one after another, and ends when this process does.

    Rows go to the queue ``answers`` as ``(child, row)``; ``(child, None)`` says that the process has ended. The system
    closes the child's standard input when this process dies, however it dies, and that ends the child.
    """

    def __init__(self, answers: queue.SimpleQueue):
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from ser_core.sweep import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is this process's business
            env=os.environ | {"PYTHONPATH": paths},
        )
        threading.Thread(target=self._listen, args=(answers,), daemon=True).start()

    def _listen(self, answers: queue.SimpleQueue) -> None:
        with self.process:
            for line in self.process.stdout:
                if line.endswith(b"\n"):  # else it was killed while it wrote
                    answers.put((self, json.loads(line)))
        answers.put((self, None))

    def send(self, spec: Spec, fresh: bool) -> None:
        """Give it a cell; once its row is there, the next."""
        job = json.dumps([asdict(spec), fresh])
        with contextlib.suppress(OSError, ValueError):  # it has ended, as the queue will say
            self.process.stdin.write(job.encode() + b"\n")
            self.process.stdin.flush()

    def stop(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


def serve() -> None:
    """What a :class:`Child` does: a job a line on standard input, a row a line on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    jobs: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(jobs,), daemon=True).start()
    while True:
        spec, fresh = jobs.get()
        print(json.dumps(run_cell(Spec(**spec), fresh)), file=answers, flush=True)


def _receive(jobs: queue.SimpleQueue) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(1)  # the parent has ended


def _compute(specs: list[Spec], workers: int, *, fresh: bool, progress: bool) -> Iterator[dict]:
    """Features first, by all cores; then the cells. One whose process is killed begins again in a new one."""
    for spec in specs:
        with contextlib.suppress(Exception):  # the cell itself will say so in its row
            experiment.prepare(spec, progress=progress)
    waiting, killed = deque(specs), Counter()
    answers: queue.SimpleQueue = queue.SimpleQueue()
    idle: list[Child] = []
    running: dict[Child, Spec] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                child = idle.pop() if idle else Child(answers)
                running[child] = waiting.popleft()
                child.send(running[child], fresh)
            child, row = answers.get()
            spec = running.pop(child, None)
            if row is not None:
                idle.append(child)
                yield row
            elif spec is None:  # it was idle
                idle.remove(child)
            else:
                killed[spec] += 1
                if killed[spec] < ATTEMPTS:
                    waiting.appendleft(spec)
                else:
                    message = f"the process that trained this cell was killed {ATTEMPTS} times"
                    yield experiment.failure(spec, RuntimeError(message))
    finally:  # also after Ctrl-C: what runs stops, and goes on from its last epoch next time
        for child in (*running, *idle):
            child.stop()
