"""Training on mixed copies: properties of the mixture, and a problem that it must learn."""

import numpy as np

from ser_core.training import mixing


def one_layer(size: int, classes: int):
    import keras

    given = keras.Input((size,))
    return keras.Model(given, keras.layers.Dense(classes, activation="softmax")(given))


def test_inputs_and_targets_are_mixed_alike():
    random = np.random.default_rng(0)
    targets = np.eye(4, dtype=np.float32)[random.integers(0, 4, 70)]
    config = mixing.MixingConfig(batch=32)
    x, y = mixing.mixed(targets.copy(), targets, config, np.random.default_rng(1))
    np.testing.assert_array_equal(x, y)  # the inputs are the targets
    np.testing.assert_allclose(y.sum(axis=1), 1.0, rtol=1e-6)
    shares = {round(float(value), 5) for value in y[:32].ravel()}
    assert len(shares - {0.0, 1.0}) <= 2  # one share per batch, and what it leaves
    np.testing.assert_allclose(y[:32].sum(axis=0), targets[:32].sum(axis=0), rtol=1e-5)  # nobody leaves the batch


def test_images_are_mixed_as_vectors_are():
    x = np.random.default_rng(2).normal(size=(8, 6)).astype(np.float32)
    y, config = np.eye(8, dtype=np.float32), mixing.MixingConfig(batch=4)
    flat, _ = mixing.mixed(x, y, config, np.random.default_rng(3))
    image, _ = mixing.mixed(x.reshape(8, 2, 3), y, config, np.random.default_rng(3))
    np.testing.assert_array_equal(image.reshape(8, 6), flat)


def test_two_trainings_are_equal_and_learn():
    random = np.random.default_rng(4)
    y = random.integers(0, 3, 192)
    x = (np.eye(3)[y] * 3 + random.normal(size=(192, 3)))[:, None].astype(np.float32)
    settings = {"epochs": 30, "learning_rate": 0.05, "seed": 5}
    first, second = (mixing.fit_mixed(lambda: one_layer(3, 3), x, np.eye(3)[y], **settings) for _ in range(2))
    for a, b in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    probabilities = first.predict(x[:, 0], verbose=0)
    assert (probabilities.argmax(axis=1) == y).mean() > 0.9
    assert probabilities.max(axis=1).mean() < 0.95  # targets are smoothed and mixed


def test_fewer_utterances_than_a_batch_are_enough():
    x = np.random.default_rng(6).normal(size=(5, 2, 3)).astype(np.float32)
    network = mixing.fit_mixed(lambda: one_layer(3, 2), x, np.eye(2)[[0, 1, 0, 1, 0]], epochs=2)
    assert np.isfinite(network.get_weights()[0]).all()


def test_copies_are_drawn_by_their_shares():
    x = np.zeros((64, 3, 2), dtype=np.float32)
    x[:, 2] = np.nan  # a copy without a share is never drawn
    x[:, 0] = 1.0
    drawn = []

    def network():
        import keras

        given = keras.Input((2,))
        model = keras.Model(given, keras.layers.Dense(2, activation="softmax")(given))
        fit = model.fit

        def remembered(**batches):
            drawn.append(float(np.asarray(next(iter(batches["x"]))[0]).mean()))
            return fit(**batches)

        model.fit = remembered
        return model

    mixing.fit_mixed(network, x, np.eye(2)[np.arange(64) % 2], epochs=40, shares=(0.75, 0.25, 0.0), mixing=0.4)
    assert np.isfinite(drawn).all()
    assert abs(np.mean(drawn) - 0.75) < 0.04
