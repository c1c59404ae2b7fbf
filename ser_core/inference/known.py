"""Say that a recording is one that the network was trained on: its answer says nothing about unheard speakers.

A recording is known by the name of its file, where it is also like the training recordings, or by its content, which is
compared with the corpus's published list of checksums.
"""

from __future__ import annotations

import csv
import hashlib
import io
import lzma
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

MANIFESTS = Path(__file__).parents[1] / "corpora" / "manifests"
KNOWN = "the network was trained on this recording, so its answer is no test of it"
"""Note of a prediction."""
NAMES = {"ravdess": "03-01-0[1-8]-0[12]-0[12]-0[12]-(0[1-9]|1[0-9]|2[0-4])"}
"""Patterns of the names of a corpus's files, without folder and ending."""


@dataclass(frozen=True)
class Published:
    """Hold the sizes and checksums of a corpus's files."""

    sizes: frozenset[int]  # bytes
    checksums: frozenset[str]  # SHA-256, hexadecimal


@lru_cache(maxsize=4)
def published(corpus: str) -> Published | None:
    """Read the published list of a corpus; None where there is none."""
    path = MANIFESTS / f"{corpus}.csv.xz"
    if not path.is_file():
        return None
    rows = list(csv.DictReader(io.StringIO(lzma.decompress(path.read_bytes()).decode())))
    return Published(
        frozenset(int(row["bytes"]) for row in rows),
        frozenset(row["sha256"] for row in rows),
    )


def is_known(source, name: str, corpus: str | None, *, alike: bool = True) -> bool:
    """Return whether a recording belongs to a corpus, by its name or its content.

    Parameters
    ----------
    source : path, bytes, or (samples, rate)
        Samples are known by their name only.
    name : str
        Name of the recording.
    corpus : str or None
        Name of the corpus that a network was trained on as a whole; None for another network.
    alike : bool, default True
        Whether the recording is like the training recordings. One that is not may have such a name all the same, as
        those of the demo corpus have; its content decides.

    Examples
    --------
    >>> is_known(b"", "03-01-05-02-01-01-12.ogg", "ravdess"), is_known(b"", "mine.wav", "ravdess")
    (True, False)
    """
    if corpus is None:
        return False
    if alike and re.fullmatch(NAMES.get(corpus, "(?!)"), Path(name.replace("\\", "/")).stem):
        return True
    known = published(corpus)
    if known is None:
        return False
    if isinstance(source, bytes):
        return len(source) in known.sizes and hashlib.sha256(source).hexdigest() in known.checksums
    if not isinstance(source, str | os.PathLike):
        return False
    try:
        return os.path.getsize(source) in known.sizes and _checksum(source) in known.checksums
    except OSError:
        return False


def _checksum(path: str | os.PathLike) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
