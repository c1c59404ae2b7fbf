"""The page of ``ser export --format html`` in a real browser, opened from the disk: it answers as ``ser predict``."""

import json
import re
import shutil

import made_network
import numpy as np
import pytest
import soundfile
import soxr

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.inference import domain, export, predict, saved_models, web_page, web_runtime

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
RUNTIME = web_runtime.kept_runtime()
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the page was not opened"),
    pytest.mark.skipif(RUNTIME is None, reason="no onnxruntime-web in the cache: `ser export --format html` keeps it"),
    pytest.mark.skipif(not predict.PRETRAINED.is_file(), reason="no pretrained network"),
]
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
WAIT = 90_000  # ms, on a busy machine


@pytest.fixture(scope="module")
def speech():
    """The demo corpus's utterances of one speaker, joined, 16 kHz."""
    paths = corpora.load("demo_ravdess")["path"].iloc[:12]
    return np.concatenate([soundfile.read(path, dtype="float32")[0] for path in paths])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory, speech):
    """Recordings to choose: name to path."""
    folder, rate = tmp_path_factory.mktemp("sounds"), 16_000
    clip = 0.4 * speech[: 3 * rate]
    with_silence = np.concatenate([speech[: 5 * rate], np.zeros(7 * rate, np.float32), speech[5 * rate : 9 * rate]])
    stereo = np.stack([clip, 0.5 * np.roll(clip, 40)], axis=1)
    made = {
        "short.wav": (clip, rate, "PCM_16"),
        "long.wav": (speech[: 21 * rate + 123], rate, "PCM_16"),
        "pauses.wav": (with_silence, rate, "PCM_16"),
        "stereo.wav": (stereo, rate, "FLOAT"),
        "three bytes.wav": (clip, rate, "PCM_24"),
        "eight bits.wav": (clip, rate, "PCM_U8"),
        "high.wav": (soxr.resample(clip, rate, 48_000), 48_000, "PCM_16"),
        "odd.wav": (soxr.resample(clip, rate, 24_414), 24_414, "PCM_16"),
        "<b>clip.flac": (clip, rate, "PCM_16"),
        "clip.ogg": (clip, rate, "VORBIS"),
        "silent.wav": (np.zeros(rate), rate, "PCM_16"),
        "brief.wav": (clip[:900], rate, "PCM_16"),
        "cancelled.wav": (np.stack([clip, -clip], axis=1), rate, "FLOAT"),
        "not a number.wav": (np.where(np.arange(len(clip)) == 500, np.nan, clip), rate, "FLOAT"),
    }
    for name, (samples, hertz, subtype) in made.items():
        soundfile.write(folder / name, samples, hertz, subtype=subtype)
    (folder / "broken.wav").write_bytes(b"RIFF this was a recording once")
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        yield chromium
        chromium.close()


def opened(browser, page):
    """Open a page from the disk, 390 pixels wide, and note what it requests."""
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.set_default_timeout(WAIT)
    tab.requested, tab.errors = [], []
    tab.on("request", lambda request: tab.requested.append(request.url))
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    tab.goto(page.as_uri())
    tab.wait_for_selector("#choose:enabled")
    return tab


def page_of(folder, model=None):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web_runtime, "kept_runtime", lambda: RUNTIME)
        web_page.write_page(model, folder / "voice.html")
    return folder / "voice.html"


@pytest.fixture(scope="module")
def tab(browser, tmp_path_factory):
    return opened(browser, page_of(tmp_path_factory.mktemp("page")))


def choose(tab, path):
    """Choose a file, wait until the page has done with it, and return its error line."""
    tab.set_input_files("#file", str(path))
    tab.wait_for_selector("#choose:enabled")
    return tab.locator("#error").inner_text()


def record(tab):
    """Return what the page offers as JSON."""
    with tab.expect_download() as download:
        tab.click("#download")
    return json.loads(download.value.path().read_text(encoding="utf-8"))


def same(shown, prediction, tolerance):
    """Check a record of the page against a prediction; a window of digital silence is in no average."""
    expected = prediction.record()
    differing = {"confidence", "probabilities", "windows", "file", "distance"}
    assert {k: v for k, v in shown.items() if k not in differing} == {
        k: v for k, v in expected.items() if k not in differing
    }
    assert shown["distance"] == (expected["distance"] and pytest.approx(expected["distance"], rel=0.01))
    assert shown["probabilities"] == pytest.approx(expected["probabilities"], abs=tolerance)
    assert [w["start"] for w in shown.get("windows", [])] == [w["start"] for w in expected.get("windows", [])]
    for one, other in zip(shown.get("windows", []), prediction.windows):
        assert one["end"] == other.end
        if not other.silent:
            assert one["probabilities"] == pytest.approx(other.probabilities, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        *((f"{name}.wav", 1e-4) for name in ("short", "long", "pauses", "stereo", "three bytes", "eight bits")),
        *((name, 2e-3) for name in ("high.wav", "odd.wav", "<b>clip.flac", "clip.ogg")),
    ],
)
def test_a_recording_is_answered_as_by_the_predictor(tab, sounds, name, tolerance):
    path = sounds[name]
    assert choose(tab, path) == ""
    expected = predict.Predictor().predict(path)
    same(record(tab), expected, tolerance)
    doubt = "" if expected.sure else "uncertain; most likely "
    assert tab.locator("#emotion").inner_text() == f"{doubt}{expected.emotion}"
    marked = tab.locator("#notes .unlike")
    assert marked.all_inner_texts() == ([domain.UNLIKE] if expected.unlike_training else [])
    assert tab.locator("#name").inner_text().startswith(path.name)  # as text, also where it looks like HTML
    assert tab.locator("#bars tr").count() == len(expected.probabilities)
    assert tab.locator("#over-time").is_visible() == (len(expected.windows) > 1)
    if len(expected.windows) > 1:
        assert tab.locator(".strip").count() == len(expected.probabilities)
        assert tab.locator(".strip").first.locator("rect").count() == len(expected.windows)


@pytest.mark.parametrize("name", ["silent.wav", "brief.wav", "cancelled.wav", "not a number.wav"])
def test_a_recording_that_the_predictor_refuses_gets_the_same_line(tab, sounds, name):
    with pytest.raises(SerError) as refused:
        predict.Predictor().predict(sounds[name], name=name)
    assert choose(tab, sounds[name]) == str(refused.value)


def test_a_broken_file_gives_one_line_and_the_next_is_answered(tab, sounds):
    line = choose(tab, sounds["broken.wav"])
    assert line.startswith("broken.wav: no recording that this browser can decode") and "\n" not in line
    assert choose(tab, sounds["short.wav"]) == ""


def test_the_microphone_records(tab):
    tab.click("#record")
    tab.get_by_text(re.compile(r"^Recording, [1-9]\d* s")).wait_for()
    tab.get_by_role("button", name="Stop").click()
    tab.locator("#name", has_text="recording ").wait_for()
    shown = record(tab)
    assert shown["seconds"] > 0.5 and sum(shown["probabilities"].values()) == pytest.approx(1.0)
    tab.locator("#player").evaluate("player => player.play()")  # no rule of the page is against it


def test_the_limits_stand_on_the_page_and_it_is_readable_on_a_telephone(tab, sounds):
    text = tab.locator(".limits").inner_text()
    assert "acted" in text and "Do not use it to judge" in text
    choose(tab, sounds["long.wav"])
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    for name in ("#record", "#choose"):
        box = tab.locator(name).bounding_box()
        assert box["x"] + box["width"] <= 390 and box["height"] >= 32


def test_the_page_is_dark_where_the_reader_wants_it(tab):
    def lightness():
        colours = tab.evaluate("[...'backgroundColor color'.split(' ')].map(n => getComputedStyle(document.body)[n])")
        return [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours]

    paper, ink = lightness()
    tab.emulate_media(color_scheme="dark")
    dark_paper, light_ink = lightness()
    tab.emulate_media(color_scheme="light")
    assert paper > 700 and ink < 200 and dark_paper < 200 and light_ink > 600


def test_no_request_leaves_the_page_and_none_can(tab, server):
    assert {url.split(":")[0] for url in tab.requested} <= {"file", "blob", "data"}
    assert [url for url in tab.requested if url.startswith("file")] == [tab.url] and tab.errors == []
    tried = tab.evaluate(
        """async (url) => {
            const refused = await fetch(url).then(() => false, () => true);
            const image = new Image();
            const over = new Promise((go) => { image.onload = () => go(false); image.onerror = () => go(true); });
            image.src = url;
            return [refused, await over];
        }""",
        f"{server.url}/file",
    )
    assert tried == [True, True] and server.asked == []


def test_another_network_has_its_own_labels_and_windows(browser, tmp_path, sounds):
    trained = saved_models.load_model(made_network.keep(tmp_path, "a1", frames=250))
    export.to_onnx(trained, tmp_path / "other.onnx")
    tab = opened(browser, page_of(tmp_path, tmp_path / "other.onnx"))
    assert "synthetic" in tab.locator(".limits").inner_text()
    for name in ("short.wav", "long.wav"):
        assert choose(tab, sounds[name]) == ""
        expected = predict.Predictor(tmp_path / "other.onnx").predict(sounds[name])
        assert len(expected.windows) > 1
        same(record(tab), expected, 1e-4)
    tab.close()
