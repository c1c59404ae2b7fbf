"""Keep what is computed from stored predictions, in the cache, by the content of the files that it came from.

A table over hundreds of results pools the same ones again and again, today and tomorrow. The name of an entry is the
SHA-256 of the predictions, of the fields that were used, and of the code. So an entry is never stale, and a store that
got one more result computes that one only.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ser_core._utils.content_cache import code_digest, name_of, remember
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
KIND = "results"
"""Folder of the entries in the cache."""
PAIRED_COLUMNS = ("id", "speaker", "text", "truth", "prediction")
"""Columns that paired differences use."""


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Return the digest of the code and of the libraries that compute an entry."""
    return code_digest(CODE, LIBRARIES)


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
    return name_of(parts)


def paired(first: pd.DataFrame, second: pd.DataFrame, labels: Sequence[str]) -> PairedDifferences:
    """Compute the paired differences of two sets of predictions, or return those of the same content.

    Parameters
    ----------
    first, second, labels
        see :func:`ser_core.metrics.significance.paired`
    """
    digests = [_frame_digest(frame[list(PAIRED_COLUMNS)]) for frame in (first, second)]
    return remember(
        KIND,
        name_of(["paired frames", _code_digest(), digests, list(labels)]),
        lambda: significance.paired(first, second, labels),
        significance.PairedDifferences.to_json,
        significance.PairedDifferences.from_json,
    )


def _frame_digest(frame: pd.DataFrame) -> str:
    """Return the digest of a frame's values, in the order of its rows."""
    import pandas as pd

    return sha256(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()
