"""A reference suite for small speech-emotion-recognition networks.

>>> import ser_core as ser
>>> ser.list_corpora()[:3]
['ravdess', 'tess', 'ravtess']

The functions of :mod:`ser_core.api` are available here. They and the rooms (``ser.figures``, ``ser.results``, ...) are
imported when they are first used, so that ``import ser_core`` is instant.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

FRONT_DOOR = (
    *("list_corpora", "load_corpus", "read_audio", "extract_features", "augment", "degrade"),
    *("list_models", "build_model", "split", "check_split"),
    *("run", "make_spec", "sweep", "load_results", "compare", "evaluate", "check_claims"),
    *("predict", "export"),
)
"""Functions of ``ser_core.api``."""
CLASSES = {"Predictor": "inference.predict", "Spec": "experiments.spec", "SerError": "_utils.errors"}
"""Classes of the front door and the module that defines each."""
ROOMS = (
    *("audio", "claims", "cli", "corpora", "experiments", "features", "figures", "inference", "metrics", "models"),
    *("protocols", "report", "results", "training", "widgets"),
)
"""The sub-packages."""

__all__ = [*FRONT_DOOR, *CLASSES]


def __getattr__(name: str) -> Any:
    if name in FRONT_DOOR:
        return getattr(importlib.import_module("ser_core.api"), name)
    if name in CLASSES:
        return getattr(importlib.import_module(f"ser_core.{CLASSES[name]}"), name)
    if name in ROOMS:
        return importlib.import_module(f"ser_core.{name}")
    raise AttributeError(f"module 'ser_core' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *FRONT_DOOR, *CLASSES, *ROOMS})
