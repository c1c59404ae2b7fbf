"""Keep computed values in the cache, by the content of what they were computed from."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Any, TypeVar

from ser_core._utils import paths
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError, StorageError

Value = TypeVar("Value")


def name_of(parts: Any) -> str:
    """Return the name of an entry: the SHA-256 of everything that it depends on, hexadecimal.

    Parameters
    ----------
    parts : JSON-able
    """
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def code_digest(names: Iterable[str], libraries: Iterable[str]) -> str:
    """Return the digest of modules and folders of the package, and of the versions of libraries.

    Parameters
    ----------
    names : iterable of str
        paths in the package; of a folder all modules
    libraries : iterable of str
        distributions; one that is not installed counts as such
    """
    digest, package = sha256(), paths.package_dir()
    for name in names:
        place = package / name
        for path in sorted(place.glob("*.py")) if place.is_dir() else [place]:
            digest.update(path.read_bytes())
    for library in libraries:
        with contextlib.suppress(metadata.PackageNotFoundError):
            digest.update(f"{library} {metadata.version(library)}".encode())
    return digest.hexdigest()


def remember(
    kind: str,
    name: str | None,
    compute: Callable[[], Value],
    to_json: Callable[[Value], Any] = lambda value: value,
    from_json: Callable[[Any], Value] = lambda value: value,
) -> Value:
    """Return an entry of the cache, or compute and keep it.

    Parameters
    ----------
    kind : str
        sub-folder of the cache
    name : str or None
        by :func:`name_of`; None computes and keeps nothing
    compute : callable
        makes the value
    to_json, from_json : callable
        to and from what ``json.dumps`` takes, without loss

    Returns
    -------
    the value
    """
    if name is None:
        return compute()
    path: Path = paths.cache_dir() / kind / name[:2] / f"{name}.json"
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError, SerError):
        check, content = path.read_bytes().split(b"\n", 1)
        if check == sha256(content).hexdigest().encode():
            return from_json(json.loads(content))
    value = compute()
    content = json.dumps(to_json(value)).encode()
    with contextlib.suppress(OSError, StorageError):  # a folder that cannot be written
        write_atomically(path, sha256(content).hexdigest().encode() + b"\n" + content)
    return value
