"""Keep what is computed from stored predictions, in the cache, by the content of the files that it came from.

A table over hundreds of results pools the same ones again and again, today and tomorrow. The name of an entry is the
SHA-256 of the predictions, of the fields that were used, and of the code. So an entry is never stale, and a store that
got one more result computes that one only.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ser_core._utils import paths
from ser_core._utils.atomic import write_atomically
from ser_core.experiments import store
from ser_core.experiments.result import RunResult
from ser_core.metrics import significance
from ser_core.metrics.significance import PairedDifferences

if TYPE_CHECKING:
    import pandas as pd

USED_FIELDS = ("hash", "spec", "status", "labels", "parameters")
"""Fields of a result that pooling uses, besides its predictions and the completeness of its corpus."""
CODE = ("metrics", "results/pooling.py", "results/pool_cache.py", "experiments/result.py", "experiments/store.py")
"""Modules whose change makes every entry new, in the package."""
LIBRARIES = ("numpy", "pandas", "scipy")
PAIRED_COLUMNS = ("id", "speaker", "text", "truth", "prediction")
"""Columns that paired differences use."""

Value = TypeVar("Value")


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Return the digest of the code and of the libraries that compute an entry."""
    digest, package = sha256(), paths.package_dir()
    for name in CODE:
        place = package / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    digest.update(" ".join(metadata.version(name) for name in LIBRARIES).encode())
    return digest.hexdigest()


@lru_cache(maxsize=32_768)
def _file_digest(path: str, size: int, changed: int) -> str:
    """Return the digest of a file; one of this size and time of change is read once in a process."""
    return sha256(Path(path).read_bytes()).hexdigest()


def predictions_digest(run: RunResult, folder: str | Path) -> str:
    """Return the digest of a result's predictions, "" where they are missing.

    Parameters
    ----------
    run : RunResult
    folder : path
        where its predictions are
    """
    path = store.predictions_path(run, Path(folder))
    try:
        status = os.stat(path)
    except OSError:
        return ""
    return _file_digest(str(path), status.st_size, status.st_mtime_ns)


def key_of(kind: str, runs: Iterable[RunResult], folder: str | Path, *facts: Any) -> str | None:
    """Return the name of an entry.

    Parameters
    ----------
    kind : str
        what is computed
    runs : iterable of RunResult
        in the order in which they are used
    folder : path
        where their predictions are
    *facts
        what else it depends on, JSON-able

    Returns
    -------
    str or None
        None where predictions are missing, so that the computation says so
    """
    parts: list[Any] = [kind, _code_digest(), *facts]
    for run in runs:
        predictions = predictions_digest(run, folder)
        if not predictions:
            return None
        complete = run.completeness.to_json() if run.completeness else None
        parts.append([predictions, complete, *(getattr(run, name) for name in USED_FIELDS)])
    return _name(parts)


def remember(
    key: str | None, compute: Callable[[], Value], to_json: Callable[[Value], Any], from_json: Callable[[Any], Value]
) -> Value:
    """Return an entry, or compute and keep it.

    Parameters
    ----------
    key : str or None
        by :func:`key_of`; None computes and keeps nothing
    compute : callable
        makes the value
    to_json, from_json : callable
        to and from what ``json.dumps`` takes, without loss

    Returns
    -------
    the value
    """
    if key is None:
        return compute()
    path = paths.cache_dir() / "results" / key[:2] / f"{key}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # missing or damaged
        check, content = path.read_bytes().split(b"\n", 1)
        if check == sha256(content).hexdigest().encode():
            return from_json(json.loads(content))
    value = compute()
    content = json.dumps(to_json(value)).encode()
    with contextlib.suppress(OSError):  # a folder that cannot be written
        write_atomically(path, sha256(content).hexdigest().encode() + b"\n" + content)
    return value


def paired(first: pd.DataFrame, second: pd.DataFrame, labels: Sequence[str]) -> PairedDifferences:
    """Compute the paired differences of two sets of predictions, or return those of the same content.

    Parameters
    ----------
    first, second, labels
        see :func:`ser_core.metrics.significance.paired`
    """
    digests = [_frame_digest(frame[list(PAIRED_COLUMNS)]) for frame in (first, second)]
    return remember(
        _name(["paired frames", _code_digest(), digests, list(labels)]),
        lambda: significance.paired(first, second, labels),
        significance.PairedDifferences.to_json,
        significance.PairedDifferences.from_json,
    )


def _frame_digest(frame: pd.DataFrame) -> str:
    """Return the digest of a frame's values, in the order of its rows."""
    import pandas as pd

    return sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()


def _name(parts: list[Any]) -> str:
    """Return the name of an entry from what it depends on."""
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
