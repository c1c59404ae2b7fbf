"""Trees of recordings that nobody opens."""

from pathlib import Path


def plant(root: Path, *paths: str, content: bytes = b"not looked at") -> Path:
    """Files that no loader may open."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    return root
