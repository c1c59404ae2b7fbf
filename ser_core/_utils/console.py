"""Keep what libraries print away from the answers and messages of the suite."""

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import IO, Any, TextIO

from ser_core._utils.errors import SerWarning

_LOCK = threading.RLock()
"""Held while standard error is redirected: two threads that restore it in the wrong order would lose it."""


@contextlib.contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard standard error of the whole process, including Python's own ``sys.stderr``.

    Returns
    -------
    context manager
        Standard error is restored on exit. A process without standard error is left alone.
    """
    with _LOCK:
        try:
            if sys.stderr is not None:
                sys.stderr.flush()
            original = os.dup(2)
        except (OSError, ValueError):  # this process has no standard error
            yield
            return
        try:
            with open(os.devnull, "wb") as null:
                os.dup2(null.fileno(), 2)
            yield
        finally:
            os.dup2(original, 2)
            os.close(original)


def quiet_loading() -> AbstractContextManager[None]:
    """Return a context in which TensorFlow's libraries are loaded without printing on standard error."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return silence_stderr()


@contextlib.contextmanager
def plain_messages() -> Iterator[None]:
    """Print each :class:`~ser_core._utils.errors.SerWarning` as one line, and no "Exception ignored" of a library.

    Returns
    -------
    context manager
        On exit the hooks of Python are those of before.
    """
    show, ignored = warnings.showwarning, sys.unraisablehook

    def print_line(message, category, filename, lineno, file=None, line=None) -> None:
        if issubclass(category, SerWarning):
            print(f"ser: {message}", file=file or sys.stderr, flush=True)
        else:
            show(message, category, filename, lineno, file, line)

    sys.unraisablehook = lambda arguments: None
    try:
        with warnings.catch_warnings():  # which puts back what it finds
            warnings.simplefilter("default", SerWarning)
            warnings.showwarning = print_line
            yield
    finally:
        sys.unraisablehook = ignored


@contextlib.contextmanager
def divert_stdout() -> Iterator[TextIO]:
    """Send to standard error whatever is printed on standard output, by Python or by C, and give the true output.

    Yields
    ------
    file
        Standard output, for the answer alone.
    """
    output = sys.stdout
    try:
        own = output.fileno() == 1
    except (OSError, ValueError, AttributeError):  # not a file: a notebook, or a test
        own = False
    sys.stdout = sys.stderr
    try:
        if not own:
            yield output
            return
        output.flush()
        saved = os.dup(1)
        try:
            os.dup2(2, 1)
            with open(os.dup(saved), "w", encoding=output.encoding, errors="backslashreplace") as answers:
                yield answers
        finally:
            os.dup2(saved, 1)
            os.close(saved)
    finally:
        sys.stdout = output


def print_markdown(text: str, file: IO[str] | None = None, width: int | None = None) -> bool:
    """Print Markdown with its tables fitted to the width of the terminal, by ``rich``; long words are broken, not cut.

    Parameters
    ----------
    text : str
    file : text stream, optional
        by default standard output
    width : int, optional
        characters; by default those of the terminal

    Returns
    -------
    bool
        False where ``rich`` is not installed; nothing was printed then
    """
    try:
        from rich.console import Console
        from rich.markdown import Markdown, TableElement
    except ImportError:
        return False

    class FoldedTable(TableElement):
        def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
            for table in super().__rich_console__(console, options):
                for column in getattr(table, "columns", ()):
                    column.overflow = "fold"
                yield table

    class FoldedMarkdown(Markdown):
        elements = {**Markdown.elements, "table_open": FoldedTable}

    Console(file=file, width=width).print(FoldedMarkdown(text))
    return True
