"""List the stages of ``ser bench``; the functions that measure them are imported when they run."""

from __future__ import annotations

import importlib
from dataclasses import dataclass

from ser_core.benchmark.job import Job
from ser_core.benchmark.records import Stage


@dataclass(frozen=True)
class Kind:
    """Describe how a stage is measured.

    Attributes
    ----------
    title : str
    function : str
        ``module:function`` in :mod:`ser_core.benchmark`, from a job to one or more stages
    threads : int or None
        of every library; None for the default of each
    gpu : bool
        whether it runs on a GPU
    quick : bool
        whether ``--quick`` has it
    """

    title: str
    function: str
    threads: int | None = None
    gpu: bool = False
    quick: bool = True

    def measure(self, job: Job) -> tuple[Stage, ...]:
        """Measure the stage in this process."""
        module, function = self.function.split(":")
        return getattr(importlib.import_module(f"ser_core.benchmark.{module}"), function)(job)


STAGES: dict[str, Kind] = {
    "clip_a1": Kind("one recording to its emotion, A1", "clip_stages:measure_clip"),
    "clip_a5": Kind("one recording to its emotion, A5", "clip_stages:measure_clip"),
    "features": Kind("42 channels of one recording", "clip_stages:measure_features", threads=1),
    "stream": Kind("an estimate of a stream, every 0.5 s", "clip_stages:measure_stream"),
    "start": Kind("start of the program to its first answer", "clip_stages:measure_start"),
    "corpus": Kind("recordings of a corpus to network inputs", "corpus_stages:measure_corpus"),
    "training": Kind("training of A5, float32", "training_stages:measure_training", threads=1),
    "unrolled": Kind("recurrent layers unrolled, A5", "training_stages:measure_unrolled", threads=1),
    "training_gpu": Kind("training of A5 on a GPU, float32", "training_stages:measure_training", gpu=True),
    "networks": Kind("every network in every runtime", "runtimes:measure_network", quick=False),
}
"""Every stage by name."""
