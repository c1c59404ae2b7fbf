"""`ser app`: the command that it starts, and its errors. The page itself: test_browser.py."""

import json
import os
import re
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner

from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.cli import main
from ser_core.widgets import app

TEMPLATES = Path(app.__file__).parent / "jupyter"


def test_the_server_serves_this_machine_only_and_accepts_large_messages():
    words = app.command(9000, browser=False)
    assert "--Voila.ip=127.0.0.1" in words and "--port=9000" in words and "--no-browser" in words
    assert "--no-browser" not in app.command()
    (settings,) = [word.split("=", 1)[1] for word in words if "tornado_settings" in word]
    assert json.loads(settings.replace("'", '"'))["websocket_max_message_size"] > 60_000_000
    assert Path(next(word for word in words if word.endswith(".ipynb"))).is_file()
    assert any("preheat_kernel=True" in word for word in words)


def test_jupyter_finds_the_template_and_earlier_paths_remain(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    first, second = app.environment()["JUPYTER_PATH"].split(os.pathsep)
    assert second == "/elsewhere" and (Path(first) / "voila" / "templates" / "ser" / "index.html.j2").is_file()


def test_voila_uses_our_template(monkeypatch):
    voila = pytest.importorskip("voila.paths")
    monkeypatch.setenv("JUPYTER_PATH", str(TEMPLATES))
    found = [Path(path) for path in voila.collect_template_paths(["voila", "nbconvert"], "ser", prune=True)]
    assert found[0] == TEMPLATES / "voila" / "templates" / "ser"


@pytest.mark.parametrize("path", sorted(path for path in TEMPLATES.rglob("*") if path.is_file()), ids=lambda p: p.name)
def test_no_template_has_an_address(path):
    assert not re.search(r"https?://|//[a-z]+\.", path.read_text(encoding="utf-8"))


def test_a_port_in_use_gives_one_line():
    with socket.socket() as taken:
        taken.bind((app.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["app", "--port", str(port), "--no-browser"])
    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert line.startswith(f"ser: port {port}:") and "--port" in line


def test_a_missing_voila_or_notebook_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(SerError, match="voila.*pip install"):
        app.check(0)
    monkeypatch.undo()
    monkeypatch.setattr(paths, "root", lambda: tmp_path)
    with pytest.raises(SerError, match="10_predict.ipynb: not found"):
        app.check(0)
