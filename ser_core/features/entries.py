"""Read and write the files of the feature cache; what is damaged counts as missing.

An entry holds the raw features of one utterance as :func:`numpy.save` writes them, behind the SHA-256 of these bytes. A
matrix holds the network inputs of a table: the SHA-256 over those of its parts, then the values.
"""

import contextlib
import hashlib
import io
import os
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from ser_core._utils.atomic import replace_atomically
from ser_core._utils.errors import StorageError
from ser_core.features import pool
from ser_core.features.digests import warn_of_cache

HASHED = 2**21
"""Bytes of a part of a matrix that is hashed in one thread."""


def entry_content(values: np.ndarray) -> bytes:
    """Return the content of an entry."""
    buffer = io.BytesIO()
    np.save(buffer, values)
    payload = buffer.getbuffer()
    return b"".join([hashlib.sha256(payload).digest(), payload])


def read_entry(path: Path) -> np.ndarray | None:
    """Read an entry; None where it is missing or damaged."""
    try:
        with open(path, "rb", buffering=0) as file:
            content = bytearray(os.fstat(file.fileno()).st_size)
            file.readinto(content)
        payload = memoryview(content)[32:]
        if hashlib.sha256(payload).digest() != content[:32]:
            return None
        size = 10 + int.from_bytes(payload[8:10], "little")
        shape, order, kind = _read_header(bytes(payload[:size]))
        return np.frombuffer(content, kind, offset=32 + size).reshape(shape, order=order)
    except (OSError, ValueError, EOFError):
        return None


@lru_cache(maxsize=4096)
def _read_header(header: bytes) -> tuple[tuple[int, ...], Literal["C", "F"], np.dtype]:
    """Read the header of an array as :func:`numpy.save` writes it, version 1.0: its shape, order and type."""
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("another version")
    shape, transposed, kind = np.lib.format.read_array_header_1_0(file)
    if kind.hasobject:
        raise ValueError("not a plain array")
    return shape, "F" if transposed else "C", kind


def read_matrix(path: Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read a matrix of float32 of a given shape; None where it is missing or damaged.

    Its file is marked as used now: :func:`write_matrix` removes those first that were not used for longest.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            matrix: np.ndarray = np.empty(shape, dtype=np.float32)
            mark = file.read(32)
            if os.fstat(file.fileno()).st_size != 32 + matrix.nbytes or not _fill(file, matrix.data.cast("B")):
                return None
    except OSError:
        return None
    if _matrix_mark(matrix) != mark:
        return None
    with contextlib.suppress(OSError):
        os.utime(path)
    return matrix


def _fill(file: io.FileIO, view: memoryview) -> bool:
    """Read a file into a view until it is full; return whether it is."""
    place = 0
    while place < len(view):
        count = file.readinto(view[place:])
        if not count:
            return False
        place += count
    return True


def write_matrix(path: Path, matrix: np.ndarray, most: int) -> None:
    """Write a matrix where the cache takes it; all matrices in its folder together take at most ``most`` bytes."""
    with contextlib.suppress(OSError):
        status = [(entry.stat(), entry.path) for entry in os.scandir(path.parent)]
        known = sorted((one.st_mtime_ns, one.st_size, old) for one, old in status)
        excess = sum(size for _, size, _ in known) + matrix.nbytes - most
        for _, size, old in known:
            if excess > 0:
                os.unlink(old)
                excess -= size
    try:
        with replace_atomically(path, size=matrix.nbytes) as temporary, open(temporary, "wb") as file:
            file.write(_matrix_mark(matrix))
            file.write(matrix.data.cast("B"))  # large: not copied
    except StorageError:
        warn_of_cache()


def _matrix_mark(matrix: np.ndarray) -> bytes:
    """Return the SHA-256 over the digests of the parts of a matrix, which are computed in threads."""
    view = matrix.data.cast("B")
    parts = [view[start : start + HASHED] for start in range(0, len(view), HASHED)]
    digests = pool.in_threads(lambda part: hashlib.sha256(part).digest(), parts, many=2, part=1)
    return hashlib.sha256(b"".join(digests)).digest()
