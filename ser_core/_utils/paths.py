"""Find the folders of corpora, cache and results.

``SER_DATA``, ``SER_CACHE`` and ``SER_RUNS`` name the folders; relative paths are resolved against the current folder.
The defaults are ``data/``, ``.cache/`` and ``runs/``, in the checkout or else in the current folder. Notebooks take
every path from here, never from the folder in which they are started. ``SER_WEIGHTS`` names the folder of pretrained
weights; its default is ``weights/`` in the folder of the corpora.
"""

import os
from pathlib import Path


def package_dir() -> Path:
    """Return the folder of the package itself, ``ser_core/``."""
    return Path(__file__).resolve().parents[1]


def root() -> Path:
    """Return the checkout that holds the package, or the current folder when it is installed elsewhere."""
    checkout = package_dir().parent
    return checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()


def expand(path: str | os.PathLike) -> Path:
    """Return an absolute path; ``~`` is the home of the account, and an unknown account's stays as it is.

    >>> expand("/data/~nosuchuser/a.csv").as_posix()
    '/data/~nosuchuser/a.csv'
    """
    return Path(os.path.abspath(os.path.expanduser(path)))


def _folder(variable: str, default: str) -> Path:
    value = os.environ.get(variable)
    return Path(os.path.realpath(os.path.expanduser(value))) if value else root() / default


def data_dir() -> Path:
    """Return the folder of the corpora (``SER_DATA``, default ``data/``)."""
    return _folder("SER_DATA", "data")


def weights_dir() -> Path:
    """Return the folder of pretrained weights (``SER_WEIGHTS``, default ``weights/`` in the folder of the corpora)."""
    return _folder("SER_WEIGHTS", str(data_dir() / "weights"))


def cache_dir() -> Path:
    """Return the folder of what can be recomputed (``SER_CACHE``, default ``.cache/``)."""
    return _folder("SER_CACHE", ".cache")


def runs_dir() -> Path:
    """Return the folder of the results (``SER_RUNS``, default ``runs/``)."""
    return _folder("SER_RUNS", "runs")


def quick() -> bool:
    """Return whether ``SER_QUICK=1`` asks every notebook to stay small."""
    return os.environ.get("SER_QUICK", "") == "1"


def allow_unusable() -> bool:
    """Return whether ``SER_ALLOW_UNUSABLE=1`` (``--allow-unusable``) continues however many recordings are unusable."""
    return os.environ.get("SER_ALLOW_UNUSABLE", "") == "1"
