"""Write files atomically: a reader finds the whole file, or none."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replace_atomically(path: Path, suffix: str = "") -> Iterator[Path]:
    """Give a temporary path, and rename it to ``path`` when the block ends without an error.

    The folder is made where it is missing. After an error the temporary file is removed and ``path`` stays as it was.

    Parameters
    ----------
    path : Path
        The file to write.
    suffix : str, default ""
        Ending of the temporary name, for writers that choose their format by it, e.g. ``".keras"``.

    Yields
    ------
    Path
        A hidden file in the same folder, so that the rename stays on one file system.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "new" / "result.txt"
    >>> with replace_atomically(target) as temporary:
    ...     _ = temporary.write_text("whole")
    >>> target.read_text(), [file.name for file in target.parent.iterdir()]
    ('whole', ['result.txt'])
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomically(path: Path, payload: bytes) -> None:
    """Write bytes to a temporary file and rename it, so that the file is never half written.

    Parameters
    ----------
    path : Path
        The file to write; its folder is made where it is missing.
    payload : bytes
        The whole content.
    """
    with replace_atomically(path) as temporary:
        temporary.write_bytes(payload)
