"""Keep results: rows, predictions and weights of runs, in the store and among the published rows."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.paths import runs_dir
from ser_core.claims import paper
from ser_core.experiments.spec import Spec, complete_fields, stored_names


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


def failed_result(spec: Spec, error: BaseException) -> dict:
    """The row of a cell that failed; it is shown and stored under its own name, and tried again next time."""
    message = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    if isinstance(error, SerError):
        message = str(error)
    digest = hashlib.sha256(json.dumps(asdict(spec), sort_keys=True).encode()).hexdigest()[:16]
    row = {"hash": f"error-{digest}", "spec": asdict(spec), "status": "error", "error": message}
    write_atomically(store_dir() / f"{row['hash']}.json", (json.dumps(row) + "\n").encode())
    return row


def claimed(spec: dict) -> dict | None:
    """What the paper claims for the system and corpus of a spec; None for what it did not measure.

    It tested on clean audio of the corpus that it trained on.
    """
    if spec.get("test_corpus") or spec.get("condition", "clean") != "clean":
        return None
    return paper.claimed_scores(spec["model"], spec["corpus"])


def publish(specs) -> list[str]:
    """Copy the finished rows of these specs, JSON and Parquet, from the store to the published folder.

    What the paper claims is looked up again, so that a mended ``paper.py`` reaches rows measured before.

    Returns
    -------
    list of the names published; cells that have not finished are passed over
    """
    wanted = {json.dumps(asdict(spec), sort_keys=True) for spec in specs}
    before = {json.dumps(row["spec"], sort_keys=True): row["hash"] for row in load_rows(published_dir())}
    names = []
    for row in load_rows(store_dir()):
        key = json.dumps(row["spec"], sort_keys=True)
        if row["status"] == "ok" and key in wanted:
            row["claimed"] = claimed(row["spec"])
            predictions = (store_dir() / f"{row['hash']}.parquet").read_bytes()
            write_atomically(published_dir() / f"{row['hash']}.parquet", predictions)
            write_atomically(published_dir() / f"{row['hash']}.json", (json.dumps(row) + "\n").encode())
            if before.get(key, row["hash"]) != row["hash"]:  # measured anew, on other data or by other code
                for suffix in (".json", ".parquet"):
                    (published_dir() / f"{before[key]}{suffix}").unlink(missing_ok=True)
            names.append(row["hash"])
    return names


def load_row(path: Path) -> dict | None:
    """A stored row, or None where there is none or it cannot be read.

    Fields of the spec that came into being after the row was stored stand at their defaults.
    """
    try:
        row = json.loads(Path(path).read_text())
    except (OSError, ValueError):
        return None
    if isinstance(row, dict) and "spec" in row:
        with contextlib.suppress(SerError):  # somebody else's corpus or network
            row["spec"] = complete_fields(row["spec"])
    return row


def load_rows(folder: Path) -> list[dict]:
    """All rows of a folder (:func:`load_row`), sorted by spec; files that are no rows are passed over."""
    rows = [load_row(path) for path in sorted(Path(folder).glob("*.json"))]
    rows = [row for row in rows if row and isinstance(row, dict) and "spec" in row and "status" in row]
    return sorted(rows, key=lambda row: json.dumps(stored_names(row["spec"]), sort_keys=True))


def published_specs() -> set[Spec]:
    """The cells whose rows stand in the published folder."""
    found = set()
    for row in load_rows(published_dir()):
        with contextlib.suppress(SerError, TypeError):
            found.add(Spec(**row["spec"]))
    return found


def load_predictions(row: dict, folder: Path):
    """Validation and test predictions of a row, with the ``prediction`` (the most probable label) as a column."""
    import pandas as pd

    frame = pd.read_parquet(Path(folder) / f"{row['hash']}.parquet")
    labels = np.asarray(row["labels"])
    frame["prediction"] = labels[frame[list(labels)].to_numpy().argmax(axis=1)]
    return frame


def weights_path(row: dict) -> Path:
    """Where the store keeps (or would keep) the trained network of a row."""
    return store_dir() / f"{row['hash']}.keras"


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
