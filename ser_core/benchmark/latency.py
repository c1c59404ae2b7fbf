"""Measure latency, throughput, real-time factor and memory of recognition on this machine, stage by stage.

The stages of one utterance are ``read`` (decode, mono, resample, normalise), ``features`` (II.C, II.D.1), ``network``
(from a feature matrix to probabilities on the host) and ``end to end`` (all three). The network is called in two ways:
``compiled`` is a ``tf.function`` traced once for the shape, ``predict`` is plain ``model.predict``. Latency is the time
of one call, so of 32 utterances at batch 32. Throughput and real-time factor are per utterance in either case.

The real-time factor (RTF) is processing time over the true length of the recordings, before any padding or cutting.
Weights are untrained, which does not change the arithmetic. Each network is measured in a separate process, so that
its peak memory is its own. Results depend on the machine and its load at that moment: they are stored with the name
of the processor, and no test compares them.
"""

import json
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np

from ser_core._utils import paths, segments
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.machine import processor_name
from ser_core._utils.paths import runs_dir
from ser_core.benchmark import stage_timing

CALLS = stage_timing.CALLS
"""Ways of calling a network."""
CLIPS = 32
"""Maximum number of utterances that are measured."""


def measure_latency(model_name: str, table, *, repeats: int = 100, warmup: int = 10, threads: int = 1) -> list[dict]:
    """Measure one network on the recordings of an utterance table.

    Parameters
    ----------
    model_name : str
        A key of ``ser_core.models.MODELS``, or ``package.module:function``.
    table : pandas.DataFrame
        Utterance table; up to 32 utterances, evenly spaced, are used in turn.
    repeats : int, default 100
        Timed calls at batch 1; a quarter of it, at least three, at batch 32.
    warmup : int, default 10
        Untimed calls before these.
    threads : int, default 1
        Threads of TensorFlow and of NumPy's linear algebra.

    Returns
    -------
    list of dict
        One row per stage, way of calling, batch size and device: ``model``, ``parameters``, ``stage``, ``call`` (None
        before the network), ``batch``, ``device`` ("cpu" or "gpu"), ``hardware``, ``threads``, ``repeats``,
        ``clip_seconds`` (mean true length), ``status`` ("measured" or "not measured") and ``reason``. The measured
        fields are ``latency_p50_ms``, ``latency_p95_ms``, ``throughput`` (utterances per second), ``rtf``,
        ``cpu_share`` (processor time over time) and ``peak_memory_mib`` (of the process up to this stage), or None.
        With one thread, a ``cpu_share`` well below 1 means that other work used the processor.

    Raises
    ------
    SerError
        For settings out of range, an empty table, or a measurement that fails.
    """
    if repeats < 1 or warmup < 0 or threads < 1:
        raise SerError(f"repeats {repeats}, warmup {warmup}, threads {threads}: at least 1, 0 and 1 are needed")
    if len(table) == 0:
        raise SerError("timing: the utterance table is empty; choose an available corpus")
    places = np.unique(np.linspace(0, len(table) - 1, CLIPS).round().astype(int))
    job = {
        "model": model_name,
        "paths": [segments.as_json(source) for source in segments.sources(table.iloc[places])],
        "classes": int(table["emotion"].nunique()),
        "repeats": repeats,
        "warmup": warmup,
        "threads": threads,
    }
    measured = _measure_in_process(job | {"device": "cpu"})
    rows = measured["rows"]
    if measured["gpus"]:
        return rows + _measure_in_process(job | {"device": "gpu"})["rows"]
    return rows + [not_measured(row, "no GPU that TensorFlow sees") for row in rows if row["call"]]


def not_measured(row: dict, reason: str, device: str = "gpu") -> dict:
    """Return the row of a measurement that was not made.

    Parameters
    ----------
    row : dict
        The same measurement on another device.
    reason : str
        Why it was not made.
    device : str, default "gpu"
        The missing device.
    """
    empty = dict.fromkeys(stage_timing.FIGURES)
    return row | empty | {"device": device, "hardware": None, "status": "not measured", "reason": reason, "repeats": 0}


def _measure_in_process(job: dict) -> dict:
    """Call :func:`ser_core.benchmark.stage_timing.measure_here` in a new interpreter."""
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    package = str(paths.package_dir().parent)
    environment = os.environ | dict.fromkeys(pools, str(job["threads"]))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "ser_core.benchmark.stage_timing"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SerError(f"timing of {job['model']}: {last[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def describe_machine() -> dict:
    """Describe the machine of the measurement: processor, number of cores, system, versions."""
    import platform

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {
        "processor": processor_name(),
        "cores": cores,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in ("keras", "tensorflow", "numpy", "soundfile", "soxr")},
    }


def _version(package: str) -> str | None:
    """Return the version of a package or of its CPU variant, or None where neither is installed."""
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def measure_networks(
    model_names, table, *, repeats: int = 100, warmup: int = 10, threads: int = 1, fresh: bool = False, progress=True
) -> dict:
    """Measure several networks, or return an earlier measurement with the same settings, versions and machine.

    Parameters
    ----------
    model_names : iterable of str
        The networks.
    table, repeats, warmup, threads
        See :func:`measure_latency`.
    fresh : bool, default False
        Measure again.
    progress : bool, default True
        Show a bar on standard error.

    Returns
    -------
    dict
        ``hash``, ``settings``, ``machine`` (by :func:`describe_machine`), ``rows`` (of all networks) and ``when``; it
        is stored as ``timing-<hash>.json``.
    """
    from tqdm import tqdm

    here = describe_machine()
    settings = {
        "models": list(model_names),
        "corpus": table.attrs.get("corpus"),
        "utterances": len(table),
        "repeats": repeats,
        "warmup": warmup,
        "threads": threads,
    }
    fixed = settings | here | {"code": _code()}
    name = sha256(json.dumps([fixed, list(table["id"])], sort_keys=True).encode()).hexdigest()[:16]
    path = runs_dir() / "store" / f"timing-{name}.json"
    if not fresh:
        with suppress(SerError):  # missing or damaged
            return read_timing(path)
    rows = []
    for model_name in tqdm(settings["models"], desc="timing", unit="network", disable=None if progress else True):
        rows += measure_latency(model_name, table, repeats=repeats, warmup=warmup, threads=threads)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    document = {"hash": name, "settings": settings, "machine": here, "rows": rows, "when": when}
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())
    return document


def _code() -> str:
    """Return a digest of the timed code, so that results of other code are not reused."""
    package = paths.package_dir()
    timed = ("audio/io.py", "audio/processing.py", "features/frames.py", "features/spectral.py")
    models_code = sorted((package / "models").glob("*.py"))
    files = [*(package / name for name in timed), Path(stage_timing.__file__), *models_code]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def read_timing(path: str | os.PathLike) -> dict:
    """Read a document that :func:`measure_networks` wrote.

    Raises
    ------
    SerError
        Where the file is missing or no such document.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        document["machine"], document["rows"]
    except FileNotFoundError:
        raise SerError(f"{path}: no such file; measure first (notebook 11)") from None
    except (ValueError, KeyError, TypeError):
        raise SerError(f"{path}: not a timing result; delete it and measure again") from None
    return document


def published_path() -> Path:
    """Return the path of the published timing, ``runs/published/timing.json``."""
    return runs_dir() / "published" / "timing.json"


def publish_timing(document: dict) -> Path:
    """Store a document of :func:`measure_networks` with the published results; return its path."""
    write_atomically(published_path(), (json.dumps(document, indent=1) + "\n").encode())
    return published_path()


def select_rows(document: dict, **wanted) -> list[dict]:
    """Return the rows whose fields have these values.

    Examples
    --------
    >>> select_rows({"rows": [{"stage": "read", "batch": 1}, {"stage": "network", "batch": 1}]}, stage="network")
    [{'stage': 'network', 'batch': 1}]
    """
    return [row for row in document["rows"] if all(row[name] == value for name, value in wanted.items())]
