"""Import, identify and check user-defined models: a builder ``package.module:function`` and its network."""

import hashlib
import importlib
import inspect
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError

TOLERANCE = 0.02
"""Accepted deviation of the sum of probabilities from 1, as that of a bfloat16 network."""


def user_function(name: str) -> Callable:
    """Import a user-defined builder by its name.

    Parameters
    ----------
    name : str
        ``package.module:function``

    Returns
    -------
    callable

    Raises
    ------
    SerError
        for a module that is not found or cannot be imported, or that has no such function

    Examples
    --------
    >>> user_function("ser_core.models.mel:base_cnn").__name__
    'base_cnn'
    """
    module, _, attribute = name.partition(":")
    function = getattr(_import_module(name, module), attribute, None)
    if not callable(function):
        raise SerError(f"model {name!r}: module {module} has no function {attribute!r}")
    return function


def function_name(function: Callable) -> str:
    """Return the name by which :func:`user_function` imports a builder.

    Parameters
    ----------
    function : callable
        defined at the top level of a module or a notebook

    Returns
    -------
    str
        ``module:function``

    Raises
    ------
    SerError
        for a function that its module does not have by this name, such as a lambda or an inner function
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__name__", None)
    if not callable(function) or getattr(sys.modules.get(str(module)), str(name), None) is not function:
        raise SerError(f"model {function!r}: give a function defined at the top level of a notebook cell or a module")
    return f"{module}:{name}"


def source_digest(name: str) -> str:
    """Compute the SHA-256 of a builder's source, so that an edited builder is another model.

    For a module with a file it covers the whole file, but not what the file imports. For a function of a notebook it
    covers the function, and the functions, classes and plain values of the notebook that it uses. A function without
    any source is identified by the configuration of the network that it builds.

    Parameters
    ----------
    name : str
        ``package.module:function``

    Returns
    -------
    str
        64 hexadecimal digits

    Raises
    ------
    SerError
        as :func:`user_function`
    """
    module = _import_module(name, name.partition(":")[0])
    return _file_digest(module) or hashlib.sha256(_function_source(user_function(name)).encode()).hexdigest()


def _function_source(function: Any) -> str:
    """Return the sources of a function and of what it uses of its own module, in a fixed order."""
    sources: dict[str, str] = {}
    waiting = [function]
    try:
        while waiting:
            current = waiting.pop()
            if current.__qualname__ in sources:
                continue
            sources[current.__qualname__] = inspect.getsource(current)
            scope = vars(sys.modules[function.__module__])
            for name in sorted(_names_used(current) & set(scope)):
                value = scope[name]
                if getattr(value, "__module__", None) == function.__module__ and hasattr(value, "__qualname__"):
                    waiting.append(value)
                elif isinstance(value, int | float | str | bytes | bool | tuple | list | dict | None):
                    sources[f"{name} ="] = repr(value)
    except (OSError, TypeError):
        return _built_configuration(function)
    return "\n".join(f"{name}\n{text}" for name, text in sorted(sources.items()))


def _names_used(value: Any) -> set[str]:
    """Return the global names in the code of a function, or of the methods of a class, inner functions included."""
    codes = [part.__code__ for part in (value, *vars(value).values()) if hasattr(part, "__code__")]
    names: set[str] = set()
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return names


def _built_configuration(function: Any) -> str:
    """Return the configuration of the network that a builder makes, without the counters in Keras' layer names."""
    try:
        return re.sub(r'_\d+(?=")', "", function((400, 42), 8).to_json())
    except Exception as error:
        raise SerError(f"model {function.__name__}: cannot be built: {describe_error(error)}") from error


def _file_digest(module: ModuleType) -> str:
    """Compute the SHA-256 of a module's file; "" for a module without one."""
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else ""


def _import_module(name: str, path: str) -> ModuleType:
    """Import a user's module, and reload it where its file has changed, as while working in a notebook."""
    if not all(part.isidentifier() for part in path.split(".")):
        raise SerError(f"model {name!r}: give package.module:function, as in an import, not the path of a file")
    try:
        module = importlib.import_module(path)
        digest = _file_digest(module)
        if vars(module).setdefault("__text__", digest) != digest:
            module = importlib.reload(module)
            vars(module)["__text__"] = digest
        return module
    except ModuleNotFoundError as error:
        if error.name and (path == error.name or path.startswith(f"{error.name}.")):
            advice = "start in its folder, or add that folder to PYTHONPATH"
            raise SerError(f"model {name!r}: module {error.name} not found; {advice}") from None
        raise SerError(f"model {name!r}: {path} cannot be imported: {describe_error(error)}") from None
    except Exception as error:
        raise SerError(f"model {name!r}: {path} cannot be imported: {describe_error(error)}") from None


def describe_error(error: Exception) -> str:
    """Describe an error and its place in one line: "ZeroDivisionError: division by zero (mynet.py, line 7)".

    Parameters
    ----------
    error : Exception

    Returns
    -------
    str

    Examples
    --------
    >>> describe_error(ValueError("two  spaces"))
    'ValueError: two spaces'
    """
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f" ({Path(last[0].filename).name}, line {last[0].lineno})" if last else ""
    if isinstance(error, SyntaxError):
        where = ""  # its message names the file and the line
    return f"{type(error).__name__}: {' '.join(str(error).split())}{where}"


def check_network(network, name: str, shape: tuple[int, ...], classes: int) -> None:
    """Check that a builder has returned a network from this input to probabilities of the emotions.

    Parameters
    ----------
    network : object
        what the builder has returned
    name : str
        name of the model, for messages
    shape : tuple of int
        of one utterance's input
    classes : int
        number of emotions

    Raises
    ------
    SerError
        for anything else, with what it is instead
    """
    import keras

    if not isinstance(network, keras.Model) or not getattr(network, "inputs", None):
        raise SerError(f"model {name}: gives {type(network).__name__}, not a keras.Model with inputs and outputs")
    inputs, outputs = (tuple(tensor.shape) for tensor in (network.inputs[0], network.outputs[0]))
    if len(inputs) != len(shape) + 1 or any(
        size not in (None, expected) for size, expected in zip(inputs[1:], shape, strict=True)
    ):
        raise SerError(f"model {name}: takes inputs of shape {inputs[1:]}, but an utterance has {tuple(shape)}")
    if outputs != (None, classes):
        raise SerError(f"model {name}: gives outputs of shape {outputs}, but {classes} probabilities are needed")
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    probabilities = np.asarray(network(x)[0] if len(network.outputs) > 1 else network(x), dtype=np.float64)
    sums = probabilities.sum(axis=-1)
    if not np.isfinite(sums).all() or probabilities.min() < 0 or abs(sums - 1).max() > TOLERANCE:
        raise SerError(
            f"model {name}: gives outputs that are not probabilities (for two utterances they add up to {sums[0]:.3g} "
            f"and {sums[1]:.3g}); end with a softmax over the emotions"
        )
