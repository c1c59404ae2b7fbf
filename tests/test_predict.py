"""Prediction: recordings, streams, models, and the shell commands."""

import json
import os
import subprocess
import sys

import bad_files
import made_network
import made_recordings
import numpy as np
import onnxruntime
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import audio, cli, corpora
from ser_core._utils.errors import SerError
from ser_core.audio import streaming
from ser_core.inference import saved_models
from ser_core.inference.export import to_onnx
from ser_core.inference.predict import Predictor, UnusableRecording
from ser_core.metrics import temperature_scaling

HEAVY = {"tensorflow", "keras", "librosa", "pandas", "scipy", "sklearn", "matplotlib", "pyarrow", "onnx"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """An exported network, in one folder with its .keras file."""
    path = made_network.keep(tmp_path_factory.mktemp("network"))
    to_onnx(saved_models.load_model(path), path.with_suffix(".onnx"))
    return path.with_suffix(".onnx")


@pytest.fixture(scope="module")
def predictor(model):
    return Predictor(model)


@pytest.fixture(scope="module")
def voice():
    """Ten seconds of speech at 16 kHz."""
    paths = corpora.load("demo_ravdess")["path"].iloc[:6]
    return np.concatenate([audio.read(path) for path in paths])[:160_000]


@pytest.fixture
def run_graph(model):
    """Run the graph with onnxruntime only: probabilities and attention of one waveform."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])

    def run(waveform):
        outputs = session.run(["probabilities", "attention"], {"waveform": np.asarray(waveform, np.float32)[None]})
        return outputs[0][0], outputs[1][0]

    return run


def values(prediction):
    return np.array(list(prediction.probabilities.values()))


def ser(*arguments, **settings):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments], **settings)


# One recording


def test_a_short_recording_is_padded_with_a_note(predictor, run_graph, voice):
    prediction = predictor.predict((voice[:32_000], 16_000), name="me")
    expected, attention = run_graph(voice[:32_000])
    assert np.allclose(values(prediction), expected, atol=1e-5)  # the graph's transform is one of float32
    assert np.allclose(prediction.attention, attention, atol=1e-5)
    assert values(prediction).sum() == pytest.approx(1.0, abs=1e-12)
    assert tuple(prediction.probabilities) == predictor.labels == corpora.labels("demo")
    assert prediction.emotion == predictor.labels[int(expected.argmax())]
    assert prediction.confidence == max(prediction.probabilities.values()) and prediction.sure == (
        prediction.confidence >= 0.5
    )
    assert (prediction.file, prediction.seconds) == ("me", 2.0)
    assert "padded to 4 s" in prediction.notes and any("demo" in note for note in prediction.notes)
    assert len(prediction.windows) == 1 and prediction.windows[0].end == 2.0
    assert len(prediction.attention_times) == 50 and np.allclose(np.diff(prediction.attention_times), 0.08)


def test_a_long_recording_is_the_mean_of_its_windows(predictor, run_graph, voice):
    prediction = predictor.predict((voice[:150_000], 16_000))
    starts = [0, 32_000, 64_000, 87_040]  # the last on the grid of 1,280 samples, to the end
    prepared = audio.peak_normalise(voice[:150_000])
    each = [run_graph(prepared[start : start + 64_000])[0] for start in starts]
    assert np.allclose(values(prediction), np.mean(each, axis=0), atol=1e-5)
    assert [round(window.start * 16_000) for window in prediction.windows] == starts
    assert (
        prediction.windows[-1].end == pytest.approx(prediction.seconds)
        and "averaged over 4 windows of 4 s" in prediction.notes
    )
    for window, expected in zip(prediction.windows, each):
        assert np.allclose(list(window.probabilities.values()), expected, atol=1e-5)
    assert prediction.attention.sum() == pytest.approx(1.0) and len(prediction.attention) == 87_040 // 1_280 + 50
    assert prediction.attention_times[-1] == pytest.approx(prediction.seconds, abs=0.1)


def test_silent_windows_of_a_long_recording_are_ignored(predictor, voice):
    short = voice[:64_000]
    prediction = predictor.predict((np.r_[np.zeros(128_000), short], 16_000))
    assert [window.silent for window in prediction.windows] == [True, True, True, False, False]
    assert "3 silent windows left out" in prediction.notes
    assert prediction.attention[:40].sum() == 0.0
    counted = [list(window.probabilities.values()) for window in prediction.windows[3:]]
    assert np.allclose(values(prediction), np.mean(counted, axis=0), atol=1e-6)


def test_path_bytes_array_and_integers_give_the_same(predictor, voice, tmp_path):
    pcm = (voice[:40_000] * 32_767).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", pcm, 16_000)
    by_path = predictor.predict(tmp_path / "a.wav")
    others = [(tmp_path / "a.wav").read_bytes(), (pcm, 16_000), (np.column_stack([pcm, pcm]), 16_000)]
    others += [(pcm / 32_768.0, 16_000), (pcm.astype(np.int32) * 65_536, 16_000)]
    for source in others:
        assert np.allclose(values(predictor.predict(source)), values(by_path), atol=1e-5)
    assert by_path.file == str(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("samples", "rate", "word"),
    [
        (np.zeros(16_000), 16_000, "silent"),
        (np.full(16_000, np.nan), 16_000, "NaN"),
        (np.ones(10), 16_000, "0.1 s"),
        (np.random.default_rng(0).normal(0, 0.1, 16_000), 1, "1 Hz"),
        (np.array(["a", "b"]), 16_000, "numbers"),
        (np.zeros((2, 2, 2)), 16_000, "numbers"),
    ],
)
def test_arrays_are_checked_as_files_are(predictor, samples, rate, word):
    with pytest.raises(SerError, match=word):
        predictor.predict((samples, rate))


def test_the_level_of_a_recording_has_no_effect(predictor, voice):
    loud, quiet = (predictor.predict((level * voice[:48_000], 16_000)) for level in (1.0, 0.01))
    assert np.allclose(values(loud), values(quiet), atol=1e-4)


def test_every_unusual_recording_is_predicted_and_every_bad_one_gives_one_line(predictor, tmp_path):
    for name, content in bad_files.accepted().items():
        (tmp_path / name).write_bytes(content)
        prediction = predictor.predict(tmp_path / name)
        assert np.isfinite(values(prediction)).all() and values(prediction).sum() == pytest.approx(1.0), name
    for name, (content, word) in bad_files.contents().items():
        with pytest.raises(SerError, match=word or None) as caught:
            predictor.predict(content, name=name)
        assert str(caught.value).startswith(f"{name}: ") and "\n" not in str(caught.value)


def test_an_hour_is_predicted_and_more_is_refused(predictor, voice, monkeypatch):
    even = lambda waveforms: (np.full((len(waveforms), 8), 1 / 8), np.full((len(waveforms), 50), 1 / 50))  # noqa: E731
    monkeypatch.setattr(predictor, "_network", even)  # only the windows are counted here
    hour = np.tile(voice[:40_000], 720)  # 3600 s at 8 kHz
    prediction = predictor.predict((hour[: 3_300 * 8_000], 8_000))
    assert prediction.seconds == 3_300.0 and len(prediction.windows) == 1_649
    assert prediction.windows[-1].end == pytest.approx(3_300.0, abs=0.01)
    with pytest.raises(SerError, match="3601 s"):
        predictor.predict((np.r_[hour, voice[:8_000]], 8_000))


# Many


def test_a_bad_recording_among_many_is_named_and_the_others_are_predicted(predictor, voice, tmp_path):
    soundfile.write(tmp_path / "a.wav", voice[:16_000], 16_000)
    results = list(
        predictor.predict_many([tmp_path / "a.wav", tmp_path / "no.wav", ("x", b"text"), tmp_path / "a.wav"])
    )
    assert [isinstance(result, UnusableRecording) for result in results] == [False, True, True, False]
    assert [result.file for result in results] == [
        str(tmp_path / "a.wav"),
        str(tmp_path / "no.wav"),
        "x",
        str(tmp_path / "a.wav"),
    ]
    assert str(results[1]) == f"{tmp_path}/no.wav: no such file; check the name"
    assert results[0].record() == results[3].record()


# Streams


@pytest.mark.parametrize("hop", [0.5, 0.3])
def test_a_stream_equals_the_offline_prediction_of_its_windows(predictor, voice, hop):
    stream, random, predictions, place = predictor.stream(hop), np.random.default_rng(0), [], 0
    while place < len(voice):
        size = int(random.integers(1, 20_000))
        predictions += stream.feed(voice[place : place + size], 16_000)
        place += size
        assert len(stream.window) <= 64_000
    step = round(hop * 16_000)
    assert len(predictions) == len(voice) // step
    for number, prediction in enumerate(predictions, start=1):
        end = number * step
        start = max(0, end - 64_000)
        offline = predictor.predict((voice[start:end], 16_000))
        assert np.allclose(values(prediction), values(offline), atol=1e-5)
        assert prediction.windows[0].start == pytest.approx(start / 16_000) and prediction.windows[
            0
        ].end == pytest.approx(end / 16_000)
    assert (
        len({prediction.emotion for prediction in predictions}) > 1
        or np.ptp([values(prediction) for prediction in predictions], axis=0).max() > 0.01
    )


def test_a_stream_at_another_rate_is_resampled_without_seams(predictor, voice):
    fast = audio.resample(voice[:96_000], 16_000, 48_000)
    stream, predictions = predictor.stream(0.5), []
    for place in range(0, len(fast), 1_111):
        predictions += stream.feed(fast[place : place + 1_111], 48_000)
    slow = audio.resample(fast, 48_000, 16_000)
    assert 10 <= len(predictions) <= 12  # the resampler holds a few milliseconds back
    for number, prediction in enumerate(predictions[3:], start=4):
        end = number * 8_000
        assert np.allclose(
            values(prediction), values(predictor.predict((slow[max(0, end - 64_000) : end], 16_000))), atol=0.02
        )


def test_a_silent_stream_is_not_sure(predictor):
    (prediction,) = predictor.stream(0.5).feed(np.zeros(8_000), 16_000)
    assert not prediction.sure and "silent" in prediction.notes and values(prediction).sum() == pytest.approx(1.0)


def test_unusable_samples_of_a_stream_give_one_line(predictor):
    stream = predictor.stream()
    stream.feed(np.ones(100) * 0.1, 16_000)
    for chunk, rate, word in ((np.ones(10), 8_000, "rate changed"), (np.array([np.nan]), 16_000, "NaN")):
        with pytest.raises(SerError, match=word):
            stream.feed(chunk, rate)
    with pytest.raises(SerError, match="1 Hz"):
        predictor.stream().feed(np.ones(10), 1)
    with pytest.raises(SerError, match="hop"):
        predictor.stream(0.0)


# Models


def test_a_keras_network_by_hash_or_file_equals_the_exported_one(predictor, model, voice, own_store):
    own_store.mkdir(parents=True)
    for suffix in (".keras", ".json"):
        (own_store / f"0123456789abcdef{suffix}").write_bytes(model.with_suffix(suffix).read_bytes())
    expected = predictor.predict((voice, 16_000))
    for name in ("0123456789abcdef", "0123", model.with_suffix(".keras")):
        keras_predictor = Predictor(name)
        assert (keras_predictor.labels, keras_predictor.rate, keras_predictor.window_seconds, keras_predictor.demo) == (
            predictor.labels,
            16_000,
            4.0,
            True,
        )
        prediction = keras_predictor.predict((voice, 16_000))
        assert np.allclose(values(prediction), values(expected), atol=1e-4)
        assert np.allclose(prediction.attention, expected.attention, atol=1e-4) and prediction.notes == expected.notes


def test_a_network_with_another_input_predicts_through_keras(tmp_path, voice):
    path = made_network.keep(tmp_path, "issa", stem="issa")
    prediction = Predictor(path).predict((voice[:32_000], 16_000))
    assert values(prediction).sum() == pytest.approx(1.0) and prediction.attention.size == 0


def test_unusable_models_give_one_line(tmp_path, own_store):
    (tmp_path / "text.onnx").write_text("no graph")
    (tmp_path / "alone.keras").write_bytes(b"")
    (tmp_path / "text.keras").write_text("no network")
    row = {"hash": "0", "labels": ["a", "b"], "spec": {"corpus": "demo", "model": "a1"}, "demo": True}
    (tmp_path / "text.json").write_text(json.dumps(row))
    (tmp_path / "bare.keras").write_bytes(b"")
    (tmp_path / "bare.json").write_text(json.dumps(row | {"spec": {}}))
    names = ("bare.keras", "no.onnx", "text.onnx", "alone.keras", "text.keras", "no.keras")
    for name in (*(tmp_path / name for name in names), "abcdef", "no such hash"):
        with pytest.raises(SerError) as caught:
            Predictor(name)
        assert "\n" not in str(caught.value) and str(name) in str(caught.value)


def test_the_temperature_is_that_of_a_general_optimiser():
    from scipy.optimize import minimize_scalar
    from scipy.special import softmax

    random = np.random.default_rng(0)
    logits = random.normal(0, 1, (500, 5))
    truth = np.array([random.choice(5, p=p) for p in softmax(logits, axis=1)])
    unsure = softmax(logits * 3.0, axis=1)  # three times too confident
    cost = lambda t: -np.log(softmax(np.log(unsure) / t, axis=1)[np.arange(500), truth]).mean()  # noqa: E731
    best = minimize_scalar(cost, bounds=(0.3, 8), method="bounded").x
    assert temperature_scaling.fit_temperature(unsure, truth) == pytest.approx(
        best, rel=0.01
    ) and best == pytest.approx(3, rel=0.25)
    assert np.allclose(temperature_scaling.apply_temperature(unsure, 3.0), softmax(logits, axis=1))


# The shell


def test_prediction_imports_nothing_heavy(model, voice, tmp_path):
    soundfile.write(tmp_path / "a.wav", voice, 44_100)
    code = "import sys; from ser_core.cli import main; sys.argv[0] = 'ser'\ntry: main()\nfinally: print(*sys.modules)"
    command = [sys.executable, "-c", code, "predict", str(tmp_path), "--json", "--model", str(model)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    answer, modules = shown.stdout.splitlines()
    (row,) = json.loads(answer)
    assert row["file"] == f"{tmp_path}/a.wav" and sum(row["probabilities"].values()) == pytest.approx(1.0)
    assert "onnxruntime" in modules.split() and not HEAVY & set(modules.split())


def test_the_command_names_each_bad_file_in_one_line_and_continues(model, tmp_path):
    bad = list(bad_files.refused(tmp_path / "bad" if (tmp_path / "bad").mkdir() is None else tmp_path))
    assert len(bad) >= 50
    good = tmp_path / "Grüße, ein Satz.wav"
    good.write_bytes(bad_files.accepted()["8 kHz.wav"])
    names = [str(name) for path, _ in bad for name in (path, good)]
    command = [sys.executable, "-m", "ser_core.cli", "predict", "--json", "--model", str(model), *names]
    shown = subprocess.run(command, capture_output=True, text=True)
    rows, lines = json.loads(shown.stdout), shown.stderr.splitlines()
    assert shown.returncode == 1 and len(rows) == 2 * len(bad) and len(lines) == len(bad)
    for (path, word), row, after, line in zip(bad, rows[::2], rows[1::2], lines, strict=True):
        assert set(row) == {"file", "error"} and row["file"] == str(path)
        assert line == f"ser: {row['error']}" and row["error"].startswith(f"{path}: ") and word in row["error"]
        assert {"file", "emotion", "confidence", "probabilities", "seconds"} <= set(after) and after["file"] == str(
            good
        )


def test_files_folders_and_standard_input(model, tmp_path, voice):
    (tmp_path / "in" / ".hidden").mkdir(parents=True)
    for name in ("b.wav", "a.flac", ".hidden/c.wav"):
        soundfile.write(tmp_path / "in" / name, voice[:16_000], 16_000)
    (tmp_path / "in" / "notes.txt").write_text("no recording")
    content = (tmp_path / "in" / "a.flac").read_bytes()
    result = ser("predict", tmp_path / "in", "-", "--json", "--model", model, input=content)
    rows = json.loads(result.stdout)
    assert result.exit_code == 0 and [row["file"] for row in rows] == [
        f"{tmp_path}/in/a.flac",
        f"{tmp_path}/in/b.wav",
        "-",
    ]
    assert rows[0]["probabilities"] == rows[2]["probabilities"]
    (tmp_path / "none").mkdir()
    empty = ser("predict", tmp_path / "none", "--model", model)
    assert empty.exit_code == 1 and empty.stderr.count("\n") == 1 and "folder" in empty.stderr


def test_a_folder_gives_everything_that_can_be_read_and_counts_the_rest(tmp_path):
    made = {
        "a.opus": made_recordings.written("OGG", "OPUS"),
        "b.OGA": made_recordings.written("OGG", "VORBIS"),
        "c.au": made_recordings.written("AU"),
        "d.caf": made_recordings.written("CAF"),
        "e.sph": made_recordings.written("NIST", "PCM_16"),
        "f.wav": made_recordings.written("WAV", "GSM610", 8_000),
        "g.mp3": made_recordings.untagged_mp3("VARIABLE"),
        "notes.txt": b"none",
        "list.csv": b"none",
        "more.TXT": b"none",
    }
    for name, data in made.items():
        (tmp_path / name).write_bytes(data)
    shown = ser("predict", tmp_path, "--json")
    rows = json.loads(shown.stdout)
    assert shown.exit_code == 0 and [row["file"] for row in rows] == [str(tmp_path / name) for name in list(made)[:7]]
    assert all(row["seconds"] == pytest.approx(2.0, abs=0.2) for row in rows)
    assert shown.stderr == f"ser: {tmp_path}: passed over 3 other files (1 .csv, 2 .txt)\n"
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.wav").write_bytes(made["f.wav"])
    (tmp_path / "one" / "list.csv").write_text("none")
    assert ser("predict", tmp_path / "one").stderr == f"ser: {tmp_path / 'one'}: passed over 1 other file (1 .csv)\n"


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
def test_names_that_are_no_text_are_answered(tmp_path, form):
    paths = [
        os.path.join(os.fsencode(tmp_path), name) for name in (b"Gr\xfc\xdfe.wav", b"bad\xff.wav", b"esc\x1b[1m.wav")
    ]
    for path, data in zip(paths, (made_recordings.written(), b"none", made_recordings.written())):
        with open(path, "wb") as file:
            file.write(data)
    command = [sys.executable, "-m", "ser_core.cli", "predict", *form, *paths]
    environment = os.environ | {"PYTHONUTF8": "1"}
    shown = subprocess.run(command, capture_output=True, env=environment)
    assert shown.returncode == 1 and b"Traceback" not in shown.stderr and shown.stderr.count(b"\n") == 1
    assert b"bad\\xff.wav: not audio" in shown.stderr
    text = shown.stdout.decode()
    if form == ("--json",):
        assert [os.fsencode(row["file"]) for row in json.loads(text)] == paths
    elif form == ():
        assert "Gr\\xfc\\xdfe.wav: " in text and "esc\\x1b[1m.wav: " in text and len(text.splitlines()) == 2


def test_csv_has_one_column_per_label(model, tmp_path, voice):
    import csv
    import io

    soundfile.write(tmp_path / "a, b.wav", voice[:16_000], 16_000)
    result = ser("predict", tmp_path / "a, b.wav", tmp_path / "no.wav", "--csv", "--model", model)
    good, bad = csv.DictReader(io.StringIO(result.stdout))
    labels = corpora.labels("demo")
    assert result.exit_code == 1 and good["file"] == f"{tmp_path}/a, b.wav" and good["error"] == ""
    assert list(good)[-6:] == ["seconds", "sure", "unlike_training", "distance", "notes", "error"]
    assert sum(float(good[label]) for label in labels) == pytest.approx(1.0) and good["emotion"] in labels
    assert bad["file"] == f"{tmp_path}/no.wav" and "no such file" in bad["error"] and bad["emotion"] == ""


def test_people_get_one_line_per_file(model, tmp_path, voice):
    soundfile.write(tmp_path / "a.wav", voice[:16_000], 16_000)
    result = ser("predict", tmp_path / "a.wav", "--model", model)
    assert result.exit_code == 0 and result.stdout.count("\n") == 1 and "1.00 s" in result.stdout
    assert "padded to 4 s" in result.stdout and "demo" in result.stdout


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT", "raw"])
def test_listen_reads_a_piped_stream(model, predictor, voice, subtype):
    content = bad_files.wav_bytes(voice, subtype="PCM_16" if subtype == "raw" else subtype)
    content = content[44:] if subtype == "raw" else content
    result = ser("listen", "-", "--json-lines", "--hop", "1", "--model", model, input=content)
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0 and [row["end"] for row in rows] == list(range(1, 11))
    offline = predictor.predict((voice[96_000:], 16_000))
    assert list(rows[-1]["probabilities"].values()) == pytest.approx(values(offline), abs=2e-3)
    shown = ser("listen", "-", "--seconds", "2", "--model", model, input=content)
    assert shown.exit_code == 0 and len(shown.stdout.splitlines()) == 4


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"", "nothing on standard input"),
        (bad_files.wav_header(code=2, bits=4, data=b"abc"), "WAV of 4 bits"),
        (b"RIFF\x00\x00\x00\x00WAVEdata\x00\x00\x00\x00", "damaged"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "damaged"),
        (bad_files.wav_header(rate=1, data=bytes(100)), "1 Hz"),
    ],
)
def test_an_unusable_stream_gives_one_line(model, content, word):
    result = ser("listen", "-", "--model", model, input=content)
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and word in result.stderr


def test_listen_without_a_microphone_names_the_package_to_install(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    result = ser("listen", "--model", model)
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and "pip install '.[microphone]'" in result.stderr
    assert ser("listen", "a.wav", "--model", model).exit_code == 1


def test_the_microphone_gives_chunks_at_its_own_rate(monkeypatch):
    import types

    class Input:
        def __init__(self, samplerate, channels, dtype):
            assert (samplerate, channels, dtype) == (44_100, 1, "float32")

        def start(self):
            pass

        def read(self, count):
            return np.full((count, channels := 1), 0.25, np.float32), channels

        def __enter__(self):
            return self

        def __exit__(self, *error):
            pass

    device = types.SimpleNamespace(query_devices=lambda kind: {"default_samplerate": 44_100.0}, InputStream=Input)
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    samples, rate = next(streaming.read_microphone())
    assert rate == 44_100 and samples.shape == (4_410,) and samples[0] == 0.25
