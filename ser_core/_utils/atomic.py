"""Write files so that they are whole or absent."""

import os
from pathlib import Path


def write_atomically(path: Path, payload: bytes) -> None:
    """Write beside and rename, so that a file is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_bytes(payload)
    os.replace(temporary, path)
