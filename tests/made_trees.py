"""Trees of recordings whose content is never read."""

from pathlib import Path


def plant(root: Path, *paths: str, content: bytes = b"not audio") -> Path:
    """Write files that no loader may open."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root


def files_under(folder: Path) -> list[str]:
    """List the files below a folder, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
