"""How long recognition takes on this machine, stage by stage, and how much memory it needs.

The stages of one utterance are ``read`` (decode, mono, resample, normalise), ``features`` (II.C, II.D.1), ``network``
(from a feature matrix to probabilities on the host) and ``end to end`` (all three). The network is called in two ways:
``compiled`` is a ``tf.function`` traced once for the shape, ``predict`` is plain ``model.predict``. Latency is that of
one call, so of 32 utterances at batch 32; throughput and the real-time factor are per utterance in either case.

The real-time factor (RTF) is processing time over the true length of the recordings, before any padding or cutting.
Weights are untrained: they do not change the arithmetic. Every network is measured in a process of its own, so that
its peak memory is nobody else's. Figures are those of one machine under its load at that moment: they are stored with
the name of the processor and never compared by a test.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import sha256
from importlib import metadata
from pathlib import Path

import numpy as np

from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core._utils.machine import processor_name
from ser_core._utils.paths import runs_dir

CALLS = ("compiled", "predict")
CLIPS = 32
FIGURES = ("latency_p50_ms", "latency_p95_ms", "throughput", "rtf", "cpu_share", "peak_memory_mib")


def measure_latency(model_name: str, table, *, repeats: int = 100, warmup: int = 10, threads: int = 1) -> list[dict]:
    """Measure one network on the recordings of an utterance table.

    Parameters
    ----------
    model_name : a key of ``ser_core.models.MODELS``, or ``package.module:function``
    table : utterance table; up to 32 utterances, evenly spaced, are used in turn
    repeats : int, timed calls at batch 1; a quarter of it, at least three, at batch 32
    warmup : int, calls before these that are not counted
    threads : int, threads of TensorFlow and of the linear algebra of NumPy

    Returns
    -------
    list of dict
        One row a stage, way of calling, batch size and device: ``model``, ``parameters``, ``stage``, ``call`` (``None``
        before the network), ``batch``, ``device`` ("cpu" or "gpu"), ``hardware``, ``threads``, ``repeats``,
        ``clip_seconds`` (mean true length), ``status`` ("measured" or "not measured"), ``reason``, and the figures
        ``latency_p50_ms``, ``latency_p95_ms``, ``throughput`` (utterances a second), ``rtf``, ``cpu_share`` (processor
        time over time; with one thread, well below 1 means that other work had the processor), ``peak_memory_mib``
        (of the process up to and including this stage), which are ``None`` where they were not measured.

    Raises
    ------
    SerError
        for numbers that cannot be meant, an empty table, or a measurement that fails
    """
    if repeats < 1 or warmup < 0 or threads < 1:
        raise SerError(f"repeats {repeats}, warmup {warmup}, threads {threads}: at least 1, 0 and 1 are needed")
    if len(table) == 0:
        raise SerError("timing: the utterance table is empty; choose a corpus that is there")
    places = np.unique(np.linspace(0, len(table) - 1, CLIPS).round().astype(int))
    job = {
        "model": model_name,
        "paths": [str(path) for path in table["path"].iloc[places]],
        "classes": int(table["emotion"].nunique()),
        "repeats": repeats,
        "warmup": warmup,
        "threads": threads,
    }
    found = _in_a_process(job | {"device": "cpu"})
    rows = found["rows"]
    if found["gpus"]:
        return rows + _in_a_process(job | {"device": "gpu"})["rows"]
    return rows + [not_measured(row, "no GPU that TensorFlow sees") for row in rows if row["call"]]


def not_measured(row: dict, reason: str, device: str = "gpu") -> dict:
    """The row of a measurement that could not be made on ``device``: as ``row``, without figures."""
    empty = dict.fromkeys(FIGURES)
    return row | empty | {"device": device, "hardware": None, "status": "not measured", "reason": reason, "repeats": 0}


def summarise(seconds: list[float], audio_seconds: list[float], batch: int) -> dict:
    """Figures of repeated calls.

    Parameters
    ----------
    seconds : duration of each call
    audio_seconds : true length of the recordings that each call processed, together
    batch : int, utterances a call

    Returns
    -------
    dict
        ``latency_p50_ms`` and ``latency_p95_ms`` (percentiles of the calls, linear between neighbours), ``throughput``
        (utterances a second), ``rtf`` (all processing time over all audio time)
    """
    p50, p95 = np.percentile(seconds, [50, 95])
    return {
        "latency_p50_ms": 1000 * float(p50),
        "latency_p95_ms": 1000 * float(p95),
        "throughput": batch * len(seconds) / sum(seconds),
        "rtf": sum(seconds) / sum(audio_seconds),
    }


def time_calls(call: Callable[[int], object], repeats: int, warmup: int, clock=time.perf_counter) -> list[float]:
    """Durations in seconds of ``call(0)``, ``call(1)``, ... ``call(repeats - 1)``, after ``warmup`` calls untimed."""
    for i in range(warmup):
        call(i)
    seconds = []
    for i in range(repeats):
        start = clock()
        call(i)
        seconds.append(clock() - start)
    return seconds


def peak_memory_mib() -> float | None:
    """Largest resident memory of this process so far, in MiB.

    Linux keeps it as ``VmHWM``. ``ru_maxrss``, used elsewhere, would there count the parent process from which this
    one was started. ``None`` where neither is known (Windows).
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # bytes on macOS, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def compiled_network(model, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """The network as one traced function for float32 [batch, frames, channels], host to host."""
    import tensorflow as tf

    shape = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(shape)

    def run(features: np.ndarray) -> np.ndarray:
        (result,) = tf.nest.flatten(function(tf.constant(features)))
        return result.numpy()

    run.model = model  # the traced function does not keep the variables alive
    return run


def _in_a_process(job: dict) -> dict:
    """``_measure_here(job)`` in a fresh interpreter."""
    pools = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
    package = str(paths.package_dir().parent)
    environment = os.environ | dict.fromkeys(pools, str(job["threads"]))
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    environment |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "ser_core.inference.latency"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, env=environment)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise SerError(f"timing of {job['model']}: {last[0]}")
    return json.loads(done.stdout.splitlines()[-1])


def _measure_here(job: dict) -> dict:
    """Rows of one network on one device (``job`` as :func:`measure` makes it), and the GPUs that TensorFlow sees."""
    from ser_core import audio, features, models

    paths, repeats, warmup = job["paths"], job["repeats"], job["warmup"]
    feature_set = models.get_model(job["model"]).features
    samples = [audio.read(path) for path in paths]
    lengths = [len(one) / audio.SAMPLE_RATE for one in samples]
    matrices = [features.extract(one, features=feature_set) for one in samples]
    count = len(paths)
    # The utterances of each call: one after the other, or always the same 32 (some twice where there are fewer).
    turns = {1: [[k] for k in range(count)], 32: [[k % count for k in range(32)]]}
    common = {
        "model": job["model"],
        "parameters": None,
        "device": job["device"],
        "hardware": processor_name(),
        "threads": job["threads"],
        "clip_seconds": float(np.mean(lengths)),
        "status": "measured",
        "reason": None,
    }
    rows = []

    def time_stage(stage: str, call: str | None, batch: int, function: Callable[[int], object]) -> None:
        times = repeats if batch == 1 else max(3, repeats // 4)
        start, used = time.perf_counter(), time.process_time()
        seconds = time_calls(function, times, warmup if batch == 1 else min(warmup, 3))
        share = (time.process_time() - used) / (time.perf_counter() - start)
        audio_seconds = [sum(lengths[k] for k in turns[batch][i % len(turns[batch])]) for i in range(times)]
        figures = summarise(seconds, audio_seconds, batch) | {"cpu_share": share, "peak_memory_mib": peak_memory_mib()}
        rows.append(common | {"stage": stage, "call": call, "batch": batch, "repeats": times} | figures)

    if job["device"] == "cpu":
        time_stage("read", None, 1, lambda i: audio.read(paths[i % count]))
        time_stage("features", None, 1, lambda i: features.extract(samples[i % count], features=feature_set))

    gpus = _choose_device(job["device"], job["threads"])
    if job["device"] == "gpu":
        common["hardware"] = gpus[0]
    model = models.build(job["model"], matrices[0].shape, job["classes"])
    common["parameters"] = models.count_parameters(model)
    for row in rows:
        row["parameters"] = common["parameters"]

    for call in CALLS:
        for batch in turns:
            network = compiled_network(model, batch) if call == "compiled" else _predict(model, batch)
            ready = [np.stack([matrices[k] for k in turn]) for turn in turns[batch]]
            time_stage("network", call, batch, lambda i, network=network, ready=ready: network(ready[i % len(ready)]))

            def whole(i: int, network=network, turn=turns[batch]):
                heard = [audio.read(paths[k]) for k in turn[i % len(turn)]]
                return network(np.stack([features.extract(one, features=feature_set) for one in heard]))

            time_stage("end to end", call, batch, whole)
    return {"rows": rows, "gpus": gpus}


def _predict(model, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda features: model.predict(features, batch_size=batch, verbose=0)


def _choose_device(device: str, threads: int) -> list[str]:
    """Set TensorFlow's threads, hide the GPUs when ``device`` is "cpu", and return the names of those that it sees."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]


def describe_machine() -> dict:
    """What the figures hold for: processor, number of cores, system, versions."""
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
    for name in (package, f"{package}-cpu"):
        try:
            return metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return None


def measure_networks(
    model_names, table, *, repeats: int = 100, warmup: int = 10, threads: int = 1, fresh: bool = False, progress=True
) -> dict:
    """Measure several networks, or give back what was measured here before with the same settings and versions.

    Parameters
    ----------
    model_names, table, repeats, warmup, threads : see :func:`measure`
    fresh : bool, measure again
    progress : bool, show a bar on standard error

    Returns
    -------
    dict
        ``hash``, ``settings``, ``machine`` (:func:`machine`), ``rows`` (of all networks), ``when``; it is kept as
        ``timing-<hash>.json`` in the store
    """
    from tqdm import tqdm

    from ser_core._utils.atomic import write_atomically

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
        with suppress(SerError):  # not there, or damaged
            return read_timing(path)
    rows = []
    for model_name in tqdm(settings["models"], desc="timing", unit="network", disable=None if progress else True):
        rows += measure_latency(model_name, table, repeats=repeats, warmup=warmup, threads=threads)
    when = datetime.now(UTC).isoformat(timespec="seconds")
    document = {"hash": name, "settings": settings, "machine": here, "rows": rows, "when": when}
    write_atomically(path, (json.dumps(document, indent=1) + "\n").encode())
    return document


def _code() -> str:
    """Digest of the code that is timed, so that a figure of other code is not taken for one of this."""
    package = paths.package_dir()
    timed = (package / "audio" / "io.py", package / "features" / "frames.py", Path(__file__))
    files = [*timed, *sorted((package / "models").glob("*.py"))]
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def read_timing(path: str | os.PathLike) -> dict:
    """A document that :func:`results` wrote; SerError when it is not there or not one."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        document["machine"], document["rows"]
    except FileNotFoundError:
        raise SerError(f"{path}: no such file; measure first (notebook 11)") from None
    except (ValueError, KeyError, TypeError):
        raise SerError(f"{path}: not a timing result; delete it and measure again") from None
    return document


def published_path() -> Path:
    """Where the published timing lies: ``runs/published/timing.json``."""
    return runs_dir() / "published" / "timing.json"


def publish_timing(document: dict) -> Path:
    """Keep a document of :func:`results` among the published rows; returns where."""
    from ser_core._utils.atomic import write_atomically

    write_atomically(published_path(), (json.dumps(document, indent=1) + "\n").encode())
    return published_path()


def select_rows(document: dict, **wanted) -> list[dict]:
    """Rows whose fields have these values: ``pick(document, stage="network", batch=1)``."""
    return [row for row in document["rows"] if all(row[name] == value for name, value in wanted.items())]


if __name__ == "__main__":
    try:
        print(json.dumps(_measure_here(json.load(sys.stdin))))
    except SerError as error:
        sys.exit(str(error))
