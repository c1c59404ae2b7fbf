"""Execute one notebook with papermill, and hash what an executed notebook depends on."""

import ast
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

from ser_core._utils import machine, paths
from ser_core.report.kernels import kernel_environment

NOT_EXECUTED = ("report", "cli")
"""Rooms of the package that no notebook uses: a change there executes no notebook again."""


def execute(source: Path, target: Path, parameters: dict) -> str:
    """Execute one notebook with papermill.

    A parameter that the notebook does not have is an error here; papermill only warns. A second attempt follows where
    another kernel took the port.

    Parameters
    ----------
    source, target : Path
        The notebook, and where its executed copy goes.
    parameters : dict
        Values for the cell tagged ``parameters``.

    Returns
    -------
    str
        "" on success, else one line that says what stopped the notebook.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError

    unknown = set(parameters) - parameter_names(source)
    if unknown:
        return f"no parameter {', '.join(sorted(unknown))} in a cell tagged `parameters`"
    options = {"parameters": parameters, "kernel_name": "python3", "progress_bar": False, "store_widget_state": False}
    for last in (False, True):
        try:
            with _own_environment():
                papermill.execute_notebook(str(source), str(target), **options)
            return ""
        except PapermillExecutionError as error:
            return _one_line(f"{error.ename}: {error.evalue}")
        except Exception as error:  # a dead kernel, a timeout, a failed start: each ends this notebook only
            if last or "Address already in use" not in str(error):
                return _one_line(f"{type(error).__name__}: {error}")
    return ""


def parameter_names(source: Path) -> set[str]:
    """Return the names assigned in the cell tagged ``parameters``.

    Papermill's own reader fails on a line with ``==``.
    """
    cells = json.loads(source.read_text(encoding="utf-8"))["cells"]
    tagged = ["".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    nodes = [node for text in tagged for node in ast.parse(text).body if isinstance(node, ast.Assign)]
    return {target.id for node in nodes for target in node.targets if isinstance(target, ast.Name)}


@contextmanager
def _own_environment() -> Iterator[None]:
    """Let the kernel, a separate process, have this copy of the package and no settings of the account."""
    before = dict(os.environ)
    wanted = {"TF_CPP_MIN_LOG_LEVEL": "2"} | kernel_environment()
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def notebook_key(source: Path, plan, parameters: dict) -> str:
    """Return a hash of all inputs of an executed notebook except the store.

    These are the notebook, the package, the parameters, the profile, the data, the machine and the versions.
    """
    digest = sha256()
    package = paths.package_dir()
    files = [path for path in sorted(package.rglob("*")) if path.is_file() and path.suffix not in (".pyc", ".md")]
    for path in [source, *(path for path in files if path.relative_to(package).parts[0] not in NOT_EXECUTED)]:
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    facts = [
        parameters,
        [asdict(spec) for spec in plan.specs],
        list(plan.corpora),
        sys.version,
        machine.processor(),
        machine.versions(),
    ]
    digest.update(json.dumps(facts, sort_keys=True).encode())
    if not all(name.startswith("demo") for name in plan.corpora):
        for line in _listing(paths.data_dir()):
            digest.update(line.encode())
    return digest.hexdigest()


def _listing(folder: Path) -> list[str]:
    """Return a line per file under a folder: name, size and time of change."""
    from ser_core.corpora import table

    facts = ((name, os.stat(folder / name)) for name in table.walk(folder))
    return [f"{name} {status.st_size} {status.st_mtime_ns}\n" for name, status in facts]


def _one_line(text: str) -> str:
    """Return the first 300 characters of a text as one line."""
    return " ".join(text.split())[:300]
