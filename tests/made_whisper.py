"""A tiny Whisper model of random weights in the CTranslate2 form, and its encoder in NumPy."""

import json

import numpy as np

SIZE, HEADS, LAYERS, VOCABULARY = 16, 2, 1, 24


def write_model(folder, *, seed=0, size=SIZE, bands=80):
    """Write ``model.bin``, ``config.json`` and the vocabulary into a new folder; return the weights by name."""
    from ctranslate2.specs import whisper_spec

    draw = np.random.default_rng(seed)
    weights = {}

    def array(name, *shape, mean=0.0):
        weights[name] = draw.normal(mean, 0.3, shape).astype(np.float32)
        return weights[name]

    def linear(layer, name, outputs, inputs):
        layer.weight, layer.bias = array(f"{name}.weight", outputs, inputs), array(f"{name}.bias", outputs)

    def norm(layer, name):
        layer.gamma, layer.beta = array(f"{name}.gamma", size, mean=1.0), array(f"{name}.beta", size)

    def attention(layer, name, sizes):
        norm(layer.layer_norm, f"{name}.norm")
        for i, outputs in enumerate(sizes):
            linear(layer.linear[i], f"{name}.{i}", outputs, size)

    def feed_forward(layer, name):
        norm(layer.layer_norm, f"{name}.norm")
        linear(layer.linear_0, f"{name}.0", 4 * size, size)
        linear(layer.linear_1, f"{name}.1", size, 4 * size)

    spec = whisper_spec.WhisperSpec(LAYERS, HEADS, LAYERS, HEADS)
    encoder, decoder = spec.encoder, spec.decoder
    for name, inputs in (("conv1", bands), ("conv2", size)):
        layer = getattr(encoder, name)
        layer.weight, layer.bias = array(f"{name}.weight", size, inputs, 3), array(f"{name}.bias", size)
    encoder.position_encodings.encodings = array("positions", 1500, size)
    norm(encoder.layer_norm, "norm")
    attention(encoder.layer[0].self_attention, "attention", (3 * size, size))
    feed_forward(encoder.layer[0].ffn, "ffn")
    decoder.embeddings.weight = decoder.projection.weight = array("embeddings", VOCABULARY, size)
    decoder.position_encodings.encodings = array("decoder.positions", 32, size)
    norm(decoder.layer_norm, "decoder.norm")
    attention(decoder.layer[0].self_attention, "decoder.self", (3 * size, size))
    attention(decoder.layer[0].attention, "decoder.cross", (size, 2 * size, size))
    feed_forward(decoder.layer[0].ffn, "decoder.ffn")
    spec.register_vocabulary([f"token{i}" for i in range(VOCABULARY)])
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    assert json.loads((folder / "config.json").read_text())
    return weights


def encode(mel, w):
    """Run the encoder on a log-mel spectrogram [bands, frames]: two convolutions, one layer, [frames / 2, size]."""
    from scipy.special import erf

    def gelu(x):
        return 0.5 * x * (1.0 + erf(x / np.sqrt(2.0)))

    def convolve(x, name, stride):
        x = np.pad(x, ((0, 0), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(x, 3, axis=1)[:, ::stride]
        return gelu(np.tensordot(w[f"{name}.weight"], windows, axes=((1, 2), (0, 2))) + w[f"{name}.bias"][:, None])

    def norm(x, name):
        centred = x - x.mean(axis=1, keepdims=True)
        return centred / np.sqrt(x.var(axis=1, keepdims=True) + 1e-5) * w[f"{name}.gamma"] + w[f"{name}.beta"]

    def linear(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    x = convolve(convolve(mel.astype(np.float64), "conv1", 1), "conv2", 2).T
    x = x + w["positions"][: len(x)]
    projected = linear(norm(x, "attention.norm"), "attention.0")
    queries, keys, values = (part.reshape(len(x), HEADS, -1) for part in np.split(projected, 3, axis=1))
    scores = np.einsum("qhd,khd->hqk", queries, keys) / np.sqrt(queries.shape[-1])
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    shares /= shares.sum(axis=-1, keepdims=True)
    x = x + linear(np.einsum("hqk,khd->qhd", shares, values).reshape(len(x), -1), "attention.1")
    x = x + linear(gelu(linear(norm(x, "ffn.norm"), "ffn.0")), "ffn.1")
    return norm(x, "norm")
