"""Train runs in child processes, for sweeps on this machine and on a cluster."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import asdict

from ser_core._utils import console
from ser_core._utils.atomic import remove_temporaries
from ser_core._utils.errors import StorageError
from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec

STORAGE = "storage"
"""Key of what a child answers where the store takes no result: the message."""
MAX_ATTEMPTS = 3
"""Maximum number of starts of a run whose process is killed from outside; then its result is an error."""


def run_or_record_failure(spec: Spec, fresh: bool = False) -> RunResult:
    """Run one spec without progress bars; any exception becomes a result with status ``error``.

    Parameters
    ----------
    spec : Spec
    fresh : bool, default False
        recompute a stored result

    Returns
    -------
    RunResult

    Raises
    ------
    StorageError
        where the store takes no result, not even that of a failure
    """
    try:
        return run_spec(spec, fresh=fresh, progress=False)
    except StorageError:
        raise
    except Exception as error:
        return store.failed_result(spec, error)


class Worker:
    """A child process that runs the specs it is sent, one after another.

    The child ends with this process: the system closes its standard input when this process dies, however it dies.

    Parameters
    ----------
    answers : queue
        receives ``(worker, result)`` after each run, ``(worker, StorageError)`` where the store took no result, and
        ``(worker, None)`` when the child process has ended
    """

    def __init__(self, answers: queue.SimpleQueue):
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from ser_core.experiments.worker import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # only this process handles Ctrl-C
            env=os.environ | {"PYTHONPATH": paths},
        )
        threading.Thread(target=self._read_results, args=(answers,), daemon=True).start()

    def _read_results(self, answers: queue.SimpleQueue) -> None:
        assert self.process.stdout is not None  # a pipe, as asked for
        with self.process:
            for line in self.process.stdout:
                if line.endswith(b"\n"):  # a line without an end was cut off when the child was killed
                    values = json.loads(line)
                    failed = StorageError(values[STORAGE]) if STORAGE in values else None
                    answers.put((self, failed or RunResult.from_json(values)))
        answers.put((self, None))

    def send(self, spec: Spec, fresh: bool) -> None:
        """Send a spec to run; send the next one after its result has arrived.

        Parameters
        ----------
        spec : Spec
        fresh : bool
            recompute a stored result
        """
        job = json.dumps([asdict(spec), fresh])
        assert self.process.stdin is not None  # a pipe, as asked for
        with contextlib.suppress(OSError, ValueError):  # the child has ended, which the queue reports
            self.process.stdin.write(job.encode() + b"\n")
            self.process.stdin.flush()

    def stop(self) -> None:
        """Kill the child process, wait for its end, and remove what it has left half written."""
        self.process.kill()
        self.process.wait()
        for folder in (store.store_dir(), *store.store_dir().glob("*.checkpoint")):
            remove_temporaries(folder, self.process.pid)


def serve() -> None:
    """Run the jobs of a :class:`Worker`: one per line of standard input, one result per line of standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # everything else that is printed goes to standard error
    jobs: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(jobs,), daemon=True).start()
    with console.plain_messages():
        while True:
            spec, fresh = jobs.get()
            try:
                answer = run_or_record_failure(Spec(**spec), fresh).to_json()
            except StorageError as error:
                answer = {STORAGE: str(error)}
            print(json.dumps(answer), file=answers, flush=True)


def _receive(jobs: queue.SimpleQueue) -> None:
    """Queue the jobs of standard input, and end the process when it is closed."""
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(1)  # the parent has ended
