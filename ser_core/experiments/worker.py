"""A process that runs cells one after another, for the engines of a sweep on this machine and on a cluster."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from dataclasses import asdict

from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec

MAX_ATTEMPTS = 3
"""So often is a cell begun whose process is killed from outside, before that becomes its row."""


def run_or_record_failure(spec: Spec, fresh: bool = False) -> RunResult:
    """Run one spec without progress bars; whatever goes wrong becomes its result."""
    try:
        return run_spec(spec, fresh=fresh, progress=False)
    except Exception as error:
        return store.failed_result(spec, error)


class Worker:
    """A process that runs the cells it is sent, one after another, and ends when this process does.

    Results go to the queue ``answers`` as ``(worker, result)``; ``(worker, None)`` means that the process has ended.
    The system closes the child's standard input when this process dies, however it dies, and that ends the child.
    """

    def __init__(self, answers: queue.SimpleQueue):
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-c", "from ser_core.experiments.worker import serve; serve()"],
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
                    answers.put((self, RunResult.from_json(json.loads(line))))
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
    """Serve a :class:`Worker`: one job per line on standard input, one result per line on standard output."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed
    jobs: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(jobs,), daemon=True).start()
    while True:
        spec, fresh = jobs.get()
        print(json.dumps(run_or_record_failure(Spec(**spec), fresh).to_json()), file=answers, flush=True)


def _receive(jobs: queue.SimpleQueue) -> None:
    for line in sys.stdin:
        jobs.put(json.loads(line))
    os._exit(1)  # the parent has ended
