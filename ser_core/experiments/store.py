"""Keep results, predictions and weights of runs, in the store and among the published results."""

import contextlib
import csv
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError, UnavailableError
from ser_core._utils.paths import runs_dir
from ser_core.claims import paper
from ser_core.experiments.result import ERROR, RunResult
from ser_core.experiments.spec import Spec, stored_names

INDEX = "index.csv"
"""Of the published folder; see :mod:`ser_core.experiments.publication`."""
OTHER_FOLDERS = {"report", "notebooks"}
"""Folders next to results that hold other JSON files."""


def store_dir() -> Path:
    """Return the folder of your own results, ``<runs>/store``."""
    return runs_dir() / "store"


def published_dir() -> Path:
    """Return the folder of the committed results, ``<runs>/published``. They are never taken for a run."""
    return runs_dir() / "published"


def checkpoint_folder(name: str) -> Path:
    """Return the folder of the training checkpoints of a result."""
    return store_dir() / f"{name}.checkpoint"


@contextlib.contextmanager
def result_lock(name: str) -> Iterator[None]:
    """Wait until no other process works on this result in this store, and let none begin.

    The lock file is ``<store>/locks/<name>.lock``; the system releases it when the process that holds it ends.
    """
    from filelock import FileLock

    path = store_dir() / "locks" / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


def failed_result(spec: Spec, error: BaseException) -> RunResult:
    """Store the result of a run that failed, under a name of its own; it is tried again next time."""
    message = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if isinstance(error, SerError):
        message = str(error)
    digest = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()[:16]
    unavailable = isinstance(error, UnavailableError)
    result = RunResult(f"error-{digest}", asdict(spec), ERROR, message, unavailable)
    write_result(result, store_dir())
    return result


def write_result(result: RunResult, folder: Path) -> None:
    """Write the JSON file of a result."""
    write_atomically(Path(folder) / f"{result.hash}.json", (json.dumps(result.to_json()) + "\n").encode())


def claimed(spec: dict) -> dict | None:
    """Return what the paper claims for the system and corpus of a spec; None for what it did not measure.

    The paper tested on clean audio of the corpus that it trained on.
    """
    if spec.get("test_corpus") or spec.get("condition", "clean") != "clean":
        return None
    return paper.claimed_scores(spec["model"], spec["corpus"])


def load_row(path: Path) -> RunResult | None:
    """Load a stored result, or None where it is missing, cannot be read, or is no result.

    Raises
    ------
    SerError
        for a result that a later version of the suite has written
    """
    try:
        values = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None
    if not (isinstance(values, dict) and {"hash", "spec", "status"} <= set(values)):
        return None
    return replace(RunResult.from_json(values), path=Path(path))


def result_files(folder: Path) -> list[Path]:
    """Return the JSON files of a folder and its sub-folders that may be results, sorted."""
    skipped = lambda path: any(part in OTHER_FOLDERS or part.endswith(".checkpoint") for part in path.parts)  # noqa: E731
    return [path for path in sorted(Path(folder).rglob("*.json")) if not skipped(path.relative_to(folder))]


def load_rows(folder: Path) -> list[RunResult]:
    """Load all results of a folder and its sub-folders, sorted by spec; other files are passed over.

    Both layouts are read: results named by their hashes in one folder, and those in the folders of
    :mod:`ser_core.experiments.published`.
    """
    results = [load_row(path) for path in result_files(folder)]
    return sorted(filter(None, results), key=lambda result: json.dumps(stored_names(result.spec), sort_keys=True))


def find_results(folder: Path, hashes: Iterable[str]) -> list[RunResult]:
    """Load the results with these hashes, in this order; those that are missing are left out.

    The index of published results says where they are, so that the others need not be read.
    """
    places = {}
    with contextlib.suppress(OSError, csv.Error, UnicodeDecodeError), (folder / INDEX).open(newline="") as file:
        places = {row["hash"]: folder / row["path"] for row in csv.DictReader(file) if row.get("hash") and row["path"]}
    loaded = (load_row(places.get(name, folder / f"{name}.json")) for name in hashes)
    return [result for result in loaded if result is not None]


def published_specs() -> set[Spec]:
    """Return the specs whose results are in the published folder."""
    return {spec for result in load_rows(published_dir()) if (spec := spec_of(result)) is not None}


def spec_of(result: RunResult) -> Spec | None:
    """Return the Spec of a result, or None where its model or its corpus is missing here."""
    try:
        return result.make_spec()
    except (SerError, TypeError):
        return None


def predictions_path(result: RunResult, folder: Path) -> Path:
    """Return the Parquet file of a result: next to its JSON file, else in ``folder``, named by the hash."""
    if result.path is not None and result.path.with_suffix(".parquet").is_file():
        return result.path.with_suffix(".parquet")
    return Path(folder) / f"{result.hash}.parquet"


def load_predictions(result: RunResult, folder: Path):
    """Load the validation and test predictions of a result.

    Returns
    -------
    DataFrame
        one row per utterance: the columns of the Parquet file, and ``prediction``, the most probable label
    """
    path = predictions_path(result, folder)
    status = os.stat(path)
    return _read_predictions(str(path), result.labels, status.st_size, status.st_mtime_ns).copy()


@lru_cache(maxsize=512)
def _read_predictions(path: str, labels: tuple[str, ...], size: int, changed: int):
    """Read predictions; a file of this size and time of change is kept for the next call."""
    import pandas as pd

    frame = pd.read_parquet(path)
    frame["prediction"] = np.asarray(labels)[frame[list(labels)].to_numpy().argmax(axis=1)]
    return frame


def weights_path(result: RunResult) -> Path:
    """Return where the store keeps (or would keep) the trained network of a result."""
    return store_dir() / f"{result.hash}.keras"


def epochs_in_training(since: float) -> str:
    """Return ", in training: epoch 3, 7" from the checkpoints written since a time in seconds, or ""."""
    reached = []
    for state in store_dir().glob("*.checkpoint/state.json"):
        try:
            if state.stat().st_mtime >= since:
                reached.append(len(json.loads(state.read_text(encoding="utf-8"))["history"]["loss"]))
        except (OSError, ValueError, KeyError):  # its run has just ended
            continue
    return f", in training: epoch {', '.join(map(str, sorted(reached)))}" if reached else ""
