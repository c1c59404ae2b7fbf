"""Adam with L2 weight decay against its formula, warm restarts against theirs, and both through a resumed training."""

import math

import numpy as np
import pytest

from ser_core._utils.errors import SerError
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.training import fit, optimizers


def test_adam_adds_the_decay_to_the_gradient_before_its_moments():
    """Kingma and Ba 2015, Algorithm 1, with g + decay x w in the place of g, as torch.optim.Adam has it."""
    fit.prepare_backend(1)
    import keras

    rate, decay, first, second, small = 0.01, 0.3, 0.9, 0.999, 1e-7
    weight, m, v = np.array([1.0, -2.0]), np.zeros(2), np.zeros(2)
    variable = keras.Variable(weight)
    made = optimizers.make_optimizer("adam", rate, decay)
    for step in range(1, 6):
        gradient = np.array([0.5 * step, -0.1])
        made.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
        g = gradient + decay * weight
        m, v = first * m + (1 - first) * g, second * v + (1 - second) * g**2
        weight = weight - rate * (m / (1 - first**step)) / (np.sqrt(v / (1 - second**step)) + small)
    assert np.allclose(np.asarray(variable), weight, atol=1e-5)


def test_the_rate_falls_to_a_hundredth_and_restarts():
    """torch's CosineAnnealingWarmRestarts with eta_min = 0.01 x rate, one step per epoch."""
    for epoch in range(25):
        wanted = 0.002 * (0.01 + 0.99 * (1 + math.cos(math.pi * (epoch % 10) / 10)) / 2)
        assert optimizers.restarted_rate(0.002, epoch, 10) == pytest.approx(wanted)
    assert {optimizers.restarted_rate(0.002, epoch, 0) for epoch in range(25)} == {0.002}
    assert {optimizers.restarted_rate(0.002, epoch, 1) for epoch in range(25)} == {0.002}


def network():
    import keras

    fit.prepare_backend(1)
    inputs = keras.Input((6,))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(inputs))


def trained(folder, epochs, **config):
    random = np.random.default_rng(0)
    x, y = random.normal(size=(48, 6)).astype(np.float32), random.integers(3, size=48)
    plan = fit.TrainingConfig(epochs=epochs, patience=99, batch=16, learning_rate=0.05, **config)
    rules = ("loss", "last")
    return fit.fit_with_rules(network(), (x, y), (x, y), plan, rules=rules, checkpoint=folder, progress=False)


def test_a_resumed_training_has_the_same_decay_and_restarts(tmp_path):
    chosen = {"weight_decay": 0.05, "restarts": 3}
    whole, done = trained(tmp_path / "whole", 7, **chosen)
    trained(tmp_path / "cut", 4, **chosen)
    resumed, again = trained(tmp_path / "cut", 7, **chosen)
    assert again.loss == done.loss and len(done.loss) == 7
    for first, second in zip(whole["last"].get_weights(), resumed["last"].get_weights(), strict=True):
        assert np.array_equal(first, second)
    _, plain = trained(tmp_path / "plain", 7)
    assert plain.loss != done.loss


def test_the_decay_makes_weights_smaller(tmp_path):
    sizes = [np.abs(trained(tmp_path / str(decay), 6, weight_decay=decay)[0]["last"].get_weights()[0]).sum()
             for decay in (0.0, 0.5)]  # fmt: skip
    assert sizes[0] > 1.5 * sizes[1]


def test_fields_at_their_defaults_do_not_rename_results():
    plain = Spec(corpus="ravdess", model="reslstm_sa")
    assert spec_hash(plain, "x") == spec_hash(
        Spec(corpus="ravdess", model="reslstm_sa", weight_decay=0.0, restarts=0), "x"
    )
    others = {
        spec_hash(Spec(corpus="ravdess", model="reslstm_sa", **one), "x")
        for one in ({"weight_decay": 0.1}, {"restarts": 5})
    }
    assert len(others | {spec_hash(plain, "x")}) == 3


@pytest.mark.parametrize(
    "fields",
    [{"weight_decay": -0.1}, {"weight_decay": float("nan")}, {"weight_decay": 1.0}, {"restarts": -1},
     {"restarts": 10**9}, {"weight_decay": 0.1, "optimizer": "sgd"}],
)  # fmt: skip
def test_decay_and_restarts_that_cannot_be_are_refused(fields):
    with pytest.raises(SerError, match="weight_decay"):
        Spec(**fields)
