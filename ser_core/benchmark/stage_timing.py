"""Time the stages of recognition in this process, for :mod:`ser_core.benchmark.latency`.

``python -m ser_core.benchmark.stage_timing`` reads a job as JSON from standard input and prints its rows.
"""

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ser_core._utils import segments
from ser_core._utils.errors import SerError
from ser_core._utils.machine import processor_name

CALLS = ("compiled", "predict")
"""Ways of calling a network."""
BATCHES = (1, 32)
"""Batch sizes."""
FIGURES = ("latency_p50_ms", "latency_p95_ms", "throughput", "rtf", "cpu_share", "peak_memory_mib")
"""Measured fields of a row."""


def summarise(seconds: list[float], audio_seconds: list[float], batch: int) -> dict:
    """Compute latency, throughput and real-time factor of repeated calls.

    Parameters
    ----------
    seconds : list of float, s
        Duration of each call.
    audio_seconds : list of float, s
        True length of the recordings that each call processed, together.
    batch : int
        Utterances per call.

    Returns
    -------
    dict
        ``latency_p50_ms`` and ``latency_p95_ms`` (percentiles of the calls, linear between neighbours), ``throughput``
        (utterances per second), ``rtf`` (all processing time over all audio time).

    Examples
    --------
    >>> summarise([0.01, 0.03], [2.0, 2.0], batch=1)["rtf"]
    0.01
    """
    p50, p95 = np.percentile(seconds, [50, 95])
    return {
        "latency_p50_ms": 1000 * float(p50),
        "latency_p95_ms": 1000 * float(p95),
        "throughput": batch * len(seconds) / sum(seconds),
        "rtf": sum(seconds) / sum(audio_seconds),
    }


def time_calls(call: Callable[[int], object], repeats: int, warmup: int, clock=time.perf_counter) -> list[float]:
    """Measure the durations of ``call(0)`` to ``call(repeats - 1)``, after untimed calls.

    Parameters
    ----------
    call : callable
        Takes the number of the call.
    repeats, warmup : int
        Timed and untimed calls.
    clock : callable
        Returns the time in seconds.

    Returns
    -------
    list of float, s
        One duration per timed call.
    """
    for i in range(warmup):
        call(i)
    seconds = []
    for i in range(repeats):
        start = clock()
        call(i)
        seconds.append(clock() - start)
    return seconds


def peak_memory_mib() -> float | None:
    """Return the largest resident memory of this process so far, in MiB, or None where it is unknown (Windows).

    Linux reports it as ``VmHWM``. ``ru_maxrss``, used on other systems, would include the parent process on Linux.
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
    """Trace a network as one function for a batch size, from host memory to host memory.

    Parameters
    ----------
    model : keras.Model
        The network.
    batch : int
        Batch size.

    Returns
    -------
    callable
        From float32 [batch, frames, channels] to probabilities [batch, labels].
    """
    import tensorflow as tf

    shape = tf.TensorSpec((batch, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(shape)

    return partial(_call_traced, function, model)


def _call_traced(function, model, features: np.ndarray) -> np.ndarray:
    """Call a traced function; it does not keep the model's variables alive, so the model comes with it."""
    import tensorflow as tf

    (result,) = tf.nest.flatten(function(tf.constant(features)))
    return result.numpy()


def measure_here(job: dict) -> dict:
    """Measure one network on one device in this process.

    Parameters
    ----------
    job : dict
        ``model``, ``paths`` of the recordings, ``classes``, ``repeats``, ``warmup``, ``threads`` and ``device``, as
        :func:`ser_core.benchmark.latency.measure_latency` sets them.

    Returns
    -------
    dict
        ``rows``, and ``gpus``: the names of the GPUs that TensorFlow sees.
    """
    from ser_core import audio, features, models

    paths = [segments.from_json(path) for path in job["paths"]]
    feature_set = models.get_model(job["model"]).features
    samples = [audio.read(path) for path in paths]
    lengths = [len(waveform) / audio.SAMPLE_RATE for waveform in samples]
    matrices = [features.extract(waveform, features=feature_set) for waveform in samples]
    count = len(paths)
    common: dict[str, Any] = {
        "model": job["model"],
        "parameters": None,
        "device": job["device"],
        "hardware": processor_name(),
        "threads": job["threads"],
        "clip_seconds": float(np.mean(lengths)),
        "status": "measured",
        "reason": None,
    }
    rows: list[dict] = []

    def time_stage(stage: str, call: str | None, batch: int, function: Callable[[int], object]) -> None:
        named = {"stage": stage, "call": call, "batch": batch}
        rows.append(common | named | _stage_figures(job, lengths, batch, function))

    def time_network(call: str, batch: int) -> None:
        network = compiled_network(model, batch) if call == "compiled" else _predict(model, batch)
        turns = _turns(count, batch)
        ready = [np.stack([matrices[k] for k in turn]) for turn in turns]

        def end_to_end(i: int) -> np.ndarray:
            waveforms = [audio.read(paths[k]) for k in turns[i % len(turns)]]
            return network(np.stack([features.extract(waveform, features=feature_set) for waveform in waveforms]))

        time_stage("network", call, batch, lambda i: network(ready[i % len(ready)]))
        time_stage("end to end", call, batch, end_to_end)

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
        for batch in BATCHES:
            time_network(call, batch)
    return {"rows": rows, "gpus": gpus}


def _turns(count: int, batch: int) -> list[list[int]]:
    """Return the utterances of each call: one after the other, or always the same batch, some of them twice."""
    return [[k] for k in range(count)] if batch == 1 else [[k % count for k in range(batch)]]


def _stage_figures(job: dict, lengths: list[float], batch: int, function: Callable[[int], object]) -> dict:
    """Time one stage, and return the number of calls and the measured fields."""
    turns = _turns(len(lengths), batch)
    repeats = job["repeats"] if batch == 1 else max(3, job["repeats"] // 4)
    start, used = time.perf_counter(), time.process_time()
    seconds = time_calls(function, repeats, job["warmup"] if batch == 1 else min(job["warmup"], 3))
    share = (time.process_time() - used) / (time.perf_counter() - start)
    audio_seconds = [sum(lengths[k] for k in turns[i % len(turns)]) for i in range(repeats)]
    measured = {"cpu_share": share, "peak_memory_mib": peak_memory_mib()}
    return {"repeats": repeats} | summarise(seconds, audio_seconds, batch) | measured


def _predict(model, batch: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that calls ``model.predict``."""
    return lambda features: model.predict(features, batch_size=batch, verbose=0)


def _choose_device(device: str, threads: int) -> list[str]:
    """Set TensorFlow's threads, hide the GPUs when ``device`` is "cpu", and return the names of all GPUs."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    gpus = tf.config.list_physical_devices("GPU")
    if device == "cpu":
        tf.config.set_visible_devices([], "GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus]


if __name__ == "__main__":
    try:
        print(json.dumps(measure_here(json.load(sys.stdin))))
    except SerError as error:
        sys.exit(str(error))
