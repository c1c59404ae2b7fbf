"""What leaves the laboratory: a trained network as ONNX, TFLite or Keras, each checked against the Keras network."""

import json
from pathlib import Path

from ser_core import features, onnx_graph, trained
from ser_core.cache import write_atomically

FORMATS = ("onnx", "tflite", "keras")


def facts(network: trained.Trained, **more) -> dict:
    """What must be known to use an exported network, JSON-able: it travels in the file or beside it."""
    settings = network.settings
    return {
        "name": network.facts["name"],
        "labels": list(network.labels),
        "rate": settings.rate,
        "window_seconds": settings.frames * features.HOP_SECONDS,
        "temperature": network.temperature,
        "licence": network.facts["licence"],
        "demo": network.facts["demo"],
        "hash": network.facts["hash"],
        "spec": network.facts["spec"],
        **more,
    }


def to_onnx(network: trained.Trained, path: Path) -> Path:
    """Write the network with its features as ONNX: waveform in, calibrated probabilities and attention out.

    Raises
    ------
    SerError
        for an input or a layer that cannot be written as ONNX
    """
    text = json.dumps(facts(network))
    made = onnx_graph.model(
        network.network, network.settings, temperature=network.temperature, labels=len(network.labels), facts=text
    )
    write_atomically(path, made.SerializeToString())
    return path
