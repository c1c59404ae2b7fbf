"""Serve the prediction page as an application: Voila shows ``prediction.ipynb``, on this machine only.

A kernel is started in advance for the next visitor, and ends with its page (:mod:`ser_core.widgets.page_server`). The
page's template (``jupyter/voila/templates/ser``) loads
nothing from elsewhere. Whoever opens the page has a kernel of this account. The server therefore uses the loopback
address, asks for the token in the page's address, which the other accounts of this machine do not know, and refuses
requests for another host, which a foreign web page could send by way of its own name (DNS rebinding). The token is
passed on in the environment: the words of a command can be read by every account.
"""

import html
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ser_core._utils.errors import SerError
from ser_core.report.kernels import kernel_environment

HOST = "127.0.0.1"
PORT = 8866
NOTEBOOK = Path(__file__).resolve().with_name("prediction.ipynb")
"""What the page shows: a title, a sentence and the widget."""
KERNELS = 8
"""Maximum number of kernels, the one that is kept ready included."""
TEMPLATES = Path(__file__).resolve().parent / "jupyter"
"""Where Jupyter finds the page's template."""
SETTINGS = {"websocket_max_message_size": 200 * 1024 * 1024, "allow_remote_access": False}
"""Tornado drops larger messages without an error; its default limit is 10 MB. Without remote access the Host header
must name this machine."""
TOKEN, ADDRESS = "JUPYTER_TOKEN", "SER_APP_ADDRESS"
"""Variables in the environment of the server (its token) and of the process that opens the browser (the address)."""
WAIT = 60.0
"""How long the browser waits for the server, seconds."""


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(24)


def address(port: int, token: str) -> str:
    """Return the address of the page, which opens it once; the browser then has a cookie.

    >>> address(8866, "secret")
    'http://127.0.0.1:8866/?token=secret'
    """
    return f"http://{HOST}:{port}/?token={token}"


def command(port: int = PORT, kernels: int = KERNELS) -> list[str]:
    """Return the command that starts the server.

    Parameters
    ----------
    port : int
        Port of the page.
    kernels : int, default 8
        Maximum number of pages that are open at a time, each with a kernel.
    """
    options = [
        f"--port={port}", f"--Voila.ip={HOST}", "--Voila.port_retries=0", "--Voila.log_level=ERROR",
        "--template=ser", "--preheat_kernel=True", "--pool_size=1",
        "--Voila.auto_token=True", "--no-browser", f"--PageServer.kernels={kernels}",
    ]  # fmt: skip
    return [sys.executable, "-m", "ser_core.widgets.page_server", str(NOTEBOOK), *options]


def environment(token: str) -> dict[str, str]:
    """Return the environment of the server: that of its kernels, the page's template, and the token."""
    kernels = kernel_environment()
    places = os.pathsep.join([str(TEMPLATES), kernels["JUPYTER_PATH"]])
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    return kernels | quiet | {"JUPYTER_PATH": places, TOKEN: token}


def check(port: int) -> None:
    """Check that the page can be served.

    Parameters
    ----------
    port : int
        Port of the page.

    Raises
    ------
    SerError
        Where Voila is missing, or the port is in use.
    """
    missing = [name for name in ("voila", "anywidget", "ipywidgets") if find_spec(name) is None]
    if missing:
        raise SerError(f"the page needs {', '.join(missing)}: pip install '.[notebooks,app]', or use `make app`")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SerError(f"port {port}: {error.strerror}; choose another with --port") from None


def serve(port: int, token: str, *, browser: bool = True, kernels: int = KERNELS) -> int:
    """Serve the page until it is stopped with Ctrl-C.

    Parameters
    ----------
    port : int
        Port of the page.
    token : str
        What the address of the page must have.
    browser : bool, default True
        Open a browser window.
    kernels : int, default 8
        Maximum number of pages that are open at a time.

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
    if browser:
        words = [sys.executable, "-P", "-c", "from ser_core.widgets.app import open_page; open_page()"]
        paths_ = {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)}
        subprocess.Popen(
            words, env=os.environ | paths_ | {ADDRESS: address(port, token)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    if os.name == "posix":  # the server replaces this process, so that ending one ends the other
        os.execve(sys.executable, command(port, kernels), environment(token))
    return subprocess.run(command(port, kernels), env=environment(token)).returncode


def open_page() -> None:
    """Open the page in a browser once the server answers; the address is in the environment.

    The browser gets a file that only this account can read and that leads to the address.
    """
    page = os.environ[ADDRESS]
    port = urlsplit(page).port or PORT
    end = time.monotonic() + WAIT
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                break
        time.sleep(0.2)
    handle, name = tempfile.mkstemp(prefix="ser-app-", suffix=".html")
    with open(handle, "w", encoding="utf-8") as file:
        file.write(f'<!DOCTYPE html><meta http-equiv="refresh" content="0; url={html.escape(page)}">')
    webbrowser.open(Path(name).as_uri())
    time.sleep(WAIT)  # the browser has read it by then
    os.unlink(name)
