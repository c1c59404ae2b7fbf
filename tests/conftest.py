"""Fixtures: the real recordings, a server, and separate folders for cache and results."""

import os

import made_server
import pytest

from ser_core._utils import paths

# One thread per process, as in training: the tests run in several processes, one file at a time.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_name, "1")


def pytest_addoption(parser):
    """Add ``--full``."""
    parser.addoption("--full", action="store_true", help="more damaged inputs and more loads of pages than by default")


EAGER = {f"test_{name}.py" for name in ("attention", "data", "labels", "optimizers", "run", "segments")}
"""Files with trainings of few epochs in this process; longer ones, and those of other processes, are traced."""


@pytest.fixture(scope="module", autouse=True)
def short_trainings(request):
    """Trace nothing in the files of :data:`EAGER`."""
    if request.path.name not in EAGER:
        yield
        return
    import made_network

    with made_network.eagerly():
        yield


@pytest.fixture(scope="session")
def full(request):
    """Return whether the full number of damaged inputs and of repetitions is asked for."""
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def real_data():
    """Folder of the real corpora (``SER_DATA``); tests that need it are skipped without it."""
    folder = paths.data_dir()
    if not ((folder / "ravdess").is_dir() and (folder / "native").is_dir()):
        pytest.skip(f"no RAVDESS and TESS in {folder}: set SER_DATA")
    return folder


@pytest.fixture
def own_store(tmp_path, monkeypatch):
    """A separate folder for results; the cache is shared."""
    monkeypatch.setenv("SER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs" / "store"


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """A separate cache, empty at first."""
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def server():
    """A server on 127.0.0.1 (:class:`made_server.Server`)."""
    with made_server.serving() as running:
        yield running


@pytest.fixture(scope="module")
def runs_folder(tmp_path_factory):
    """Return the folder of :mod:`made_runs`, on the import path."""
    import made_runs

    with pytest.MonkeyPatch.context() as patch:
        folder = made_runs.make_folder(tmp_path_factory)
        patch.syspath_prepend(folder)
        yield folder


LONGEST = (
    *("models", "browser", "fit", "cluster", "sweep", "report", "data", "speedups", "cli", "run", "storage"),
    *("onnx_graph", "probes", "classical", "notebook_models", "continuous", "adaptation", "splits", "attention"),
)
"""Files whose tests take most of the time, the longest first."""
SLOW = {
    f"test_{name}.py"
    for name in (
        "batch_norm",
        "browser",
        "cluster",
        "fit",
        "labels",
        "makefile",
        "models",
        "notebook_models",
        "onnx_graph",
        "optimizers",
        "run",
        "speedups",
        "storage",
        "sweep",
        "voice_page",
    )
}
"""Files whose tests train networks or start many processes."""


def pytest_collection_modifyitems(items):
    """Mark the tests of slow files, so that ``-m "not slow"`` leaves them out, and begin with the longest files.

    Each process takes a file at a time: one that takes long would otherwise be alone at the end.
    """
    for item in items:
        if item.path.name in SLOW:
            item.add_marker(pytest.mark.slow)
    place = {f"test_{name}.py": number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))
