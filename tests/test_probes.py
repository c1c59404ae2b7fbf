"""Probes and the mixture of experts on constructed inputs; and the error without an encoder."""

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
    """Layer 2 encodes the emotion; layer 1 encodes it better, but differently per speaker; the rest is noise."""
    random = np.random.default_rng(seed)
    y, groups = np.arange(n) % classes, np.arange(n) // classes % speakers
    x = random.normal(size=(n, layers, size)).astype(np.float32)
    x[np.arange(n), 2, y] += 2.5
    x[np.arange(n), 1, (y + groups) % classes] += 8.0
    return x, y, groups.astype(str)


def test_the_linear_probe_chooses_its_layer_by_folds_of_speakers():
    x, y, groups = layers_of()
    probe = models.build_learner("wav2vec2_base", 5, 0).fit(x, y, groups)
    assert probe.chosen["layer"] == 2 and probe.chosen["C"] in probes.C_CHOICES and probe.chosen["inner_uar"] > 0.6
    assert probe.parameters == 4 * 6 + 4
    new, truth, _ = layers_of(seed=1)
    probabilities = probe.predict_proba(new)
    assert (
        probabilities.shape == (160, 5)
        and np.allclose(probabilities.sum(axis=1), 1.0)
        and not probabilities[:, 4].any()
    )
    assert np.mean(probabilities.argmax(axis=1) == truth) > 0.6
    assert probe.chosen == models.build_learner("wav2vec2_base", 5, 0).fit(x, y, groups).chosen


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_the_linear_probe_with_one_speaker_and_two_emotions():
    x, y, groups = layers_of(classes=2, speakers=1)
    probe = probes.LinearProbe(2, 0).fit(x, y, groups)
    assert probe.predict_proba(x).shape == (160, 2) and 0.0 <= probe.chosen["inner_uar"] <= 1.0


def test_the_logistic_probe_chooses_its_penalty_and_class_weights_within_the_training_speakers():
    x, y, groups = layers_of()
    kept = (y > 0) | (np.arange(len(y)) % 3 == 0)  # the first class has a third of its utterances
    x, y, groups = x[kept, 2], y[kept], groups[kept]
    probe = models.build_learner("whisper_base", 5, 0).fit(x, y, groups)
    assert set(probe.chosen) == {"learner", "C", "class_weight", "inner_uar"}
    assert probe.chosen["learner"] == "logistic regression" and probe.parameters == 4 * (6 + 1)
    unseen, truth, _ = layers_of(seed=1)
    probabilities = probe.predict_proba(unseen[:, 2])
    assert np.allclose(probabilities.sum(axis=1), 1.0) and not probabilities[:, 4].any()
    assert np.mean(probabilities.argmax(axis=1) == truth) > 0.9
    assert probe.chosen == models.build_learner("whisper_base", 5, 0).fit(x, y, groups).chosen


def steps_of(n=192, steps=10, layers=3, size=8, classes=4, seed=0):
    """Utterances of 4 to 10 steps; one step of layer 1 encodes the emotion, and is marked by its last value."""
    random = np.random.default_rng(seed)
    y, groups = np.arange(n) % classes, (np.arange(n) // classes % 8).astype(str)
    x = random.normal(size=(n, steps, layers, size)).astype(np.float32)
    lengths = random.integers(4, steps + 1, n)
    where = random.integers(0, lengths)
    x[np.arange(n), where, 1, y] += 8.0
    x[np.arange(n), where, 1, size - 1] += 8.0
    x[np.arange(steps) >= lengths[:, None]] = 0.0
    return x, y, groups


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_the_attention_probe_finds_the_informative_step(monkeypatch):
    monkeypatch.setattr(probes, "RATE", 0.03)  # few utterances and short vectors
    x, y, groups = steps_of()
    probe = fit_learner(models.build_learner("hubert_base_attention", 4, 0), x, y, groups)
    assert probe.chosen["layer"] == 1 and 1 <= probe.chosen["epochs"] <= probes.EPOCHS
    assert probe.parameters == 8 + 1 + 8 * 4 + 4
    new, truth, _ = steps_of(seed=1)
    probabilities = probe.predict_proba(new)
    assert np.allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert np.mean(probabilities.argmax(axis=1) == truth) > 0.9


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_the_attention_probe_is_reproducible(monkeypatch):
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


def test_padded_steps_are_marked():
    x = steps_of(n=6)[0]
    assert np.array_equal(probes.true_steps(x), x[:, :, 0, 0] != 0.0)


# The mixture of experts


def batch(n=8):
    return np.random.default_rng(0).normal(size=(n, 14, 768)).astype(np.float32)


def test_the_mixture_weights_layers_and_experts():
    network, x = models.build("moe_wavlm_spectral", (14, 768), 8), batch()
    names = ["layer_weights", "layer_sum", "ssl_expert", "spectral_expert", "gate", "probabilities"]
    parts = keras.Model(network.input, [network.get_layer(name).output for name in names])(x)
    weights, layer_sum, ssl, spectral, gate, mixed = map(np.asarray, parts)
    assert np.allclose(weights, 1 / 13) and np.allclose(layer_sum, x[:, :-1].mean(axis=1), atol=1e-6)
    assert np.allclose(mixed, gate[:, :1] * ssl + gate[:, 1:] * spectral, atol=1e-6)
    assert np.allclose(gate.sum(axis=1), 1.0, atol=1e-6) and np.allclose(mixed.sum(axis=1), 1.0, atol=1e-6)
    hidden, output = probes.EXPERT_UNITS, (probes.EXPERT_UNITS + 1) * 8
    assert (
        models.count_parameters(network)
        == 13 + 769 * hidden + 295 * hidden + 2 * output + 2 * (768 + 294 + 1)
        == 71_275
    )


def test_the_mixture_uses_all_functionals():
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
    probabilities = np.asarray(network(x))
    assert np.array_equal(probabilities.argmax(axis=1), y) and -np.log(probabilities[np.arange(8), y]).mean() < 0.2
    network.save(tmp_path / "n.keras")
    assert np.array_equal(probabilities, np.asarray(keras.models.load_model(tmp_path / "n.keras")(x)))


# Without an encoder


@pytest.mark.parametrize("name", ENCODED)
def test_systems_on_an_encoder_are_listed_without_it(name):
    spec = Spec(corpus="demo", model=name)
    assert spec.augment == "" and min(inputs.input_shape(spec.settings)) >= 13
    assert inputs.ENCODER[inputs.get_input(spec.features).raw] in encoders.CHECKPOINTS


@pytest.mark.parametrize("name", ["wav2vec2_base", "wavlm_base_attention", "moe_wavlm_spectral"])
def test_a_run_without_the_extra_is_recorded_as_not_measured(name, own_store, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    monkeypatch.setitem(sys.modules, "torch", None)
    row = worker.run_or_record_failure(Spec(corpus="demo", model=name))
    assert row.status == "error" and row.unavailable and row.scores == {}
    assert row.error.startswith("not measured here: ") and "pip install '.[ssl]'" in row.error
    with pytest.raises(SerError, match="^not measured here"):
        run_spec(Spec(corpus="demo", model=name), progress=False)
    assert [path.suffix for path in own_store.rglob("*") if path.is_file() and path.suffix != ".lock"] == [".json"]
