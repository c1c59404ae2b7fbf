"""Where things lie: corpora, cache and results.

``SER_DATA``, ``SER_CACHE`` and ``SER_RUNS`` name the folders; relative ones count from the current folder. Without
them the folders are ``data/``, ``.cache/`` and ``runs/`` beside the package when it is used from a checkout, else in
the current folder. Notebooks take every path from here, never from where they happen to be started.
"""

import os
from pathlib import Path


def package_dir() -> Path:
    """Return the folder of the package itself, ``ser_core/``."""
    return Path(__file__).resolve().parents[1]


def root() -> Path:
    """The checkout that holds the package, or the current folder when it is installed elsewhere."""
    checkout = package_dir().parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(value).expanduser().resolve() if value else root() / default


def data_dir() -> Path:
    """Folder of the corpora (``SER_DATA``, default ``data/``)."""
    return _folder("SER_DATA", "data")


def cache_dir() -> Path:
    """Folder of what can be computed again (``SER_CACHE``, default ``.cache/``)."""
    return _folder("SER_CACHE", ".cache")


def runs_dir() -> Path:
    """Folder of the results (``SER_RUNS``, default ``runs/``)."""
    return _folder("SER_RUNS", "runs")


def quick() -> bool:
    """Whether ``SER_QUICK=1`` asks every notebook to stay small."""
    return os.environ.get("SER_QUICK", "") == "1"
