"""Train the runs of a sweep on a Dask cluster of one or many machines (``pip install .[cluster]`` on each).

    dask scheduler
    dask worker tcp://HOST:8786 --nthreads 1 --nworkers 2  # on every machine
    ser sweep paper --scheduler tcp://HOST:8786

Each thread of a Dask worker trains one run at a time in a child process (:class:`ser_core.experiments.worker.Worker`).
Training in the Dask worker itself would not be reproducible: its event loop draws Python random numbers, from which
Keras takes its seeds. The child process ends with the Dask worker, or when no client waits for the run any more.

Each machine has its own ``SER_DATA``, ``SER_CACHE`` and ``SER_RUNS``, which may be shared folders. A Dask worker
returns the files of a result, and the client writes those that its store lacks. Stored results are reused on both
sides. The client sends the name of the result and the version of its data. A Dask worker with another version of the
data or the code does not train, and the result is an error. The key of a task is the name of its result, so two sweeps
on one scheduler share a run. Processes that share a store use :func:`ser_core.experiments.store.result_lock`. A run
whose Dask worker is lost restarts elsewhere, from its last epoch where the checkpoint is available.
"""

from __future__ import annotations

import asyncio
import json
import logging
import queue
import socket
import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError, StorageError
from ser_core.experiments import store
from ser_core.experiments import worker as worker_module
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import corpus_version_once
from ser_core.experiments.run import data_version as data_version_
from ser_core.experiments.spec import Spec, spec_hash

PATIENCE = 10.0
"""Seconds within which a scheduler must answer."""
SUBMITTED = 1_000
"""Runs in one message to the scheduler: a message for each run would be a third of its work."""
GATHERED = 16
"""Results in one message from the workers, at most; each holds the weights of a network."""
_local = threading.local()  # on a Dask worker: the child process of each thread, kept for the next run


def run_on_cluster(
    specs: list[Spec],
    scheduler: str,
    data_version: Callable[[str], str],
    *,
    fresh: bool,
    progress: bool,
    train: Callable[[Spec, bool], RunResult] | None = None,
) -> Generator[RunResult, None, None]:
    """Run specs on a Dask cluster.

    Parameters
    ----------
    specs : list of Spec
        in the order of their importance
    scheduler : str
        address, such as ``tcp://HOST:8786``
    data_version : function of str
        returns the version of a corpus by its name
    fresh : bool
        recompute stored results
    progress : bool
        say on standard error when the scheduler has no workers yet
    train : function of (Spec, bool), optional
        called on the Dask worker to make a result, where it is not trained as usual: for measurements

    Yields
    ------
    RunResult
        as the runs finish

    Raises
    ------
    SerError
        for a scheduler that does not answer, or whose connection is lost during the sweep
    """
    distributed = _installed()
    _check_scheduler(distributed, scheduler, progress)
    with distributed.Client(scheduler, timeout=PATIENCE, set_as_default=False) as client:
        failed, tasks = [], {}
        for spec in specs:
            try:
                version = data_version_(spec, data_version)
            except SerError as error:
                failed.append(store.failed_result(spec, error))
                continue
            name = spec_hash(spec, version)
            tasks["ser-fresh" if fresh else "ser", name] = spec, version, name
        waiting: dict[Any, tuple[Spec, Any]] = {}
        for part in _parts(list(tasks)):
            futures = _submit(client, {key: tasks[key] for key in part}, fresh, train)
            waiting |= {future.key: (tasks[key][0], future) for key, future in zip(part, futures)}
        yield from failed
        finished = distributed.as_completed([future for _, future in waiting.values()], loop=client.loop)
        for batch in finished.batches():
            for part in _parts(batch, GATHERED):
                files = _gathered(client, part)
                for future in part:
                    spec, _ = waiting.pop(future.key)
                    yield _result(distributed, spec, future, scheduler, files.pop(future.key, None))
                    future.release()


def _parts(values: list, size: int = SUBMITTED) -> list[list]:
    """Divide a list into parts of a number of values at most."""
    return [values[first : first + size] for first in range(0, len(values), size)]


def _submit(client: Any, tasks: dict, fresh: bool, train: Callable[[Spec, bool], RunResult] | None) -> list:
    """Submit tasks in one message, in the order of their importance: key to (spec, version, name)."""
    specs, versions, names = zip(*tasks.values())
    fields, again = [asdict(spec) for spec in specs], [fresh] * len(specs)
    options: dict[str, Any] = {"train": train} if train else {}
    options |= {"key": list(tasks), "retries": worker_module.MAX_ATTEMPTS - 1, "fifo_timeout": "0 ms"}
    return client.map(run_on_worker, fields, again, versions, names, **options)


def _gathered(client: Any, futures: list) -> dict[Any, dict[str, bytes]]:
    """Fetch the files of finished tasks in one message, by key; none where something is lost, so that each is asked."""
    finished = [future for future in futures if future.status == "finished"]
    try:
        return dict(zip([future.key for future in finished], client.gather(finished)))
    except Exception:
        return {}


def _result(
    distributed: Any, spec: Spec, future: Any, scheduler: str, files: dict[str, bytes] | None = None
) -> RunResult:
    """Return the result of a finished task, and write its files, if they are there already, to the store."""
    lost = SerError(f"scheduler {scheduler}: connection lost; run the same command again to resume")
    error = None
    if files is None:
        try:
            error = None if future.status == "finished" else future.exception()  # which would ask the scheduler
            files = {} if error else future.result()
        except (OSError, distributed.CancelledError):
            raise lost from None
        if future.status == "cancelled":
            raise lost
    if isinstance(error, distributed.KilledWorker):
        error = RuntimeError(f"the worker that trained this run was lost {error.allowed_failures + 1} times")
    if error:
        return store.failed_result(spec, error)
    for name, content in files.items():
        path = store.store_dir() / name
        if not (path.is_file() and path.read_bytes() == content):
            write_atomically(path, content)
    return RunResult.from_json(json.loads(content))


def _installed() -> Any:
    """Return the module of Dask, or raise SerError where it is not installed."""
    try:
        import distributed
    except ImportError:
        raise SerError("--scheduler needs Dask: pip install .[cluster]") from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # errors are reported as one SerError
    return distributed


def _check_scheduler(distributed: Any, scheduler: str, progress: bool) -> None:
    """Check that a scheduler answers; a Dask client would retry for long and log every failure."""

    async def ask() -> dict:
        async with distributed.rpc(scheduler) as connection:
            return await asyncio.wait_for(connection.identity(), PATIENCE)

    try:
        with ThreadPoolExecutor(1) as pool:  # in a notebook, this thread already has an event loop
            identity = pool.submit(asyncio.run, ask()).result()
        if identity["type"] != "Scheduler":
            raise ValueError(f"this is a {identity['type']}")
    except Exception as error:
        reason = " ".join(str(error).split()) or f"no answer within {PATIENCE:.0f} s"
        raise SerError(f"scheduler {scheduler}: no Dask scheduler answers at this address ({reason[:200]})") from None
    if progress and not identity["workers"]:
        print(f"scheduler {scheduler}: no workers yet; waiting for the first", file=sys.stderr)


def run_on_worker(
    fields: dict[str, Any],
    fresh: bool,
    version: str,
    name: str,
    train: Callable[[Spec, bool], RunResult] | None = None,
) -> dict[str, bytes]:
    """Train one run on a Dask worker whose data and code have the client's version.

    Parameters
    ----------
    fields : dict
        fields of the :class:`ser_core.experiments.spec.Spec`
    fresh : bool
        recompute a result of the Dask worker's store
    version : str
        version of the corpus on the client
    name : str
        name of the result on the client
    train : function of (Spec, bool), optional
        see :func:`run_on_cluster`

    Returns
    -------
    dict of str to bytes
        names and contents of the files of the result; a JSON file last, also for a failed run
    """
    spec = Spec(**fields)
    try:
        _check_versions(spec, version, name)
        result = (train or _run_in_child)(spec, fresh)
    except StorageError:
        raise
    except SerError as error:
        result = store.failed_result(spec, SerError(f"{socket.gethostname()}: {error}"))
    suffixes = (".parquet", ".keras", ".json")  # a result that exists has all its files, so the JSON is written last
    paths = [store.store_dir() / f"{result.hash}{suffix}" for suffix in suffixes]
    return {path.name: path.read_bytes() for path in paths if path.is_file()}


def _check_versions(spec: Spec, version: str, name: str) -> None:
    """Raise SerError where the data or the code differ from the client's."""
    own = data_version_(spec, corpus_version_once)
    if own != version:
        raise SerError(f"{spec.corpus}: has version {own} here, but {version} on the client; use the same recordings")
    if spec_hash(spec, version) != name:
        raise SerError("ser-core: has another version here than on the client; install the same on both")


def _run_in_child(spec: Spec, fresh: bool) -> RunResult:
    """Run a spec in the child process of this thread, which ends when no client waits for the result any more."""
    import distributed

    worker = distributed.get_worker()
    key = worker.get_current_task()
    working = {distributed.Status.running, distributed.Status.paused}
    if getattr(_local, "child", None) is None:
        _local.answers = queue.SimpleQueue()
        _local.child = worker_module.Worker(_local.answers)
    result = None
    try:
        _local.child.send(spec, fresh)
        while True:
            try:
                _, result = _local.answers.get(timeout=0.5)
                break
            except queue.Empty:
                task = worker.state.tasks.get(key)
                if task is None or task.state != "executing" or worker.status not in working:
                    break
    finally:
        if result is None:
            _local.child.stop()
            _local.child = None
    if result is None:
        raise RuntimeError("the process that trained this run was killed")
    if isinstance(result, StorageError):
        raise result
    return result
