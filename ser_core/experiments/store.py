"""Keep results, predictions and weights of runs, in the store and among the published results."""

import contextlib
import csv
import hashlib
import json
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core._utils.atomic import reported_storage, write_atomically
from ser_core._utils.errors import SerError, SerWarning, UnavailableError
from ser_core._utils.paths import runs_dir
from ser_core.claims import paper
from ser_core.experiments.result import ERROR, RunResult, check_schema
from ser_core.experiments.spec import Spec, stored_names

INDEX = "index.csv"
"""Of the published folder; see :mod:`ser_core.experiments.publication`."""
ROW_NAME = re.compile(r"(error-)?[0-9a-f]{16}|fold\d+-seed\d+")
"""Names of the files of results; other JSON files are none, and nothing is said about them."""
PREDICTED = ("id", "side", "corpus", "speaker", "sex", "text", "truth")
"""Columns that every file of predictions has, besides the labels."""
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
    lock = FileLock(path)
    with reported_storage(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


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
    """Load a stored result, or None where it is missing, damaged, or no result; a damaged one is named in a warning.

    Raises
    ------
    SerError
        for a result that a later version of the suite has written
    """
    path = Path(path)
    try:
        values = json.loads(path.read_bytes())
    except OSError:
        return None
    except (ValueError, RecursionError):
        _pass_over(path, "it is no JSON", unless=not ROW_NAME.fullmatch(path.stem))
        return None
    if not (isinstance(values, dict) and {"hash", "spec", "status"} <= set(values)):
        _pass_over(path, "it is no result", unless=not ROW_NAME.fullmatch(path.stem))
        return None
    check_schema(values)
    try:
        return replace(RunResult.from_json(values), path=path)
    except SerError as error:
        _pass_over(path, str(error))
        return None


def _pass_over(path: Path, reason: str, *, unless: bool = False) -> None:
    """Warn of a result that is passed over."""
    if not unless:
        warnings.warn(f"{path}: passed over, {reason}", SerWarning, stacklevel=3)


def result_files(folder: Path) -> list[Path]:
    """Return the JSON files of a folder and its sub-folders that may be results, sorted."""
    skipped = lambda path: any(part in OTHER_FOLDERS or part.endswith(".checkpoint") for part in path.parts)  # noqa: E731
    return [path for path in sorted(Path(folder).rglob("*.json")) if not skipped(path.relative_to(folder))]


def load_rows(folder: Path) -> list[RunResult]:
    """Load all results of a folder and its sub-folders, sorted by spec; other files are passed over.

    Both layouts are read: results named by their hashes in one folder, and those in the folders of
    :mod:`ser_core.experiments.published`.
    """
    results = []
    for path in result_files(folder):
        try:
            results.append(load_row(path))
        except SerError as error:  # of a later version
            _pass_over(path, str(error))
    return sorted(filter(None, results), key=lambda result: json.dumps(stored_names(result.spec), sort_keys=True))


def find_results(folder: Path, hashes: Iterable[str]) -> list[RunResult]:
    """Load the results with these hashes, in this order; those that are missing are left out.

    The index of published results says where they are, so that the others need not be read.
    """
    places = {}
    with contextlib.suppress(OSError, csv.Error, UnicodeDecodeError), (folder / INDEX).open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("hash") and row.get("path")]
        places = {row["hash"]: folder / row["path"] for row in rows}
    loaded = (load_row(places.get(name, folder / f"{name}.json")) for name in hashes)
    return [result for result in loaded if result is not None]


def spec_key(spec: Spec | dict) -> str:
    """Return what results of the same spec have in common; a user-defined model is not imported for it."""
    return json.dumps(stored_names(spec if isinstance(spec, dict) else asdict(spec)), sort_keys=True)


def published_keys() -> set[str]:
    """Return the keys (:func:`spec_key`) of the specs whose results are in the published folder."""
    return {spec_key(result.spec) for result in load_rows(published_dir())}


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

    Raises
    ------
    SerError
        for a file that is missing, damaged, or of another result
    """
    path = predictions_path(result, folder)
    try:
        status = os.stat(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SerError(f"{path}: the predictions are missing ({reason}); run it again with --force") from None
    return _read_predictions(str(path), result.labels, status.st_size, status.st_mtime_ns).copy()


@lru_cache(maxsize=512)
def _read_predictions(path: str, labels: tuple[str, ...], size: int, changed: int):
    """Read predictions and check them; a file of this size and time of change is kept for the next call."""
    import pandas as pd

    again = "run it again with --force"
    try:
        frame = pd.read_parquet(path)
    except Exception as error:  # Arrow has many kinds
        reason = " ".join(str(error).split())[:100]
        raise SerError(f"{path}: the predictions cannot be read ({reason}); {again}") from None
    lacking = [name for name in (*PREDICTED, *labels) if name not in frame]
    if lacking:
        raise SerError(f"{path}: the predictions have no column {', '.join(lacking)}; {again}")
    fits = all(pd.api.types.is_numeric_dtype(frame[label]) for label in labels)
    fits &= all(pd.api.types.is_string_dtype(frame[name]) and not frame[name].isna().any() for name in PREDICTED)
    if not fits or not frame["truth"].isin(labels).all() or frame[list(labels)].isna().any(axis=None):
        raise SerError(f"{path}: the predictions are not those of {', '.join(labels)}; {again}")
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
        except (OSError, ValueError, KeyError, TypeError, RecursionError):  # its run has just ended
            continue
    return f", in training: epoch {', '.join(map(str, sorted(reached)))}" if reached else ""
