"""A reference suite for small speech-emotion-recognition networks.

>>> import ser_core as ser
>>> ser.list_corpora()[:3]
['ravdess', 'tess', 'ravtess']

The functions of :mod:`ser_core.api` are available here. They and the sub-packages (``ser.figures``,
``ser.results``, ...) are imported when they are first used, so that ``import ser_core`` is instant.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

FRONT_DOOR = {
    "api.data": (
        *("list_corpora", "load_corpus", "read_audio", "extract_features", "augment", "degrade", "split"),
        "check_split",
    ),
    "api.experiments": (
        *("list_models", "build_model", "run", "make_spec", "sweep", "load_results", "compare", "evaluate"),
        *("check_claims", "leaderboard"),
    ),
    "api.inference": ("predict", "export"),
    "inference.predict": ("Predictor",),
    "experiments.spec": ("Spec",),
    "_utils.errors": ("SerError",),
}
"""The public interface: module to names."""
ROOMS = (
    *(
        "audio",
        "benchmark",
        "claims",
        "cli",
        "corpora",
        "experiments",
        "features",
        "figures",
        "inference",
        "metrics",
        "models",
    ),
    *("protocols", "report", "results", "training", "widgets"),
)
"""The sub-packages."""


def __getattr__(name: str) -> Any:
    for module, names in FRONT_DOOR.items():
        if name in names:
            return getattr(importlib.import_module(f"ser_core.{module}"), name)
    if name in ROOMS:
        return importlib.import_module(f"ser_core.{name}")
    raise AttributeError(f"module 'ser_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *ROOMS, *(name for names in FRONT_DOOR.values() for name in names)})
