"""The prediction page as an application: Voila serves ``notebooks/10_predict.ipynb``, on this machine only.

A kernel waits, ready, for each visitor. The page's template (``jupyter/voila/templates/ser``) fetches nothing from
elsewhere. Whoever reaches the port starts a kernel, so the address is that of the machine itself.
"""

import os
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from ser_core._utils import paths
from ser_core._utils.errors import SerError

HOST = "127.0.0.1"
PORT = 8866
NOTEBOOK = "10_predict.ipynb"
SETTINGS = {"websocket_max_message_size": 200 * 1024 * 1024}
"""Tornado drops larger messages without a word, and its own limit is 10 MB."""


def command(port: int = PORT, *, browser: bool = True) -> list[str]:
    """The words that start the server."""
    options = [
        f"--port={port}", f"--Voila.ip={HOST}", "--Voila.port_retries=0", "--Voila.log_level=ERROR",
        "--template=ser", "--preheat_kernel=True", "--pool_size=1", f"--Voila.tornado_settings={SETTINGS}",
    ]  # fmt: skip
    options += [] if browser else ["--no-browser"]
    return [sys.executable, "-m", "voila", str(paths.root() / "notebooks" / NOTEBOOK), *options]


def environment() -> dict[str, str]:
    """The variables of this process, with the page's template and this very package where Jupyter looks."""
    added = {"JUPYTER_PATH": Path(__file__).resolve().parent / "jupyter", "PYTHONPATH": paths.package_dir().parent}
    before = {name: [os.environ[name]] if os.environ.get(name) else [] for name in added}
    places = {name: os.pathsep.join([str(place), *before[name]]) for name, place in added.items()}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    return os.environ | quiet | places


def check(port: int) -> None:
    """Whether the page can be served.

    Raises
    ------
    SerError
        without Voila, without the notebook, or where the port is taken
    """
    missing = [name for name in ("voila", "anywidget", "ipywidgets") if find_spec(name) is None]
    if missing:
        raise SerError(f"the page needs {', '.join(missing)}: pip install '.[notebooks,app]', or use `make app`")
    notebook = paths.root() / "notebooks" / NOTEBOOK
    if not notebook.is_file():
        raise SerError(f"{notebook}: not there; start the page from a checkout of the suite")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SerError(f"port {port}: {error.strerror}; choose another with --port") from None


def serve(port: int = PORT, *, browser: bool = True) -> int:
    """Serve the page until it is stopped (Ctrl-C); returns the server's exit code. See :func:`check` for errors."""
    check(port)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":  # the server takes the place of this process: who ends the one ends the other
        os.execve(sys.executable, command(port, browser=browser), environment())
    return subprocess.run(command(port, browser=browser), env=environment()).returncode
