"""Serve the prediction page as an application: Voila shows ``notebooks/10_predict.ipynb``, on this machine only.

A kernel is started in advance for the next visitor. The page's template (``jupyter/voila/templates/ser``) loads
nothing from elsewhere. Whoever reaches the port starts a kernel, so the server uses the loopback address.
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
"""Tornado drops larger messages without an error; its default limit is 10 MB."""


def command(port: int = PORT, *, browser: bool = True) -> list[str]:
    """Return the command that starts the server.

    Parameters
    ----------
    port : int
        Port of the page.
    browser : bool, default True
        Open a browser window.
    """
    options = [
        f"--port={port}", f"--Voila.ip={HOST}", "--Voila.port_retries=0", "--Voila.log_level=ERROR",
        "--template=ser", "--preheat_kernel=True", "--pool_size=1", f"--Voila.tornado_settings={SETTINGS}",
    ]  # fmt: skip
    options += [] if browser else ["--no-browser"]
    return [sys.executable, "-m", "voila", str(paths.root() / "notebooks" / NOTEBOOK), *options]


def environment() -> dict[str, str]:
    """Return the environment of the server, in which Jupyter finds the page's template and this copy of the package."""
    added = {"JUPYTER_PATH": Path(__file__).resolve().parent / "jupyter", "PYTHONPATH": paths.package_dir().parent}
    before = {name: [os.environ[name]] if os.environ.get(name) else [] for name in added}
    places = {name: os.pathsep.join([str(place), *before[name]]) for name, place in added.items()}
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    return os.environ | quiet | places


def check(port: int) -> None:
    """Check that the page can be served.

    Parameters
    ----------
    port : int
        Port of the page.

    Raises
    ------
    SerError
        Where Voila or the notebook is missing, or the port is in use.
    """
    missing = [name for name in ("voila", "anywidget", "ipywidgets") if find_spec(name) is None]
    if missing:
        raise SerError(f"the page needs {', '.join(missing)}: pip install '.[notebooks,app]', or use `make app`")
    notebook = paths.root() / "notebooks" / NOTEBOOK
    if not notebook.is_file():
        raise SerError(f"{notebook}: not found; start the page from a checkout of the suite")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SerError(f"port {port}: {error.strerror}; choose another with --port") from None


def serve(port: int = PORT, *, browser: bool = True) -> int:
    """Serve the page until it is stopped with Ctrl-C.

    Parameters
    ----------
    port : int
        Port of the page.
    browser : bool, default True
        Open a browser window.

    Returns
    -------
    int
        The server's exit code.

    Raises
    ------
    SerError
        See :func:`check`.
    """
    check(port)
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":  # the server replaces this process, so that ending one ends the other
        os.execve(sys.executable, command(port, browser=browser), environment())
    return subprocess.run(command(port, browser=browser), env=environment()).returncode
