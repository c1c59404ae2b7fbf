"""Whisper encoders: the log-mel spectrogram, a tiny model of random weights in the CTranslate2 form, a run of it."""

import shutil
import sys
from dataclasses import replace

import librosa
import made_whisper
import numpy as np
import pytest

from ser_core import audio, corpora, features, models
from ser_core._utils.errors import SerError
from ser_core.experiments import worker
from ser_core.experiments.run import run_spec
from ser_core.experiments.spec import Spec
from ser_core.features import cache, inputs, whisper

REASON = "needs pip install '.[encoders]'; .ci/run tests it in an environment of its own"
NAMES = list(whisper.COMBINATIONS)
SIZES = {"whisper_tiny_en": made_whisper.SIZE, "whisper_base": 2 * made_whisper.SIZE}
SAMPLES = np.random.default_rng(0).normal(0.0, 0.1, 20_000).astype(np.float32)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder of tiny models under the names of the published ones, and their weights by name."""
    pytest.importorskip("ctranslate2", reason=REASON)
    folder = tmp_path_factory.mktemp("weights")
    parts = {name: made_whisper.write_model(folder / name, size=size) for name, size in SIZES.items()}
    return folder, parts


@pytest.fixture
def tiny(made, tmp_path, own_cache, monkeypatch):
    """``SER_WEIGHTS`` with a copy of the tiny models, taken for the published ones; an empty cache."""
    folder = shutil.copytree(made[0], tmp_path / "weights")
    monkeypatch.setenv("SER_WEIGHTS", str(folder))
    for name, size in SIZES.items():
        monkeypatch.setitem(
            whisper.CHECKPOINTS, name, replace(whisper.CHECKPOINTS[name], size=size, multilingual=False)
        )
    return folder


@pytest.fixture
def utterances():
    return corpora.load("demo").iloc[:3]


# The log-mel spectrogram


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_the_log_mel_spectrogram_is_that_of_librosa(utterances, level):
    samples = level * audio.read(utterances.iloc[0]["path"])
    samples = samples[: len(samples) // 320 * 320]
    power = librosa.feature.melspectrogram(
        y=samples, sr=16_000, n_fft=400, hop_length=160, window="hann", pad_mode="reflect", n_mels=80, norm="slaney"
    )[:, :-1]
    expected = np.log10(np.maximum(power, 1e-10))
    expected = (np.maximum(expected, expected.max() - 8.0) + 4.0) / 4.0
    values = whisper.log_mel(samples)
    assert values.dtype == np.float32 and values.shape == expected.shape == (80, len(samples) // 160)
    assert np.abs(values - expected).max() < 1e-4


@pytest.mark.parametrize(("samples", "frames"), [(1, 2), (319, 2), (320, 2), (959, 4), (16_000, 100), (496_000, 3000)])
def test_short_utterances_are_padded_and_long_ones_cut(samples, frames):
    values = whisper.log_mel(np.resize(SAMPLES, samples))
    assert values.shape == (80, frames) and np.isfinite(values).all()


def test_silence_has_the_value_of_the_floor():
    assert np.allclose(whisper.log_mel(np.zeros(16_000)), (-10.0 + 4.0) / 4.0)


# The encoder


@pytest.mark.parametrize("name", SIZES)
def test_the_vector_is_the_mean_and_deviation_of_an_encoder_computed_in_numpy(name, tiny, made):
    expected = made_whisper.encode(whisper.log_mel(SAMPLES), made[1][name])
    output = whisper.encoder_output(SAMPLES, name)
    assert output.dtype == np.float32 and output.shape == expected.shape == (62, SIZES[name])
    assert np.allclose(output, expected, atol=2e-4)
    vector = inputs.RAW[name](SAMPLES, 16_000)
    assert vector.dtype == np.float32
    assert np.allclose(vector, [*expected.mean(axis=0), *expected.std(axis=0)], atol=2e-4)


def test_the_combination_concatenates_both_vectors(tiny):
    both = [inputs.RAW[name](SAMPLES, 16_000) for name in SIZES]
    assert np.array_equal(inputs.RAW["whisper_tiny_en_base"](SAMPLES, 16_000), np.concatenate(both))


@pytest.mark.parametrize("samples", [1, 2_400, 500_000])
@pytest.mark.parametrize("name", NAMES)
def test_any_length_gives_the_stated_shape(name, samples, tiny):
    settings = features.FeatureSettings(features=name, frames=1)
    values = inputs.to_input(inputs.RAW[name](np.resize(SAMPLES, samples), 16_000), settings)
    assert values.shape == inputs.input_shape(settings) and values.dtype == np.float32 and np.isfinite(values).all()


def test_an_utterance_has_the_same_vector_alone_and_with_others(tiny, utterances, monkeypatch, tmp_path):
    settings = features.FeatureSettings(features="whisper_tiny_en_base", frames=1)
    together = cache.feature_matrix(utterances, settings, progress=False)
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "another"))
    alone = [cache.feature_matrix(utterances.iloc[[i]], settings, progress=False)[0] for i in range(3)]
    assert np.array_equal(together, alone) and not np.array_equal(together[0], together[1])


def test_other_weights_give_other_cache_entries(tiny, utterances):
    settings = {name: features.FeatureSettings(features=name, frames=1) for name in NAMES}

    def paths():
        return {name: cache.cache_paths(cache.jobs_for(utterances, settings[name])) for name in NAMES}

    before = paths()
    assert paths() == before and len({path for each in before.values() for path in each}) == 9
    shutil.rmtree(tiny / "whisper_base")
    made_whisper.write_model(tiny / "whisper_base", seed=1, size=SIZES["whisper_base"])
    changed = {name for name, after in paths().items() if after != before[name]}
    assert changed == {"whisper_base", "whisper_tiny_en_base"}
    values = cache.feature_matrix(utterances, settings["whisper_base"], progress=False)
    samples = audio.read(utterances.iloc[0]["path"])
    assert np.array_equal(values[0], inputs.RAW["whisper_base"](samples, 16_000))


@pytest.mark.slow
def test_a_run_chooses_the_probe(tiny, own_store):
    name = "whisper_tiny_en_base"
    row = run_spec(Spec(corpus="demo", model=name), progress=False)
    assert row.status == "ok" and row.spec["augment"] == "" and row.spec["features"] == name
    assert row.chosen["C"] in (0.001, 0.01, 0.1) and row.chosen["class_weight"] in (None, "balanced")
    classes = len(corpora.labels("demo"))
    assert row.parameters == classes * (whisper.vector_size(name) + 1)
    assert "ctranslate2" in row.versions


# What is refused


def test_another_rate_is_refused():
    with pytest.raises(SerError, match="rate 8000: Whisper takes 16000 Hz only"):
        inputs.RAW["whisper_base"](SAMPLES, 8_000)


@pytest.mark.parametrize("name", NAMES)
def test_missing_weights_are_one_line_that_says_where_to_get_them(name, own_store, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_WEIGHTS", str(tmp_path / "mine"))
    row = worker.run_or_record_failure(Spec(corpus="demo", model=name))
    assert row.status == "error" and row.error.startswith("not measured here: ") and "\n" not in row.error
    first = whisper.COMBINATIONS[name][0]
    for words in (str(tmp_path / "mine" / first), "model.bin", "Hugging Face", "faster-whisper", "SER_WEIGHTS"):
        assert words in row.error


def test_without_the_variable_weights_are_looked_for_with_the_corpora(tmp_path, monkeypatch):
    monkeypatch.delenv("SER_WEIGHTS", raising=False)
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    (tmp_path / "weights" / "whisper_base").mkdir(parents=True)
    (tmp_path / "weights" / "whisper_base" / "model.bin").touch()
    assert whisper.find_weights("whisper_base") == tmp_path / "weights" / "whisper_base"
    with pytest.raises(SerError, match="^not measured here: whisper_tiny_en"):
        whisper.find_weights("whisper_tiny_en")


def test_without_the_library_one_line_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(SerError, match=r"^not measured here: .* pip install '\.\[encoders\]'$"):
        inputs.RAW["whisper_base"](SAMPLES, 16_000)


def test_a_damaged_file_is_one_line(tiny):
    whole = (tiny / "whisper_base" / "model.bin").read_bytes()
    (tiny / "whisper_base" / "model.bin").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SerError, match="cannot be loaded as whisper_base") as caught:
        whisper.encoder_output(SAMPLES, "whisper_base")
    assert "\n" not in str(caught.value)


def test_another_model_under_the_name_is_refused(tiny, monkeypatch):
    shutil.rmtree(tiny / "whisper_tiny_en")
    shutil.copytree(tiny / "whisper_base", tiny / "whisper_tiny_en")
    with pytest.raises(SerError, match="is not Whisper tiny.en: 32 values per frame, not 16"):
        whisper.encoder_output(SAMPLES, "whisper_tiny_en")
    monkeypatch.setitem(
        whisper.CHECKPOINTS, "whisper_base", replace(whisper.CHECKPOINTS["whisper_base"], multilingual=True)
    )
    whisper._load_model.cache_clear()
    with pytest.raises(SerError, match="is not Whisper base: 80 mel bands, English only"):
        whisper.encoder_output(SAMPLES, "whisper_base")


# Without library and weights


@pytest.mark.parametrize("name", NAMES)
def test_the_systems_are_listed_without_weights(name):
    spec = Spec(corpus="demo", model=name)
    assert inputs.input_shape(spec.settings) == (whisper.vector_size(name),)
    assert models.MODELS[name].source.startswith("Radford et al. 2022") and inputs.INPUTS[name].extra == "encoders"


def test_sizes_are_those_of_the_published_models():
    assert {name: whisper.vector_size(name) for name in NAMES} == {
        "whisper_tiny_en": 768, "whisper_base": 1024, "whisper_tiny_en_base": 1792,
    }  # fmt: skip
