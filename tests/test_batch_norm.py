"""Statistics of batch normalisation without dropout, against numpy, and their effect on training."""

import numpy as np
import pytest

from ser_core._utils.errors import SerError
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.training import batch_norm, fit
from ser_core.training.checkpoints import random_states

SIZE = 16


@pytest.fixture
def network():
    """Dropout and batch normalisation, and both again behind a dense layer."""
    import keras

    fit.prepare_backend(0)
    inputs = keras.Input((6,))
    x = keras.layers.Dropout(0.5, seed=1)(inputs)
    x = keras.layers.BatchNormalization(name="first")(x)
    x = keras.layers.Dense(4, name="hidden")(x)
    x = keras.layers.Dropout(0.3, seed=2)(x)
    x = keras.layers.BatchNormalization(name="second")(x)
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(5.0, 2.0, (50, 6)).astype("float32")  # the last batch has two utterances


def test_statistics_are_the_mean_and_variance_of_the_training_inputs(network, x):
    batch_norm.recompute_statistics(network, x, SIZE)
    first = network.get_layer("first")
    np.testing.assert_allclose(first.moving_mean, x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(first.moving_variance, x.var(axis=0), rtol=1e-5)


def test_of_many_utterances_the_same_subset_is_drawn(network):
    many = np.random.default_rng(4).normal(5.0, 2.0, (4 * batch_norm.ENOUGH, 6)).astype("float32")
    first = network.get_layer("first")
    means = []
    for _ in range(2):
        batch_norm.recompute_statistics(network, many, 128)
        means.append(np.asarray(first.moving_mean))
    np.testing.assert_array_equal(*means)
    assert not np.allclose(means[0], many.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(means[0], many.mean(axis=0), rtol=0.05)


def test_a_later_layer_receives_batches_normalised_by_the_earlier_one(network, x):
    batch_norm.recompute_statistics(network, x, len(x))
    first, hidden, second = (network.get_layer(name) for name in ("first", "hidden", "second"))
    normalised = (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + first.epsilon)
    reached = normalised @ np.asarray(hidden.kernel) + np.asarray(hidden.bias)
    np.testing.assert_allclose(second.moving_variance, reached.var(axis=0), rtol=1e-4)
    np.testing.assert_allclose(second.moving_mean, reached.mean(axis=0), atol=1e-4)


def test_dropout_raises_the_moving_variance(network, x):
    """With p = 0.5, a mean of 5 and a deviation of 2 give a variance of 2 (25 + 4) - 25 = 33."""
    first = network.get_layer("first")
    first.momentum = 0.0
    network(np.tile(x, (200, 1)), training=True)
    expected = 2 * (np.square(x.mean(axis=0)) + x.var(axis=0)) - np.square(x.mean(axis=0))
    np.testing.assert_allclose(first.moving_variance, expected, rtol=0.05)


def test_weights_dropout_and_random_states_do_not_change(network, x):
    import keras

    states = [np.asarray(state) for state in random_states(network)]
    weights = [np.asarray(weight) for weight in network.trainable_variables]
    batch_norm.recompute_statistics(network, x, SIZE)
    assert [layer.rate for layer in network.layers if isinstance(layer, keras.layers.Dropout)] == [0.5, 0.3]
    assert network.get_layer("first").momentum == network.get_layer("second").momentum == 0.99
    for before, after in zip(states, random_states(network), strict=True):
        np.testing.assert_array_equal(before, after)
    for before, after in zip(weights, network.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, after)


def test_a_network_without_batch_normalisation_is_refused():
    import keras

    inputs = keras.Input((6,))
    plain = keras.Model(inputs, keras.layers.Dense(3)(inputs), name="plain")
    with pytest.raises(SerError, match="plain has no batch normalisation"):
        batch_norm.recompute_statistics(plain, np.zeros((4, 6), "float32"), SIZE)


def test_training_with_precise_statistics_evaluates_with_them_and_resumes(tmp_path, x):
    """The training loss is the same either way, as training normalises by the batch."""
    import keras

    y = np.arange(len(x)) % 3
    held = x[:12], y[:12]

    def trained(folder, kind, epochs):
        fit.prepare_backend(0)
        inputs = keras.Input((6,))
        hidden = keras.layers.BatchNormalization(name="bn")(keras.layers.Dropout(0.4, seed=1)(inputs))
        network = keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))
        plan = fit.TrainingConfig(epochs=epochs, patience=99, batch=SIZE, batch_norm=kind)
        return fit.fit_network(network, (x, y), held, plan, checkpoint=tmp_path / folder, progress=False)

    network, whole = trained("whole", "precise", 3)
    _, usual = trained("usual", "moving", 3)
    assert whole.history["loss"] == usual.history["loss"] and whole.history["val_loss"] != usual.history["val_loss"]
    np.testing.assert_allclose(network.get_layer("bn").moving_variance, x.var(axis=0), rtol=1e-5)
    trained("parts", "precise", 1)
    _, resumed = trained("parts", "precise", 3)
    assert resumed.history == whole.history


def test_batch_norm_is_part_of_a_spec_and_its_default_keeps_the_hash():
    usual, precise = (Spec(corpus="demo", model="base_cnn", batch_norm=kind) for kind in batch_norm.KINDS)
    assert usual == Spec(corpus="demo", model="base_cnn") and precise.plan.batch_norm == "precise"
    assert spec_hash(usual, "1") != spec_hash(precise, "1")
    with pytest.raises(SerError, match="batch_norm 'none'"):
        Spec(batch_norm="none")
