"""What people see while notebooks run: a line every twenty seconds, and nothing of what libraries print."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def redirect_stderr(log: Path) -> Iterator[int]:
    """Send what kernels and TensorFlow write to standard error into a log; yields where people read."""
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
    """Print a line of progress every ``every`` seconds while a notebook runs.

    Parameters
    ----------
    where : str, which notebook
    start : float, ``time.monotonic()`` at its start, seconds
    done : function without arguments, gives the words for what has been done so far
    terminal : int, file descriptor
    every : float, seconds
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every):
            print_progress(f"{where}: {time.monotonic() - start:.0f} s{done()}", terminal)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def print_progress(text: str, terminal: int = 2) -> None:
    """One line of progress, on stderr or another file descriptor."""
    os.write(terminal, f"{text}\n".encode())
