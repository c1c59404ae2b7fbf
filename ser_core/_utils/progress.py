"""Show progress while notebooks run, and send the output of libraries to a log."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def redirect_stderr(log: Path) -> Iterator[int]:
    """Redirect standard error, including that of kernels and TensorFlow, to a log file.

    Parameters
    ----------
    log : Path
        File to write.

    Yields
    ------
    int
        File descriptor of the original standard error, for :func:`print_progress`.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    try:
        with log.open("wb") as file:
            os.dup2(file.fileno(), 2)
        yield terminal
    finally:
        sys.stderr.flush()
        os.dup2(terminal, 2)
        os.close(terminal)


@contextmanager
def report_progress(
    where: str, start: float, done: Callable[[], str], terminal: int, every: float = 20.0
) -> Iterator[None]:
    """Print a line of progress at regular intervals while a notebook runs.

    Parameters
    ----------
    where : str
        Name of the notebook.
    start : float
        ``time.monotonic()`` at the start of the notebook, s.
    done : callable () -> str
        Returns the text that describes what has been done so far.
    terminal : int
        File descriptor to print on.
    every : float, default 20
        Interval, s.
    """
    finished = threading.Event()

    def print_regularly() -> None:
        while not finished.wait(every):
            print_progress(f"{where}: {time.monotonic() - start:.0f} s{done()}", terminal)

    thread = threading.Thread(target=print_regularly, daemon=True)
    thread.start()
    try:
        yield
    finally:
        finished.set()
        thread.join()


def print_progress(text: str, terminal: int = 2) -> None:
    """Print one line of progress on standard error or on another file descriptor."""
    os.write(terminal, f"{text}\n".encode())
