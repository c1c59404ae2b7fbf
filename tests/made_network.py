"""Untrained networks with lively weights, kept as ``ser run`` keeps trained ones: enough to compare forms by."""

import json
from dataclasses import asdict

import numpy as np

from ser_core import corpora, inputs, models, training
from ser_core.spec import Spec


def enliven(network, seed=0):
    """Random weights of a size that makes the probabilities differ from utterance to utterance."""
    random = np.random.default_rng(seed)
    for layer in network.layers:
        wide = 20.0 if layer.name == "probabilities" else 1.5
        layer.set_weights(
            [
                np.abs(random.normal(1, 0.1, w.shape))
                if "variance" in v.path
                else w * wide + random.normal(0, 0.05, w.shape)
                for v, w in zip(layer.weights, layer.get_weights())
            ]
        )
    return network


def keep(folder, name="cnn_bilstm_attention_lite", *, stem="0123456789abcdef", seed=0, **fields):
    """A network of this name on the demo corpus in ``folder``: the path of its .keras file."""
    spec = Spec(model=name, corpus="demo", **fields)
    labels = corpora.labels("demo")
    network = training.build(name, inputs.shape(spec.settings), len(labels), spec.precision)
    assert models.entry(name).kind == "network"
    folder.mkdir(parents=True, exist_ok=True)
    enliven(network, seed).save(folder / f"{stem}.keras")
    row = {"hash": stem, "labels": list(labels), "spec": asdict(spec), "demo": True, "temperature": 1.3}
    (folder / f"{stem}.json").write_text(json.dumps(row))
    return folder / f"{stem}.keras"
