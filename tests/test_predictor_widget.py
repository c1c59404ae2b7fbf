"""The prediction page and the explorer without a browser: their input and what they then show."""

import base64
import csv
import io
import json
import re
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace

import made_network
import numpy as np
import pytest
from made_rows import made_rows

from ser_core import audio, corpora
from ser_core.inference import known, predict, saved_models
from ser_core.inference.export import to_onnx
from ser_core.results import pooling
from ser_core.widgets import explorer, model_card, predictor, recordings, svg
from ser_core.widgets.audio_upload import LARGEST_UPLOAD, AudioUpload


def tone(seconds=2.0, rate=16_000, hertz=440.0):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


def send_file(upload: AudioUpload, name: str, content: bytes, *, what="file", piece=4 << 20, key="k"):
    """Send one file as the browser does, in pieces."""
    for at in range(0, max(1, len(content)), piece):
        message = {"kind": "piece", "what": what, "key": key, "name": name, "at": at, "size": len(content)}
        upload._receive(upload, message, [memoryview(content[at : at + piece])])


def shown(panel):
    """Return the text that a reader sees, without tags."""
    parts = (panel.message, panel.table, panel.result, panel.pictures)
    return re.sub(r"<[^>]+>", " ", " ".join(part.value for part in parts))


@pytest.fixture(scope="module", autouse=True)
def network(tmp_path_factory):
    """Use the pretrained network, or an untrained one where it is missing."""
    with pytest.MonkeyPatch.context() as patch:
        if not predict.PRETRAINED.is_file():
            path = made_network.keep(tmp_path_factory.mktemp("network"))
            to_onnx(saved_models.load_model(path), path.with_suffix(".onnx"))
            patch.setattr(predict, "PRETRAINED", path.with_suffix(".onnx"))
        yield


@pytest.fixture(scope="module")
def clip():
    """Path of a demo recording."""
    return Path(corpora.load("demo_ravdess")["path"].iloc[0])


@pytest.fixture
def panel(own_store):
    return predictor.predictor(samples={})


# Input from the browser


def test_pieces_are_joined_to_the_file():
    got = []
    upload = AudioUpload(lambda names: None, lambda *given: got.append(given), lambda *given: got.append(given))
    content = np.random.default_rng(0).bytes(10_000)
    send_file(upload, "ä b.wav", content, piece=999)
    assert got == [("k", "ä b.wav", content)]
    send_file(upload, "again", tone().tobytes(), what="samples", piece=5000)
    key, name, (samples, rate) = got[1]
    assert name == "again" and rate == 16_000 and np.array_equal(samples, tone())
    send_file(upload, "empty", b"")
    assert got[2] == ("k", "empty", b"")


def test_an_interrupted_file_starts_again():
    got = []
    upload = AudioUpload(lambda names: None, lambda *given: got.append(given), lambda *given: None)
    upload._receive(upload, {"kind": "piece", "what": "file", "key": "k", "name": "a", "at": 0, "size": 9}, [b"xxx"])
    send_file(upload, "a", b"123456789", piece=3)
    assert got == [("k", "a", b"123456789")]


def test_an_upload_is_answered_as_by_the_predictor(panel, clip):
    send_file(panel.upload, "Stimme ä.ogg", clip.read_bytes())
    expected = predict.Predictor().predict(clip)
    (recording,) = panel.recordings
    assert recording.prediction.probabilities == expected.probabilities
    assert "Stimme ä.ogg" in panel.result.value and expected.emotion in panel.result.value
    assert panel.table.value == "" and panel.shown.layout.display == "none"
    samples, rate, _ = audio.decode(panel.player.value)
    assert rate == 16_000 and len(samples) == len(audio.read(clip))
    for label, share in expected.probabilities.items():
        assert re.search(rf"<th[^>]*>{label}</th>.*?{100 * share:.1f} %", panel.pictures.value)


def test_a_recording_from_the_microphone_is_answered(panel):
    panel.upload._receive(panel.upload, {"kind": "batch", "names": ["recording"]}, [])
    send_file(panel.upload, "recording", tone(2.5).tobytes(), what="samples")
    (recording,) = panel.recordings
    assert recording.prediction.seconds == 2.5 and "2.5 s long" in panel.result.value


BAD = {
    "empty.wav": (b"", "empty"),
    "text.wav": (b"this is no audio", "not audio"),
    "archive.zip": (Path(corpora.demo.ARCHIVE).read_bytes()[:5000], "not audio"),
    "silent.wav": (recordings.wav_bytes(np.zeros(16_000, np.float32), 16_000), "silent"),
    "short.wav": (recordings.wav_bytes(tone(0.05), 16_000), "at least 0.1 s"),
    "cut.wav": (recordings.wav_bytes(tone(), 16_000)[:30_000], "truncated"),
    "header.wav": (recordings.wav_bytes(tone(), 16_000)[:20], "not audio"),
    "rate.wav": (recordings.wav_bytes(tone(), 100), "sampling rate"),
    "<b>name</b>.wav": (b"x", "not audio"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unusable_file_gives_one_line_and_the_next_file_is_answered(panel, clip, name):
    content, reason = BAD[name]
    send_file(panel.upload, name, content)
    (line,) = re.findall(r'<p class="ser-error" role="alert">(.*?)</p>', panel.message.value, flags=re.DOTALL)
    assert reason in line and "\n" not in line and "Traceback" not in line and "<b>" not in line
    assert panel.result.value == "" and panel.player.layout.display == "none"
    send_file(panel.upload, "good.ogg", clip.read_bytes())
    assert "good.ogg" in panel.result.value and "ser-error" not in panel.message.value
    assert "1 of 2 recordings answered, 1 not usable" in shown(panel)


def test_a_file_that_the_browser_refuses_gives_one_line(panel):
    panel.upload._receive(panel.upload, {"kind": "failed", "key": "k", "name": "a.wav", "text": "70 MB; at most"}, [])
    assert "a.wav: 70 MB; at most" in shown(panel)
    panel._receive("k", "large.wav", bytes(LARGEST_UPLOAD + 1))
    assert "large.wav: 60 MB; at most 60 MB" in shown(panel)


def test_the_browser_decodes_formats_unknown_to_libsndfile(panel, monkeypatch):
    sent = []
    monkeypatch.setattr(panel.upload, "send", lambda message, buffers=None: sent.append(message))
    panel.upload._receive(panel.upload, {"kind": "ready"}, [])
    send_file(panel.upload, "talk.m4a", b"\0\0\0\x20ftypM4A ...", key="9")
    assert panel.recordings == [] and [(message["kind"], message["key"]) for message in sent] == [("decode", "9")]
    send_file(panel.upload, "talk.m4a", tone().tobytes(), what="samples", key="9")
    assert panel.recordings[0].name == "talk.m4a" and panel.recordings[0].prediction.seconds == 2.0
    assert sent[-1] == {"kind": "done", "key": "9"}


def test_many_files_give_a_table_and_its_csv(panel, clip):
    names = ["eins.ogg", "zwei, mit Komma.ogg", "drei.ogg"]
    panel.upload._receive(panel.upload, {"kind": "batch", "names": [*names, "bad.wav"]}, [])
    for name in names:
        send_file(panel.upload, name, clip.read_bytes())
    assert panel.table.value == ""  # drawn once, after the last file
    send_file(panel.upload, "bad.wav", b"")
    (data,) = re.findall(r'download="predictions.csv" href="data:text/csv[^,]*,([^"]+)"', panel.table.value)
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(data).decode())))
    assert [row["file"] for row in rows] == [*names, "bad.wav"]
    for row in rows[:3]:
        assert row["emotion"] == max(panel.predictor.labels, key=lambda label: float(row[label]))
        assert abs(sum(float(row[label]) for label in panel.predictor.labels) - 1) < 1e-3 and row["error"] == ""
    assert rows[3]["error"].startswith("empty") and rows[3]["emotion"] == ""
    assert [number for _, number in panel.shown.options] == [0, 1, 2] and panel.shown.value == 2
    panel.shown.value = 1
    assert "zwei, mit Komma.ogg" in panel.result.value
    panel.clear.click()
    assert panel.recordings == [] and panel.table.value == panel.result.value == ""


def test_a_long_recording_shows_its_windows_and_plays_in_parts(panel):
    loud = tone(150.0) * np.repeat([1.0, 0.2, 0.6], 50 * 16_000).astype(np.float32)
    panel.give((loud, 16_000), "long")
    count = len(panel.recordings[0].prediction.windows)
    assert f"Over time: {count} windows" in panel.pictures.value
    assert [start for _, start in panel.part.options] == [0, 60, 120] and panel.part.layout.display is None
    lengths = []
    for start in (0, 60, 120):
        panel.part.value = start
        lengths.append(len(audio.decode(panel.player.value)[0]) / 16_000)
    assert lengths == [60, 60, 30]


def test_another_model_predicts_again_and_a_missing_model_gives_one_line(own_store, clip, tmp_path):
    panel = predictor.PredictorPanel({"shipped": None, "gone": tmp_path / "gone.onnx"}, {})
    panel.give(clip, "a")
    before = panel.recordings[0].prediction
    panel.model.value = "gone"
    assert "no such model" in panel.limits.value
    panel.give(clip, "b")
    assert "no usable model" in shown(panel)
    panel.model.value = "shipped"
    assert panel.recordings[0].prediction.probabilities == before.probabilities
    assert panel.recordings[0].prediction is not before


def test_samples_are_marked_and_can_be_chosen(own_store):
    samples = model_card.available_samples()
    demo = [name for name, (mark, _) in samples.items() if mark == "demo"]
    assert len(demo) == len(corpora.labels("demo_ravdess")) and all("demo" in name for name in demo)
    panel = predictor.predictor()
    panel.sample.value = demo[0]
    assert '<span class="ser-mark">demo</span>' in panel.result.value
    assert panel.sample.value == panel.sample.options[0]


def test_models_in_the_store_are_offered_only_with_their_weights(own_store):
    own_store.mkdir(parents=True)
    rows = made_rows(own_store, folds=2)
    for row in rows:
        (own_store / f"{row.hash}.json").write_text(json.dumps(row.to_json()))
    (own_store / f"{rows[0].hash}.keras").write_bytes(b"")
    models = model_card.available_models()
    assert list(models.values()) == [None, own_store / f"{rows[0].hash}.keras"]
    assert list(models)[1].startswith("yours, RAVDESS: CNN-BiLSTM-Attention (A5), protocol speaker, fold 0, seed 0 (")


def test_a_file_of_the_training_corpus_is_marked(own_store, clip, monkeypatch):
    content = Path(clip).read_bytes()
    panel = predictor.PredictorPanel({"pretrained": None}, {})
    panel.give(content, "a")
    listed = known.Published({}, frozenset({len(content)}), frozenset({sha256(content).hexdigest()}))
    monkeypatch.setattr(known, "published", lambda corpus: listed)
    panel.give(content, "b")
    assert [one.mark for one in panel.recordings] == ["", "training data"] and "training data" in panel.result.value


def test_the_limitations_have_the_score_of_the_stored_results(tmp_path):
    (row,) = made_rows(tmp_path, folds=1)
    model = tmp_path / f"{row.hash}.keras"
    model.with_suffix(".json").write_text(json.dumps(row.to_json()))
    about = SimpleNamespace(name="a <network>", demo=False, licence="CC BY-NC-SA 4.0")
    text = model_card.limitations(about, model)
    (one,) = pooling.pool_results([row], tmp_path)
    assert f"UAR of {100 * one.scores['uar']:.1f} %" in text and "no speaker both in test and elsewhere" in text
    assert "a &lt;network&gt;" in text and about.licence in text and "12.5 %" in text
    assert "acted speech" in text and "Do not use it to judge" in text
    demo = model_card.limitations(SimpleNamespace(name="n", demo=True, licence="MIT"), tmp_path / "gone.keras")
    assert "synthetic speech" in demo and "not known here" in demo and "UAR" not in demo


@pytest.mark.skipif(not predict.PRETRAINED.is_file(), reason="no pretrained network in the package")
def test_the_pretrained_networks_limitations_have_the_published_score(panel):
    assert "UAR of" in panel.limits.value and "6 of 6 folds" in panel.limits.value
    assert "acted speech" in panel.limits.value and panel.predictor.licence in panel.limits.value


def test_the_oldest_recordings_are_dropped(panel, monkeypatch):
    monkeypatch.setattr(predictor, "KEPT", 200_000)
    for name in "abc":
        panel.give(recordings.wav_bytes(tone(4), 16_000), name)
    assert [recording.source is None for recording in panel.recordings] == [True, False, False]
    panel.shown.value = 0
    assert "no longer kept" in panel.pictures.value and "ser-answer" in panel.result.value


def test_a_static_answer_needs_no_kernel_and_no_script(clip):
    prediction = predict.Predictor().predict(clip)
    text = predictor.static_answer(prediction, clip, mark="demo").data
    assert "<script" not in text and "http" not in text and prediction.emotion in text
    (data,) = re.findall(r'src="data:audio/wav;base64,([^"]+)"', text)
    assert len(audio.decode(base64.b64decode(data))[0]) == len(audio.read(clip))


# Pictures


def test_the_envelope_holds_the_extremes_of_every_column():
    samples = np.random.default_rng(1).normal(size=10_007)
    pairs = svg.envelope(samples, 100)
    assert pairs.shape == (100, 2) and pairs.min() == samples.min() and pairs.max() == samples.max()
    starts = np.linspace(0, len(samples), 100, endpoint=False).astype(int)
    assert pairs[7].tolist() == [samples[starts[7] : starts[8]].min(), samples[starts[7] : starts[8]].max()]
    assert len(svg.envelope(samples[:3], 100)) == 3


def test_attention_bars_are_drawn_at_their_times():
    weights = np.array([0.1, 0.2, 0.6, 0.1])
    text = svg.waveform(tone(4), 16_000, weights, np.array([0.5, 1.5, 2.5, 3.5]))
    assert "strongest at 2.5 s" in text
    bars = re.findall(r'<rect x="([\d.]+)" width="([\d.]+)" y="[\d.]+" height="([\d.]+)"', text)
    assert [float(x) for x, _, _ in bars] == [0, 250, 500, 750]
    heights = np.array([float(height) for *_, height in bars])
    assert np.allclose(heights / heights.max(), weights / weights.max(), atol=0.01)


@pytest.mark.parametrize("attends", [True, False])
def test_attention_is_shown_only_where_it_is_learnt(attends):
    answer = SimpleNamespace(
        attention=np.linspace(0.01, 0.03, 50), attention_times=np.arange(50) * 0.08, attends=attends,
        probabilities={"sad": 1.0}, windows=(),
    )  # fmt: skip
    assert ("Attention" in predictor.pictures_html(answer, tone(4))) == attends


def test_names_cannot_become_markup():
    assert "<i>" not in svg.html_table([{"a": "<i>x"}]) + svg.bars({"<i>": 1.0})
    assert svg.format_seconds(3.21) == "3.2 s" and svg.format_seconds(125) == "2:05"


# The explorer and the matrix


def test_the_explorer_filters_and_shows(own_store, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "none"))  # whatever the account has
    made = explorer.explore(["demo_ravdess", "emodb"])
    (title,) = made.corpus.options
    table = corpora.load("demo_ravdess")
    assert (made.emotion.value, made.speaker.value) == ("any", "any")
    assert made.utterance.value == table["id"].iloc[0] and f"{len(table)} utterances" in made.message.value
    made.emotion.value, made.speaker.value = "sad", sorted(table["speaker"].unique())[1]
    wanted = table[(table["emotion"] == "sad") & (table["speaker"] == made.speaker.value)]
    assert [value for _, value in made.utterance.options] == wanted["id"].tolist()
    made.utterance.value = wanted["id"].iloc[-1]
    samples = audio.read(wanted["path"].iloc[-1])
    assert len(audio.decode(made.player.value)[0]) == len(samples) and "Waveform" in made.pictures.value
    made.view.value = "features"
    assert 'src="data:image/png;base64,' in made.pictures.value
    made.view.value = "augmented copies"
    assert made.pictures.value.count("<audio") == 4
    assert "No recordings" in explorer.explore(["emodb"]).value


def test_a_cell_of_the_matrix_lists_its_utterances(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path, folds=2), tmp_path)
    made = explorer.confusions({"made": one}, tmp_path)
    frame = made._frame
    truth, answer = frame[frame["truth"] != frame["prediction"]][["truth", "prediction"]].iloc[0]
    (button,) = [
        child
        for child in made.matrix.children[0].children
        if f"true {truth}, answered {answer}:" in (child.tooltip or "")
    ]
    cell = frame[(frame["truth"] == truth) & (frame["prediction"] == answer)]
    assert button.description == str(len(cell)) != "0"
    button.click()
    many = "" if len(cell) == 1 else "s"
    assert f"{len(cell)} test utterance{many}: true {truth}, answered {answer}." in made.message.value
    for name in cell["id"]:
        assert name in made.message.value
    labels = one.labels
    total = sum(int(child.description) for child in made.matrix.children[0].children if child.description.isdigit())
    assert total == np.sum(one.confusion) and len(labels) == 8
