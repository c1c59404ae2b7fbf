"""Measure networks, features in and answer out, in Keras, as compiled calls, in ONNX Runtime, LiteRT and OpenVINO.

Each network and number of threads is measured in a process of its own, the runtimes in turn. Weights are untrained,
which does not change the arithmetic. LiteRT's files take one utterance, so a batch is as many calls.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.benchmark import clocks, floors, stage_timing
from ser_core.benchmark.clip_stages import LABELS
from ser_core.benchmark.clocks import Contender, OtherWork
from ser_core.benchmark.job import Job
from ser_core.benchmark.records import NOW_AND_THEN, OURS, PEER, Stage, Timing

BATCHES = (1, 8, 32, 256)
"""Utterances per call."""
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

    threads = job.threads or os.cpu_count() or 1
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    model = build(job.network)
    operations = floors.network_operations(model)
    runtimes = _runtimes(model, threads)
    random = np.random.default_rng(0)
    stages = []
    for batch in BATCHES:
        x = random.standard_normal((batch, *model.input_shape[1:])).astype(np.float32)
        moved = x.nbytes + 4 * model.count_params()
        stages.append(
            Stage(
                f"{job.network}_batch{batch}_threads{threads}",
                f"{job.network}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}",
                utterances=batch,
                threads=threads,
                timings=tuple(_timings(job, runtimes, x)),
                floor=floors.count(operations * batch, moved, "products of the network; input and weights"),
            )
        )
    return tuple(stages)


def _timings(job: Job, runtimes: dict[str, Any], x: np.ndarray) -> list[Timing]:
    """Time the runtimes on one batch, back to back; one utterance also now and then."""
    expected = None
    contenders = []
    for name, make in runtimes.items():
        role = PEER if name == "Keras predict" else OURS if name == "ONNX Runtime" else "other"
        call, missing = _prepared(make, x, expected)
        if expected is None and missing is None:
            expected = call()
        contenders.append(Contender(name, role, call, missing=missing))
    few = {"rounds": 3, "calls": 2, "warmup": 1} if job.quick else {"rounds": 6, "calls": 5, "warmup": 3}
    if len(x) > 8:
        few |= {"calls": 1, "warmup": 1}
    timings = clocks.measure(contenders, utterances=len(x), **few)  # type: ignore[arg-type]
    if len(x) == 1:
        timings += clocks.measure(contenders, mode=NOW_AND_THEN, between=OtherWork(), **few)  # type: ignore[arg-type]
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


def _runtimes(model: Any, threads: int) -> dict[str, Any]:
    """Return each runtime's function from a batch size to a call, or the reason why there is none."""
    return {
        "Keras predict": lambda batch: lambda x: model.predict(x, batch_size=len(x), verbose=0),
        "Keras, compiled": lambda batch: stage_timing.compiled_network(model, batch),
        "ONNX Runtime": _or_reason("onnxruntime", lambda: _onnxruntime(model, threads)),
        "LiteRT, one by one": _or_reason("ai_edge_litert", lambda: _litert(model, threads)),
        "OpenVINO": _or_reason("openvino", lambda: _openvino(model, threads)),
    }


def _or_reason(package: str, make: Callable[[], Any]) -> Any:
    """Return a runtime, or why it is missing."""
    if not importlib.util.find_spec(package):
        return f"{package} is not installed"
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
