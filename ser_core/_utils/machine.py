"""Name the processor and the package versions that a result was computed with."""

import os
import platform
from importlib import metadata
from pathlib import Path

DEPENDENCIES = (
    *("ser-core", "keras", "tensorflow", "tensorflow-cpu", "numpy", "scipy", "librosa", "soundfile", "soxr"),
    *("scikit-learn", "hmmlearn", "opensmile", "torch", "transformers", "ctranslate2"),
)
"""Distributions whose versions are stored with a result."""


def versions() -> dict[str, str]:
    """Return the installed versions of Python and of :data:`DEPENDENCIES`.

    Returns
    -------
    dict of str to str
        Distribution name to version; packages that are not installed are left out.

    Examples
    --------
    >>> import platform
    >>> versions()["python"] == platform.python_version()
    True
    """
    installed = {"python": platform.python_version()}
    for name in DEPENDENCIES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def processor_name() -> str:
    """Return the name of the processor as the operating system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def processor() -> str:
    """Return the name of the processor and its number of cores, as one line."""
    return f"{processor_name()}, {os.cpu_count()} cores"
