"""The environment of the kernels that the suite starts: the same on every account.

The kernel ``python3`` is the interpreter that runs ``ser`` (``jupyter/kernels/python3/kernel.json``; Jupyter puts its
own interpreter in the place of ``python``), whatever other kernels ``JUPYTER_PATH`` or the account has. IPython's
startup files, the configuration of Jupyter, ``PYTHONSTARTUP`` and a ``matplotlibrc`` are not read; that of the current
folder, which comes before all others, is kept away by :mod:`~ser_core.report.kernel_start`. Pictures go into the
notebook, whatever ``MPLBACKEND`` says.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from ser_core._utils import paths

FOLDER = Path(__file__).resolve().parent / "jupyter"
"""The kernel of the suite, where Jupyter looks for one."""
REMOVED = ("MPLBACKEND", "PYTHONSTARTUP", "PYTHONINSPECT")
"""Variables that the kernels do not get."""


def shared_folder() -> Path:
    """Return where the packages of this interpreter keep what Jupyter needs, such as the templates of nbconvert."""
    return Path(sys.prefix) / "share" / "jupyter"


def kernel_environment() -> dict[str, str]:
    """Return the environment for a process that starts kernels, without the settings of the account.

    Returns
    -------
    dict
        that of this process, in which kernels also import this copy of the package
    """
    added = {
        "JUPYTER_PATH": [FOLDER, shared_folder()],
        "PYTHONPATH": [paths.package_dir().parent],
    }
    before = {name: [os.environ[name]] if os.environ.get(name) else [] for name in added}
    places = {name: os.pathsep.join([*map(str, new), *before[name]]) for name, new in added.items()}
    places["IPYTHONDIR"] = str(paths.cache_dir() / "ipython")
    places["JUPYTER_CONFIG_DIR"] = str(paths.cache_dir() / "jupyter")
    if (matplotlib := find_spec("matplotlib")) and matplotlib.origin:
        places["MATPLOTLIBRC"] = str(Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc")
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
    return kept | places
