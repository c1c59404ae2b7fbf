"""Write files atomically: a reader finds the whole file, or none."""

import contextlib
import errno
import os
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from ser_core._utils.errors import StorageError

STORAGE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG, errno.EIO, errno.ENOTDIR),
    *(errno.EISDIR, errno.ENAMETOOLONG),
)
"""Codes of the errors that say that a place takes no file; others are errors of the program."""
_SAID = re.compile(r"No space left|Disk quota exceeded|Read-only file system|errno = (?:28|30|122)\b", re.IGNORECASE)
"""The same in the words of libraries that give no code: HDF5, Arrow, zip."""


@contextlib.contextmanager
def replace_atomically(path: Path, suffix: str = "", size: int = 0) -> Iterator[Path]:
    """Give a temporary path, and rename it to ``path`` when the block ends without an error.

    The folder is made where it is missing. After an error the temporary file is removed and ``path`` stays as it was.

    Parameters
    ----------
    path : Path
        The file to write.
    suffix : str, default ""
        Ending of the temporary name, for writers that choose their format by it, e.g. ``".keras"``.
    size : int, default 0
        Bytes that the file will have, for the message where the disk is full; 0 if unknown.

    Yields
    ------
    Path
        A hidden file in the same folder, so that the rename stays on one file system.

    Raises
    ------
    StorageError
        Where the disk is full or the folder is read-only.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "result.txt"
    >>> with replace_atomically(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('whole', ['result.txt'])
    """
    who = f"{os.getpid()}.{threading.get_ident()}"
    temporary = path.with_name(f".{path.name[:60]}.{who}{suffix}")  # a name may have 255 bytes
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            size = size or temporary.stat().st_size
            temporary.unlink()
        if isinstance(error, Exception) and not isinstance(error, StorageError) and is_storage_error(error):
            raise StorageError(describe_storage(path, error, size)) from None
        raise


@contextlib.contextmanager
def reported_storage(path: Path) -> Iterator[None]:
    """Turn the error of a full disk or a read-only folder into a :class:`StorageError` that names ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno not in STORAGE:
            raise
        raise StorageError(describe_storage(path, error)) from None


def is_storage_error(error: BaseException) -> bool:
    """Return whether an error says that a disk is full or a folder cannot be written.

    >>> is_storage_error(OSError(28, "No space left on device")), is_storage_error(ValueError("no label"))
    (True, False)
    """
    if isinstance(error, OSError) and error.errno in STORAGE:
        return True
    return bool(_SAID.search(str(error)))


def describe_storage(path: Path, error: BaseException, size: int = 0) -> str:
    """Return one line on a file that cannot be written: what, where, how much room there is, what to do.

    Parameters
    ----------
    path : Path
        the file
    error : BaseException
    size : int, default 0
        bytes that are needed at least, if known
    """
    said = _SAID.search(str(error))
    reason = error.strerror if isinstance(error, OSError) and error.strerror else said[0] if said else str(error)
    if not re.search("space|quota|full", reason, re.IGNORECASE) and "28" not in reason:
        return f"cannot write {path}: {reason}; choose another folder (SER_RUNS, SER_CACHE) or make it writable"
    needed = f"{size / 1e6:.1f} MB are needed at least, " if size else ""
    return f"cannot write {path}: no space left, {needed}{_free(path)}; make room and run the same command again"


def _free(path: Path) -> str:
    """Return how much room the disk of a file has, as text."""
    for folder in path.parents:
        with contextlib.suppress(OSError):
            return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB are free"
    return "the room is unknown"


def remove_temporaries(folder: Path, process: int) -> None:
    """Remove what a process that was killed has left half written in a folder: files of :func:`replace_atomically`."""
    with contextlib.suppress(OSError):
        for path in folder.glob(".*"):
            if f".{process}." in f"{path.name}.":
                with contextlib.suppress(OSError):
                    path.unlink()


def write_atomically(path: Path, payload: bytes) -> None:
    """Write bytes to a temporary file and rename it, so that the file is never half written.

    Parameters
    ----------
    path : Path
        The file to write; its folder is made where it is missing.
    payload : bytes
        The whole content.

    Raises
    ------
    StorageError
        Where the disk is full or the folder is read-only.
    """
    with replace_atomically(path, size=len(payload)) as temporary:
        temporary.write_bytes(payload)
