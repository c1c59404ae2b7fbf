"""Start a kernel: ``python -P -m ser_core.report.kernel_start -f FILE --log-level=40``, which logs errors alone.

Matplotlib reads a ``matplotlibrc`` of the current folder when it is imported, before the file that ``MATPLOTLIBRC``
names. It is therefore imported in a folder that has none but its own. With ``-P`` no module of the current folder takes
the place of one of the kernel; IPython adds the folder for the cells.
"""

import os
from importlib.util import find_spec
from pathlib import Path

INLINE = "module://matplotlib_inline.backend_inline"
"""The backend that shows figures in the notebook."""


def import_matplotlib() -> None:
    """Import matplotlib with its own settings, wherever the process is; without effect where it is not installed."""
    found = find_spec("matplotlib")
    if not (found and found.origin):
        return
    os.environ.setdefault("MPLBACKEND", INLINE)  # as the kernel does itself, but too late for an imported matplotlib
    before = os.getcwd()
    os.chdir(Path(found.origin).parent / "mpl-data")
    try:
        import matplotlib  # noqa: F401
    finally:
        os.chdir(before)


def main() -> None:
    """Import matplotlib, and run the kernel until it is stopped."""
    import_matplotlib()
    from ipykernel import kernelapp

    kernelapp.launch_new_instance()


if __name__ == "__main__":
    main()
