"""Import the modules of a package when they are first used (PEP 562)."""

import importlib
import pkgutil
import sys
from typing import Any


def attach_modules(package: str) -> None:
    """Make the modules of a package available as its attributes; each is imported when it is first used.

    The functions are set on the module, not assigned by name in it, so that a type checker still finds misspelt names.

    Parameters
    ----------
    package : str
        ``__name__`` of the package, which calls this in its ``__init__``.

    Examples
    --------
    >>> import ser_core.figures
    >>> ser_core.figures.plots.__name__
    'ser_core.figures.plots'
    >>> "plots" in dir(ser_core.figures)
    True
    """
    module = sys.modules[package]

    def module_names() -> list[str]:
        return [item.name for item in pkgutil.iter_modules(module.__path__) if not item.name.startswith("_")]

    def get_module(name: str) -> Any:
        if not name.startswith("_") and name in module_names():
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def list_names() -> list[str]:
        return sorted({*vars(module), *module_names()})

    vars(module).update(__getattr__=get_module, __dir__=list_names)
