"""Untrained networks with lively weights, kept as ``ser run`` keeps trained ones: enough to compare forms by."""

import contextlib
import json
from dataclasses import asdict

import numpy as np

from ser_core import corpora, models
from ser_core._utils import backend
from ser_core.experiments.spec import Spec
from ser_core.features import cache, inputs
from ser_core.training import fit


@contextlib.contextmanager
def eagerly(wanted=True):
    """Run what TensorFlow would trace: the same numbers, in half the time where a training is short."""
    backend.load_keras()
    import tensorflow as tf

    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(wanted)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


def enliven(network, examples, seed=0):
    """Random weights, and a last layer that spreads the probabilities of ``examples`` and leans to no emotion."""
    import keras

    random = np.random.default_rng(seed)
    for layer in network.layers:
        layer.set_weights(
            [
                np.abs(random.normal(1, 0.1, w.shape)) if "variance" in v.path else w + random.normal(0, 0.05, w.shape)
                for v, w in zip(layer.weights, layer.get_weights())
            ]
        )
    last = network.get_layer("probabilities")
    kernel, bias = last.get_weights()
    logits = keras.Model(network.input, last.input).predict(examples, verbose=0) @ kernel
    scale = 1.5 / logits.std(axis=0)
    last.set_weights([kernel * scale, -(logits * scale).mean(axis=0)])
    return network


def keep(folder, name="cnn_bilstm_attention_lite", *, stem="0123456789abcdef", seed=0, **fields):
    """A network of this name on the demo corpus in ``folder``: the path of its .keras file."""
    spec = Spec(model=name, corpus="demo", **fields)
    labels = corpora.labels("demo")
    fit.prepare_backend(seed)
    network = fit.build_network(name, inputs.input_shape(spec.settings), len(labels), spec.precision)
    assert models.get_model(name).kind == "network"
    folder.mkdir(parents=True, exist_ok=True)
    examples = cache.feature_matrix(corpora.load("demo").iloc[::40], spec.settings, progress=False, workers=1)
    enliven(network, examples, seed).save(folder / f"{stem}.keras")
    row = {"hash": stem, "labels": list(labels), "spec": asdict(spec), "demo": True, "temperature": 1.3}
    (folder / f"{stem}.json").write_text(json.dumps(row))
    return folder / f"{stem}.keras"
