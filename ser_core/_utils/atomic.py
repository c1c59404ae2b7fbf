"""Write files so that they are complete or absent."""

import os
from pathlib import Path


def write_atomically(path: Path, payload: bytes) -> None:
    """Write a file by a temporary file and a rename, so that it is complete or absent.

    Parameters
    ----------
    path : Path
        File to write; missing parent folders are made, an existing file is replaced.
    payload : bytes
        Content of the file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(payload)
    os.replace(temporary, path)
