"""Describe the measurement of one stage, and run it in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.benchmark import clocks
from ser_core.benchmark.records import Stage

POOLS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Environment variables that limit the threads of linear algebra."""


@dataclass(frozen=True)
class Job:
    """What the measurement of one stage needs.

    Attributes
    ----------
    stage : str
        a key of :data:`ser_core.benchmark.stages.STAGES`
    clip : str
        path of the recording, a WAV file
    corpus : str
        its utterances are used where a stage needs many
    folder : str
        temporary folder of the benchmark
    threads : int or None
        of every library; None for the default of each
    quick : bool
        few calls
    network : str
        of the stage ``networks``: a key of ``ser_core.models.MODELS``
    seconds : float or None
        of the stage ``networks``: what does not fit in this time is not measured
    """

    stage: str
    clip: str
    corpus: str
    folder: str
    threads: int | None = None
    quick: bool = False
    network: str = ""
    seconds: float | None = None


def environment(threads: int | None, gpu: bool = False) -> dict[str, str]:
    """Return the environment of a measuring process.

    Parameters
    ----------
    threads : int or None
        limit of every library's threads; None leaves them
    gpu : bool, default False
        whether TensorFlow may see a GPU
    """
    package = str(paths.package_dir().parent)
    made = dict(os.environ) | {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    made["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    if threads is None:
        for name in POOLS:
            made.pop(name, None)
    else:
        made |= dict.fromkeys((*POOLS, "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"), str(threads))
    return made if gpu else made | {"CUDA_VISIBLE_DEVICES": "-1"}


def run_in_process(job: Job, gpu: bool = False) -> tuple[Stage, ...]:
    """Measure a stage in a new process.

    Parameters
    ----------
    job : Job
    gpu : bool, default False
        whether TensorFlow may see a GPU

    Returns
    -------
    tuple of Stage
        one or more, stamped with load and duration

    Raises
    ------
    SerError
        where the measurement fails, with the last line of its output
    """
    target = Path(job.folder) / f"{job.stage}.json"
    busy, own, start = clocks.busy_seconds(), clocks.processor_seconds(), time.perf_counter()
    command = [sys.executable, "-m", "ser_core.benchmark.worker", json.dumps(asdict(job)), str(target)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(job.threads, gpu))
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SerError(f"bench {job.stage}: {last[0]}")
    seconds = time.perf_counter() - start
    stages = tuple(Stage.from_json(values) for values in json.loads(target.read_text()))
    now, used = clocks.busy_seconds(), clocks.processor_seconds() - own
    others = None if busy is None or now is None else max(0.0, now - busy - used) / (seconds * (os.cpu_count() or 1))
    return tuple(replace(one, others=others, load=clocks.load(), seconds=seconds) for one in stages)
