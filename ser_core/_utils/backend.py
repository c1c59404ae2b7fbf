"""Load Keras with settings that are the same on every account.

``~/.keras/keras.json`` and variables such as ``TF_ENABLE_ONEDNN_OPTS`` or ``KERAS_MAX_EPOCHS`` change what a spec
computes, and the hash of its result would not show it. They are therefore ignored. ``KERAS_BACKEND`` is honoured, and
is recorded in the row (:func:`named_backend`).
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from importlib.abc import MetaPathFinder
from typing import Any

from ser_core._utils.console import quiet_loading
from ser_core._utils.paths import cache_dir

KEPT = (
    *("TF_CPP_", "TF_FORCE_GPU_ALLOW_GROWTH", "TF_GPU_ALLOCATOR", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"),
    *("KERAS_BACKEND", "KERAS_TORCH_DEVICE"),
)
"""Beginnings of variables of TensorFlow and Keras that are left as they are: they choose messages, memory, a backend,
or a number of threads that :func:`ser_core.training.fit.prepare_backend` sets anyway."""
USUAL_BACKEND = "tensorflow"
UNUSED = ("IPython", "matplotlib", "sklearn")
"""Packages that Keras imports where they are installed, for parts that the suite does not use: its wrappers for
scikit-learn and its pictures. They take a third of the time of its import, in every process that trains."""


def changing_variables() -> list[str]:
    """Return the variables of TensorFlow and Keras in the environment that may change results.

    >>> "TF_CPP_MIN_LOG_LEVEL" in changing_variables()
    False
    """
    ours = (name for name in os.environ if name.startswith(("TF_", "TF2_", "KERAS_")))
    return sorted(name for name in ours if not name.startswith(KEPT))


def load_keras() -> Any:
    """Import Keras, and return the module with the suite's settings.

    The first import ignores the user's ``keras.json`` and removes :func:`changing_variables` from the environment of
    this process. Where Keras was imported before, its settings are put back to the usual ones.

    Returns
    -------
    module
        ``keras``
    """
    first = "keras" not in sys.modules
    if first:
        for name in changing_variables():
            del os.environ[name]
        os.environ["KERAS_HOME"] = str(cache_dir() / "keras")  # where there is no keras.json but Keras' own
        if not os.environ.get("KERAS_BACKEND"):
            os.environ["KERAS_BACKEND"] = USUAL_BACKEND
    with quiet_loading(), _without_unused():
        import keras
    if first:
        del os.environ["KERAS_HOME"]
    config = keras.config
    config.set_floatx("float32")
    config.set_epsilon(1e-7)
    config.set_image_data_format("channels_last")
    for limit in ("set_max_epochs", "set_max_steps_per_epoch"):  # KERAS_MAX_EPOCHS; newer than Keras 3.10
        getattr(config, limit, lambda value: None)(None)
    return keras


class _Absent(MetaPathFinder):
    """Let packages be missing for the imports of one thread."""

    def __init__(self, names: tuple[str, ...]):
        self.names, self.thread = names, threading.get_ident()

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Raise ModuleNotFoundError for the packages; None for other modules, which are found as usual."""
        if name.partition(".")[0] in self.names and threading.get_ident() == self.thread:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


@contextlib.contextmanager
def _without_unused() -> Iterator[None]:
    """Let Keras be imported without :data:`UNUSED`; those that are there already, as in a notebook, stay."""
    finder = _Absent(tuple(name for name in UNUSED if name not in sys.modules))
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def named_backend() -> dict[str, str]:
    """Return the backend of Keras for the versions of a row; empty for the usual one, and where Keras is not used."""
    if "keras" not in sys.modules:
        return {}
    name = load_keras().backend.backend()
    return {} if name == USUAL_BACKEND else {"keras backend": name}
