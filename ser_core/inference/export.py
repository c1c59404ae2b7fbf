"""Export trained networks as ONNX, TFLite or Keras files, and compare each with the Keras network.

A ``config.json`` for people and for the hub lies beside (:mod:`ser_core.inference.hub_config`).
A page (HTML) is written by :mod:`ser_core.inference.web_page`.

ONNX includes the features and takes the waveform. TFLite and Keras take the features [1, frames, channels]. Labels,
rate, spec, temperature and licence are in the ONNX file's metadata under ``ser``; for the others they are in a JSON
file of the same name.
"""

import importlib.util
import json
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ser_core import audio
from ser_core._utils.atomic import replace_atomically, write_atomically
from ser_core._utils.console import quiet_loading, silence_stderr
from ser_core._utils.errors import SerError
from ser_core._utils.segments import sources
from ser_core.features import inputs
from ser_core.inference import hub_config, saved_models
from ser_core.inference.networks import window_seconds
from ser_core.metrics.temperature_scaling import apply_temperature

FORMATS = {"onnx": ".onnx", "tflite": ".tflite", "keras": ".keras"}
"""Format to file ending."""
CHECKED = 100
"""Number of utterances on which an exported file is compared."""
TIMED = 30
"""Timed calls of each network."""


def export(
    model: str | Path, format: str, *, int8: bool = False, half: bool = False, output: Path | None = None
) -> dict:
    """Write a trained network in another format and compare it with the Keras network.

    Parameters
    ----------
    model : str or Path
        A result's hash, or a ``.keras`` file with its JSON file.
    format : str
        One of :data:`FORMATS`, or ``html``.
    int8 : bool, default False
        Store the weights in 8 bits (dynamic range); TFLite only: in ONNX an answer would depend on its batch.
    half : bool, default False
        Store the weights in 16 bits; ONNX only.
    output : Path, optional
        The file to write, or a folder for it; by default named after the model, in the current folder.

    Returns
    -------
    dict
        ``file``, ``config`` (see :mod:`ser_core.inference.hub_config`; None where it was not written), ``format``,
        ``utterances_of`` (the corpus), and the fields of :func:`compare_with_keras`. For ``html`` see
        :func:`ser_core.inference.web_page.write_page`.

    Raises
    ------
    SerError
        Where the model or a package is missing, or a layer or the input cannot be exported.
    """
    if format not in (*FORMATS, "html"):
        raise SerError(f"format {format!r}: unknown; choose among {', '.join(FORMATS)}, html")
    if int8 and format != "tflite":
        raise SerError(
            "--int8: only for --format tflite; an ONNX file of 8 bits is slower, and its answers depend on the batch; "
            "--half halves it"
            if format == "onnx"
            else "--int8: only for --format tflite"
        )
    if half and format != "onnx":
        raise SerError("--half: only for --format onnx")
    if format == "html":
        from ser_core.inference.web_page import write_page

        return write_page(model, output)
    check_package(format)
    kind = f"{'-int8' if int8 else ''}{'-half' if half else ''}"
    path = _output_path(saved_models.find_weights(model), format, output, kind)  # before Keras is loaded
    network = saved_models.load_model(model)
    if format == "onnx":
        to_onnx(network, path, half=half)
    elif format == "tflite":
        to_tflite(network, path, int8=int8)
    else:
        to_keras(network, path)
    config = hub_config.write(network_facts(network), path)
    table, corpus = comparison_utterances(network)
    report = {"file": str(path), "config": config and str(config), "utterances_of": corpus}
    report["format"] = f"{format}{', int8' if int8 else ''}{', float16' if half else ''}"
    return report | compare_with_keras(network, path, table)


def _output_path(weights: Path, format: str, output: Path | None, kind: str) -> Path:
    """Return the file to write; SerError for another ending, or the network itself."""
    path = Path(output or f"{weights.stem}{kind}{FORMATS[format]}")
    if path.is_dir():
        path = path / f"{weights.stem}{kind}{FORMATS[format]}"
    if path.suffix != FORMATS[format]:
        raise SerError(f"{path}: the name must end with {FORMATS[format]}, or be a folder that exists")
    if path.resolve() == weights.resolve():
        raise SerError(f"{path}: is the trained network itself; choose another name with -o")
    return path


def check_package(format: str) -> None:
    """Raise an error where the package of a format is missing."""
    package = {"onnx": "onnx", "tflite": "ai_edge_litert"}.get(format)
    if package and importlib.util.find_spec(package) is None:
        raise SerError(f"--format {format}: needs the package {package}; pip install '.[training,export]'")


def network_facts(network: saved_models.SavedModel) -> dict:
    """Return the facts that are needed to use an exported network, JSON-able.

    Parameters
    ----------
    network : SavedModel
        The trained network.

    Returns
    -------
    dict
        ``name``, ``hash``, ``labels``, ``temperature``, ``licence``, ``demo``, ``spec``, ``rate`` in Hz,
        ``window_seconds``, ``padded`` (whether shorter recordings are) and ``attends``; ``whole_corpus`` where it was
        trained on all of one.
    """
    names = ("name", "hash", "labels", "temperature", "licence", "demo", "spec", "whole_corpus")
    settings = network.settings
    return {name: network.facts[name] for name in names if name in network.facts} | {
        "rate": settings.rate,
        "window_seconds": window_seconds(settings),
        "padded": settings.features != "voice_functionals",
        "attends": "attention" in {layer.name for layer in network.network.layers},
    }


def _write_facts(network: saved_models.SavedModel, path: Path) -> None:
    """Write the JSON file of an exported network."""
    write_atomically(path.with_suffix(".json"), (json.dumps(network_facts(network)) + "\n").encode())


def to_keras(network: saved_models.SavedModel, path: Path) -> None:
    """Write a network as a Keras file without the state of its optimizer, which is twice as large as the weights.

    Keras stores that state whatever ``include_optimizer`` says; a network that was loaded without it has none.

    Parameters
    ----------
    network : SavedModel
        The trained network.
    path : Path
        The file to write; a JSON file of the same name goes with it.
    """
    with replace_atomically(path, FORMATS["keras"], size=network.path.stat().st_size) as temporary:
        if _is_compiled(network.path):
            saved_models.read_keras(network.path, as_it_is=True).save(temporary)
        else:
            shutil.copyfile(network.path, temporary)
    _write_facts(network, path)


def _is_compiled(path: Path) -> bool:
    """Return whether a ``.keras`` file, a ZIP archive, says how the network was trained."""
    with zipfile.ZipFile(path) as archive:
        return bool(json.loads(archive.read("config.json")).get("compile_config"))


def _bare_size(network: saved_models.SavedModel) -> int:
    """Return the size of the Keras file without the state of an optimizer, bytes."""
    if not _is_compiled(network.path):
        return network.path.stat().st_size
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder) / "bare.keras"
        saved_models.read_keras(network.path, as_it_is=True).save(bare)
        return bare.stat().st_size


def to_onnx(network: saved_models.SavedModel, path: Path, *, half: bool = False) -> None:
    """Write a network with its features as ONNX: waveform in, calibrated probabilities and attention out.

    Parameters
    ----------
    network : SavedModel
        The trained network.
    path : Path
        The file to write.
    half : bool, default False
        Store the weights in 16 bits; they are computed with in 32.

    Raises
    ------
    SerError
        For an input or a layer that cannot be written as ONNX.
    """
    from ser_core.inference import onnx_graph

    graph = onnx_graph.model(
        network.network, network.settings, temperature=network.temperature, labels=len(network.labels),
        facts=json.dumps(network_facts(network)), half=half,
    )  # fmt: skip
    write_atomically(path, graph.SerializeToString())


def to_tflite(network: saved_models.SavedModel, path: Path, *, int8: bool = False) -> None:
    """Write a network as TFLite: one utterance's features in, calibrated probabilities out.

    A concrete function of batch 1 is frozen first: the converter does not accept the recurrent layers' variables.

    Parameters
    ----------
    network : SavedModel
        The trained network.
    path : Path
        The file to write; a JSON file of the same name goes with it.
    int8 : bool, default False
        Store the weights in 8 bits (dynamic range).

    Raises
    ------
    SerError
        Where the network cannot be converted.
    """
    try:
        content = tflite_content(network.network, network.temperature, int8=int8)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SerError(f"{network.path}: cannot be written as TFLite ({reason})") from None
    write_atomically(path, content)
    _write_facts(network, path)


def tflite_content(model, temperature: float = 1.0, *, int8: bool = False) -> bytes:
    """Convert a Keras network to TFLite for one utterance.

    Parameters
    ----------
    model : keras.Model
        From [batch, *shape] to probabilities.
    temperature : float, default 1
        Temperature of the probabilities.
    int8 : bool, default False
        Store the weights in 8 bits (dynamic range).
    """
    with quiet_loading():
        import tensorflow as tf
        from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

        def answer(x):
            probabilities = model(x, training=False)
            return tf.nn.softmax(tf.math.log(tf.maximum(probabilities, 1e-30)) / temperature)

        shape = tf.TensorSpec([1, *model.input_shape[1:]], tf.float32)
        frozen = convert_variables_to_constants_v2(tf.function(answer).get_concrete_function(shape))
        converter = tf.lite.TFLiteConverter.from_concrete_functions([frozen], model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT] if int8 else []
        return converter.convert()


def comparison_utterances(network: saved_models.SavedModel) -> tuple[object, str]:
    """Choose utterances for the comparison, at most :data:`CHECKED`, evenly spaced.

    They are the test utterances of the network's fold. The pretrained network uses all of its corpus. The demo corpus
    replaces recordings that are unavailable.

    Parameters
    ----------
    network : SavedModel
        The trained network.

    Returns
    -------
    table : pandas.DataFrame
        The utterances.
    words : str
        A description of them.
    """
    from ser_core import corpora
    from ser_core.experiments.spec import complete_fields
    from ser_core.protocols import splits

    spec = complete_fields(network.facts["spec"])
    try:
        table = corpora.load(spec["corpus"])
        words = f"{spec['corpus']}, which it was trained on"
        if network.facts["hash"] != "shipped":
            table = table[table["id"].isin(splits.split(table, spec["protocol"], spec["fold"]).test)]
            words = f"{spec['corpus']}, test subset of fold {spec['fold']}"
    except SerError:
        table, words = corpora.load("demo"), "demo corpus; its own recordings are unavailable"
    chosen = np.linspace(0, len(table) - 1, min(CHECKED, len(table))).round().astype(int)
    return table.iloc[chosen], words


def compare_with_keras(network: saved_models.SavedModel, path: Path, table) -> dict:
    """Compare an exported file with the Keras network in float32, utterance by utterance.

    Parameters
    ----------
    network : SavedModel
        The trained network.
    path : Path
        The exported file.
    table : pandas.DataFrame
        Utterances, with ``path`` and ``emotion``.

    Returns
    -------
    dict
        ``utterances``, ``largest_difference`` (of a probability), ``same_emotion`` (utterances), ``accuracy`` and
        ``accuracy_keras`` (fractions; only where the network has all emotions), ``bytes``, ``bytes_keras`` (without the
        state of an optimizer),
        ``milliseconds`` and ``milliseconds_keras`` (median for one utterance, from the input of each format).
    """
    settings = network.settings
    waveforms = [
        audio.read(p, rate=settings.rate, normalise=settings.normalise, denoise=settings.denoise)
        for p in sources(table)
    ]
    features = [
        inputs.to_input(inputs.RAW[inputs.get_input(settings.features).raw](w, settings.rate), settings)
        for w in waveforms
    ]
    keras_run = _keras_runner(network.network, network.temperature)
    run = runner(path, network)
    expected = np.concatenate([keras_run(x[None]) for x in features])
    given = waveforms if path.suffix == ".onnx" else features
    exported = np.concatenate([run(x[None]) for x in given])
    result = {
        "utterances": len(table),
        "largest_difference": float(np.abs(exported - expected).max()),
        "same_emotion": int((exported.argmax(axis=1) == expected.argmax(axis=1)).sum()),
    }
    if set(table["emotion"]) <= set(network.labels):
        truth = table["emotion"].map(network.labels.index).to_numpy()
        result["accuracy"] = float((exported.argmax(axis=1) == truth).mean())
        result["accuracy_keras"] = float((expected.argmax(axis=1) == truth).mean())
    middle = len(given) // 2
    return result | {
        "bytes": path.stat().st_size,
        "bytes_keras": _bare_size(network),
        "milliseconds": _milliseconds(run, given[middle][None]),
        "milliseconds_keras": _milliseconds(keras_run, features[middle][None]),
    }


def runner(path: Path, network: saved_models.SavedModel) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function that runs an exported file.

    Parameters
    ----------
    path : Path
        The exported file.
    network : SavedModel
        The trained network, whose temperature a ``.keras`` file needs.

    Returns
    -------
    callable
        From one waveform or input [1, ...] to probabilities [1, labels].
    """
    if path.suffix == ".onnx":
        from ser_core.inference.networks import OnnxNetwork

        session = OnnxNetwork(path, whole=True)
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
    """Return a function from inputs [batch, ...] to calibrated probabilities [batch, labels]."""
    return lambda x: apply_temperature(np.asarray(network.predict_on_batch(x)), temperature)


def _milliseconds(run: Callable, x: np.ndarray) -> float:
    """Return the median duration of a call, in milliseconds."""
    run(x)
    times = []
    for _ in range(TIMED):
        start = time.perf_counter()
        run(x)
        times.append(time.perf_counter() - start)
    return round(1000.0 * float(np.median(times)), 2)
