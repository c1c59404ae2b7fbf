"""A user's own builder, ``package.module:function``: found, told apart by its text, and its network checked."""

import hashlib
import importlib
import inspect
import re
import sys
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


def function_name(function) -> str:
    """Return the name ``module:function`` under which a builder is found again.

    Raises
    ------
    SerError
        for something that no module holds by its own name, such as a lambda or a function inside another
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    if not callable(function) or getattr(sys.modules.get(module), str(name), None) is not function:
        raise SerError(f"model {function!r}: give a function defined at the top level of a notebook cell or a module")
    return f"{module}:{name}"


def source_digest(name: str) -> str:
    """Return the SHA-256 of a builder's source: an edited builder is another network.

    Of a module with a file it covers the whole file, but not what the file imports. Of a function defined in a
    notebook it covers the function, and the functions, classes and plain values of the notebook that it uses. A
    function without any source is identified by the configuration of the network that it builds.
    """
    module = _module(name, name.partition(":")[0])
    return _text(module) or hashlib.sha256(_function_source(user_function(name)).encode()).hexdigest()


def _function_source(function) -> str:
    """Return the sources of a function and of what it uses of its own module, in a fixed order."""
    found: dict[str, str] = {}
    waiting = [function]
    try:
        while waiting:
            now = waiting.pop()
            if now.__qualname__ in found:
                continue
            found[now.__qualname__] = inspect.getsource(now)
            scope = vars(sys.modules[function.__module__])
            for used in sorted(_names_used(now) & set(scope)):
                value = scope[used]
                if getattr(value, "__module__", None) == function.__module__ and hasattr(value, "__qualname__"):
                    waiting.append(value)
                elif isinstance(value, int | float | str | bytes | bool | tuple | list | dict | None):
                    found[f"{used} ="] = repr(value)
    except (OSError, TypeError):
        return _built_configuration(function)
    return "\n".join(f"{name}\n{text}" for name, text in sorted(found.items()))


def _names_used(value) -> set[str]:
    """Return the global names in the code of a function, or of the methods of a class, inner functions included."""
    codes = [part.__code__ for part in (value, *vars(value).values()) if hasattr(part, "__code__")]
    names: set[str] = set()
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return names


def _built_configuration(function) -> str:
    """Return the configuration of the network that a builder makes, without the numbers that Keras counts up."""
    try:
        return re.sub(r'_\d+(?=")', "", function((400, 42), 8).to_json())
    except Exception as error:
        raise SerError(f"model {function.__name__}: cannot be built: {describe_error(error)}") from error


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
