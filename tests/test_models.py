"""Contract of every network: shapes, counts, learning, saving, sameness; and the paper's equations."""

import keras
import numpy as np
import pytest

from ser_core import features, models, training
from ser_core.errors import SerError

COUNTS = {
    "cnn_bilstm_attention": 469_257,
    "cnn_bilstm_attention_lite": 241_097,
    "a1": 320_584,
    "a2": 321_160,
    "a3": 378_760,
    "a4": 469_128,
}
NAMES = list(models.MODELS)


def built(name, classes=8, frames=400, precision="float32"):
    keras.utils.set_random_seed(0)
    return training.build(name, (frames, len(features.CHANNELS[models.MODELS[name].channels])), classes, precision)


def batch(network, n=3):
    return np.random.default_rng(0).normal(size=(n, *network.input_shape[1:])).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_the_stated_count_is_exact(name):
    network = built(name)
    assert models.parameters(network) == COUNTS[name] == network.count_params()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("classes", [2, 7, 8])
def test_probabilities_of_the_right_shape(name, classes):
    network = built(name, classes)
    out = np.asarray(network(batch(network)))
    assert out.shape == (3, classes) and np.allclose(out.sum(axis=1), 1.0, atol=1e-5) and (out >= 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_saves_and_loads_with_keras_alone(name, tmp_path):
    network = built(name, frames=80)
    x = batch(network)
    network.save(tmp_path / "n.keras")
    assert np.array_equal(np.asarray(network(x)), np.asarray(keras.models.load_model(tmp_path / "n.keras")(x)))


@pytest.mark.parametrize("name", NAMES)
def test_learns_a_tiny_batch_by_heart(name):
    network = built(name, 4, frames=80)
    x, y = batch(network, 8), np.arange(8) % 4
    for layer in network.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    network.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(np.tile(x, (100, 1, 1)), np.tile(y, 100), batch_size=8, shuffle=False, verbose=0)
    loss, accuracy = network.evaluate(x, y, verbose=0)
    assert loss < 0.2 and accuracy == 1.0


def test_attention_is_equations_5_and_6():
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


def test_networks_without_attention_have_none():
    assert models.attention_model(built("a4")) is None


def test_a5_with_equal_weights_is_a4():
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
    assert keras.config.dtype_policy().name == "float32", "the policy is put back"


def test_unrolling_changes_no_number():
    network = built("cnn_bilstm_attention")
    x = batch(network)
    before = np.asarray(network(x))
    training.unroll(network, True)
    assert np.allclose(before, np.asarray(network(x)), atol=1e-6)


def test_a_users_own_builder(tmp_path, monkeypatch):
    (tmp_path / "my_networks.py").write_text(
        "import keras\n\n\ndef tiny(shape, classes):\n"
        "    inputs = keras.Input(shape)\n    pooled = keras.layers.GlobalAveragePooling1D()(inputs)\n"
        "    return keras.Model(inputs, keras.layers.Dense(classes, activation='softmax')(pooled))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert models.parameters(models.build("my_networks:tiny", (400, 42), 8)) == 42 * 8 + 8


@pytest.mark.parametrize("name", ["resnet", "nowhere:f", "math:nothing"])
def test_unknown_networks_are_refused(name):
    with pytest.raises(SerError, match=name.split(":")[0]):
        models.entry(name)
