"""Name what a result was computed with: processor and versions."""

import os
import platform
from importlib import metadata
from pathlib import Path

DEPENDENCIES = (
    *("ser-core", "keras", "tensorflow", "tensorflow-cpu", "numpy", "scipy", "librosa", "soundfile", "soxr"),
    *("scikit-learn", "hmmlearn", "opensmile", "torch", "transformers"),
)


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in DEPENDENCIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor_name() -> str:
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.lower().startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def processor() -> str:
    """The processor's name and its number of cores."""
    return f"{processor_name()}, {os.cpu_count()} cores"
