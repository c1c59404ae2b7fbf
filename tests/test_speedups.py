"""Fast kernels and batches give the same results as the layers and loops of Keras."""

import keras
import numpy as np
import pytest
from keras import layers

from ser_core.training import fit, speedups

RNG = np.random.default_rng(3)


def image_network(width: int) -> keras.Model:
    inputs = keras.Input((64, 64, 1))
    x = layers.Conv2D(width, 3, padding="same")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def volume_network(width: int) -> keras.Model:
    inputs = keras.Input((5, 32, 32, 1))
    x = layers.Conv3D(width, 3, padding="same")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.GlobalAveragePooling3D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def wave_network(width: int) -> keras.Model:
    inputs = keras.Input((8192, 1))
    x = layers.Conv1D(width, 3, padding="same")(inputs)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.GlobalAveragePooling1D()(layers.ReLU()(x))
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(x))


def train(make, width: int, fast: bool):
    """Train for three steps of gradient descent; return losses, all weights and predictions."""
    keras.utils.set_random_seed(5)
    model = make(width)
    speedups.enable_fast_kernels(model, fast)
    assert ("call" in model.get_layer("bn").__dict__) == (fast and width >= 16)
    model.compile(keras.optimizers.SGD(0.05), fit.LOSS, jit_compile=False)
    draw = np.random.default_rng(7)
    x, y = draw.normal(2.0, 3.0, (12, *model.input_shape[1:])).astype("float32"), draw.integers(0, 3, 12)
    history = model.fit(**speedups.batches(x, y, size=4), shuffle=False, verbose=0).history["loss"]
    history.append(model.evaluate(**speedups.batches(x, y, size=5), verbose=0))
    speedups.enable_fast_kernels(model, False)
    assert "call" not in model.get_layer("bn").__dict__
    return history, model.get_weights(), model.predict(x, verbose=0)


@pytest.mark.parametrize("make", [image_network, volume_network, wave_network])
@pytest.mark.parametrize("width", [4, 16])
def test_fast_kernels_give_the_losses_weights_and_statistics_of_keras(make, width):
    losses, weights, predictions = train(make, width, True)
    plain_losses, plain_weights, plain_predictions = train(make, width, False)
    assert np.allclose(losses, plain_losses, rtol=1e-5)
    for fast, plain in zip(weights, plain_weights, strict=True):
        assert np.allclose(fast, plain, rtol=1e-3, atol=1e-5)
    assert np.allclose(predictions, plain_predictions, atol=1e-5)


def test_unusual_normalisation_layers_are_not_fused():
    inputs = keras.Input((64, 64, 16))
    x = layers.BatchNormalization(axis=1)(inputs)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.BatchNormalization(renorm=True)(x)
    model = keras.Model(inputs, x)
    speedups.enable_fast_kernels(model, True)
    assert not any("call" in layer.__dict__ for layer in model.layers)


def test_batches_are_the_arrays_in_order_and_the_last_one_may_be_short():
    x, y = RNG.normal(size=(10, 3)).astype("float32"), np.arange(10)
    batches = list(speedups.batches(x, y, size=4)["x"])
    assert [len(inputs) for inputs, _ in batches] == [4, 4, 2]
    assert np.array_equal(np.concatenate([inputs for inputs, _ in batches]), x)
    assert np.array_equal(np.concatenate([targets for _, targets in batches]), y)
    assert [len(inputs) for inputs in speedups.batches(x, size=6)["x"]] == [6, 4]


@pytest.mark.parametrize(
    ("name", "precision", "count"),
    [("a1", "float32", 10), ("a1", "mixed_bfloat16", 12), ("cnn_bilstm_attention", "mixed_bfloat16", 10)],
)
def test_training_on_batches_gives_the_same_losses_as_on_arrays(name, precision, count):
    """Also in bfloat16, where a graph without a known batch size would round differently."""
    x, y = RNG.normal(size=(count, 80, 42)).astype("float32"), np.arange(count) % 3

    def losses(**arguments):
        keras.utils.set_random_seed(1)
        network = fit.build_network(name, (80, 42), 3, precision)
        network.compile("adam", fit.LOSS, jit_compile=False)
        return network.fit(**arguments, shuffle=False, epochs=2, verbose=0).history["loss"]

    assert losses(**speedups.batches(x, y, size=4)) == losses(x=x, y=y, batch_size=4)


def test_named_targets_keep_the_order_of_the_inputs():
    x, y = np.arange(5.0), {"emotion": np.arange(5), "sex": np.arange(5) % 2}
    for inputs, targets in speedups.batches(x, y, size=2)["x"]:
        assert np.array_equal(inputs, targets["emotion"]) and np.array_equal(targets["sex"], targets["emotion"] % 2)


def test_reading_is_not_autotuned():
    data = speedups.batches(np.zeros((4, 2)), size=2)["x"]
    assert data.options().autotune.enabled is False


def two_outputs() -> keras.Model:
    inputs = keras.Input((6,))
    hidden = layers.Dropout(0.3)(layers.Dense(8, activation="relu")(inputs))
    return keras.Model(inputs, [layers.Dense(n, activation="softmax", name=name)(hidden) for name, n in HEADS.items()])


HEADS = {"emotion": 3, "sex": 2}


def sequential() -> keras.Model:
    return keras.Sequential([keras.Input((6,)), layers.Dropout(0.3), layers.Dense(3, activation="softmax")])


@pytest.mark.parametrize("make", [lambda: wave_network(4), two_outputs, sequential])
def test_a_step_is_traced_once_and_gives_the_same_numbers(make):
    found = []
    for prepared in (False, True):
        keras.utils.set_random_seed(5)
        model = make()
        traced = []
        step = model.train_step
        model.train_step = lambda data, step=step, traced=traced: traced.append(1) or step(data)
        draw = np.random.default_rng(7)
        x, y = draw.normal(size=(12, *model.input_shape[1:])).astype("float32"), draw.integers(0, 2, 12)
        y = dict.fromkeys(HEADS, y) if len(model.outputs) > 1 else y
        metrics = {"emotion": ["accuracy"]} if len(model.outputs) > 1 else ["accuracy"]
        model.compile(keras.optimizers.Adam(0.01), fit.losses(model), metrics=metrics, jit_compile=False)
        if prepared:
            speedups.create_variables(model, y)
        history = [model.fit(**speedups.batches(x, y, size=4), shuffle=False, verbose=0).history for _ in range(3)]
        found.append((history, model.get_weights()))
        assert len(traced) == (1 if prepared else 2)
    (history, weights), (prepared_history, prepared_weights) = found
    assert history == prepared_history
    assert all(map(np.array_equal, weights, prepared_weights))
