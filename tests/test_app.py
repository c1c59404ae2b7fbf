"""`ser app`: the command that it starts, and its errors. The page itself: test_browser.py."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from ser_core._utils.errors import SerError
from ser_core.cli import main
from ser_core.widgets import app, page_server

TEMPLATES = Path(app.__file__).parent / "jupyter"


def test_the_server_serves_this_machine_only_and_accepts_large_messages():
    words = app.command(9000)
    assert "--Voila.ip=127.0.0.1" in words and "--port=9000" in words and "--no-browser" in words
    settings = page_server.configuration().Voila.tornado_settings
    assert settings["websocket_max_message_size"] > 60_000_000 and settings["allow_remote_access"] is False
    assert Path(next(word for word in words if word.endswith(".ipynb"))).is_file()
    assert any("preheat_kernel=True" in word for word in words)
    assert "--PageServer.kernels=8" in words and "--PageServer.kernels=3" in app.command(9000, 3)


def test_jupyter_finds_the_template_and_earlier_paths_remain(monkeypatch):
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    first, *_, last = app.environment("t")["JUPYTER_PATH"].split(os.pathsep)
    assert last == "/elsewhere" and (Path(first) / "voila" / "templates" / "ser" / "index.html.j2").is_file()


def test_voila_uses_our_template(monkeypatch):
    voila = pytest.importorskip("voila.paths")
    monkeypatch.setenv("JUPYTER_PATH", str(TEMPLATES))
    found = [Path(path) for path in voila.collect_template_paths(["voila", "nbconvert"], "ser", prune=True)]
    assert found[0] == TEMPLATES / "voila" / "templates" / "ser"


@pytest.mark.parametrize("path", sorted(path for path in TEMPLATES.rglob("*") if path.is_file()), ids=lambda p: p.name)
def test_no_template_has_an_address(path):
    assert not re.search(r"https?://|//[a-z]+\.", path.read_text(encoding="utf-8"))


def test_the_token_is_in_the_environment_and_in_no_command(monkeypatch):
    monkeypatch.setenv("JUPYTER_TOKEN", "known to others")
    token = app.new_token()
    assert len(token) >= 32 and token != app.new_token() and app.address(9000, token).endswith(f"?token={token}")
    assert app.environment(token)["JUPYTER_TOKEN"] == token
    assert not any(token in word for word in app.command(9000))


def request(port, path, host, cookie=""):
    """Return the status, the Location and the cookies of an answer of the server."""
    connection = http.client.HTTPConnection(app.HOST, port, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host} | ({"Cookie": cookie} if cookie else {}))
        answer = connection.getresponse()
        answer.read()
        cookies = "; ".join(value.split(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie")
        return answer.status, answer.getheader("Location", ""), cookies
    finally:
        connection.close()


def test_the_server_asks_for_the_token_and_for_its_own_host(tmp_path):
    pytest.importorskip("voila")
    with socket.socket() as probe:
        probe.bind((app.HOST, 0))
        port = probe.getsockname()[1]
    token = app.new_token()
    environment = app.environment(token) | {"JUPYTER_RUNTIME_DIR": str(tmp_path)}
    with subprocess.Popen(
        app.command(port), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as server:
        try:
            for _ in range(600):
                with socket.socket() as probe:
                    if probe.connect_ex((app.HOST, port)) == 0:
                        break
                assert server.poll() is None
                time.sleep(0.1)
            host = f"{app.HOST}:{port}"
            status, place, _ = request(port, "/", host)
            assert status == 302 and "/login" in place  # as any other account would ask
            assert request(port, f"/?token={token}x", host)[0] == 302
            assert request(port, f"/?token={token}", "rebound.example")[0] == 403
            status, _, cookie = request(port, f"/?token={token}", host)
            assert status == 200 and cookie
            assert request(port, "/api/kernels/none", host)[0] != 200
            assert request(port, "/", "rebound.example", cookie)[0] == 403
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def test_a_port_in_use_gives_one_line():
    with socket.socket() as taken:
        taken.bind((app.HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["app", "--port", str(port), "--no-browser"])
    assert done.exit_code == 1
    (line,) = done.output.splitlines()
    assert line.startswith(f"ser: port {port}:") and "--port" in line


def test_a_missing_voila_is_an_error(monkeypatch):
    monkeypatch.setattr(app, "find_spec", lambda name: None)
    with pytest.raises(SerError, match="voila.*pip install"):
        app.check(0)


def test_the_page_is_a_title_a_sentence_and_the_widget():
    title, parameters, code = nbformat.read(app.NOTEBOOK, as_version=4).cells
    assert len([line for line in title.source.splitlines() if line]) == 2 and title.source.startswith("# ")
    assert code.source.splitlines()[-1] == "ser.widgets.predictor.predictor(models)" and code.outputs == []
    assert parameters.metadata.tags == ["parameters"] and parameters.source.startswith("models = None")
