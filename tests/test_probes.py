"""Probes and the mixture of experts, without any encoder; and what is said where there is none."""

import sys

import keras
import numpy as np
import pytest

from ser_core import models
from ser_core._utils.errors import SerError
from ser_core.experiments import worker
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec
from ser_core.features import FeatureSettings, encoders, inputs
from ser_core.models import probes
from ser_core.training.fit import fit_learner

ENCODED = [name for name, model in models.MODELS.items() if inputs.get_input(model.features).extra == "ssl"]


def layers_of(n=160, layers=4, size=6, classes=4, speakers=8, seed=0):
    """Layer 2 tells the emotion; layer 1 tells it better, but differently for each speaker; the rest is noise."""
    draw = np.random.default_rng(seed)
    y, groups = np.arange(n) % classes, np.arange(n) // classes % speakers
    x = draw.normal(size=(n, layers, size)).astype(np.float32)
    x[np.arange(n), 2, y] += 2.5
    x[np.arange(n), 1, (y + groups) % classes] += 8.0
    return x, y, groups.astype(str)


def test_the_linear_probe_chooses_its_layer_by_folds_of_speakers():
    x, y, groups = layers_of()
    probe = models.build_learner("wav2vec2_base", 5, 0).fit(x, y, groups)
    assert probe.chosen["layer"] == 2 and probe.chosen["C"] in probes.C_CHOICES and probe.chosen["inner_uar"] > 0.6
    assert probe.parameters == 4 * 6 + 4
    new, truth, _ = layers_of(seed=1)
    answer = probe.predict_proba(new)
    assert answer.shape == (160, 5) and np.allclose(answer.sum(axis=1), 1.0) and not answer[:, 4].any()
    assert np.mean(answer.argmax(axis=1) == truth) > 0.6
    assert probe.chosen == models.build_learner("wav2vec2_base", 5, 0).fit(x, y, groups).chosen


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_the_linear_probe_with_one_speaker_and_two_emotions():
    x, y, groups = layers_of(classes=2, speakers=1)
    probe = probes.LinearProbe(2, 0).fit(x, y, groups)
    assert probe.predict_proba(x).shape == (160, 2) and 0.0 <= probe.chosen["inner_uar"] <= 1.0


def steps_of(n=192, steps=10, layers=3, size=8, classes=4, seed=0):
    """Utterances of 4 to 10 steps; one step of layer 1 tells the emotion, and says by its last value that it is it."""
    draw = np.random.default_rng(seed)
    y, groups = np.arange(n) % classes, (np.arange(n) // classes % 8).astype(str)
    x = draw.normal(size=(n, steps, layers, size)).astype(np.float32)
    lengths = draw.integers(4, steps + 1, n)
    where = draw.integers(0, lengths)
    x[np.arange(n), where, 1, y] += 8.0
    x[np.arange(n), where, 1, size - 1] += 8.0
    x[np.arange(steps) >= lengths[:, None]] = 0.0
    return x, y, groups


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_the_attention_probe_finds_the_step_that_tells(monkeypatch):
    monkeypatch.setattr(probes, "RATE", 0.03)  # few utterances and short vectors
    x, y, groups = steps_of()
    probe = fit_learner(models.build_learner("hubert_base_attention", 4, 0), x, y, groups)
    assert probe.chosen["layer"] == 1 and 1 <= probe.chosen["epochs"] <= probes.EPOCHS
    assert probe.parameters == 8 + 1 + 8 * 4 + 4
    new, truth, _ = steps_of(seed=1)
    answer = probe.predict_proba(new)
    assert np.allclose(answer.sum(axis=1), 1.0, atol=1e-5) and np.mean(answer.argmax(axis=1) == truth) > 0.9


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_the_attention_probe_gives_the_same_twice(monkeypatch):
    monkeypatch.setattr(probes, "EPOCHS", 2)
    x, y, groups = steps_of(n=64)
    first, second = (fit_learner(probes.AttentionProbe(4, 3), x, y, groups).predict_proba(x) for _ in range(2))
    assert np.array_equal(first, second)


def test_padding_gets_no_attention():
    network = probes.attention_network((10, 8), 4)
    x = steps_of(n=6)[0][:, :, 1]
    weights = np.asarray(keras.Model(network.input, network.get_layer("attention").output)(x))[..., 0]
    speech = x.any(axis=2)
    assert not speech.all() and not weights[~speech].any() and np.allclose(weights.sum(axis=1), 1.0, atol=1e-6)


def test_steps_that_are_padding_are_told_from_speech():
    x = steps_of(n=6)[0]
    assert np.array_equal(probes.true_steps(x), x[:, :, 0, 0] != 0.0)


# The mixture of experts


def batch(n=8):
    return np.random.default_rng(0).normal(size=(n, 14, 768)).astype(np.float32)


def test_the_mixture_weighs_layers_and_experts():
    network, x = models.build("moe_wavlm_spectral", (14, 768), 8), batch()
    names = ["layer_weights", "layer_sum", "ssl_expert", "spectral_expert", "gate", "probabilities"]
    parts = keras.Model(network.input, [network.get_layer(name).output for name in names])(x)
    weights, learnt, ssl_answer, spectral_answer, gate, mixed = map(np.asarray, parts)
    assert np.allclose(weights, 1 / 13) and np.allclose(learnt, x[:, :-1].mean(axis=1), atol=1e-6)
    assert np.allclose(mixed, gate[:, :1] * ssl_answer + gate[:, 1:] * spectral_answer, atol=1e-6)
    assert np.allclose(gate.sum(axis=1), 1.0, atol=1e-6) and np.allclose(mixed.sum(axis=1), 1.0, atol=1e-6)
    hidden, answer = probes.EXPERT_UNITS, (probes.EXPERT_UNITS + 1) * 8
    assert (
        models.count_parameters(network)
        == 13 + 769 * hidden + 295 * hidden + 2 * answer + 2 * (768 + 294 + 1)
        == 71_275
    )


def test_the_mixture_sees_all_functionals():
    assert inputs.input_shape(FeatureSettings(features="functionals", frames=1)) == (probes.SPECTRAL,)
    network, x = models.build("moe_wavlm_spectral", (14, 768), 4), batch(1)
    beyond, last = x.copy(), x.copy()
    beyond[:, -1, probes.SPECTRAL :] += 1.0
    last[:, -1, probes.SPECTRAL - 1] += 1.0
    assert np.array_equal(network(x), network(beyond)) and not np.array_equal(network(x), network(last))


def test_the_mixture_learns_and_is_saved(tmp_path):
    keras.utils.set_random_seed(0)
    network, x, y = models.build("moe_wavlm_spectral", (14, 768), 4), batch(), np.arange(8) % 4
    network.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    network.fit(np.tile(x, (60, 1, 1)), np.tile(y, 60), batch_size=8, shuffle=False, verbose=0)
    answer = np.asarray(network(x))
    assert np.array_equal(answer.argmax(axis=1), y) and -np.log(answer[np.arange(8), y]).mean() < 0.2
    network.save(tmp_path / "n.keras")
    assert np.array_equal(answer, np.asarray(keras.models.load_model(tmp_path / "n.keras")(x)))


# Where there is no encoder


@pytest.mark.parametrize("name", ENCODED)
def test_an_encoders_systems_are_listed_without_it(name):
    spec = Spec(corpus="demo", model=name)
    assert spec.augment == "" and min(inputs.input_shape(spec.settings)) >= 13
    assert inputs.ENCODER[inputs.get_input(spec.features).raw] in encoders.CHECKPOINTS


@pytest.mark.parametrize("name", ["wav2vec2_base", "wavlm_base_attention", "moe_wavlm_spectral"])
def test_without_the_extra_a_cell_says_that_it_was_not_measured(name, own_store, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)
    row = worker.run_or_record_failure(Spec(corpus="demo", model=name))
    assert row.status == "error" and row.unavailable and row.scores == {}
    assert row.error.startswith("not measured here: ") and "pip install '.[ssl]'" in row.error
    with pytest.raises(SerError, match="^not measured here"):
        run_spec(Spec(corpus="demo", model=name), progress=False)
    assert [path.suffix for path in own_store.iterdir()] == [".json"], "the row of the error alone"
