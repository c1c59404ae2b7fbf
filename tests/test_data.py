"""Cells that test otherwise: leaky copies, another corpus, conditions, masked padding, adaptation."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ser_core import corpora, models
from ser_core._utils.errors import SerError
from ser_core.audio import degradation
from ser_core.experiments import data, evaluation, store
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.features import cache
from ser_core.protocols import splits
from ser_core.training import fit, speedups

SMALL = Spec(corpus="demo_tess", model="a1", epochs=1, augment="", frames=80, features="13")
CROSS = replace(SMALL, protocol="cross", test_corpus="demo_ravdess")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"test_corpus": "demo_tess"}, "cross"),
        ({"protocol": "cross"}, "cross"),
        ({"protocol": "cross", "test_corpus": "demo_ravtess"}, "shares recordings"),
        ({"protocol": "cross", "test_corpus": "demo"}, "shares recordings"),
        ({"protocol": "leaky", "augment": ""}, "no copies"),
        ({"adapt": "coral"}, "cross"),
        ({"adapt": "magic"}, "magic"),
        ({"condition": "white:loud"}, "loud"),
        ({"padding": "none"}, "padding"),
        ({"padding": "masked", "model": "reslstm_sa"}, "cannot ignore frames"),
        ({"protocol": "cross", "test_corpus": "demo_tess", "adapt": "corpus", "features": "waveform",
          "model": "clstm"}, "waveform"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(fields, word):
    with pytest.raises(SerError, match=word):
        Spec(**{"corpus": "demo_ravdess"} | fields)


def test_defaults_leave_names_of_results_and_features_as_they_were():
    """The names that they had before these fields came into being."""
    spec = Spec(corpus="ravdess", precision="mixed_bfloat16")
    assert spec_hash(spec, "x") == "cbd04996cf6ebc0d"
    changed = [{"padding": "masked"}, {"condition": "white:0"}, {"condition": "telephone"}]
    assert len({spec_hash(replace(spec, **one), "x") for one in [{}, *changed]}) == 4
    plain = cache.Job("a.wav", "a", 16000, True, False)
    assert cache.job_name(plain, "d").startswith("89651cada90d069e")
    assert cache.job_name(replace(plain, technique="noise", seed=3, copy=1), "d").startswith("ee2f2ba4e298183f")
    noisy = replace(plain, condition="white:10")
    jobs = [noisy, replace(noisy, key="b"), replace(noisy, condition="white:5"), replace(noisy, technique="noise")]
    assert len({cache.job_name(job, "d") for job in [plain, *jobs]}) == 5
    assert cache.job_name(noisy, "d", ("e",)) != cache.job_name(noisy, "d", ("f",))


def test_leaky_trains_on_copies_and_scores_originals_apart(own_store):
    spec = Spec(corpus="demo_tess", model="svm", protocol="leaky", augment="shift,noise")
    row = run_spec(spec, progress=False)
    assert RunResult.from_json(json.loads(json.dumps(row.to_json()))) == row
    test = store.load_predictions(row, own_store).query("side == 'test'")
    assert set(test["copy"]) == {"", "shift", "noise"} and test["id"].is_unique
    parts = row.by_copy
    original = test[test["copy"] == ""]
    assert parts["original"].n_test == len(original)
    assert parts["original"].scores["accuracy"] == pytest.approx((original["truth"] == original["prediction"]).mean())
    assert parts["original"].n_test + parts["augmented"].n_test == row.n_test == len(test)
    assert row.n_train + row.n_augmented + row.n_validation + row.n_test == 3 * 252
    assert {splits.original_of(i) for i in test["id"]} <= set(corpora.load("demo_tess")["id"])


def test_a_leaky_copy_has_the_features_of_its_treatment():
    spec = replace(SMALL, protocol="leaky", augment="shift,noise", copies=2)
    there = data.load_subsets(spec)
    jobs = dict(zip(there.test["id"], data.feature_jobs(spec, there, "test"), strict=True))
    clip = next(i for i in jobs if i.endswith("::noise-2"))
    assert (jobs[clip].technique, jobs[clip].copy, jobs[clip].key) == ("noise", 1, splits.original_of(clip))
    assert not data.copy_jobs(spec, there)
    assert jobs[next(i for i in jobs if "::" not in i)].technique == ""


def test_cross_keeps_the_common_emotions_and_tests_the_whole_target(own_store):
    row = run_spec(replace(CROSS, corpus="demo_ravdess", test_corpus="demo_tess", model="gmm"), progress=False)
    assert row.labels == corpora.labels("demo_tess") and row.claimed is None
    assert row.left_out == {"demo_ravdess": {"calm": 48}, "demo_tess": {}}
    assert row.n_test == 252 and row.n_train + row.n_validation == 384 - 48
    assert row.test_completeness.found == 252 and row.completeness.found == 384
    frame = store.load_predictions(row, own_store)
    assert set(frame[frame["side"] == "test"]["corpus"]) == {"demo_tess"}
    assert len(row.data_version.split("-")) == 2


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_a_condition_takes_the_weights_of_the_clean_cell(own_store, monkeypatch):
    spec = replace(SMALL, condition="white:0")
    store.weights_path(run_spec(SMALL, progress=False)).unlink()
    row = run_spec(spec, progress=False)
    clean = run_spec(SMALL, progress=False)
    assert row.trained == clean.hash != row.hash and clean.trained is None and "trained" not in clean.to_json()
    assert row.validation == clean.validation and row.parameters == clean.parameters
    monkeypatch.setattr(fit, "fit_network", lambda *a, **k: pytest.fail("trained again"))
    babble = run_spec(replace(spec, condition="babble:5"), progress=False)
    assert babble.trained == clean.hash and babble.n_test == clean.n_test
    noisy, quiet = (store.load_predictions(one, own_store) for one in (row, clean))
    same, labels = noisy["side"] == "validation", list(row.labels)
    assert np.array_equal(noisy[same][labels], quiet[same][labels])
    assert not np.allclose(noisy[~same][labels], quiet[~same][labels])
    assert row.claimed is None


def test_a_learner_under_a_condition_is_the_clean_one(own_store):
    spec = Spec(corpus="demo_tess", model="svm")
    clean, row = (run_spec(replace(spec, condition=c), progress=False) for c in ("clean", "white:20"))
    assert row.trained == clean.hash and row.validation == clean.validation


def test_only_test_recordings_are_changed():
    spec = replace(SMALL, corpus="demo_ravdess", condition="babble:5")
    there = data.load_subsets(spec)
    assert {job.condition for side in ("train", "validation") for job in data.feature_jobs(spec, there, side)} == {
        "clean"
    }
    speaker = dict(zip(there.tested["path"], there.tested["speaker"], strict=True))
    for job in data.feature_jobs(spec, there, "test"):
        voices = {speaker[path] for path in job.others}
        assert job.condition == "babble:5" and len(voices) == degradation.TALKERS and speaker[job.path] not in voices
    with pytest.raises(SerError, match="speakers"):
        data.babble_talkers(there.test, there.test.assign(speaker="unknown"))


@pytest.mark.parametrize("name", ["cnn_bilstm_attention", "a3", "a2"])
def test_masked_padding_plays_no_part(name, tmp_path):
    """The same weights on the same utterance, padded to 80 and to 160 frames: the same answer, zero padding another."""
    import keras

    random = np.random.default_rng(0)
    speech = random.normal(size=(3, 80, 42)).astype("float32")
    for one, length in zip(speech, (37, 50, 80)):
        one[length:] = 0.0
    longer = np.pad(speech, ((0, 0), (0, 80), (0, 0)))
    short, long = (models.build(name, (frames, 42), 7, masked=True) for frames in (80, 160))
    full, plain = (models.build(name, (frames, 42), 7) for frames in (80, 160))
    weights = [w + 0.03 * random.normal(size=w.shape).astype("float32") for w in short.get_weights()]
    for network in (short, long, full, plain):
        network.set_weights(weights)
    expected = np.asarray(short(speech))
    assert np.allclose(long(longer), expected, atol=1e-5)
    assert not np.allclose(plain(longer), expected, atol=1e-3)
    assert np.allclose(full(speech[2:]), expected[2:], atol=1e-5), "without padding nothing changes"
    assert np.isfinite(np.asarray(short(np.zeros_like(speech)))).all()
    short.save(tmp_path / "masked.keras")
    assert np.allclose(keras.models.load_model(tmp_path / "masked.keras")(speech), expected, atol=1e-6)


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
@pytest.mark.parametrize("name", ["cnn_bilstm_attention", "a3"])
@pytest.mark.parametrize("precision", fit.PRECISIONS)
def test_masked_networks_train_and_are_the_same_while_they_do(name, precision, tmp_path):
    """What is unrolled for training gives the same as what is kept, and padding plays no part after it."""
    random = np.random.default_rng(0)
    speech = random.normal(size=(12, 80, 42)).astype("float32")
    speech[:6, 40:] = 0.0
    target = np.arange(12) % 3
    network = fit.build_network(name, (80, 42), 3, precision, masked=True)
    speedups.enable_fast_kernels(network, True)
    unrolled = np.asarray(network(speech))
    speedups.enable_fast_kernels(network, False)
    assert np.allclose(network(speech), unrolled, atol=1e-5)
    plan = fit.TrainingConfig(epochs=1, batch=6, precision=precision)
    network, done = fit.fit_network(
        network, (speech, target), (speech, target), plan, checkpoint=tmp_path / "c", progress=False
    )
    assert done.epochs == 1 and np.isfinite(done.best_loss)
    longer = np.pad(speech, ((0, 0), (0, 80), (0, 0)))
    other = fit.build_network(name, (160, 42), 3, precision, masked=True)
    other.set_weights(network.get_weights())
    assert np.allclose(other(longer), network(speech), atol=1e-5 if precision == "float32" else 1e-2)


@pytest.mark.parametrize("name", [name for name, model in models.MODELS.items() if model.masks])
def test_masked_networks_have_the_same_parameters(name):
    masked, plain = (models.build(name, (80, 42), 8, masked=one) for one in (True, False))
    assert models.count_parameters(masked) == models.count_parameters(plain)
    assert [w.shape for w in masked.weights] == [w.shape for w in plain.weights]


def test_masked_attention_gives_padding_no_weight():
    network = models.attention_model(models.build("cnn_bilstm_attention", (160, 42), 7, masked=True))
    speech = np.zeros((1, 160, 42), "float32")
    speech[0, :64] = np.random.default_rng(0).normal(size=(64, 42))
    weights = np.asarray(network(speech)[1])
    assert weights[0, 8:].max() == 0.0 and weights[0, :8].min() > 0.0 and weights.sum() == pytest.approx(1.0, abs=1e-5)


def test_judged_says_nothing_of_copies_where_there_are_none():
    table = corpora.load("demo_tess").iloc[::5]
    labels = corpora.labels("demo_tess")
    answers = np.eye(len(labels))[[labels.index(e) for e in table["emotion"]]]
    predicted = {side: evaluation.predictions_frame(answers, table, labels) for side in ("validation", "test")}
    row = evaluation.evaluate_predictions(predicted, labels)
    assert row.scores["accuracy"] == 1.0 and row.by_copy == {} == row.by_corpus
