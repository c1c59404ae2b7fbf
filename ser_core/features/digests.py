"""Digests of recordings: of the bytes of their files, and of what they decode to; and small files of the cache.

Whether a recording can be decoded is known with its digest, which is why the reasons of those that cannot are here.
"""

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core import audio
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError, SerWarning, StorageError
from ser_core._utils.paths import cache_dir
from ser_core._utils.recordings import printable
from ser_core._utils.segments import Segment, segment_mark, sources
from ser_core.features import pool

AT_ONCE = 2**24
"""Size from which a file is read in pieces, bytes."""
SETTLED = 2 * 10**9
"""Age from which the times of a file tell whether it was changed, ns."""


def file_digest(path: str | os.PathLike) -> str:
    """Compute the SHA-256 of a file's bytes, hexadecimal."""
    with open(path, "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size < AT_ONCE:
            return hashlib.sha256(file.read()).hexdigest()
        return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _known(path: str) -> list[str]:
    """Return a list with the digest of a file, or an empty one to put it in: one that stands while nobody touches it.

    The file's inode, size and both times tell whether somebody did; the time of the last change of its entry no program
    can set back. A file that was touched a moment ago is not known: it may change again within one tick of the clock.
    """
    status = os.stat(path)
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < SETTLED:
        return []
    return _kept(path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@lru_cache(maxsize=2**17)
def _kept(path: str, *mark: int) -> list[str]:
    return []


def source_digests(chosen: Iterable[str | Segment]) -> dict[str | Segment, str]:
    """Compute the digest of each source: SHA-256 of its file, followed by the limits of a segment.

    Parameters
    ----------
    chosen : iterable of str or Segment
        a file is read once, however many of its segments there are

    Returns
    -------
    dict
        source to digest
    """
    chosen = set(chosen)
    files = list({os.fspath(source) for source in chosen})
    kept = {path: _known(path) for path in files}
    unknown = [path for path, digest in kept.items() if not digest]
    for path, digest in zip(unknown, pool.in_threads(file_digest, unknown)):
        kept[path].append(digest)
    known = {path: digest[0] for path, digest in kept.items()}
    return {
        source: known[os.fspath(source)]
        + (segment_mark(source.start, source.end) if isinstance(source, Segment) else "")
        for source in chosen
    }


def data_version(table) -> str:
    """Compute the hash of a corpus: of its ids and its decoded samples at their native rate.

    The same recordings in another lossless container, or in another folder, give the same version. Digests of decoded
    samples are cached by the SHA-256 of the file.

    Parameters
    ----------
    table : DataFrame
        one row per utterance, with ``path`` and ``id``

    Returns
    -------
    str
        16 hexadecimal digits
    """
    recordings = sources(table)
    digests = source_digests(recordings)
    decoded, damaged = decoded_digests(digests)
    for path, reason in damaged.items():
        raise SerError(f"{path}: {reason}")
    lines = sorted(f"{key} {decoded[path]}" for key, path in zip(table["id"], recordings))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def readable_digests(chosen: Iterable[str | Segment]) -> tuple[dict[str | Segment, str], dict[str | Segment, str]]:
    """Compute the digests of sources as :func:`source_digests`; of files that cannot be read give the reason.

    Returns
    -------
    digests, unreadable : dict of source to digest, and of source to reason
    """
    chosen = list(chosen)
    try:
        return source_digests(chosen), {}
    except OSError:
        pass  # one after the other, to name those
    digests: dict[str | Segment, str] = {}
    unreadable: dict[str | Segment, str] = {}
    files: dict[str, list[str | Segment]] = {}
    for source in chosen:
        files.setdefault(os.fspath(source), []).append(source)
    for parts in files.values():
        try:
            digests |= source_digests(parts)
        except OSError as error:
            unreadable |= dict.fromkeys(parts, f"cannot be read ({error.strerror or error})")
    return digests, unreadable


def decoded_digests(
    digests: dict[str | Segment, str],
) -> tuple[dict[str | Segment, str], dict[str | Segment, str]]:
    """Compute the hashes of the decoded samples of sources, and say of which there are none.

    Parameters
    ----------
    digests : dict
        that of :func:`source_digests`

    Returns
    -------
    decoded, damaged : dict of source to hash, and of source to the reason why it cannot be used
    """
    store = cache_dir() / "decoded.json"
    known, fresh = read_texts(store), {}
    damaged: dict[str | Segment, str] = {}
    for path, digest in digests.items():
        if digest in known or digest in fresh:
            continue
        try:
            fresh[digest] = _decoded_digest(path)
        except SerError as error:
            damaged[path] = str(error).removeprefix(f"{printable(path)}: ")
    known |= fresh
    if fresh:
        write_if_possible(store, json.dumps(known).encode())
    return {path: known[digest] for path, digest in digests.items() if digest in known}, damaged


def read_texts(path: Path) -> dict[str, str]:
    """Read a JSON object of texts from the cache; what is missing or of another kind is left out."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(values, dict):
        return {}
    return {key: value for key, value in values.items() if isinstance(value, str)}


def write_if_possible(path: Path, content: bytes) -> bool:
    """Write a file of the cache, and return whether it took it; where it did not, a warning says so once."""
    try:
        write_atomically(path, content)
    except StorageError:
        warn_of_cache()
        return False
    return True


def warn_of_cache() -> None:
    """Say that the cache takes no more."""
    warnings.warn(f"cache {cache_dir()}: it cannot be written; going on without it", SerWarning, stacklevel=2)


def _decoded_digest(path: str | Segment) -> str:
    """Compute the hash of a recording's decoded samples and sampling rate, block by block."""
    digest, count, rate, channels = hashlib.sha256(), 0, 0, 0
    for block, sound in audio.decode_blocks(path):
        digest.update(np.ascontiguousarray(block).data)
        count, rate, channels = count + len(block), sound.rate, sound.channels
    digest.update(str((rate, (count, channels))).encode())
    return digest.hexdigest()[:32]
