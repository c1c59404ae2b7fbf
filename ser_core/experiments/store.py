"""Keep results, predictions and weights of runs, in the store and among the published results."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError, UnavailableError
from ser_core._utils.paths import runs_dir
from ser_core.claims import paper
from ser_core.experiments.result import ERROR, RunResult
from ser_core.experiments.spec import Spec, stored_names


def store_dir() -> Path:
    """Where ``run`` keeps its results: ``<runs>/store``."""
    return runs_dir() / "store"


def published_dir() -> Path:
    """The committed rows measured on the real corpora: ``<runs>/published``. They never satisfy a run."""
    return runs_dir() / "published"


def checkpoint_folder(name: str) -> Path:
    """Return the folder of the training checkpoints of a result."""
    return store_dir() / f"{name}.checkpoint"


@contextlib.contextmanager
def result_lock(name: str) -> Iterator[None]:
    """Wait until no other process works on this result in this store, and let none begin.

    The lock is the system's, on ``<store>/<name>.lock``, and goes with the process that holds it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    path = store_dir() / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("w")
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break  # else the one before removed the file after it was opened here
        file.close()
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
        file.close()


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


def publish(specs) -> list[str]:
    """Copy the finished results of these specs, JSON and Parquet, from the store to the published folder.

    What the paper claims is looked up again, so that a corrected ``paper.py`` reaches results measured before.

    Returns
    -------
    list of str
        names of the published results; runs that have not finished are passed over
    """
    wanted = {json.dumps(asdict(spec), sort_keys=True) for spec in specs}
    before = {json.dumps(result.spec, sort_keys=True): result.hash for result in load_rows(published_dir())}
    names = []
    for result in load_rows(store_dir()):
        key = json.dumps(result.spec, sort_keys=True)
        if result.ok and key in wanted:
            predictions = (store_dir() / f"{result.hash}.parquet").read_bytes()
            write_atomically(published_dir() / f"{result.hash}.parquet", predictions)
            write_result(replace(result, claimed=claimed(result.spec)), published_dir())
            if before.get(key, result.hash) != result.hash:  # recomputed, on other data or by other code
                for suffix in (".json", ".parquet"):
                    (published_dir() / f"{before[key]}{suffix}").unlink(missing_ok=True)
            names.append(result.hash)
    return names


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
    return RunResult.from_json(values)


def load_rows(folder: Path) -> list[RunResult]:
    """Load all results of a folder (:func:`load_row`), sorted by spec; other files are passed over."""
    results = [load_row(path) for path in sorted(Path(folder).glob("*.json"))]
    return sorted(filter(None, results), key=lambda result: json.dumps(stored_names(result.spec), sort_keys=True))


def published_specs() -> set[Spec]:
    """Return the specs whose results are in the published folder."""
    return {spec for result in load_rows(published_dir()) if (spec := spec_of(result)) is not None}


def spec_of(result: RunResult) -> Spec | None:
    """Return the Spec of a result, or None where its model or its corpus is missing here."""
    try:
        return result.make_spec()
    except (SerError, TypeError):
        return None


def load_predictions(result: RunResult, folder: Path):
    """Load the validation and test predictions of a result.

    Returns
    -------
    DataFrame
        one row per utterance: the columns of the Parquet file, and ``prediction``, the most probable label
    """
    import pandas as pd

    frame = pd.read_parquet(Path(folder) / f"{result.hash}.parquet")
    labels = list(result.labels)
    frame["prediction"] = np.asarray(labels)[frame[labels].to_numpy().argmax(axis=1)]
    return frame


def weights_path(result: RunResult) -> Path:
    """Return where the store keeps (or would keep) the trained network of a result."""
    return store_dir() / f"{result.hash}.keras"


def epochs_in_training(since: float) -> str:
    """ ", in training: epoch 3, 7", from the checkpoints written since a time in seconds; "" where there are none."""
    reached = []
    for state in store_dir().glob("*.checkpoint/state.json"):
        try:
            if state.stat().st_mtime >= since:
                reached.append(len(json.loads(state.read_text(encoding="utf-8"))["history"]["loss"]))
        except (OSError, ValueError, KeyError):  # its cell has just ended
            continue
    return f", in training: epoch {', '.join(map(str, sorted(reached)))}" if reached else ""
