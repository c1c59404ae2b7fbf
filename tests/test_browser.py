"""The prediction page in a real browser: as `ser app` serves it by Voila, and as `make lab` opens it in JupyterLab."""

import base64
import contextlib
import csv
import io
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
import soundfile

from ser_core import corpora
from ser_core._utils import paths
from ser_core.inference import predict
from ser_core.widgets import app

pytest.importorskip("anywidget")
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(
    (found for name in ("chromium", "chromium-browser", "google-chrome") if (found := shutil.which(name))), None
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH: the prediction page was not checked"),
    pytest.mark.skipif(not predict.PRETRAINED.is_file(), reason="no pretrained network, so no prediction page"),
]
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required"),
    *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
)
WAIT = 90_000  # ms, on a busy machine


def free_port():
    with socket.socket() as probe:
        probe.bind((app.HOST, 0))
        return probe.getsockname()[1]


class Server:
    """Run a server in its own process group, so that its kernels end with it."""

    def __init__(self, words, port, folder, **variables):
        names = (
            "JUPYTER_CONFIG_DIR",
            "JUPYTER_DATA_DIR",
            "JUPYTER_RUNTIME_DIR",
            "JUPYTERLAB_WORKSPACES_DIR",
            "SER_RUNS",
        )
        environment = os.environ | {name: str(folder / name.lower()) for name in names} | variables
        environment["PYTHONPATH"] = str(Path(app.__file__).resolve().parent.parent)
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                words, env=environment, cwd=paths.root(), stdout=log, stderr=log, start_new_session=True
            )
        self.address = f"http://{app.HOST}:{port}/"
        for _ in range(600):
            assert self.process.poll() is None, self.log.read_text()
            with socket.socket() as probe:
                if probe.connect_ex((app.HOST, port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError(self.log.read_text())

    def end(self):
        for kind in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, kind)
                self.process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def page_address(server):
    """Return the address with the token, which `ser app` has printed."""
    return re.search(r"Prediction page: (\S+)", server.log.read_text())[1]


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Recordings to upload: name to path."""
    folder = tmp_path_factory.mktemp("sounds")
    table = corpora.load("demo_ravdess")
    speech = {row.emotion: row.path for row in table.drop_duplicates("emotion").itertuples()}
    files = {"speech": folder / "Stimme für den Test.ogg", "flac": folder / "two.flac", "tone": folder / "tone.wav"}
    shutil.copy(speech["angry"], files["speech"])
    samples, rate = soundfile.read(speech["sad"])
    soundfile.write(files["flac"], samples, rate)
    time_ = np.arange(3 * 48_000) / 48_000
    soundfile.write(files["tone"], 0.5 * np.sin(2 * np.pi * 440 * time_), 48_000)
    files["broken"] = folder / "broken.wav"
    files["broken"].write_bytes(b"RIFF this was a recording once")
    files["large"] = folder / "large.wav"
    noise = np.random.default_rng(0).normal(0, 0.1, (12_500_000, 2)).astype(np.float32)
    soundfile.write(files["large"], noise, 48_000, subtype="PCM_16")
    files["too large"] = folder / "too large.wav"
    with files["too large"].open("wb") as file:
        file.truncate(61_000_000)
    return files


@pytest.fixture(scope="module")
def browser(sounds):
    with sync_api.sync_playwright() as play:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={sounds['tone']}"]
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


def watched(tab):
    """Record the addresses that a tab requests from now on, and the errors that it reports."""
    tab.set_default_timeout(WAIT)
    tab.requested, tab.errors = [], []
    tab.on("request", lambda request: tab.requested.append(request.url))
    tab.on("pageerror", lambda error: tab.errors.append(str(error)))
    return tab


def outside(tab):
    """Return the requested addresses outside this machine."""
    return [
        url
        for url in tab.requested
        if urlsplit(url).scheme not in ("data", "blob") and urlsplit(url).hostname != app.HOST
    ]


@pytest.fixture(scope="module")
def opened(browser, tmp_path_factory):
    """Open the page as `ser app` serves it; one kernel for all tests."""
    port = free_port()
    words = [sys.executable, "-m", "ser_core.cli", "app", "--port", str(port), "--no-browser"]
    server = Server(words, port, tmp_path_factory.mktemp("voila"))
    try:
        tab = watched(browser.new_page(viewport={"width": 1100, "height": 900}))
        tab.goto(page_address(server))
        tab.get_by_role("button", name="Upload audio").wait_for()
        yield tab
        assert "Traceback" not in server.log.read_text()
    finally:
        server.end()


@pytest.fixture
def page(opened):
    """Return the same page without recordings."""
    opened.set_viewport_size({"width": 1100, "height": 900})
    clear = opened.get_by_role("button", name="Clear")
    if clear.is_visible():
        clear.click()
        clear.wait_for(state="hidden")
    return opened


def upload(tab, *files):
    """Choose files, or (name, bytes), in the dialogue of the upload button."""
    with tab.expect_file_chooser() as chooser:
        tab.get_by_role("button", name="Upload audio").click()
    if len(files) == 2 and isinstance(files[1], bytes):
        name, content = files
        chooser.value.set_files({"name": name, "mimeType": "audio/wav", "buffer": content})
    else:
        chooser.value.set_files([str(path) for path in files])


def answered(tab, name):
    """Wait for the answer for a recording and return its text."""
    answer = tab.locator(".ser-result .ser-answer", has_text=name)
    answer.wait_for()
    return answer.inner_text()


def test_an_upload_is_answered_as_by_the_predictor(page, sounds):
    assert page.locator(".jp-CodeMirrorEditor, .highlight").count() == 0  # no code
    upload(page, sounds["speech"])
    text = answered(page, "Stimme für den Test.ogg")
    expected = predict.Predictor().predict(sounds["speech"])
    assert expected.emotion in text and f"confidence {100 * expected.confidence:.0f} %" in text
    assert page.locator(".ser-pictures svg").count() == 1  # the waveform; this network learns no attention
    assert page.locator(".ser-pictures .ser-bars tr").count() == len(expected.probabilities)
    first = page.locator(".ser-pictures .ser-bars tr").first.inner_text()
    assert expected.emotion in first and f"{100 * expected.confidence:.1f} %" in first
    assert "acted" in page.locator(".ser-limits").inner_text() or predict.Predictor().demo


def test_the_player_plays(page, sounds):
    upload(page, sounds["tone"])
    answered(page, "tone.wav")
    page.wait_for_function("document.querySelector('audio').duration > 2.9")
    page.evaluate("document.querySelector('audio').play()")
    page.wait_for_function("document.querySelector('audio').currentTime > 0.2")
    page.evaluate("document.querySelector('audio').pause()")


def test_the_microphone_records(page):
    page.get_by_role("button", name="Record").click()
    page.get_by_text(re.compile(r"Recording, [1-9]\d* s")).wait_for()
    page.get_by_role("button", name="Stop").click()
    text = answered(page, "recording ")
    assert float(re.search(r"([\d.]+) s long", text)[1]) >= 0.5
    page.get_by_role("button", name="Record").wait_for()


def test_a_format_that_only_the_browser_decodes_is_answered(page):
    """WebM is unknown to libsndfile; m4a is treated alike."""
    content = page.evaluate("""async () => {
        const context = new AudioContext(), end = context.createMediaStreamDestination();
        const tone = context.createOscillator();
        tone.connect(end); tone.start();
        const recorder = new MediaRecorder(end.stream), parts = [];
        recorder.ondataavailable = (event) => parts.push(event.data);
        const over = new Promise((go) => (recorder.onstop = go));
        recorder.start(); setTimeout(() => recorder.stop(), 900); await over; context.close();
        const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
        return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
    }""")
    content = base64.b64decode(content)
    with pytest.raises(soundfile.LibsndfileError):
        soundfile.SoundFile(io.BytesIO(content))
    upload(page, "talk.webm", content)
    assert 0.3 < float(re.search(r"([\d.]+) s long", answered(page, "talk.webm"))[1]) < 3


def test_a_broken_file_gives_one_line_and_the_next_file_is_answered(page, sounds):
    upload(page, sounds["broken"])
    line = page.locator(".ser-message .ser-error")
    line.wait_for()
    assert line.inner_text().startswith("broken.wav: not audio") and "\n" not in line.inner_text()
    upload(page, sounds["flac"])
    answered(page, "two.flac")
    assert page.locator(".ser-message .ser-error").count() == 0


def test_many_files_give_a_table_and_a_csv(page, sounds, tmp_path):
    upload(page, sounds["speech"], sounds["broken"], sounds["flac"])
    answered(page, "two.flac")
    assert page.locator(".ser-list tr").count() == 4
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == "predictions.csv"
    download.value.save_as(tmp_path / "predictions.csv")
    rows = list(csv.DictReader((tmp_path / "predictions.csv").open(encoding="utf-8")))
    unusable = {row["file"]: bool(row["error"]) for row in rows}
    assert unusable == {"Stimme für den Test.ogg": False, "broken.wav": True, "two.flac": False}
    page.get_by_label("Show").select_option(label="1. Stimme für den Test.ogg")
    answered(page, "Stimme für den Test.ogg")


def test_fifty_megabytes_are_answered_and_more_than_sixty_refused(page, sounds):
    assert sounds["large"].stat().st_size > 49_999_999
    upload(page, sounds["large"])
    answered(page, "large.wav")
    page.locator(".ser-pictures", has_text=re.compile(r"Over time: \d\d\d windows")).wait_for()
    page.get_by_label("Listen").select_option(label="from 4:00")
    page.wait_for_function("Math.abs(document.querySelector('audio').duration - 12500000 / 48000 % 60) < 0.5")
    upload(page, sounds["too large"])
    page.locator(".ser-message", has_text="too large.wav: 61 MB; at most 60 MB").wait_for()


def test_the_keyboard_is_enough(page):
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    page.locator("h1").first.click()
    reached = []
    for _ in range(8):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate("""() => {
            const here = document.activeElement;
            const outline = getComputedStyle(here).outlineStyle;
            return [here.labels?.[0]?.textContent || here.getAttribute("aria-label") || here.textContent, outline];
        }""")
        )
        if reached[-1][0] == "Sample":
            break
    assert [name for name, _ in reached][-3:] == ["Upload audio", "Record", "Sample"]
    assert all(outline == "solid" for _, outline in reached[-3:])  # the focus is visible
    page.keyboard.press("ArrowDown")
    assert "demo" in answered(page, "neutral (demo")


@pytest.mark.parametrize("width", [320, 480])
def test_a_narrow_page_is_readable(page, sounds, width):
    page.set_viewport_size({"width": width, "height": 800})
    upload(page, sounds["speech"], sounds["flac"])
    answered(page, "two.flac")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for name in ("Upload audio", "Record", "Clear"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] >= 24
    for place in ("Sample", "Model", "Show"):
        box = page.get_by_label(place).bounding_box()
        assert box["x"] + box["width"] <= width and box["width"] > 100


def test_the_page_requests_nothing_from_elsewhere(page):
    assert page.requested and outside(page) == [] and page.errors == []


def test_an_error_page_requests_nothing_from_elsewhere(opened, browser):
    tab = watched(browser.new_page())
    tab.goto(re.match(r"https?://[^/]+/", opened.url)[0] + "voila/render/nothing.ipynb")
    assert outside(tab) == []
    tab.close()


def kernels(server):
    """Return how many kernels a server has."""
    count = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            count += (
                parent == server.process.pid and b"kernel-" in (folder / "cmdline").read_bytes()
            )  # the file of its ports
    return count


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="kernels are counted in /proc")
def test_many_loads_leave_no_kernel_and_a_page_too_many_says_so(browser, tmp_path, full):
    port = free_port()
    words = [sys.executable, "-m", "ser_core.cli", "app", "--port", str(port), "--no-browser", "--kernels", "3"]
    server = Server(words, port, tmp_path)
    try:
        tabs = [watched(browser.new_page()) for _ in range(4)]
        tabs[0].goto(page_address(server))
        tabs[0].get_by_role("button", name="Upload audio").wait_for()
        for _ in range(20 if full else 1):
            while tabs[0].goto(page_address(server)).status != 200:  # the kernel of the page before is still ending
                time.sleep(0.5)
            tabs[0].get_by_role("button", name="Upload audio").wait_for()
            assert 1 <= kernels(server) <= 3
        assert [tab.goto(page_address(server)).status for tab in tabs[1:]] == [200, 200, 503]
        assert "At most 3 prediction pages" in tabs[3].locator("p").inner_text() and outside(tabs[3]) == []
        for tab in tabs:
            tab.close()
        for _ in range(120):
            if kernels(server) == 1:  # the one that is kept ready
                break
            time.sleep(0.5)
        assert kernels(server) == 1
    finally:
        server.end()


def test_in_jupyterlab_as_make_lab_opens_it(browser, sounds, tmp_path):
    """Open the start page, then the widget; on a copy, since JupyterLab saves by itself."""
    shutil.copytree(paths.root() / "notebooks", tmp_path / "notebooks")
    recipe = re.search(r"^lab:.*\n((?:\t.*\n)+)", (paths.root() / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    words = shlex.split(recipe[1].replace("\\\n", " ").strip().removeprefix("@"))
    assert words[0] == "$(BIN)/jupyter" and words[2] == "notebooks/00_start.ipynb"
    words = [sys.executable, "-m", "jupyter", words[1], str(tmp_path / words[2]), *words[3:]]
    port = free_port()
    words += ["--no-browser", f"--port={port}", f"--ip={app.HOST}", "--IdentityProvider.token=", "--allow-root"]
    server = Server(words, port, tmp_path, SER_QUICK="1")
    try:
        # All of the notebook is in view: JupyterLab draws nothing else.
        tab = watched(browser.new_page(viewport={"width": 1200, "height": 4000}))
        tab.goto(f"{server.address}lab/tree/00_start.ipynb?reset")
        tab.get_by_role("heading", name="0. Start here").wait_for()
        tab.goto(f"{server.address}lab/tree/10_predict.ipynb?reset")
        tab.get_by_role("heading", name="10. Predict").wait_for()
        tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        for _ in range(3):  # a kernel that has just started may miss the first attempt
            tab.get_by_role("menuitem", name="Run", exact=True).click()
            tab.get_by_text("Run All Cells", exact=True).click()
            with contextlib.suppress(sync_api.TimeoutError):
                tab.get_by_role("button", name="Upload audio").wait_for(timeout=30_000)
                break
        upload(tab, sounds["speech"])
        expected = predict.Predictor().predict(sounds["speech"])
        assert expected.emotion in answered(tab, "Stimme für den Test.ogg")
        assert outside(tab) == []
        tab.close()
    finally:
        server.end()
