"""The mark of recordings that are unlike those of the training: its distance, its limit, and where it is stored."""

import json

import made_network
import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from scipy.spatial.distance import mahalanobis

from ser_core import audio, cli, corpora
from ser_core._utils.errors import SerError
from ser_core.inference import domain, domain_fit, export, saved_models
from ser_core.inference.onnx_parts import read_facts, replace_facts
from ser_core.inference.predict import PRETRAINED, Predictor
from ser_core.inference.pretrained.domain_table import card_section, made_sounds

RATE = 16_000
needs_model = pytest.mark.skipif(not PRETRAINED.is_file(), reason="no pretrained network")


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(size=round(seconds * RATE)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    """Statistics of 240 made recordings of eight speakers, their descriptions, and the speakers."""
    random = np.random.default_rng(1)
    mixing = random.normal(size=(domain.VALUES, domain.VALUES)) / 7 + np.eye(domain.VALUES)
    windows = [random.normal(size=(1 + place % 2, domain.VALUES)) @ mixing + 3.0 for place in range(240)]
    speakers = [f"{place % 8}" for place in range(240)]
    return domain_fit.fit(windows, speakers), windows, speakers


def test_a_description_has_the_spectrum_of_the_sound():
    """A tone lies in its band; white noise has a power of the same density in every band."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * RATE) / RATE)
    described = domain.describe(tone, RATE)
    assert len(described) == domain.VALUES
    loudest = int(described[: domain.BANDS].argmax())
    weights = domain.filters(RATE)[:, loudest]
    centre = (weights * np.fft.rfftfreq(512, 1 / RATE)).sum() / weights.sum()
    assert abs(centre - 1000) < 120
    assert described[domain.BANDS : 2 * domain.BANDS].max() < 1.0  # it stays as it is
    flat = domain.describe(noise(60), RATE)
    assert np.abs(flat[: domain.BANDS]).max() < 1.5
    assert flat[-2] == 1.0 and flat[-1] == pytest.approx(np.log(60), abs=1e-6)


def test_the_level_of_a_recording_does_not_count():
    given = noise(3) * np.linspace(0.1, 1, 3 * RATE, dtype=np.float32)
    assert np.allclose(domain.describe(given, RATE), domain.describe(0.01 * given, RATE), atol=1e-3)


def test_pauses_are_left_out_of_the_spectrum_and_counted():
    speech = noise(2)
    paused = np.concatenate([speech, np.zeros(RATE * 2, np.float32)])
    alone, with_pause = (domain.describe(x[: len(x) // 512 * 512], RATE) for x in (speech, paused))
    assert np.allclose(alone[: domain.SPECTRAL], with_pause[: domain.SPECTRAL], atol=0.6)
    assert alone[-2] == 1.0 and with_pause[-2] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("given", [np.zeros(10, np.float32), np.ones(1, np.float32), noise(0.03), np.zeros(RATE)])
def test_short_and_silent_windows_have_finite_descriptions(given):
    assert np.isfinite(domain.describe(given, RATE)).all()


def test_the_distance_is_that_of_mahalanobis(fitted):
    made, windows, _ = fitted
    every = np.concatenate(windows)
    z = (every - every.mean(axis=0)) / every.std(axis=0)
    shrunk = 0.7 * np.corrcoef(every.T) + 0.3 * np.eye(domain.VALUES)
    expected = mahalanobis(z[5], np.zeros(domain.VALUES), np.linalg.inv(shrunk)) / np.sqrt(domain.VALUES)
    assert made.domain.distance(every[5]) == pytest.approx(expected / made.domain.limit, rel=1e-9)


def test_at_most_one_in_twenty_recordings_of_held_out_speakers_is_beyond_the_limit(fitted):
    made, windows, speakers = fitted
    names = np.array(speakers)
    beyond = []
    for group in np.array_split(np.unique(names), 6):
        inside = np.isin(names, group)
        rest = np.concatenate([w for w, left in zip(windows, ~inside) if left])
        scale = rest.std(axis=0)
        inverse = np.linalg.inv(0.7 * np.corrcoef(rest.T) + 0.3 * np.eye(domain.VALUES))
        for recording in (w for w, kept in zip(windows, inside) if kept):
            z = (recording - rest.mean(axis=0)) / scale
            lengths = np.sqrt(np.einsum("ij,jk,ik->i", z, inverse, z) / domain.VALUES)
            beyond.append(lengths.mean() > made.domain.limit * (1 + 1e-9))
    assert 0.03 < np.mean(beyond) <= 0.05 and len(made.marked) == 6 and 0 < np.mean(made.marked) < 0.12


def test_what_is_stored_is_read_again(fitted):
    made, windows, speakers = fitted
    for one in (made.domain, domain_fit.fit(windows, speakers, pauses=False).domain):
        again = domain.read_domain(json.loads(json.dumps(one.to_json())))
        distances = [[part.distance(window) for window in windows[7]] for part in (one, again)]
        assert distances[0] == pytest.approx(distances[1], rel=1e-3)
    assert len(one.mean) == domain.SPECTRAL


@pytest.mark.parametrize("broken", [{"limit": 0}, {"limit": "x"}, {"mean": [1.0]}, {"scale": None}, {"precision": [1]}])
def test_damaged_statistics_give_no_mark(fitted, broken):
    assert domain.read_domain(fitted[0].domain.to_json() | broken) is None
    assert domain.read_domain([1]) is None and domain.read_domain("a") is None


def test_two_speakers_are_too_few():
    with pytest.raises(SerError, match="at least 3"):
        domain_fit.fit([np.zeros((1, domain.VALUES))] * 4, ["a", "a", "b", "b"])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A network of the demo corpus as ONNX, without statistics and with those of a part of the corpus."""
    folder = tmp_path_factory.mktemp("network")
    export.to_onnx(saved_models.load_model(made_network.keep(folder, "a1")), folder / "without.onnx")
    (folder / "with.onnx").write_bytes((folder / "without.onnx").read_bytes())
    table = corpora.load("demo_ravdess").iloc[::6]
    made = domain_fit.fit(domain_fit.describe_table(table, RATE, 4.0), list(table["speaker"]))
    domain_fit.store(folder / "with.onnx", made.domain)
    return folder, table


def test_statistics_change_the_metadata_only(exported):
    onnx = pytest.importorskip("onnx")
    folder, table = exported
    without, with_them = (onnx.load(folder / f"{name}.onnx") for name in ("without", "with"))
    assert without.graph.SerializeToString() == with_them.graph.SerializeToString()
    facts = [read_facts((folder / f"{name}.onnx").read_bytes()) for name in ("without", "with")]
    assert {k: v for k, v in facts[1].items() if k != "domain"} == facts[0] and "domain" in facts[1]
    one, other = (Predictor(folder / f"{name}.onnx").predict(table["path"].iloc[0]) for name in ("without", "with"))
    assert one.probabilities == other.probabilities
    assert (one.distance, one.unlike_training, other.unlike_training) == (None, None, other.distance > 1)
    again = folder / "again.onnx"
    again.write_bytes((folder / "with.onnx").read_bytes())
    domain_fit.store(again, domain.read_domain(facts[1]["domain"]))
    assert again.read_bytes() == (folder / "with.onnx").read_bytes()
    assert onnxruntime.InferenceSession(again, providers=["CPUExecutionProvider"]).get_inputs()[0].name == "waveform"


def test_a_file_that_is_no_network_takes_no_statistics(tmp_path, fitted):
    (tmp_path / "a.onnx").write_bytes(b"nothing")
    with pytest.raises(SerError, match="a.onnx: not a network"):
        domain_fit.store(tmp_path / "a.onnx", fitted[0].domain)


def test_noise_and_tones_are_marked_and_most_speech_of_the_corpus_is_not(exported):
    folder, table = exported
    predictor = Predictor(folder / "with.onnx")
    marks = [predictor.predict(path).unlike_training for path in table["path"]]
    assert np.mean(marks) < 0.1
    for name, signals in made_sounds().items():
        for signal in signals[:3] if name != "silence" else []:
            prediction = predictor.predict((signal, RATE))
            assert prediction.unlike_training and not prediction.sure and domain.UNLIKE in prediction.notes, name


def test_the_distance_of_a_long_recording_is_the_mean_over_windows_that_are_not_silent(exported):
    predictor = Predictor(exported[0] / "with.onnx")
    signal = np.concatenate([noise(4), np.zeros(8 * RATE, np.float32), noise(4, seed=1)])
    prediction = predictor.predict((signal, RATE))
    parts = [signal[round(w.start * RATE) : round(w.end * RATE)] for w in prediction.windows if not w.silent]
    by_hand = np.mean([predictor._domain.distance(domain.describe(part, RATE)) for part in parts])
    assert any(w.silent for w in prediction.windows) and prediction.distance == pytest.approx(by_hand, rel=1e-4)


def test_a_stream_is_marked_and_its_silence_is_not(exported):
    stream = Predictor(exported[0] / "with.onnx").stream(1.0)
    loud = stream.feed(noise(4), RATE)
    assert loud[-1].unlike_training and domain.UNLIKE in loud[-1].notes
    silent = stream.feed(np.zeros(5 * RATE, np.float32), RATE)[-1]
    assert silent.distance is None and silent.unlike_training is None


@needs_model
def test_the_shipped_network_marks_what_its_card_says(tmp_path):
    facts = read_facts(PRETRAINED.read_bytes())
    assert domain.read_domain(facts["domain"]) is not None
    import soundfile

    soundfile.write(tmp_path / "noise.wav", 0.1 * noise(3), RATE)
    result = CliRunner().invoke(cli.main, ["predict", str(tmp_path / "noise.wav"), "--json"])
    (row,) = json.loads(result.stdout)
    assert row["unlike_training"] is True and row["distance"] > 1 and not row["sure"]
    line = CliRunner().invoke(cli.main, ["predict", str(tmp_path / "noise.wav")]).stdout
    assert "unlike the training recordings" in line
    record = json.loads((PRETRAINED.parent / "choice.json").read_text(encoding="utf-8"))["domain"]
    assert record["unseen"] < 0.08 and card_section(None) == []
    card = (PRETRAINED.parent / "CARD.md").read_text(encoding="utf-8")
    for line in card_section(record):
        assert line in card.splitlines()


@needs_model
def test_speech_of_the_training_corpus_is_rarely_marked(real_data):
    table = corpora.load("ravdess").iloc[::48]
    answers = [Predictor().predict(path).unlike_training for path in table["path"]]
    assert np.mean(answers) < 0.15


def test_corrupted_copies_belong_to_the_domain_of_a_network_that_was_trained_on_them(tmp_path, exported, monkeypatch):
    """White noise in a recording is unlike clean recordings, and like those of a training with such copies."""
    from ser_core.audio.degradation import degrade

    folder, _ = exported
    table = corpora.load("demo_ravdess").iloc[::4]
    monkeypatch.setattr(corpora, "load", lambda name: table)
    content, found = (folder / "without.onnx").read_bytes(), {}
    facts = read_facts(content)
    noisy = [degrade(audio.read(path), "white:10", key=path, rate=RATE) for path in table["path"][::8]]
    for features in ("39", "voice_corrupted"):
        path = tmp_path / f"{features}.onnx"
        path.write_bytes(replace_facts(content, facts | {"spec": facts["spec"] | {"features": features}}))
        made = domain_fit.fit_exported(path, "demo_ravdess").domain
        found[features] = np.median([
            domain_fit.recording_distance(made, domain_fit.describe_recording(samples, RATE, 4.0)) for samples in noisy
        ])  # fmt: skip
    assert found["39"] > 1.0 > found["voice_corrupted"]
