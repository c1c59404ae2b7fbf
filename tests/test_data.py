"""Subsets of special protocols and settings: leaky copies, another corpus, conditions, masked padding."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ser_core import audio, corpora, models
from ser_core._utils.errors import SerError
from ser_core.audio import degradation
from ser_core.experiments import data, evaluation, store
from ser_core.experiments.result import RunResult
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec, spec_hash
from ser_core.features import cache, inputs, voice
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
def test_contradictory_fields_are_an_error(fields, word):
    with pytest.raises(SerError, match=word):
        Spec(**{"corpus": "demo_ravdess"} | fields)


def test_new_fields_with_their_defaults_change_no_name_of_a_result_or_feature():
    """The names are those from before these fields were added."""
    spec = Spec(corpus="ravdess", precision="mixed_bfloat16")
    assert spec_hash(spec, "x") == "cbd04996cf6ebc0d"
    changed = [{"padding": "masked"}, {"condition": "white:0"}, {"condition": "telephone"}]
    assert len({spec_hash(replace(spec, **fields), "x") for fields in [{}, *changed]}) == 4
    plain = cache.Job("a.wav", "a", 16000, True, False)
    assert cache.job_name(plain, "d").startswith("89651cada90d069e")
    assert cache.job_name(replace(plain, technique="noise", seed=3, copy=1), "d").startswith("ee2f2ba4e298183f")
    noisy = replace(plain, condition="white:10")
    jobs = [noisy, replace(noisy, key="b"), replace(noisy, condition="white:5"), replace(noisy, technique="noise")]
    assert len({cache.job_name(job, "d") for job in [plain, *jobs]}) == 5
    assert cache.job_name(noisy, "d", ("e",)) != cache.job_name(noisy, "d", ("f",))


def test_leaky_trains_on_copies_and_scores_originals_apart(own_store):
    spec = Spec(corpus="demo_tess", model="svm", protocol="leaky", augment="shift,noise")
    result = run_spec(spec, progress=False)
    assert RunResult.from_json(json.loads(json.dumps(result.to_json()))) == result
    test = store.load_predictions(result, own_store).query("side == 'test'")
    assert set(test["copy"]) == {"", "shift", "noise"} and test["id"].is_unique
    parts = result.by_copy
    original = test[test["copy"] == ""]
    assert parts["original"].n_test == len(original)
    assert parts["original"].scores["accuracy"] == pytest.approx((original["truth"] == original["prediction"]).mean())
    assert parts["original"].n_test + parts["augmented"].n_test == result.n_test == len(test)
    assert result.n_train + result.n_augmented + result.n_validation + result.n_test == 3 * 252
    assert {splits.original_of(i) for i in test["id"]} <= set(corpora.load("demo_tess")["id"])


def test_a_leaky_copy_has_the_features_of_its_treatment():
    spec = replace(SMALL, protocol="leaky", augment="shift,noise", copies=2)
    subsets = data.load_subsets(spec)
    jobs = dict(zip(subsets.test["id"], data.feature_jobs(spec, subsets, "test"), strict=True))
    clip = next(i for i in jobs if i.endswith("::noise-2"))
    assert (jobs[clip].technique, jobs[clip].copy, jobs[clip].key) == ("noise", 1, splits.original_of(clip))
    assert not data.copy_jobs(spec, subsets)
    assert jobs[next(i for i in jobs if "::" not in i)].technique == ""


def test_cross_keeps_the_common_emotions_and_tests_the_whole_target(own_store):
    result = run_spec(replace(CROSS, corpus="demo_ravdess", test_corpus="demo_tess", model="gmm"), progress=False)
    assert result.labels == corpora.labels("demo_tess") and result.claimed is None
    assert result.left_out == {"demo_ravdess": {"calm": 48}, "demo_tess": {}}
    assert result.n_test == 252 and result.n_train + result.n_validation == 384 - 48
    assert result.test_completeness.found == 252 and result.completeness.found == 384
    frame = store.load_predictions(result, own_store)
    assert set(frame[frame["side"] == "test"]["corpus"]) == {"demo_tess"}
    assert len(result.data_version.split("-")) == 2


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_a_condition_uses_the_weights_of_the_clean_run(own_store, monkeypatch):
    spec = replace(SMALL, condition="white:0")
    store.weights_path(run_spec(SMALL, progress=False)).unlink()
    noisy = run_spec(spec, progress=False)
    clean = run_spec(SMALL, progress=False)
    assert noisy.trained == clean.hash != noisy.hash and clean.trained is None and "trained" not in clean.to_json()
    assert noisy.validation == clean.validation and noisy.parameters == clean.parameters
    monkeypatch.setattr(fit, "fit_network", lambda *a, **k: pytest.fail("trained again"))
    babble = run_spec(replace(spec, condition="babble:5"), progress=False)
    assert babble.trained == clean.hash and babble.n_test == clean.n_test
    degraded, quiet = (store.load_predictions(result, own_store) for result in (noisy, clean))
    same, labels = degraded["side"] == "validation", list(noisy.labels)
    assert np.array_equal(degraded[same][labels], quiet[same][labels])
    assert not np.allclose(degraded[~same][labels], quiet[~same][labels])
    assert noisy.claimed is None


def test_a_classical_system_under_a_condition_is_the_one_trained_on_clean_speech(own_store):
    spec = Spec(corpus="demo_tess", model="svm")
    clean, noisy = (run_spec(replace(spec, condition=name), progress=False) for name in ("clean", "white:20"))
    assert noisy.trained == clean.hash and noisy.validation == clean.validation


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_a_learner_is_fitted_once_for_all_conditions(own_store, monkeypatch):
    spec = Spec(corpus="demo_tess", model="svm", fold=1)
    fits = []
    fit_learner = fit.fit_learner
    monkeypatch.setattr(fit, "fit_learner", lambda *a: fits.append(1) or fit_learner(*a))
    names = ("clean", "white:20", "telephone")
    together = [run_spec(replace(spec, condition=name), progress=False) for name in names]
    assert len(fits) == 1
    again = run_spec(replace(spec, condition="telephone"), fresh=True, progress=False)
    assert len(fits) == 2 and again.scores == together[2].scores
    run_spec(replace(spec, fold=0), progress=False)
    assert len(fits) == 3


def test_a_degraded_recording_has_the_functionals_of_the_recording_alone():
    spec = Spec(corpus="demo_tess", model="voice_network_robust", condition="telephone")
    subsets = data.load_subsets(spec)
    (job,) = data.feature_jobs(spec, replace(subsets, test=subsets.test.iloc[:1]), "test")
    x = cache.input_matrix([job], spec.settings, workers=1)
    degraded = degradation.degrade(audio.read(job.path), "telephone", key=job.key, rate=job.rate)
    samples = audio.peak_normalise(degraded)
    np.testing.assert_array_equal(x[0, 0], voice.voice_functionals(samples, job.rate))
    assert x.shape[1:] == inputs.input_shape(spec.settings) and not x[0, 1:].any()
    assert {job.raw for job in data.feature_jobs(replace(spec, condition="clean"), subsets, "test")} == {
        inputs.get_input(spec.features).raw
    }


def test_only_test_recordings_are_degraded():
    spec = replace(SMALL, corpus="demo_ravdess", condition="babble:5")
    subsets = data.load_subsets(spec)
    others = [job for name in ("train", "validation") for job in data.feature_jobs(spec, subsets, name)]
    assert {job.condition for job in others} == {"clean"}
    speaker = dict(zip(subsets.tested["path"], subsets.tested["speaker"], strict=True))
    for job in data.feature_jobs(spec, subsets, "test"):
        voices = {speaker[path] for path in job.others}
        assert job.condition == "babble:5" and len(voices) == degradation.TALKERS and speaker[job.path] not in voices
    with pytest.raises(SerError, match="speakers"):
        data.babble_talkers(subsets.test, subsets.test.assign(speaker="unknown"))


@pytest.mark.parametrize("name", ["cnn_bilstm_attention", "a3", "a2"])
def test_masked_padding_has_no_effect(name, tmp_path):
    """One utterance padded to 80 and to 160 frames has the same output with masks, and another with zero padding."""
    import keras

    random = np.random.default_rng(0)
    speech = random.normal(size=(3, 80, 42)).astype("float32")
    for utterance, length in zip(speech, (37, 50, 80)):
        utterance[length:] = 0.0
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
@pytest.mark.parametrize(("name", "precision"), [("cnn_bilstm_attention", "mixed_bfloat16"), ("a3", "float32")])
def test_masked_networks_train_with_the_fast_kernels(name, precision, tmp_path):
    """The network unrolled for training gives the same output as the stored one, whatever the padding."""
    random = np.random.default_rng(0)
    speech = random.normal(size=(12, 80, 42)).astype("float32")
    speech[:6, 40:] = 0.0
    target = np.arange(12) % 3
    network = fit.build_network(name, (80, 42), 3, precision, masked=True)
    speedups.enable_fast_kernels(network, True)
    unrolled = np.asarray(network(speech))
    speedups.enable_fast_kernels(network, False)
    assert np.allclose(network(speech), unrolled, atol=1e-5)
    config = fit.TrainingConfig(epochs=1, batch=6, precision=precision)
    network, progress = fit.fit_network(
        network, (speech, target), (speech, target), config, checkpoint=tmp_path / "c", progress=False
    )
    assert progress.epochs == 1 and np.isfinite(progress.loss).all()
    longer = np.pad(speech, ((0, 0), (0, 80), (0, 0)))
    other = fit.build_network(name, (160, 42), 3, precision, masked=True)
    other.set_weights(network.get_weights())
    assert np.allclose(other(longer), network(speech), atol=1e-5 if precision == "float32" else 1e-2)


@pytest.mark.parametrize("name", [name for name, model in models.MODELS.items() if model.masks])
def test_masked_networks_have_the_same_parameters(name):
    masked, plain = (models.build(name, (80, 42), 8, masked=value) for value in (True, False))
    assert models.count_parameters(masked) == models.count_parameters(plain)
    assert [w.shape for w in masked.weights] == [w.shape for w in plain.weights]


def test_masked_attention_gives_padding_no_weight():
    network = models.attention_model(models.build("cnn_bilstm_attention", (160, 42), 7, masked=True))
    speech = np.zeros((1, 160, 42), "float32")
    speech[0, :64] = np.random.default_rng(0).normal(size=(64, 42))
    weights = np.asarray(network(speech)[1])
    assert weights[0, 8:].max() == 0.0 and weights[0, :8].min() > 0.0 and weights.sum() == pytest.approx(1.0, abs=1e-5)


def test_without_copies_there_are_no_scores_by_copy():
    table = corpora.load("demo_tess").iloc[::5]
    labels = corpora.labels("demo_tess")
    answers = np.eye(len(labels))[[labels.index(e) for e in table["emotion"]]]
    predicted = {side: evaluation.predictions_frame(answers, table, labels) for side in ("validation", "test")}
    scored = evaluation.evaluate_predictions(predicted, labels)
    assert scored.scores["accuracy"] == 1.0 and scored.by_copy == {} == scored.by_corpus
