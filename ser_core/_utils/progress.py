"""What people see while notebooks run: a line every twenty seconds, and nothing of what libraries print."""

import json
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
    """While a notebook runs, say every ``every`` seconds how long it took so far, what is done, and which epochs the
    cells in training have reached.

    start : time.monotonic() at its start; done : gives the words for what is done; terminal : file descriptor
    """
    over, since = threading.Event(), time.time()

    def beat() -> None:
        while not over.wait(every):
            print_progress(f"{where}: {time.monotonic() - start:.0f} s{done()}{epochs_in_training(since)}", terminal)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def epochs_in_training(since: float) -> str:
    """ ", in training: epoch 3, 7", from the checkpoints written since a time in seconds; "" where there are none."""
    from ser_core.experiments.store import store_dir

    reached = []
    for state in store_dir().glob("*.checkpoint/state.json"):
        try:
            if state.stat().st_mtime >= since:
                reached.append(len(json.loads(state.read_text(encoding="utf-8"))["history"]["loss"]))
        except (OSError, ValueError, KeyError):  # its cell has just ended
            continue
    return f", in training: epoch {', '.join(map(str, sorted(reached)))}" if reached else ""


def print_progress(text: str, terminal: int = 2) -> None:
    """One line of progress, on stderr or another file descriptor."""
    os.write(terminal, f"{text}\n".encode())
