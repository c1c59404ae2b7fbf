"""Adaptation to another corpus: statistics of the adapted inputs, and no use of labels."""

from dataclasses import replace

import numpy as np
import pytest

from ser_core._utils.errors import SerError
from ser_core.experiments import data
from ser_core.experiments.spec import Spec
from ser_core.protocols import splits
from ser_core.training import adaptation

CROSS = Spec(
    corpus="demo_tess",
    test_corpus="demo_ravdess",
    protocol="cross",
    model="a1",
    epochs=1,
    augment="",
    frames=80,
    features="13",
)


def test_coral_gives_the_covariance_of_the_target():
    random = np.random.default_rng(0)
    source, target = (random.normal(size=(50_000, 5)) @ random.normal(size=(5, 5)) * 900 for _ in range(2))
    aligned = source @ adaptation.coral(source, target)
    wanted = np.cov(target, rowvar=False)
    assert np.abs(np.cov(aligned, rowvar=False) - wanted).max() < 0.01 * np.abs(wanted).max()
    assert np.allclose(adaptation.coral(source, source), np.eye(5))


@pytest.mark.parametrize("kind", ["corpus", "speaker", "coral"])
def test_adaptation_does_not_use_the_labels_of_the_target(kind):
    spec = replace(CROSS, adapt=kind)
    subsets = data.load_subsets(spec)
    x = data.network_inputs(spec, subsets)
    plain = data.network_inputs(CROSS, subsets)
    shuffled = replace(subsets, test=subsets.test.assign(emotion=subsets.test["emotion"].to_numpy()[::-1]))
    again = data.network_inputs(spec, shuffled)
    assert all(np.array_equal(x[subset], again[subset]) for subset in splits.SIDES), "labels have no effect"
    assert {subset: values.shape for subset, values in x.items()} == {
        subset: values.shape for subset, values in plain.items()
    }
    assert not np.allclose(x["train"], plain["train"])
    if kind == "coral":
        assert np.allclose(x["test"], plain["test"], atol=1e-5), "the test inputs remain unchanged"
        target, before, after = (
            np.cov(adaptation.speech_frames(values), rowvar=False) for values in (x["test"], plain["train"], x["train"])
        )
        assert np.abs(after - target).mean() < 0.6 * np.abs(before - target).mean()
        return
    groups = subsets.test["speaker"].to_numpy() if kind == "speaker" else np.full(len(subsets.test), "all")
    long = replace(spec, frames=900)
    whole = data.network_inputs(long, subsets, ["test"])["test"]
    for group in set(groups):
        rows = adaptation.speech_frames(whole[groups == group])
        assert np.allclose(rows.mean(axis=0), 0, atol=1e-3) and np.allclose(rows.std(axis=0), 1, atol=1e-2)


@pytest.mark.parametrize("kind", ["corpus", "speaker"])
def test_functionals_have_mean_zero_per_group(kind):
    spec = replace(CROSS, model="svm", features="functionals", adapt=kind, znorm=False, frames=1)
    subsets = data.load_subsets(spec)
    x = data.network_inputs(spec, subsets, ["test"])["test"]
    groups = subsets.test["speaker"].to_numpy() if kind == "speaker" else np.full(len(x), "all")
    for group in set(groups):
        assert np.allclose(x[groups == group].mean(axis=0), 0, atol=1e-3)


@pytest.mark.parametrize("kind", ["corpus", "speaker"])
def test_each_level_of_the_recordings_has_mean_zero_and_deviation_one_per_group(kind):
    spec = replace(CROSS, model="linear_functionals", features="functionals_levels", adapt=kind, frames=1)
    subsets = data.load_subsets(spec)
    x = data.network_inputs(spec, subsets, ["test"])["test"]
    assert x.shape == (len(subsets.test), 2, 294) and not np.allclose(x[:, 0], x[:, 1], atol=0.1)
    groups = subsets.test["speaker"].to_numpy() if kind == "speaker" else np.full(len(x), "all")
    for group in set(groups):
        deviation = x[groups == group].std(axis=0)
        assert np.allclose(x[groups == group].mean(axis=0), 0, atol=1e-3)
        assert np.all(np.isclose(deviation, 1, atol=1e-2) | (deviation < 1e-3)), "a constant channel remains constant"


def test_coral_aligns_each_level_of_the_recordings_as_if_it_were_alone():
    spec = replace(CROSS, model="linear_functionals", features="functionals_levels", adapt="coral", frames=1)
    subsets = data.load_subsets(spec)
    x = data.network_inputs(spec, subsets)
    alone = data.network_inputs(replace(spec, model="svm", features="functionals", normalise=True), subsets)
    assert all(np.allclose(x[subset][:, 1], alone[subset], atol=2e-2) for subset in splits.SIDES)


def test_vectors_of_an_encoder_are_adapted_and_those_of_its_layers_are_not():
    adaptation.check_adaptation("corpus", "whisper_tiny_en")
    with pytest.raises(SerError, match="cannot be used with the features wav2vec2_base"):
        adaptation.check_adaptation("corpus", "wav2vec2_base")


def test_coral_on_functionals_gives_the_mean_and_covariance_of_the_target():
    """Inputs that Eq. 4 has not centred are scaled in each corpus first."""
    spec = replace(CROSS, model="svm", features="functionals", adapt="coral", znorm=False, frames=1)
    x = data.network_inputs(spec, data.load_subsets(spec))
    assert np.allclose(x["test"].mean(axis=0), 0, atol=1e-3) and np.allclose(x["train"].mean(axis=0), 0, atol=0.01)
    source, target = (np.cov(x[subset], rowvar=False) for subset in ("train", "test"))
    plain = np.corrcoef(
        data.network_inputs(replace(spec, adapt="none"), data.load_subsets(spec))["train"], rowvar=False
    )
    assert np.abs(source - target).mean() < 0.7 * np.abs(np.nan_to_num(plain) - target).mean()
