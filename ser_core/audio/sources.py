"""Open what a recording is read from: a file or bytes, as a file that never raises inside a decoder."""

import io
import os
import stat
from collections.abc import Sequence

from ser_core._utils.errors import SerError
from ser_core._utils.recordings import is_pointer

IN_MEMORY = 64 * 1024 * 1024
"""Largest file that is read at once, bytes; a larger one is read in pieces."""


class Content(io.BytesIO):
    """Hold the bytes of a recording; a decoder that seeks to nowhere gets nowhere, without an exception."""

    error: OSError | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place, or stay where the place is none."""
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


class LargeFile(io.RawIOBase):
    """Read a part of a file with some bytes replaced; a failure ends the file and is kept in ``error``.

    Parameters
    ----------
    file : binary file
    start, stop : int
        limits of the part, bytes
    patches : sequence of (int, bytes)
        offset in the part, and the bytes that stand there instead
    prefix : bytes
        what stands before the part
    """

    def __init__(self, file, start: int, stop: int, patches: Sequence[tuple[int, bytes]] = (), prefix: bytes = b""):
        super().__init__()
        self._file, self._start, self._length = file, start, len(prefix) + stop - start
        self._patches, self._prefix, self._place = tuple(patches), prefix, 0
        self.error: OSError | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer) -> int:
        """Read into a buffer and return the number of bytes."""
        view = memoryview(buffer)[: max(0, self._length - self._place)]
        before = self._prefix[self._place : self._place + len(view)]
        view[: len(before)] = before
        count = self._read_part(view[len(before) :], self._place + len(before) - len(self._prefix))
        self._place += len(before) + count
        return len(before) + count

    def _read_part(self, view: memoryview, place: int) -> int:
        """Read from a place in the part, with the replacements; return the number of bytes."""
        try:
            self._file.seek(self._start + place)
            count = self._file.readinto(view) or 0
        except OSError as error:
            self.error = error
            return 0
        for at, replacement in self._patches:
            first, last = max(at, place), min(at + len(replacement), place + count)
            if first < last:
                view[first - place : last - place] = replacement[first - at : last - at]
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a place, or stay where the place is none."""
        place = offset + (0, self._place, self._length)[whence]
        if place >= 0:
            self._place = place
        return self._place

    def tell(self) -> int:
        """Return the place."""
        return self._place

    def release(self) -> None:
        """Close the whole file."""
        self._file.close()


Source = Content | LargeFile


def open_source(source: str | os.PathLike | bytes, name: str) -> tuple[Source, int]:
    """Open a recording for a decoder.

    Parameters
    ----------
    source : path, or bytes of a file
    name : str
        name of the recording in messages

    Returns
    -------
    file : Content or LargeFile
    size : int
        bytes

    Raises
    ------
    SerError
        for what is no regular file, is empty, a Git LFS pointer, or cannot be read
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    else:
        file, size = _open_file(source, name)
        if size > IN_MEMORY:
            return LargeFile(file, 0, size), size
        with file:
            try:
                data = file.read()
            except OSError as error:
                raise SerError(f"{name}: cannot be read ({error.strerror}); check the disk") from None
    if not data:
        raise SerError(f"{name}: empty file (0 bytes); give a recording")
    if is_pointer(data):
        raise SerError(f"{name}: a Git LFS pointer, not the recording itself; fetch it with `git lfs pull`")
    return Content(data), len(data)


def cut(file: Source, start: int, stop: int, patches: Sequence[tuple[int, bytes]] = (), prefix: bytes = b"") -> Source:
    """Return a part of an open recording as a file of its own, with some bytes replaced.

    Parameters
    ----------
    file : Content or LargeFile
        from :func:`open_source`
    start, stop : int
        limits of the part, bytes
    patches : sequence of (int, bytes)
        offset in the part, and the bytes that stand there instead
    prefix : bytes
        what stands before the part

    Examples
    --------
    >>> cut(Content(b"one two three"), 4, 7, [(1, b"W")], prefix=b"2 is ").read()
    b'2 is tWo'
    """
    if isinstance(file, LargeFile):
        return LargeFile(file._file, file._start + start, file._start + stop, patches, prefix)
    part = Content(prefix + file.getbuffer()[start:stop] if prefix else file.getbuffer()[start:stop])
    data = part.getbuffer()
    for at, replacement in patches:
        data[len(prefix) + at : len(prefix) + at + len(replacement)] = replacement
    del data
    return part


def _open_file(source: str | os.PathLike, name: str) -> tuple[io.FileIO, int]:
    """Open a regular file that is not empty, and return it with its size."""
    try:
        path = os.fspath(source) or os.curdir
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            empty = os.access(path, os.R_OK) and not any(os.scandir(path))
            raise SerError(
                f"{name}: is a folder, not a recording; {'it is empty' if empty else 'name the recordings in it'}"
            )
        if not stat.S_ISREG(status.st_mode):
            raise SerError(f"{name}: is not a regular file; give a recording")
        if status.st_size == 0:
            raise SerError(f"{name}: empty file (0 bytes); give a recording")
        return open(path, "rb", buffering=0), status.st_size
    except FileNotFoundError:
        raise SerError(f"{name}: no such file; check the name") from None
    except OSError as error:
        raise SerError(f"{name}: cannot be opened ({error.strerror}); check its permissions") from None
    except (TypeError, ValueError, UnicodeError):  # a NUL character, or a letter that no file name can have
        raise SerError(f"{name}: no name of a file; check the name") from None
