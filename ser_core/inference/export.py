"""What leaves the laboratory: a trained network as ONNX, TFLite or Keras, each checked against the Keras network.

ONNX holds the features and takes the waveform. TFLite takes the features [1, frames, channels]; so does Keras. What
must be known to use a file (labels, rate, spec, temperature, licence) is in the ONNX file's metadata under ``ser``, and
in a JSON file beside the others.
"""

import importlib.util
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_core import audio
from ser_core._utils.atomic import write_atomically
from ser_core._utils.console import quiet_loading, silence_stderr
from ser_core._utils.errors import SerError
from ser_core.features import inputs
from ser_core.inference import saved_models
from ser_core.inference.predict import window_seconds
from ser_core.metrics.temperature_scaling import apply_temperature

FORMATS = {"onnx": ".onnx", "tflite": ".tflite", "keras": ".keras"}
CHECKED = 100
"""Utterances on which an exported file is compared."""
TIMED = 30


def export(model: str | Path, format: str, *, int8: bool = False, output: Path | None = None) -> dict:
    """Write a trained network in another form and compare it with the Keras network.

    Parameters
    ----------
    model : hash of a result, or a ``.keras`` file with its JSON beside it
    format : one of :data:`FORMATS`
    int8 : TFLite only: weights in 8 bits (dynamic range)
    output : file to write; by default named by the model, in the current folder

    Returns
    -------
    dict
        ``file``, ``format``, and what :func:`check` gives

    Raises
    ------
    SerError
        for a model that is not there, a layer or input that has no such form, or a package that is missing
    """
    if format not in FORMATS:
        raise SerError(f"format {format!r}: not known; choose among {', '.join(FORMATS)}")
    if int8 and format != "tflite":
        raise SerError("--int8: only for --format tflite")
    _needed(format)
    network = saved_models.load_model(model)
    path = Path(output or f"{network.path.stem}{'-int8' if int8 else ''}{FORMATS[format]}")
    if path.suffix != FORMATS[format]:
        raise SerError(f"{path}: the name must end with {FORMATS[format]}")
    if path.resolve() == network.path.resolve():
        raise SerError(f"{path}: is the trained network itself; give another name with -o")
    if format == "onnx":
        to_onnx(network, path)
    elif format == "tflite":
        to_tflite(network, path, int8=int8)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(network.path, path)
        _beside(network, path)
    found, corpus = comparison_utterances(network)
    name = "tflite, int8" if int8 else format
    return {"file": str(path), "format": name, "utterances_of": corpus} | compare_with_keras(network, path, found)


def _needed(format: str) -> None:
    package = {"onnx": "onnx", "tflite": "ai_edge_litert"}.get(format)
    if package and importlib.util.find_spec(package) is None:
        raise SerError(f"--format {format}: needs the package {package}; pip install '.[training,export]'")


def network_facts(network: saved_models.SavedModel) -> dict:
    """What must be known to use an exported network, JSON-able."""
    kept = ("name", "hash", "labels", "temperature", "licence", "demo", "spec")
    settings = network.settings
    return {name: network.facts[name] for name in kept} | {
        "rate": settings.rate,
        "window_seconds": window_seconds(settings),
        "attends": "attention" in {layer.name for layer in network.network.layers},
    }


def _beside(network: saved_models.SavedModel, path: Path) -> None:
    write_atomically(path.with_suffix(".json"), (json.dumps(network_facts(network)) + "\n").encode())


def to_onnx(network: saved_models.SavedModel, path: Path) -> None:
    """Write the network with its features as ONNX: waveform in, calibrated probabilities and attention out.

    Raises
    ------
    SerError
        for an input or a layer that cannot be written as ONNX
    """
    from ser_core.inference import onnx_graph

    made = onnx_graph.model(
        network.network, network.settings, temperature=network.temperature, labels=len(network.labels),
        facts=json.dumps(network_facts(network)),
    )  # fmt: skip
    write_atomically(path, made.SerializeToString())


def to_tflite(network: saved_models.SavedModel, path: Path, *, int8: bool = False) -> None:
    """Write the network as TFLite, one utterance's features in, calibrated probabilities out.

    A concrete function of batch 1 is frozen first: the converter does not take the recurrent layers' variables.
    """
    with quiet_loading():
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        def answer(x):
            probabilities = network.network(x, training=False)
            return tf.nn.softmax(tf.math.log(tf.maximum(probabilities, 1e-30)) / network.temperature)

        shape = tf.TensorSpec([1, *inputs.input_shape(network.settings)], tf.float32)
        frozen = convert_variables_to_constants_v2(tf.function(answer).get_concrete_function(shape))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], network.network)
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
        try:
            content = converter.convert()
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise SerError(f"{network.path}: cannot be written as TFLite ({said})") from None
    write_atomically(path, content)
    _beside(network, path)


def comparison_utterances(network: saved_models.SavedModel) -> tuple[object, str]:
    """Utterances to compare on, at most :data:`CHECKED` spread over them: the test side of the fold that it was trained
    on, all of its corpus for the shipped one, or the demo corpus where its own recordings are not here.

    Returns
    -------
    table, and what it is in words
    """
    from ser_core import corpora
    from ser_core.experiments.spec import Spec, complete_fields
    from ser_core.protocols import splits

    spec = Spec(**complete_fields(network.facts["spec"]))
    try:
        table = corpora.load(spec.corpus)
        words = f"{spec.corpus}, which it was trained on"
        if network.facts["hash"] != "shipped":
            table = table[table["id"].isin(splits.split(table, spec.protocol, spec.fold).test)]
            words = f"{spec.corpus}, test side of fold {spec.fold}"
    except SerError:
        table, words = corpora.load("demo"), "demo corpus; its own recordings are not here"
    chosen = np.linspace(0, len(table) - 1, min(CHECKED, len(table))).round().astype(int)
    return table.iloc[chosen], words


def compare_with_keras(network: saved_models.SavedModel, path: Path, table) -> dict:
    """Compare an exported file with the Keras network in float32, utterance by utterance.

    Parameters
    ----------
    network : the trained network
    path : exported file
    table : utterances, with ``path`` and ``emotion``

    Returns
    -------
    dict
        ``utterances``, ``largest_difference`` (of a probability), ``same_emotion`` (utterances), ``accuracy`` and
        ``accuracy_keras`` (fractions; only where the network knows the emotions), ``bytes``, ``bytes_keras``,
        ``milliseconds`` and ``milliseconds_keras`` (median for one utterance, from the waveform or the features as the
        form has it)
    """
    settings = network.settings
    waveforms = [
        audio.read(p, rate=settings.rate, normalise=settings.normalise, denoise=settings.denoise) for p in table["path"]
    ]
    made = [
        inputs.to_input(inputs.RAW[inputs.get_input(settings.features).raw](w, settings.rate), settings)
        for w in waveforms
    ]
    keras_run = _keras_runner(network.network, network.temperature)
    run = runner(path, network)
    expected = np.concatenate([keras_run(x[None]) for x in made])
    given = waveforms if path.suffix == ".onnx" else made
    found = np.concatenate([run(x[None]) for x in given])
    result = {
        "utterances": len(table),
        "largest_difference": float(np.abs(found - expected).max()),
        "same_emotion": int((found.argmax(axis=1) == expected.argmax(axis=1)).sum()),
    }
    if set(table["emotion"]) <= set(network.labels):
        truth = table["emotion"].map(network.labels.index).to_numpy()
        result["accuracy"] = float((found.argmax(axis=1) == truth).mean())
        result["accuracy_keras"] = float((expected.argmax(axis=1) == truth).mean())
    middle = len(given) // 2
    return result | {
        "bytes": path.stat().st_size,
        "bytes_keras": network.path.stat().st_size,
        "milliseconds": _milliseconds(run, given[middle][None]),
        "milliseconds_keras": _milliseconds(keras_run, made[middle][None]),
    }


def runner(path: Path, network: saved_models.SavedModel) -> Callable[[np.ndarray], np.ndarray]:
    """A function that runs an exported file on one waveform or input [1, ...]: probabilities [1, labels]."""
    if path.suffix == ".onnx":
        from ser_core.inference.predict import OnnxNetwork

        session = OnnxNetwork(path)
        return lambda x: session(x)[0]
    if path.suffix == ".keras":
        return _keras_runner(saved_models.read_keras(path, as_it_is=True), network.temperature)
    from ai_edge_litert.interpreter import Interpreter

    with silence_stderr():
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
    into, out = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def run(x):
        interpreter.set_tensor(into, np.ascontiguousarray(x, dtype=np.float32))
        interpreter.invoke()
        return interpreter.get_tensor(out).copy()

    return run


def _keras_runner(network, temperature: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda x: apply_temperature(np.asarray(network.predict_on_batch(x)), temperature)


def _milliseconds(run: Callable, x: np.ndarray) -> float:
    run(x)
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - start)
    return round(1000.0 * float(np.median(times)), 2)
