"""The ONNX graph against NumPy features, librosa and Keras, layer by layer and as a whole."""

import json

import keras
import librosa
import made_network
import numpy as np
import onnxruntime
import pytest
from keras import layers
from onnx import TensorProto, helper

from ser_core import audio, corpora, features
from ser_core._utils.errors import SerError
from ser_core.features import FeatureSettings, onnx_features
from ser_core.inference import onnx_graph, saved_models
from ser_core.inference.export import to_onnx
from ser_core.metrics import temperature_scaling
from ser_core.training import fit


@pytest.fixture(scope="module")
def utterances():
    """Twelve recordings, from half a second to above four seconds, as the networks get them."""
    paths = [*corpora.load("demo_ravdess")["path"].iloc[::40], *corpora.load("demo_tess")["path"].iloc[::60]]
    read = [audio.read(path) for path in paths[:10]]
    return [*read, np.concatenate(read[:3]), audio.peak_normalise(read[0][8_000:16_000])]


def session(graph, given, shape, outputs):
    """Return a finished graph as an onnxruntime session."""
    made = helper.make_graph(
        graph.nodes,
        "piece",
        [helper.make_tensor_value_info(given, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        graph.constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", onnx_graph.OPSET)])
    model.ir_version = onnx_graph.IR_VERSION
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def features_session(settings):
    graph = onnx_features.Graph()
    output = onnx_features.add_features(graph, "waveform", settings)
    return session(graph, "waveform", [None, None], [output])


@pytest.mark.parametrize("znorm", [True, False])
@pytest.mark.parametrize("channels", ["13", "14", "39", "40", "42"])
def test_features_equal_those_of_the_suite(utterances, channels, znorm):
    settings = FeatureSettings(features=channels, znorm=znorm)
    run = features_session(settings)
    for samples in utterances:
        computed = run.run(None, {"waveform": (0.3 * samples)[None].astype(np.float32)})[0][0]
        expected = features.extract(audio.peak_normalise(samples), features=channels, znorm=znorm)
        assert computed.shape == expected.shape == (400, len(features.CHANNELS[channels]))
        scale = 1.0 if znorm else 100.0
        assert np.abs(computed - expected).max() < 2e-3 * scale and np.abs(computed - expected).mean() < 2e-5 * scale


def test_features_equal_those_of_librosa(utterances):
    run = features_session(FeatureSettings(features="14", znorm=False))
    for samples in utterances[:4]:
        computed = run.run(None, {"waveform": samples[None]})[0][0]
        count = min(400, 1 + len(samples) // 160)
        common = {"y": samples, "hop_length": 160}
        mfcc = librosa.feature.mfcc(sr=16_000, n_mfcc=13, n_fft=400, n_mels=40, **common).T
        rms = librosa.feature.rms(frame_length=400, **common).T
        assert np.allclose(computed[:count, :13], mfcc[:count], atol=0.05)
        assert np.allclose(computed[:count, 13:], rms[:count], atol=1e-5)
        assert not computed[count:].any()


def test_a_batch_equals_its_members_one_by_one(utterances):
    run = features_session(FeatureSettings())
    together = np.stack([utterances[0][:16_000], utterances[1][:16_000]])
    computed = run.run(None, {"waveform": together})[0]
    for waveform, expected in zip(together, computed):
        assert np.allclose(run.run(None, {"waveform": waveform[None]})[0][0], expected, atol=1e-5)


def test_a_constant_waveform_gives_zeros_and_no_nan():
    computed = features_session(FeatureSettings()).run(None, {"waveform": np.zeros((1, 16_000), np.float32)})[0]
    assert np.array_equal(computed, np.zeros((1, 400, 42), np.float32))


@pytest.mark.parametrize(
    "settings", [FeatureSettings(features="wide"), FeatureSettings(features="mel"), FeatureSettings(denoise=True)]
)
def test_features_without_a_graph_give_one_line(settings):
    with pytest.raises(SerError, match="cannot be written as ONNX"):
        onnx_features.add_features(onnx_features.Graph(), "waveform", settings)


def branches(x):
    both = layers.Concatenate()([layers.Conv1D(4, 1)(x), layers.Conv1D(4, 1)(x)])
    return layers.Add()([both, layers.Conv1D(8, 1)(x)])


def attended(x):
    hidden = layers.LSTM(5, return_sequences=True)(x)
    weights = layers.Softmax(axis=1, name="attention")(layers.Dense(1, activation="tanh")(hidden))
    return layers.Flatten()(layers.Dot(axes=1)([weights, hidden]))


def gated(x):
    gate = layers.Dense(1, activation="sigmoid")(x)
    rest = layers.Rescaling(-1.0, offset=1.0)(gate)
    return layers.Add()(
        [layers.Multiply()([gate, x]), layers.Multiply()([rest, layers.Average()([x, layers.ReLU()(x)])])]
    )


PIECES = {
    "conv same": lambda x: layers.Conv1D(6, 5, padding="same", activation="relu")(x),
    "conv even kernel": lambda x: layers.Conv1D(6, 4, padding="same", activation="elu")(x),
    "conv strides": lambda x: layers.Conv1D(6, 5, strides=3, padding="same", activation="sigmoid")(x),
    "conv causal": lambda x: layers.Conv1D(6, 3, dilation_rate=2, padding="causal", use_bias=False)(x),
    "conv groups": lambda x: layers.Conv1D(6, 3, groups=3, activation="softplus")(x),
    "separable": lambda x: layers.SeparableConv1D(7, 5, depth_multiplier=2, padding="same")(x),
    "prelu shared": lambda x: layers.PReLU(shared_axes=[1])(x),
    "prelu": lambda x: layers.PReLU()(x),
    "max pool": lambda x: layers.MaxPooling1D(2)(x),
    "max pool same": lambda x: layers.MaxPooling1D(3, strides=2, padding="same")(x),
    "average pool": lambda x: layers.AveragePooling1D(3)(x),
    "batch norm": lambda x: layers.BatchNormalization()(x),
    "normalization": lambda x: layers.Normalization(axis=-1, name="scaling")(x),
    "dropout": lambda x: layers.SpatialDropout1D(0.5)(layers.Dropout(0.5)(layers.ReLU()(x))),
    "activation": lambda x: layers.Activation("tanh")(x),
    "branches": branches,
    "attention": attended,
    "lstm": lambda x: layers.LSTM(5, return_sequences=True)(x),
    "lstm last": lambda x: layers.LSTM(5, use_bias=False)(x),
    "bilstm": lambda x: layers.Bidirectional(layers.LSTM(5, return_sequences=True))(x),
    "bilstm last": lambda x: layers.Bidirectional(layers.LSTM(5))(x),
    "clip": lambda x: keras.ops.clip(x, -0.5, 1.0),
    "gate": gated,
    "global max": lambda x: layers.GlobalMaxPooling1D()(x),
    "global mean": lambda x: layers.GlobalAveragePooling1D()(x),
}


@pytest.mark.parametrize("piece", PIECES)
def test_each_layer_equals_keras(piece):
    fit.prepare_backend(1)
    inputs = keras.Input((23, 6))
    x = PIECES[piece](inputs)
    x = x if len(x.shape) == 2 else layers.Flatten()(x)
    network = keras.Model(inputs, layers.Dense(4, activation="softmax", name="probabilities")(x))
    random = np.random.default_rng(2)
    for layer in network.layers:
        layer.set_weights([np.abs(w + random.normal(0, 0.3, w.shape)) + 0.1 for w in layer.get_weights()])
        if isinstance(layer, layers.Normalization):
            layer.finalize_state()
    given = random.normal(0, 1, (3, 23, 6)).astype(np.float32)
    graph = onnx_features.Graph()
    outputs = onnx_graph.add_network(graph, network, "features", temperature=2.0)
    outputs = session(graph, "features", [None, 23, 6], outputs).run(None, {"features": given})
    expected = temperature_scaling.apply_temperature(network.predict(given, verbose=0), 2.0)
    assert np.abs(outputs[0] - expected).max() < 1e-5
    assert len(outputs) == (2 if piece == "attention" else 1)
    if piece == "attention":
        assert outputs[1].shape == (3, 23) and np.allclose(outputs[1].sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize(
    ("tail", "word"),
    [
        (lambda x: layers.Dense(4, activation="softmax")(layers.GRU(5)(x)), "GRU"),
        (lambda x: layers.Dense(4)(layers.Flatten()(x)), "last layer"),
        (
            lambda x: layers.Dense(4, activation="softmax")(layers.Dense(3, activation="gelu")(layers.Flatten()(x))),
            "gelu",
        ),
        (lambda x: layers.Dense(4, activation="softmax")(layers.LSTM(5, activation="relu")(x)), "LSTM"),
    ],
)
def test_a_layer_that_cannot_be_converted_is_named_in_one_line(tail, word):
    inputs = keras.Input((23, 6))
    with pytest.raises(SerError, match=word) as caught:
        onnx_graph.add_network(onnx_features.Graph(), keras.Model(inputs, tail(inputs)), "features", 1.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("a1", {}),
        ("a3", {}),
        ("cnn_bilstm_attention", {"precision": "mixed_bfloat16"}),
        ("cnn_bilstm_attention_lite", {"frames": 200, "znorm": False}),
    ],
)
def test_the_papers_networks_equal_keras_from_the_waveform_on(tmp_path, utterances, name, fields):
    network = saved_models.load_model(made_network.keep(tmp_path, name, **fields))
    to_onnx(network, tmp_path / "a.onnx")
    run = onnxruntime.InferenceSession(tmp_path / "a.onnx", providers=["CPUExecutionProvider"])
    facts = json.loads(run.get_modelmeta().custom_metadata_map["ser"])
    assert facts["labels"] == list(corpora.labels("demo")) and facts["rate"] == 16_000 and facts["demo"]
    assert facts["temperature"] == 1.3 and facts["window_seconds"] == fields.get("frames", 400) / 100
    settings = network.settings
    given = np.stack(
        [
            features.extract(x, features=settings.features, frames=settings.frames, znorm=settings.znorm)
            for x in utterances
        ]
    )
    expected = temperature_scaling.apply_temperature(network.network.predict(given, verbose=0), 1.3)
    computed = np.concatenate([run.run(["probabilities"], {"waveform": x[None]})[0] for x in utterances])
    weights = run.run(["attention"], {"waveform": np.stack([utterances[0][:8_000]] * 2)})[0]
    assert weights.shape == (2, settings.frames // 8) and np.allclose(weights.sum(axis=1), 1.0, atol=1e-5)
    assert (np.ptp(weights) > 0) == facts["attends"] == (name not in ("a1", "a3"))
    assert np.abs(computed - expected).max() < 1e-4
    assert np.ptp(expected, axis=0).max() > 0.2  # the networks distinguish these utterances
