"""Measure how costs grow: with the corpus, the length of a recording, the runs of a sweep, the results of a store.

Each point is measured in a process of its own: ``python -m ser_core.benchmark.growth CURVE SIZE FOLDER``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.words import near
from ser_core.benchmark.job import environment
from ser_core.benchmark.records import MEASURED, NOT_MEASURED, Curve, Point
from ser_core.benchmark.stage_timing import peak_memory_mib

SEGMENT = 0.5
"""Seconds of an utterance of the made corpus."""
PART = 5_000
"""Rows of the made corpus that are in memory together."""
STEP = 0.001
"""Seconds between the beginnings of two utterances of one recording."""


@dataclass(frozen=True)
class Growth:
    """Describe a curve.

    Attributes
    ----------
    title, unit : str
    measure : callable
        from a size and a temporary folder to (seconds, peak memory in MiB or None)
    sizes, quick : tuple of int
        sizes of the points, and those of ``--quick``
    needs : str or None
        package without which it is not measured
    """

    title: str
    unit: str
    measure: Callable[[int, Path], tuple[float, float | None]]
    sizes: tuple[int, ...]
    quick: tuple[int, ...]
    needs: str | None = None


def made_corpus(size: int, first: int = 0, last: int | None = None) -> Any:
    """Make an utterance table of any size: segments of 0.5 s of the demo corpus, no two alike.

    Parameters
    ----------
    size : int
    first, last : int
        rows to make, by default all

    Returns
    -------
    pandas.DataFrame
        ``id``, ``path``, ``start``, ``end``
    """
    import pandas as pd

    from ser_core import corpora

    files = corpora.load("demo")["path"].to_numpy()
    row = np.arange(first, size if last is None else min(size, last))
    start = STEP * (row % (-(-size // len(files))))
    path = files[row // -(-size // len(files))]
    return pd.DataFrame({"id": [f"made-{n}" for n in row], "path": path, "start": start, "end": start + SEGMENT})


def measure_corpus(size: int, folder: Path) -> tuple[float, float | None]:
    """Measure the features of a made corpus with an empty cache; its table is made part by part, as it is needed."""
    from ser_core import features
    from ser_core.features import cache

    made_corpus(1)  # the demo corpus is unpacked here
    parts = (made_corpus(size, first, first + PART) for first in range(0, size, PART))
    jobs = (job for part in parts for job in cache.jobs_for(part, features.FeatureSettings()))
    os.environ["SER_CACHE"] = str(folder / "cache")
    start = time.perf_counter()
    cache.ensure_cached(jobs, progress=False)
    return time.perf_counter() - start, _tree_memory_mib()


def _tree_memory_mib() -> float | None:
    """Return the peak memory of this process, and of the largest of its ended children for each other core."""
    own = peak_memory_mib()
    try:
        import resource
    except ImportError:
        return own
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 2**20
    return None if own is None else own + child * max(1, (os.cpu_count() or 1) - 1)


def measure_length(size: int, folder: Path) -> tuple[float, float | None]:
    """Measure the prediction of a recording of this many seconds, at 16 kHz; the median of five calls."""
    from ser_core import audio
    from ser_core.inference.predict import Predictor

    predictor = Predictor()
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, size * audio.SAMPLE_RATE).astype(np.float32)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        predictor.predict((samples, audio.SAMPLE_RATE))
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds[1:])), peak_memory_mib()


def measure_matrix(size: int, folder: Path) -> tuple[float, float | None]:
    """Measure a sweep of this many runs on a Dask cluster of one worker, whose training is a stub."""
    from ser_core.experiments import cluster
    from ser_core.experiments.run import corpus_version
    from ser_core.experiments.spec import Spec

    specs = [Spec(corpus="demo", model="svm", augment="", seed=seed) for seed in range(size)]
    version = corpus_version("demo")
    with local_dask(folder) as address:
        start = time.perf_counter()
        runs = cluster.run_on_cluster(
            specs, address, lambda corpus: version, fresh=False, progress=False, train=stub_run
        )
        results = list(runs)
        seconds = time.perf_counter() - start
    if len(results) != size or not all(result.ok for result in results):
        failed = next((result.error for result in results if not result.ok), "some are missing")
        raise SerError(f"bench growth matrix: {failed}")
    return seconds, peak_memory_mib()


def stub_run(spec: Any, fresh: bool) -> Any:
    """Write a result as a run does, without training: the part of a sweep that is not work."""
    from ser_core.experiments import store
    from ser_core.experiments.result import RunResult
    from ser_core.experiments.run import corpus_version_once
    from ser_core.experiments.spec import spec_hash
    from ser_core.metrics.uncertainty import SCORES, Intervals

    version = corpus_version_once(spec.corpus)
    scores = dict.fromkeys(SCORES, 0.0)
    result = RunResult(
        spec_hash(spec, version), asdict(spec), data_version=version, labels=("happy", "sad"), n_train=1,
        n_validation=1, n_test=1, scores=scores, intervals=Intervals("none", 0), confusion=[[0, 0], [0, 0]],
        validation=scores, seconds=dict.fromkeys(("features", "training", "evaluation"), 0.0),
    )  # fmt: skip
    path = store.store_dir() / f"{result.hash}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"0" * 50_000)
    store.write_result(result, store.store_dir())
    return result


class local_dask:
    """Start a Dask scheduler and one worker with its own store for a while; ``with`` gives the address."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.processes: list[subprocess.Popen] = []

    def __enter__(self) -> str:
        file, dask = self.folder / "scheduler.json", [sys.executable, "-m", "dask"]
        worker = {**os.environ, "SER_RUNS": str(self.folder / "worker")}
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": self.folder}
        words = ["scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={file}", "--no-dashboard"]
        self.processes.append(subprocess.Popen([*dask, *words], **quiet))
        words = ["worker", f"--scheduler-file={file}", "--nthreads=1", "--no-dashboard", "--host=127.0.0.1"]
        self.processes.append(
            subprocess.Popen([*dask, *words, f"--local-directory={self.folder}"], env=worker, **quiet)
        )
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                return json.loads(file.read_text())["address"]
            except (OSError, ValueError):
                time.sleep(0.1)
        self.__exit__()
        raise SerError("bench growth matrix: the Dask scheduler did not start within 60 s")

    def __exit__(self, *error: Any) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


def made_store(size: int, folder: Path) -> Path:
    """Make a store of this many results: the published ones, again and again under other seeds.

    Parameters
    ----------
    size : int
    folder : Path
        runs folder to make; its store gets the results

    Returns
    -------
    Path
        of the store
    """
    from ser_core._utils import paths
    from ser_core.experiments import store

    made = folder / "store"
    made.mkdir(parents=True, exist_ok=True)
    rows = [row for row in store.load_rows(paths.root() / "runs" / "published") if row.ok]
    if not rows:
        raise SerError("bench growth store: no published results; run this from a checkout of the suite")
    for number in range(size):
        row = rows[number % len(rows)]
        name = f"{number:016x}"
        again = replace(row, hash=name, spec=row.spec | {"seed": row.spec["seed"] + 10 * (number // len(rows))})
        os.link(store.predictions_path(row, made), made / f"{name}.parquet")
        store.write_result(again, made)
    return made


def measure_store(size: int, folder: Path) -> tuple[float, float | None]:
    """Measure ``ser tables --store`` over this many results, for the first time."""
    made_store(size, folder / "runs")
    return _time_tables(folder)


def measure_store_again(size: int, folder: Path) -> tuple[float, float | None]:
    """Measure ``ser tables --store`` over this many results, for the second time."""
    made_store(size, folder / "runs")
    _time_tables(folder)
    return _time_tables(folder)


def _time_tables(folder: Path) -> tuple[float, float | None]:
    """Return the time of ``ser tables --store`` on a made store."""
    places = {**os.environ, "SER_RUNS": str(folder / "runs"), "SER_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "ser_core.cli", "tables", "--store"]
    start = time.perf_counter()
    done = subprocess.run(command, env=places, capture_output=True, text=True)
    if done.returncode != 0:
        raise SerError(f"bench growth store: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - start, None


CURVES: dict[str, Growth] = {
    "corpus": Growth(
        "features of a corpus, cache empty", "utterance", measure_corpus,
        (1_000, 3_000, 10_000, 30_000, 100_000), (500, 1_000, 2_000),
    ),
    "length": Growth(
        "prediction of a recording", "second", measure_length, (4, 16, 64, 256, 1_024), (4, 16, 64),
    ),
    "matrix": Growth(
        "sweep on a Dask cluster, training a stub", "run", measure_matrix, (100, 1_000, 10_000), (20, 60),
        needs="distributed",
    ),
    "store": Growth("ser tables --store, first time", "result", measure_store, (300, 1_200, 5_000), (60, 120)),
    "store_again": Growth(
        "ser tables --store, second time", "result", measure_store_again, (300, 1_200, 5_000), (60, 120),
    ),
}  # fmt: skip
"""Every curve by name."""


def select_curves(only: tuple[str, ...]) -> list[str]:
    """Return the names of the curves to measure; none for all.

    Raises
    ------
    SerError
        for a name that no curve has
    """
    for name in only:
        if name.replace("-", "_") not in CURVES:
            raise SerError(
                f"--growth --only {name!r}: no such curve{near(name, CURVES)}; choose among {', '.join(CURVES)}"
            )
    return [name for name in CURVES if not only or name in {wanted.replace("-", "_") for wanted in only}]


def measure_growth(only: tuple[str, ...] = (), *, quick: bool = False, progress: bool = True) -> tuple[Curve, ...]:
    """Measure the growth curves.

    Parameters
    ----------
    only : tuple of str
        names of curves
    quick : bool, default False
        few small sizes
    progress : bool, default True
        show a bar on standard error

    Returns
    -------
    tuple of Curve
    """
    import importlib.util

    from tqdm import tqdm

    chosen = select_curves(only)
    plan = [(name, size) for name in chosen for size in (CURVES[name].quick if quick else CURVES[name].sizes)]
    points: dict[str, list[Point]] = {name: [] for name in chosen}
    missing = {name for name in chosen if CURVES[name].needs and not importlib.util.find_spec(str(CURVES[name].needs))}
    bar = tqdm(plan, desc="growth", unit="point", disable=None if progress else True)
    for name, size in bar:
        bar.set_postfix_str(f"{name} {size}")
        if name not in missing:
            points[name].append(_point_in_process(name, size))
    return tuple(
        Curve(
            name,
            CURVES[name].title,
            CURVES[name].unit,
            tuple(points[name]),
            NOT_MEASURED if name in missing else MEASURED,
            f"{CURVES[name].needs} is not installed" if name in missing else None,
        )
        for name in chosen
    )


def _point_in_process(name: str, size: int) -> Point:
    """Measure one point in a new process."""
    with tempfile.TemporaryDirectory(prefix="ser-growth-") as folder:
        command = [sys.executable, "-m", "ser_core.benchmark.growth", name, str(size), folder]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(None))
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SerError(f"bench growth {name}: {last[0]}")
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return Point(size, seconds, memory)


if __name__ == "__main__":
    try:
        folder = Path(sys.argv[3])
        os.environ.setdefault("SER_RUNS", str(folder / "runs"))
        print(json.dumps(CURVES[sys.argv[1]].measure(int(sys.argv[2]), folder)))
    except SerError as error:
        sys.exit(str(error))
