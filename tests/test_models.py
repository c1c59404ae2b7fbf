"""Every network: shapes, parameters, learning, saving, reproducibility; and the paper's equations."""

import importlib
import re

import keras
import numpy as np
import pytest

from ser_core import models
from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.features import inputs
from ser_core.models import blocks
from ser_core.training import fit, speedups

STATED = {"cnn_bilstm_attention": 469_257, "cnn_bilstm_attention_lite": 241_097, "resnet50": 23_524_424}
STATED |= {"a1": 320_584, "a2": 321_160, "a3": 378_760, "a4": 469_128, "vgg16": 14_718_792}
STATED |= {"parallel_cnn_transformer": 395_176, "lstm_attention": 199_945, "parallel_cnn_attention": 262_569}
STATED |= {"cnn_lstm": 147_560, "issa": 518_280, "cnn_lstm_1d": 137_288, "cnn_lstm_2d": 656_072, "reslstm_sa": 46_332}
"""Counts that public sources or arithmetic fix; those of the other networks are in their docstrings."""
NAMES = [name for name, model in models.MODELS.items() if model.kind == "network"]
SMALL = {"mel": (128, 128), "mel_chunks": (2, 128, 128), "waveform": (8000, 1), "mfcc_chroma": (12, 46)}
SMALL |= {"vgg16": (32, 32), "resnet50": (32, 32)}
STEP = {
    "vgg16": 0.0002,
    "resnet50": 0.0003,
    "reslstm_sa": 0.01,
    "cnn_transformer": 0.0003,
    "cnn_blstm_attention": 0.0004,
}
STEPS = {"lstm_attention": 140, "cnn_blstm_attention": 140, "vgg16": 28, "resnet50": 30}


def full_shape(name):
    made_for = inputs.get_input(models.MODELS[name].features)
    return made_for.shape(made_for.frames)


def small_shape(name):
    channels = models.MODELS[name].features
    return SMALL.get(name) or SMALL.get(channels) or inputs.get_input(channels).shape(80)


def built(name, classes=8, shape=None, precision="float32"):
    keras.utils.set_random_seed(0)
    return fit.build_network(name, shape or full_shape(name), classes, precision)


def batch(network, n=3):
    return np.random.default_rng(0).normal(size=(n, *network.input_shape[1:])).astype(np.float32)


@pytest.fixture(scope="module")
def catalogue():
    """Rows of the catalogue by name; it builds each network at its full size, once."""
    return {row["name"]: row for row in models.catalogue()}


@pytest.mark.parametrize("name", NAMES)
def test_the_documented_number_of_parameters_is_exact(name, catalogue):
    count = catalogue[name]["parameters"]
    assert count == STATED.get(name, count)
    assert f"{count:,}" in models.builder(name).__doc__, "the docstring states the number"


def test_the_catalogue_lists_every_system_and_its_parameters(catalogue):
    rows = catalogue
    assert list(rows) == list(models.MODELS)
    assert {395176, 518280, 137288, 23524424, 469257, 241097} <= {row["parameters"] for row in rows.values()}
    assert {row["fidelity"] for row in rows.values()} <= set(models.FIDELITY)
    assert all(row["source"] and row["input"] for row in rows.values())
    exact = [row for row in rows.values() if row["fidelity"] == "exact" and row["claimed"]]
    # PyTorch has two biases per gate of a recurrent layer, Keras one: 4 x units more per direction.
    biases = {"lstm_attention": 2 * 4 * 128, "reslstm_sa": 4 * (46 + 64)}
    assert all(row["claimed"] == row["parameters"] + biases.get(row["name"], 0) for row in exact)


def test_learners_state_the_weights_that_their_published_rows_have(catalogue):
    rows = store.load_rows(store.published_dir())
    published = {row.spec["model"]: row.parameters for row in rows if row.parameters and len(row.labels) == 8}
    counted = [name for name, row in catalogue.items() if row["parameters"] and models.MODELS[name].kind == "learner"]
    assert len(counted) == 6
    assert {name: published[name] for name in counted} == {name: catalogue[name]["parameters"] for name in counted}


@pytest.mark.parametrize("name", NAMES)
def test_two_classes_get_probabilities(name):
    network = fit.emotion_only(built(name, 2, small_shape(name)))
    are_probabilities(np.asarray(network(batch(network))), (3, 2))


def are_probabilities(out, shape):
    assert out.shape == shape and np.allclose(out.sum(axis=1), 1.0, atol=1e-5) and (out >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_a_network_overfits_a_tiny_batch_and_is_saved_by_keras_alone(name, tmp_path):
    network, x, y = fitted(name, steps=STEPS.get(name, 60), enough=0.5)
    probabilities = np.asarray(network(x))
    are_probabilities(probabilities, (8, 4))
    assert (probabilities.argmax(axis=1) == y).all() and loss_of(network, x, y) < 0.7
    network.save(tmp_path / "n.keras")
    loaded = keras.models.load_model(tmp_path / "n.keras")
    assert np.allclose(probabilities, np.asarray(loaded(x)), atol=1e-6), "built-in layers only"


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_network_and_the_same_training_step(name):
    (first, x, _), (again, *_) = (fitted(name, steps=1, run_eagerly=True) for _ in range(2))
    assert np.array_equal(np.asarray(first(x)), np.asarray(again(x)))


def loss_of(network, x, y):
    return -np.log(np.asarray(network(x))[range(len(y)), y]).mean()


def fitted(name, steps, enough=0.0, **compiling):
    """Train a small network on eight utterances, without dropout and with fast batch statistics.

    It ends after a number of steps, or when all are recognised and the loss is low enough.
    """
    network = built(name, 4, small_shape(name))
    x, y = batch(network, 8), np.arange(8) % 4
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.8
    fit.fit_scaling(network, x)
    names = network.output_names
    targets = {head: y if head in (names[0], "emotion") else np.arange(8) // 4 for head in names}
    adam = keras.optimizers.Adam(STEP.get(name, 0.003))
    network.compile(adam, fit.losses(network), jit_compile=False, **compiling)
    speedups.create_variables(network, targets if len(names) > 1 else targets[names[0]])
    part = min(steps, 10)
    tiled = {head: np.tile(values, part) for head, values in targets.items()}
    tiled = tiled if len(names) > 1 else tiled[names[0]]
    emotion = fit.emotion_only(network)
    for _ in range(-(-steps // part)):
        network.fit(np.tile(x, (part, *[1] * (x.ndim - 1))), tiled, batch_size=8, shuffle=False, verbose=0)
        if enough and (np.asarray(emotion(x)).argmax(axis=1) == y).all() and loss_of(emotion, x, y) < enough:
            break
    return emotion, x, y


def test_standardisation_ignores_padding_and_is_saved_with_the_network(tmp_path):
    x = np.random.default_rng(0).normal(5.0, 3.0, size=(10, 12, 46)).astype(np.float32)
    x[:, 8:] = 0.0
    network = built("reslstm_sa", shape=(12, 46))
    fit.fit_scaling(network, x)
    frames = x[:, :8].reshape(-1, 46).astype(np.float64)
    layer = network.get_layer("scaling")
    assert np.allclose(np.asarray(layer(x))[:, :8], (x[:, :8] - frames.mean(0)) / frames.std(0), atol=1e-4)
    network.save(tmp_path / "n.keras")
    assert np.array_equal(
        keras.models.load_model(tmp_path / "n.keras").predict(x, verbose=0), network.predict(x, verbose=0)
    )


def test_an_image_is_standardised_pixel_by_pixel():
    x = np.random.default_rng(0).normal(size=(20, 128, 128)).astype(np.float32) * 3 + 7
    x[:, 0, 0] = 4.0  # never varies
    network = built("base_cnn", shape=(128, 128))
    fit.fit_scaling(network, x)
    scaled = np.asarray(network.get_layer("scaling")(x))
    assert np.allclose(scaled.mean(0), 0, atol=1e-4) and np.allclose(np.delete(scaled.std(0).ravel(), 0), 1, atol=1e-3)
    assert np.allclose(scaled[:, 0, 0], 0.0)


def test_a_nearly_constant_pixel_does_not_distort_a_longer_utterance():
    random = np.random.default_rng(0)
    x = (random.normal(size=(20, 128, 128)) * 20 - 40).astype(np.float32)
    x[:, :, 100:] = -80.0 + random.normal(size=(20, 128, 28)) * 1e-3  # silence after the end
    network = built("base_cnn", shape=(128, 128))
    fit.fit_scaling(network, x)
    deviation = np.maximum(x.std(0), 0.1 * np.sqrt(x.var(0).mean()))
    longer = (random.normal(size=(1, 128, 128)) * 20 - 40).astype(np.float32)
    scaled = np.asarray(network.get_layer("scaling")(longer))
    assert np.allclose(scaled, (longer - x.mean(0)) / deviation, rtol=1e-3, atol=1e-3)
    assert np.abs(scaled).max() < 100


def test_the_transformer_layer_equals_its_equations():
    network = built("parallel_cnn_transformer", shape=(128, 128))
    layer = network.get_layer("encoder1_attention")
    x = np.random.default_rng(0).normal(size=(2, 32, 64)).astype(np.float32)
    q, k, v, out = ([np.asarray(w) for w in dense.weights] for dense in
                    (layer.query_dense, layer.key_dense, layer.value_dense, layer.output_dense))  # fmt: skip
    project = lambda w: np.einsum("btd,dhk->bhtk", x, w[0]) + w[1][:, None]  # noqa: E731
    scores = project(q) @ project(k).swapaxes(-1, -2) / np.sqrt(16)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    expected = np.einsum("bhtk,hkd->btd", weights @ project(v), out[0]) + out[1]
    assert np.allclose(np.asarray(layer(x, x)), expected, atol=1e-4)


def test_padded_frames_get_no_attention_in_reslstm():
    network = built("reslstm_sa", shape=(12, 46))
    x = batch(network, 2)
    x[:, 7:] = 0.0
    _, weights = models.attention_model(network).predict(x, verbose=0)
    assert np.allclose(weights[:, 7:], 0.0) and np.allclose(weights.sum(axis=1), 1.0, atol=1e-5)


def test_attention_equals_equations_5_and_6():
    network = built("cnn_bilstm_attention")
    x = batch(network)
    probabilities, weights = models.attention_model(network).predict(x, verbose=0)
    assert weights.shape == (3, 50) and np.allclose(weights.sum(axis=1), 1.0, atol=1e-5)
    inner = keras.Model(
        network.input, [network.get_layer("bilstm").output, network.get_layer("attention_vector").output]
    )
    hidden, vector = inner.predict(x, verbose=0)
    kernel, bias = (np.asarray(w) for w in network.get_layer("attention_scores").weights)
    e = np.tanh(hidden @ kernel + bias)[..., 0]
    alpha = np.exp(e) / np.exp(e).sum(axis=1, keepdims=True)
    assert np.allclose(weights, alpha, atol=1e-6)
    assert np.allclose(vector, (alpha[..., None] * hidden).sum(axis=1), atol=1e-5)
    assert np.array_equal(probabilities, network.predict(x, verbose=0))


def test_attention_weights_stay_within_the_bounds_of_tanh():
    low, high = np.exp(-1) / (np.exp(-1) + 49 * np.exp(1)), np.exp(1) / (np.exp(1) + 49 * np.exp(-1))
    assert (round(low, 4), round(high, 3)) == (0.0028, 0.131)
    network = built("cnn_bilstm_attention")
    network.get_layer("attention_scores").set_weights([np.full((128, 1), 50.0), np.zeros(1)])
    _, weights = models.attention_model(network).predict(batch(network), verbose=0)
    assert low - 1e-6 <= weights.min() and weights.max() <= high + 1e-6


def test_a_network_without_attention_has_no_attention_model():
    assert models.attention_model(built("a4")) is None


def test_a5_with_equal_weights_equals_a4():
    a5, a4 = built("cnn_bilstm_attention"), built("a4")
    a5.get_layer("attention_scores").set_weights([np.zeros((128, 1)), np.zeros(1)])
    for layer in a4.layers:
        layer.set_weights(a5.get_layer(layer.name).get_weights()) if layer.weights else None
    x = batch(a4)
    assert np.allclose(np.asarray(a5(x)), np.asarray(a4(x)), atol=1e-6)


def test_in_mixed_precision_only_the_convolutions_are_in_bfloat16():
    network = built("cnn_bilstm_attention", precision="mixed_bfloat16")
    low = {layer.name for layer in network.layers if layer.compute_dtype == "bfloat16"}
    assert low and all(name.startswith("conv") or name == "features" for name in low)
    assert {w.dtype for w in network.trainable_weights} == {"float32"}
    assert keras.config.dtype_policy().name == "float32", "the policy is restored"


def test_fast_kernels_change_no_number():
    network = built("cnn_bilstm_attention")
    x = batch(network)
    before = np.asarray(network(x))
    speedups.enable_fast_kernels(network, True)
    assert np.allclose(before, np.asarray(network(x)), atol=1e-6)


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_the_user_defined_network_of_the_docs_is_built_and_run(tmp_path, monkeypatch, own_store):
    text = (paths.root() / "docs" / "systems.md").read_text(encoding="utf-8")
    (tmp_path / "mynet.py").write_text(re.search(r"```python\n(import keras.*?)```", text, re.DOTALL)[1])
    monkeypatch.syspath_prepend(tmp_path)
    assert models.count_parameters(models.build("mynet:small", (400, 42), 8)) == 42 * 5 * 32 + 32 + 32 * 8 + 8
    spec = Spec(corpus="demo", model="mynet:small", features="mel_small", epochs=1, augment="")
    row = run_spec(spec, progress=False)
    assert row.ok and row.standing == "own" and row.parameters == 128 * 5 * 32 + 32 + 32 * 8 + 8


@pytest.mark.parametrize(
    "name, message",
    [
        ("resnet", "did you mean resnet50"),
        ("A5", "did you mean cnn_bilstm_attention;"),
        ("nonsense", "not known; `ser models` lists"),
        ("nowhere:f", "module nowhere not found"),
        ("nowhere.at.all:f", "module nowhere not found"),
        ("math:nothing", "module math has no function 'nothing'"),
        ("./mynet:small", "not the path of a file"),
    ],
)
def test_unknown_models_are_refused(name, message):
    with pytest.raises(SerError, match=re.escape(message)):
        models.get_model(name)


OWN = "import keras\ndef small(shape, classes):\n    {body}\n"
DENSE = "x = keras.layers.GlobalAveragePooling1D()(i)\n    return keras.Model(i, keras.layers.Dense({units}{end})(x))"


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    """Return a function that writes a user's module and returns the name of its builder; each test has its own name."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.dont_write_bytecode", True)

    name = f"own_{tmp_path.name}".replace("-", "_")

    def write(body, text=OWN):
        (tmp_path / f"{name}.py").write_text(text.format(body=body))
        importlib.invalidate_caches()
        return f"{name}:small"

    return write


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
@pytest.mark.parametrize(
    "body, message",
    [
        ("return 1 / 0", "ZeroDivisionError: division by zero (own_"),
        ("return None", "gives NoneType, not a keras.Model"),
        (
            "i = keras.Input((9, 42))\n    " + DENSE.format(units="classes", end=", 'softmax'"),
            "inputs of shape (9, 42)",
        ),
        ("i = keras.Input(shape)\n    " + DENSE.format(units="7", end=", 'softmax'"), "8 probabilities are needed"),
        ("i = keras.Input(shape)\n    " + DENSE.format(units="classes", end=""), "end with a softmax"),
        ("i = keras.Input(shape)\n    " + DENSE.format(units="classes", end=", 'sigmoid'"), "end with a softmax"),
    ],
)
def test_an_unusable_user_defined_model_is_refused_in_one_line(own_module, own_store, body, message):
    spec = Spec(corpus="demo", model=own_module(body), epochs=1, augment="")
    with pytest.raises(SerError, match=re.escape(message)) as caught:
        run_spec(spec, progress=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text, message", [("def small(:\n", "SyntaxError"), ("import nosuchthing_xyz\n", "nosuchthing_xyz")]
)
def test_a_module_that_cannot_be_imported_is_refused_in_one_line(own_module, text, message):
    with pytest.raises(SerError, match=message) as caught:
        models.get_model(own_module("", text=text))
    assert "cannot be imported" in str(caught.value) and "PYTHONPATH" not in str(caught.value)


def test_a_module_of_the_suite_is_never_reloaded():
    models.build("a1", (400, 42), 8)
    assert "__text__" not in vars(importlib.import_module("ser_core.models.cnn_bilstm_attention"))


def test_an_edited_user_defined_model_is_another_run(own_module):
    body = "i = keras.Input(shape)\n    " + DENSE.format(units="classes", end=", 'softmax'")
    name = own_module(body)
    first, count = (
        spec_hash(Spec(corpus="demo", model=name), "1"),
        models.count_parameters(models.build(name, (400, 42), 8)),
    )
    assert first == spec_hash(Spec(corpus="demo", model=name), "1")
    own_module(body.replace("x = ", "i2 = keras.layers.Dense(3)(i)\n    x = ").replace("()(i)", "()(i2)"))
    assert spec_hash(Spec(corpus="demo", model=name), "1") != first
    assert models.count_parameters(models.build(name, (400, 42), 8)) != count, "the edited network is built"


@pytest.mark.parametrize("activation", ["relu", "elu"])
def test_pooling_before_a_monotonic_activation_equals_the_published_order(activation):
    def published(x):
        for number, (filters, pool) in enumerate(((4, 2), (6, (2, 4))), start=1):
            x = keras.layers.Conv2D(filters, 3, padding="same", name=f"conv{number}")(x)
            x = keras.layers.BatchNormalization(name=f"conv{number}_bn", **blocks.TORCH)(x)
            x = keras.layers.Activation(activation)(x)
            x = keras.layers.MaxPooling2D(pool)(x)
        return x

    inputs = keras.Input((12, 16, 1))
    ours = keras.Model(inputs, blocks.convolutions(inputs, (4, 6), (2, (2, 4)), dropout=0.0, activation=activation))
    expected = keras.Model(inputs, published(inputs))
    expected.set_weights(ours.get_weights())
    x = np.random.default_rng(2).normal(size=(3, 12, 16, 1)).astype("float32")
    assert np.array_equal(ours.predict(x, verbose=0), expected.predict(x, verbose=0))
