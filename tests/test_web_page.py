"""The page that holds a network: what is in it, and where its runtime comes from. tests/test_voice_page.py opens it."""

import base64
import gzip
import io
import json
import re
import subprocess
import sys
import tarfile
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner

from ser_core import cli
from ser_core._utils.errors import SerError
from ser_core.inference import predict, web_page, web_runtime

SCRIPT = "var a=1,b=2;export{a as InferenceSession,b as default};\n//# sourceMappingURL=a.map\n"
BINARY = b"\0asm" + bytes(range(256)) * 40
pytestmark = pytest.mark.skipif(not predict.PRETRAINED.is_file(), reason="no pretrained network")


def package_of(files):
    """Return an npm package with these files."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as package:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = len(content)
            package.addfile(entry, io.BytesIO(content))
    return held.getvalue()


@pytest.fixture
def runtime(tmp_path, own_cache, monkeypatch):
    """A small package in the place of onnxruntime-web: its path."""
    files = {web_runtime.SCRIPT: SCRIPT.encode(), web_runtime.BINARY: BINARY}
    path = tmp_path / "package.tgz"
    path.write_bytes(package_of(files))
    monkeypatch.setattr(web_runtime, "FILES", {name: web_runtime.digest(content) for name, content in files.items()})
    monkeypatch.setattr(web_runtime, "INTEGRITY", web_runtime.digest(path.read_bytes()))
    monkeypatch.delenv(web_runtime.REGISTRY, raising=False)
    monkeypatch.delenv(web_runtime.REGISTRY.upper(), raising=False)
    return path


class Parts(HTMLParser):
    """Collect the elements that hold text, by id or tag, and every attribute that could load something."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.policy, self.loaded, self._open = {}, "", [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self._open = given.get("id") or tag if tag in ("script", "style") else ""
        self.policy = given["content"] if given.get("http-equiv") == "Content-Security-Policy" else self.policy
        self.loaded += [given[name] for name in ("src", "href", "action", "srcset") if name in given]

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open:
            self.texts[self._open] = self.texts.get(self._open, "") + data


def unpacked(text):
    return gzip.decompress(base64.b64decode(text))


def test_the_page_holds_network_and_runtime_and_forbids_every_connection(tmp_path, runtime):
    report = web_page.write_page(None, tmp_path / "voice.html", runtime=runtime)
    text = (tmp_path / "voice.html").read_text(encoding="utf-8")
    parts = Parts(text)
    assert report["bytes"] == len(text.encode()) <= 20_000_000 and parts.loaded == []
    assert unpacked(parts.texts["network"]) == predict.PRETRAINED.read_bytes()
    assert unpacked(parts.texts["binary"]) == BINARY
    assert parts.texts["script"].startswith("var a=1,b=2;const ort={InferenceSession:a};")
    rules = dict(rule.strip().split(" ", 1) for rule in parts.policy.split(";"))
    assert rules["default-src"] == rules["connect-src"] == "'none'"
    for rule, part in (("script-src", "script"), ("style-src", "style")):
        assert base64.b64encode(sha256(parts.texts[part].encode()).digest()).decode() in rules[rule]
        assert "unsafe-inline" not in rules[rule] and "http" not in rules[rule]


def test_what_the_page_knows_is_the_metadata_of_the_network(tmp_path, runtime):
    web_page.write_page(None, tmp_path / "voice.html", runtime=runtime)
    facts = json.loads(Parts((tmp_path / "voice.html").read_text(encoding="utf-8")).texts["facts"])
    network = predict.Predictor()
    assert (facts["labels"], facts["rate"]) == (list(network.labels), network.rate)
    assert facts["window_seconds"] == network.window_seconds and network.name in facts["about"]
    assert "acted" in " ".join(facts["limits"]) and "judge" in " ".join(facts["limits"])


def test_text_of_the_metadata_ends_no_element(runtime):
    about = {"labels": ["a", "b"], "rate": 16000, "window_seconds": 4.0, "demo": False, "limits": ["</script><b>"]}
    text = web_page.page_html(b"", about | {"name": "<!--</script>"}, web_runtime.get_runtime(runtime))
    parts = Parts(text)
    assert json.loads(parts.texts["facts"])["limits"] == ["</script><b>"] and text.count("</script>") == 4


def test_the_same_network_gives_the_same_page(tmp_path, runtime):
    for name in ("a.html", "b.html"):
        web_page.write_page(None, tmp_path / name, runtime=runtime)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_a_package_is_read_once_and_kept(tmp_path, runtime):
    first = web_runtime.get_runtime(runtime)
    assert first == web_runtime.Runtime(SCRIPT, BINARY) == web_runtime.kept_runtime()
    runtime.unlink()
    assert web_runtime.get_runtime() == first
    (web_runtime.kept_folder() / web_runtime.BINARY).write_bytes(b"other")
    assert web_runtime.kept_runtime() is None


@pytest.mark.parametrize("inside", ["", "dist", "package/dist", "onnxruntime-web/dist"])
def test_a_folder_is_read_as_npm_leaves_it(tmp_path, runtime, inside):
    place = tmp_path / "modules" / inside
    place.mkdir(parents=True)
    (place / web_runtime.SCRIPT).write_text(SCRIPT)
    (place / web_runtime.BINARY).write_bytes(BINARY)
    assert web_runtime.get_runtime(tmp_path / "modules").binary == BINARY


def test_the_package_is_downloaded_once_from_the_registry_that_is_named(server, runtime, monkeypatch):
    path = f"/npm/onnxruntime-web/-/onnxruntime-web-{web_runtime.VERSION}.tgz"
    server.files[path] = runtime.read_bytes()
    monkeypatch.setenv(web_runtime.REGISTRY, f"{server.url}/npm/")
    assert web_runtime.get_runtime().binary == web_runtime.get_runtime().binary == BINARY
    assert [asked[0] for asked in server.asked] == [path]
    assert [file.name for file in web_runtime.kept_folder().parent.iterdir()] == [web_runtime.kept_folder().name]


def test_what_is_not_the_published_package_is_refused_and_not_kept(tmp_path, server, runtime):
    server.files[f"/onnxruntime-web/-/onnxruntime-web-{web_runtime.VERSION}.tgz"] = runtime.read_bytes() + b"\0"
    (tmp_path / web_runtime.SCRIPT).write_text(SCRIPT + " ")
    (tmp_path / web_runtime.BINARY).write_bytes(BINARY)
    for given in ({"registry": server.url}, {"source": tmp_path}):
        with pytest.raises(SerError, match="another SHA-512"):
            web_runtime.get_runtime(**given)
        assert web_runtime.kept_runtime() is None


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((), "npm pack onnxruntime-web@"),
        (("--runtime", "gone.tgz"), "gone.tgz: no such file"),
        (("--runtime", "."), "are not in it"),
        (("--int8",), "--int8"),
        (("-o", "a.onnx"), "must end with .html"),
        (("gone.onnx",), "gone.onnx: no such model"),
        (("a.onnx", "--model", "b.onnx"), "give one"),
        (("--registry", "file:///etc"), "not an http"),
    ],
)
def test_an_impossible_page_gives_one_line(tmp_path, runtime, monkeypatch, arguments, word):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.main, ["export", "--format", "html", *arguments])
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and word in result.stderr
    assert not list(tmp_path.glob("*.html"))


def test_the_command_names_the_page_it_wrote(tmp_path, runtime, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.main, ["export", "--format", "html", "mine.html", "--runtime", str(runtime)])
    assert result.exit_code == 0 and result.stdout.startswith("mine.html: ") and (tmp_path / "mine.html").is_file()
    shown = CliRunner().invoke(cli.main, ["export", "--format", "html", "--model", str(predict.PRETRAINED), "--json"])
    assert json.loads(shown.stdout)["file"] == "voice.html" and (tmp_path / "voice.html").is_file()


def test_the_base_install_is_enough(tmp_path, runtime):
    """Nothing that only measures is imported, so that a page can be written where it is missing."""
    web_runtime.get_runtime(runtime)
    code = (
        "import sys\n"
        "for name in ('pandas', 'keras', 'tensorflow', 'jinja2', 'onnx', 'scipy'): sys.modules[name] = None\n"
        "from ser_core.inference import web_page, web_runtime\n"
        f"web_runtime.FILES = {web_runtime.FILES}\n"
        f"print(web_page.write_page(None, {str(tmp_path / 'voice.html')!r})['bytes'])\n"
    )
    from pathlib import Path

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(shown) == Path(tmp_path / "voice.html").stat().st_size


def test_the_report_links_to_the_page_where_there_is_a_runtime(tmp_path, runtime):
    from ser_core.report import build

    (tmp_path / "notebooks").mkdir()
    assert build._voice_page(tmp_path, tmp_path / "notebooks") == "" and not list(tmp_path.glob("*.html"))
    web_runtime.get_runtime(runtime)
    assert build._voice_page(tmp_path, tmp_path / "notebooks") == "voice.html"
    before = (tmp_path / "voice.html").stat().st_mtime_ns
    build._voice_page(tmp_path, tmp_path / "notebooks")
    build._remove_stale_pages(tmp_path, [], "voice.html")
    assert (tmp_path / "voice.html").stat().st_mtime_ns == before
    build._remove_stale_pages(tmp_path, [], "")
    assert not (tmp_path / "voice.html").exists()


def test_the_index_names_the_page(tmp_path):
    import pandas as pd

    from ser_core.report.html import index_html

    parts = {"badge": "", "cards": [], "pooled": [], "corpora": pd.DataFrame(), "made": []}
    assert re.search(r'<a href="voice.html">', index_html("t", "l", voice="voice.html", **parts))
    assert "voice.html" not in index_html("t", "l", **parts)
