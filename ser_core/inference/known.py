"""Say that a recording is one that the network was trained on: its answer says nothing about unheard speakers.

A recording is known by the name of its file and its duration, or by its content: both are compared with the corpus's
published list of files.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MANIFESTS = Path(__file__).parents[1] / "corpora" / "manifests"
KNOWN = "the network was trained on this recording, so its answer is no test of it"
"""Note of a prediction."""
TOLERANCE = 0.06
"""A copy in another container may be longer or shorter by this, s."""


@dataclass(frozen=True)
class Published:
    """Hold what a corpus's published list says of its files."""

    seconds: dict[str, float]  # name without folder and ending to duration
    sizes: frozenset[int]  # bytes
    checksums: frozenset[str]  # SHA-256, hexadecimal


@lru_cache(maxsize=4)
def published(corpus: str) -> Published | None:
    """Read the published list of a corpus; None where there is none. Files without a duration are known by content."""
    path = MANIFESTS / f"{corpus}.csv.xz"
    if not path.is_file():
        return None
    rows = list(csv.DictReader(io.StringIO(lzma.decompress(path.read_bytes()).decode())))
    return Published(
        {
            Path(row["file"]).stem: float(row["frames"]) / float(row["sample_rate"])
            for row in rows
            if row.get("frames") and row.get("sample_rate")
        },
        frozenset(int(row["bytes"]) for row in rows),
        frozenset(row["sha256"] for row in rows),
    )


def is_known(source, name: str, seconds: float, corpus: str | None) -> bool:
    """Return whether a recording belongs to a corpus, by its name and duration or by its content.

    Parameters
    ----------
    source : path, bytes, or (samples, rate)
        Samples are known by their name and duration only.
    name : str
        Name of the recording.
    seconds : float, s
        Its duration.
    corpus : str or None
        Name of the corpus that a network was trained on as a whole; None for another network.

    Examples
    --------
    >>> is_known(b"", "03-01-05-02-01-01-12.ogg", 3.64, "ravdess"), is_known(b"", "mine.wav", 3.64, "ravdess")
    (True, False)
    """
    known = published(corpus) if corpus else None
    if known is None:
        return False
    duration = known.seconds.get(Path(name.replace("\\", "/")).stem)
    if duration is not None and abs(duration - seconds) <= TOLERANCE:
        return True
    if isinstance(source, bytes):
        return len(source) in known.sizes and hashlib.sha256(source).hexdigest() in known.checksums
    if not isinstance(source, str | os.PathLike):
        return False
    try:
        return os.path.getsize(source) in known.sizes and _checksum(source) in known.checksums
    except OSError:
        return False


def durations(corpus: str | None) -> dict[str, float]:
    """Return the duration in seconds of each file of a corpus by its name; empty where there is no list.

    >>> durations("ravdess")["03-01-05-02-01-01-12"]
    3.637
    """
    known = published(corpus) if corpus else None
    return {name: round(seconds, 3) for name, seconds in known.seconds.items()} if known else {}


def _checksum(path: str | os.PathLike) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
