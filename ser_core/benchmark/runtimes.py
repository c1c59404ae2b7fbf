"""Measure networks, features in and answer out, in Keras, as compiled calls, in ONNX Runtime, LiteRT and OpenVINO.

Each network and number of threads is measured in a process of its own, the runtimes in turn. Weights are untrained,
which does not change the arithmetic. LiteRT's files take one utterance, so a batch is as many calls.
"""

from __future__ import annotations

import importlib.util
import math
import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.benchmark import clocks, floors, stage_timing
from ser_core.benchmark.clip_stages import LABELS
from ser_core.benchmark.clocks import Contender, OtherWork
from ser_core.benchmark.job import Job
from ser_core.benchmark.records import NOT_MEASURED, NOW_AND_THEN, OURS, PEER, Stage, Timing

BATCHES = (1, 8, 32, 256)
"""Utterances per call."""
ONNX = "ONNX Runtime"
NO_TIME = "no time was left"
"""Why a network is not measured where its share of the time is over."""
TOLERANCE = 1e-3
"""A runtime whose probabilities differ by more than this from those of Keras is not measured."""


def network_names() -> list[str]:
    """Return the networks of the zoo that can be built without weights from elsewhere."""
    from ser_core import models

    return [name for name, model in models.MODELS.items() if model.kind == "network"]


def build(name: str) -> Any:
    """Build a network of the zoo at its full size, with weights drawn from a fixed seed.

    Parameters
    ----------
    name : str
        a network of ``ser_core.models.MODELS``
    """
    from ser_core import models
    from ser_core._utils.console import quiet_loading
    from ser_core.features import inputs

    with quiet_loading():
        import keras

    keras.utils.set_random_seed(0)
    made_for = inputs.get_input(models.get_model(name).features)
    network = models.build(name, made_for.shape(made_for.frames), LABELS)
    return network if len(network.outputs) == 1 else keras.Model(network.input, network.outputs[0])


def measure_network(job: Job) -> tuple[Stage, ...]:
    """Measure one network in every runtime that is installed, for each batch size; a stage per batch size.

    Parameters
    ----------
    job : Job
        with its ``network``
    """
    import tensorflow as tf

    threads, end = job.threads or os.cpu_count() or 1, time.perf_counter() + (job.seconds or math.inf)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = build(job.network)
    operations = floors.network_operations(model)
    runtimes = _runtimes(model, threads, end)
    random = np.random.default_rng(0)
    stages: list[Stage] = []
    for batch in BATCHES:
        left = end - time.perf_counter()
        if stages and _expected(stages[-1], batch) > left:
            stages.append(not_measured(job.network, batch, threads))
            continue
        x = random.standard_normal((batch, *model.input_shape[1:])).astype(np.float32)
        moved = x.nbytes + 4 * model.count_params()
        stages.append(
            replace(
                not_measured(job.network, batch, threads),
                timings=tuple(_timings(job, runtimes, x, left)),
                floor=floors.count(operations * batch, moved, "products of the network; input and weights"),
            )
        )
    return tuple(stages)


def not_measured(network: str, batch: int, threads: int) -> Stage:
    """Return the stage of a network and a batch size for which there was no time."""
    timings = [
        Timing(name, role, status=NOT_MEASURED, reason=NO_TIME)
        for name, role in (("Keras predict", PEER), (ONNX, OURS))
    ]
    title = f"{network}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}"
    return Stage(
        f"{network}_batch{batch}_threads{threads}", title, utterances=batch, threads=threads, timings=tuple(timings)
    )


def _expected(last: Stage, batch: int) -> float:
    """Return the seconds that a batch size takes at least, by what the one before it took."""
    once = sum(one.p50_ms or 0.0 for one in last.timings if one.mode != NOW_AND_THEN) / 1000
    if last.timings[0].status == NOT_MEASURED:
        return math.inf
    return 3 * once * batch / last.utterances  # to prepare, to warm up, and one round


def _timings(job: Job, runtimes: dict[str, Any], x: np.ndarray, left: float) -> list[Timing]:
    """Time the runtimes on one batch, back to back; one utterance also now and then."""
    expected = None
    contenders = []
    for name, make in runtimes.items():
        role = PEER if name == "Keras predict" else OURS if name == ONNX else "other"
        call, missing = _prepared(make, x, expected)
        if expected is None and missing is None:
            expected = call()
        contenders.append(Contender(name, role, call, missing=missing))
    few: dict[str, Any] = {"rounds": 3, "calls": 2, "warmup": 1, "seconds": left / 4}
    if len(x) > 8:
        few |= {"calls": 1}
    timings = clocks.measure(contenders, utterances=len(x), **few | {"rounds": 3 if job.quick else 5})
    if len(x) == 1:
        timings += clocks.measure(contenders, mode=NOW_AND_THEN, between=OtherWork(), **few)
    return timings


def _prepared(make: Any, x: np.ndarray, expected: np.ndarray | None) -> tuple[Callable[[], Any], str | None]:
    """Return a call of a runtime on a batch, and why it cannot be measured."""
    if isinstance(make, str):
        return bool, make
    try:
        run = make(len(x))
        found = np.asarray(run(x))
    except Exception as error:
        return bool, " ".join(f"{type(error).__name__}: {error}".split())[:120]
    if expected is not None and np.abs(found - expected).max() > TOLERANCE:
        return bool, f"its probabilities differ from those of Keras by {np.abs(found - expected).max():.1e}"
    return (lambda: run(x)), None


def _runtimes(model: Any, threads: int, end: float = math.inf) -> dict[str, Any]:
    """Return each runtime's function from a batch size to a call, or the reason why there is none.

    LiteRT and OpenVINO are converted to before the time ``end`` only.
    """
    return {
        "Keras predict": lambda batch: lambda x: model.predict(x, batch_size=len(x), verbose=0),
        "Keras, compiled": lambda batch: stage_timing.compiled_network(model, batch),
        ONNX: _or_reason("onnxruntime", lambda: _onnxruntime(model, threads)),
        "LiteRT, one by one": _or_reason("ai_edge_litert", lambda: _litert(model, threads), end),
        "OpenVINO": _or_reason("openvino", lambda: _openvino(model, threads), end),
    }


def _or_reason(package: str, make: Callable[[], Any], end: float = math.inf) -> Any:
    """Return a runtime, or why it is missing."""
    if not importlib.util.find_spec(package):
        return f"{package} is not installed"
    if time.perf_counter() > end:
        return NO_TIME
    try:
        return make()
    except SerError as error:
        return str(error)
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:120]


def _onnxruntime(model: Any, threads: int) -> Callable[[int], Callable]:
    import onnxruntime

    from ser_core.inference import onnx_graph

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    content = onnx_graph.network_model(model).SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    return lambda batch: lambda x: session.run(["probabilities"], {"features": x})[0]


def _litert(model: Any, threads: int) -> Callable[[int], Callable]:
    from ai_edge_litert.interpreter import Interpreter

    from ser_core.inference.export import tflite_content

    interpreter = Interpreter(model_content=tflite_content(model), num_threads=threads)
    interpreter.allocate_tensors()
    given, answer = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def one(x: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(given, x)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return lambda batch: lambda x: np.concatenate([one(x[i : i + 1]) for i in range(len(x))])


def _openvino(model: Any, threads: int) -> Callable[[int], Callable]:
    import openvino

    from ser_core.inference import onnx_graph

    core = openvino.Core()
    read = core.read_model(onnx_graph.network_model(model).SerializeToString())
    compiled = core.compile_model(read, "CPU", {"INFERENCE_NUM_THREADS": threads})
    return lambda batch: lambda x: compiled({"features": x})["probabilities"]
