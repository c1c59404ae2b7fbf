"""Attention on speech, silence and padding: hand-made cases, properties, and one small network."""

import numpy as np
import pytest

from ser_core import corpora, models
from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec
from ser_core.figures.audit import attention_against_time
from ser_core.results import attention
from ser_core.training import fit

SPEECH, SILENCE, PADDING = range(3)


def test_kinds_of_frames_by_hand():
    energy = np.array([0.001, 1.0, 0.5, 0.02, 0.01, 0.0])  # 35 dB below 1 is 0.0178
    assert attention.frame_kinds(energy, 8).tolist() == [1, 0, 0, 0, 1, 1, 2, 2]
    assert attention.frame_kinds(energy, 3).tolist() == [1, 0, 0]
    assert attention.frame_kinds(energy, 6, silence_db=10).tolist() == [1, 0, 0, 1, 1, 1]


def test_a_loud_frame_beyond_the_cut_still_sets_the_level():
    assert attention.frame_kinds(np.array([0.01, 0.01, 1.0]), 2).tolist() == [SILENCE, SILENCE]


def test_digital_silence_is_silence():
    assert attention.frame_kinds(np.zeros(4), 5).tolist() == [SILENCE] * 4 + [PADDING]


def test_shares_of_steps_by_hand():
    kinds = np.array([SPEECH] * 6 + [SILENCE] * 4 + [PADDING] * 6)
    shares = attention.step_shares(kinds, 2)
    assert shares.tolist() == [[0.75, 0.25, 0.0], [0.0, 0.25, 0.75]]
    assert attention.step_shares(np.arange(20) % 3, 2).sum(axis=1).tolist() == [1, 1]  # four frames left over
    with pytest.raises(ValueError, match="cannot fill"):
        attention.step_shares(kinds, 17)


def test_mass_by_hand():
    shares = np.array([[1, 0, 0], [0.5, 0.5, 0], [0, 0, 1], [0, 0, 1]])
    found = attention.attention_by_kind(np.array([0.4, 0.2, 0.3, 0.1]), shares)
    assert {kind: round(values["attention"], 6) for kind, values in found.items()} == {
        "speech": 0.5, "silence": 0.1, "padding": 0.4,
    }  # fmt: skip
    assert [values["time"] for values in found.values()] == [0.375, 0.125, 0.5]
    assert found["padding"]["least"] == pytest.approx(1 / (1 + np.e**2))
    with pytest.raises(ValueError, match="must be"):
        attention.attention_by_kind(np.ones(3) / 3, shares)


@pytest.mark.parametrize("seed", range(20))
def test_equal_weights_give_each_kind_its_time_and_tanh_scores_no_less_than_the_bound(seed):
    random = np.random.default_rng(seed)
    shares = attention.step_shares(np.sort(random.integers(0, 3, 400)), 50)
    equal = attention.attention_by_kind(np.full(50, 0.02), shares)
    assert all(values["attention"] == pytest.approx(values["time"]) for values in equal.values())
    weights = np.exp(np.tanh(random.normal(0, 5, 50)))
    found = attention.attention_by_kind(weights / weights.sum(), shares)
    assert sum(values["attention"] for values in found.values()) == pytest.approx(1)
    assert all(values["attention"] >= values["least"] - 1e-12 for values in found.values())


@pytest.fixture(scope="module")
def table():
    fit.prepare_backend(0)
    return corpora.load("demo").head(3)


def test_a_network_that_looks_only_at_the_start(table):
    """Scores made by hand: the bias is low, and the first step alone has a positive output."""
    spec = Spec(frames=200)
    network = models.build(spec.model, (200, 42), 8)
    layer = network.get_layer("attention_scores")
    layer.set_weights([np.zeros_like(layer.get_weights()[0]), np.zeros(1)])
    measured = attention.measure_attention(network, spec, table)
    assert len(measured) == 9 and set(measured["id"]) == set(table["id"])
    assert measured["attention"].to_numpy() == pytest.approx(measured["time"].to_numpy(), abs=1e-5)  # equal weights
    kernel = np.random.default_rng(0).normal(0, 3, layer.get_weights()[0].shape)
    layer.set_weights([kernel, np.zeros(1)])
    summed = attention.attention_summary(attention.measure_attention(network, spec, table, table["id"].head(2)))
    assert summed["attention"].sum() == pytest.approx(1, abs=1e-5) and summed["time"].sum() == pytest.approx(1)
    assert (summed["attention"] >= summed["least"] - 1e-6).all()
    assert attention_against_time(measured).axes


def test_what_cannot_be_measured_is_said(table):
    spec = Spec(frames=200)
    with pytest.raises(SerError, match="no attention layer"):
        attention.measure_attention(models.build("a4", (200, 42), 8), spec, table)
    with pytest.raises(SerError, match="frame by frame|frames needs"):
        attention.measure_attention(None, Spec(model="lstm_attention"), table)
    with pytest.raises(SerError, match="no recording of these utterances"):
        attention.measure_attention(None, spec, table, ["nobody"])


def test_a_row_without_weights_is_none_and_with_them_is_measured(own_store):
    spec = Spec(model="cnn_bilstm_attention_lite", epochs=1, augment="", frames=40, batch=128)
    row = run_spec(spec, progress=False)
    measured = attention.attention_of_result(row, own_store)
    assert measured["id"].nunique() == row.n_test
    store.weights_path(row).unlink()
    assert attention.attention_of_result(row, own_store) is None
