"""A user's own builder, ``package.module:function``: found, told apart by its text, and its network checked."""

import hashlib
import importlib
import traceback
from pathlib import Path

import numpy as np

from ser_core._utils.errors import SerError

TOLERANCE = 0.02
"""So far from 1 probabilities may add up: those of a bfloat16 network do."""


def user_function(name: str):
    """The function that a name says.

    Raises
    ------
    SerError
        where the module is not found or cannot be imported, or has no such function
    """
    module, _, attribute = name.partition(":")
    found = getattr(_module(name, module), attribute, None)
    if not callable(found):
        raise SerError(f"model {name!r}: module {module} has no function {attribute!r}")
    return found


def source_digest(name: str) -> str:
    """SHA-256 of the file of a builder's module: another text is another network. What it imports plays no part."""
    return _text(_module(name, name.partition(":")[0]))


def _text(module) -> str:
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else ""


def _module(name: str, path: str):
    """The module, loaded again where its file has changed since, as in a notebook that is at work on it."""
    if not all(part.isidentifier() for part in path.split(".")):
        raise SerError(f"model {name!r}: say package.module:function, as in an import, not the path of a file")
    try:
        module = importlib.import_module(path)
        now = _text(module)
        if vars(module).setdefault("__text__", now) != now:
            module = importlib.reload(module)
            module.__text__ = now
        return module
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            where = "start where it lies, or put its folder on PYTHONPATH"
            raise SerError(f"model {name!r}: there is no module {error.name}; {where}") from None
        raise SerError(f"model {name!r}: {path} cannot be imported: {describe_error(error)}") from None
    except Exception as error:
        raise SerError(f"model {name!r}: {path} cannot be imported: {describe_error(error)}") from None


def describe_error(error: Exception) -> str:
    """What went wrong and where, in one line: "ZeroDivisionError: division by zero (mynet.py, line 7)"."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}, line {last[0].lineno})" if last else ""
    if isinstance(error, SyntaxError):
        where = ""  # its message says it
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"


def check_network(network, name: str, shape: tuple[int, ...], classes: int) -> None:
    """Refuse what is no network from this input to probabilities of the emotions.

    Parameters
    ----------
    network : what the builder returned
    name : of the model
    shape : of one utterance's input
    classes : number of emotions

    Raises
    ------
    SerError
        saying what it is instead
    """
    import keras

    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise SerError(f"model {name}: gives {type(network).__name__}, not a keras.Model with inputs and outputs")
    taken, given = (tuple(tensor.shape) for tensor in (network.inputs[0], network.outputs[0]))
    if len(taken) != len(shape) + 1 or any(own not in (None, side) for own, side in zip(taken[1:], shape, strict=True)):
        raise SerError(f"model {name}: takes inputs of shape {taken[1:]}, but an utterance here has {tuple(shape)}")
    if given != (None, classes):
        raise SerError(f"model {name}: gives outputs of shape {given}, but {classes} probabilities are needed")
    tried = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    answers = np.asarray(network(tried)[0] if len(network.outputs) > 1 else network(tried), dtype=np.float64)
    sums = answers.sum(axis=-1)
    if not np.isfinite(sums).all() or answers.min() < 0 or abs(sums - 1).max() > TOLERANCE:
        raise SerError(
            f"model {name}: gives outputs that are no probabilities (of two utterances they add up to {sums[0]:.3g} "
            f"and {sums[1]:.3g}); end with a softmax over the emotions"
        )
