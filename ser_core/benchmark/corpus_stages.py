"""Measure the features of a whole corpus: a plain librosa loop against the cache, empty and filled."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from ser_core.benchmark import clocks, floors, naive
from ser_core.benchmark.clocks import Contender
from ser_core.benchmark.job import Job
from ser_core.benchmark.records import OURS, PEER, Stage

QUICK = 720
"""Utterances of the quick measurement."""


def measure_corpus(job: Job) -> tuple[Stage, ...]:
    """Measure the network inputs of a corpus: with an empty cache, and with a filled one."""
    from ser_core import corpora
    from ser_core._utils.segments import sources
    from ser_core.features import cache

    table = corpora.load(job.corpus)
    if job.quick and len(table) > QUICK:
        table = table.iloc[np.linspace(0, len(table) - 1, QUICK).astype(int)]
    paths = [os.fspath(source) for source in sources(table)]
    folder = Path(job.folder) / "cache"
    os.environ["SER_CACHE"] = str(folder)
    result: dict[str, np.ndarray] = {}

    def plain() -> None:
        result["peer"] = naive.corpus(paths)

    def ours() -> None:
        result["ours"] = cache.feature_matrix(table, progress=False)

    loop = Contender("librosa, one process", PEER, plain)
    empty = Contender("cache.feature_matrix, empty cache", OURS, ours, before=lambda: shutil.rmtree(folder, True))
    filled = Contender("cache.feature_matrix, filled cache", OURS, ours)
    naive.corpus(paths[:2])  # librosa loads here
    how: dict[str, Any] = {"rounds": 2 if job.quick else 3, "calls": 1, "warmup": 0, "utterances": len(table)}
    cold = clocks.measure([loop, empty], **how)
    warm = clocks.measure([loop, filled], **how)  # after the loop: not while the system still writes the files to disk
    read = sum(os.path.getsize(path) for path in paths)
    operations = floors.feature_operations(naive.FRAMES) * len(table)
    made = {
        "cold": (cold, operations, read + result["ours"].nbytes, "files read, features, inputs written"),
        "warm": (warm, 0, 2 * result["ours"].nbytes, "inputs read and written"),
    }
    return tuple(
        Stage(
            f"corpus_{name}",
            f"{len(table):,} recordings to network inputs, cache {'empty' if name == 'cold' else 'filled'}",
            utterances=len(table),
            timings=tuple(timings),
            floor=floors.count(needed, moved, counted),
            difference=float(np.abs(result["ours"] - result["peer"]).max()),
            notes=("difference: largest over the network inputs, after Eq. 4",),
        )
        for name, (timings, needed, moved, counted) in made.items()
    )
