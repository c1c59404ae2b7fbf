"""The cells of a sweep on a Dask cluster, of one machine or of many (``pip install .[cluster]`` on each).

    dask scheduler
    dask worker tcp://HOST:8786 --nthreads 1 --nworkers 2  # on every machine
    ser sweep paper --scheduler tcp://HOST:8786

Each thread of a worker trains one run at a time, in a process of its own
(:class:`ser_core.experiments.worker.Worker`): a worker's event loop draws from Python's random numbers, which Keras
takes its seeds from, so that training in the worker itself could not be repeated. The process ends with the worker, or
when nobody waits for the run any longer.

A worker finds the corpora, computes the features and keeps results and checkpoints where its own ``SER_DATA``,
``SER_CACHE`` and ``SER_RUNS`` say. It returns the files of the result, and those that the client's store lacks are
written there: the machines may share their folders or not, and whoever holds a result does not train it again. The
client names each result and the version of its data; a worker whose own differ does not run the cell, and the row says
so. The key of a task is the name of its result, so that two sweeps on one scheduler share a cell instead of running it
twice; between processes that share a store, :func:`ser_core.experiments.store.result_lock` sees to it. A cell whose
worker is lost begins again, from its last epoch where the next worker finds the checkpoint.
"""

import asyncio
import json
import logging
import queue
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.experiments import worker as worker_module
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import data_version as data_version_
from ser_core.experiments.spec import Spec, spec_hash

PATIENCE = 10.0
"""Seconds within which a scheduler must answer."""
_own = threading.local()  # on a worker: the process that each of its threads keeps for the next cell


def run_on_cluster(
    specs: list[Spec], scheduler: str, data_version: Callable[[str], str], *, fresh: bool, progress: bool
) -> Iterator[RunResult]:
    """Give the results of these specs as the workers finish them; ``data_version`` gives the version of a corpus.

    Raises
    ------
    SerError
        for a scheduler that does not answer, or that is lost on the way
    """
    distributed = _installed()
    _check_scheduler(distributed, scheduler, progress)
    with distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False) as client:
        waiting = {}
        for spec in specs:
            try:
                version = data_version_(spec, data_version)
            except SerError as error:
                yield store.failed_result(spec, error)
                continue
            name = spec_hash(spec, version)
            key = ("ser-fresh" if fresh else "ser", name)
            future = client.submit(
                run_on_worker, asdict(spec), fresh, version, name, key=key, retries=worker_module.MAX_ATTEMPTS - 1
            )
            waiting[future.key] = spec, future
        finished = distributed.as_completed([future for _, future in waiting.values()], loop=client.loop)
        for future in finished:
            spec, _ = waiting.pop(future.key)
            yield _result(distributed, spec, future, scheduler)
            future.release()


def _result(distributed, spec: Spec, future, scheduler: str) -> RunResult:
    lost = SerError(f"scheduler {scheduler}: lost; start the same command again to go on")
    try:
        error = future.exception()
        files = None if error else future.result()
    except (OSError, distributed.CancelledError):
        raise lost from None
    if future.status == "cancelled":
        raise lost
    if isinstance(error, distributed.KilledWorker):
        error = RuntimeError(f"the worker that ran this cell was lost {error.allowed_failures + 1} times")
    if error:
        return store.failed_result(spec, error)
    for name, content in files.items():
        path = store.store_dir() / name
        if not (path.is_file() and path.read_bytes() == content):
            write_atomically(path, content)
    return RunResult.from_json(json.loads(content))


def _installed():
    try:
        import distributed
    except ImportError:
        raise SerError("--scheduler needs Dask: pip install .[cluster]") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what goes wrong is one line of ours
    return distributed


def _check_scheduler(distributed, scheduler: str, progress: bool) -> None:
    """Ask a scheduler who it is before a client is made, which would try for long and say much."""

    async def ask() -> dict:
        async with distributed.rpc(scheduler) as there:
            return await asyncio.wait_for(there.identity(), PATIENCE)

    try:
        with ThreadPoolExecutor(1) as pool:  # a notebook has an event loop of its own in this thread
            found = pool.submit(asyncio.run, ask()).result()
        if found["type"] != "Scheduler":
            raise ValueError(f"this is a {found['type']}")
    except Exception as error:
        reason = " ".join(str(error).split()) or f"no answer within {PATIENCE:.0f} s"
        raise SerError(f"scheduler {scheduler}: no Dask scheduler answers there ({reason[:200]})") from None
    if progress and not found["workers"]:
        print(f"scheduler {scheduler}: no workers yet; waiting for the first", file=sys.stderr)


def run_on_worker(spec: dict, fresh: bool, version: str, name: str) -> dict[str, bytes]:
    """What a worker does: the cell, unless its data or code are other than the client's, and the result's files.

    Parameters
    ----------
    spec : fields of the :class:`Spec`
    fresh : train anew what the worker's store holds
    version, name : of the corpus and of the result, as the client sees them
    """
    wanted = Spec(**spec)
    try:
        _check_versions(wanted, version, name)
        result = _run_in_child(wanted, fresh)
    except SerError as error:
        result = store.failed_result(wanted, SerError(f"{socket.gethostname()}: {error}"))
    kinds = (".parquet", ".keras", ".json")  # the result last: where it is, the others are
    files = [store.store_dir() / f"{result.hash}{kind}" for kind in kinds]
    files = [path for path in files if path.is_file()]
    return {path.name: path.read_bytes() for path in files}


def _check_versions(spec: Spec, version: str, name: str) -> None:
    found = data_version_(spec)
    if found != version:
        raise SerError(f"{spec.corpus} is another here, version {found}, than where the sweep was started, {version}")
    if spec_hash(spec, version) != name:
        raise SerError("ser-core is another version here than where the sweep was started")


def _run_in_child(spec: Spec, fresh: bool) -> RunResult:
    """Run a spec in the process of this thread; the process ends when nobody waits for its result any longer."""
    import distributed

    worker = distributed.get_worker()
    key = worker.get_current_task()
    working = {distributed.Status.running, distributed.Status.paused}
    if getattr(_own, "child", None) is None:
        _own.answers = queue.SimpleQueue()
        _own.child = worker_module.Worker(_own.answers)
    result = None
    try:
        _own.child.send(spec, fresh)
        while True:
            try:
                _, result = _own.answers.get(timeout=0.5)
                break
            except queue.Empty:
                task = worker.state.tasks.get(key)
                if task is None or task.state != "executing" or worker.status not in working:
                    break
    finally:
        if result is None:
            _own.child.stop()
            _own.child = None
    if result is None:
        raise RuntimeError("the process that trained this cell was killed")
    return result
