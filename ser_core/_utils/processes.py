"""Start processes that end with the one that started them."""

import os
import signal
import threading
from multiprocessing import parent_process


def follow_parent() -> None:
    """Make a pool's process ignore Ctrl-C, which its parent handles, and end when its parent ends in any way."""
    parent = parent_process()
    assert parent is not None, "called in a process of a pool"

    def wait() -> None:
        parent.join()
        os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait, daemon=True).start()
