"""Helpers of every room: safe writing, quiet loading, folders, versions, progress."""

import io
import os
import re
import threading
import time
from pathlib import Path

import pytest

from ser_core._utils import atomic, console, errors, machine, paths, progress


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path):
    path = tmp_path / "deep" / "file.json"
    for payload in (b"first", b"second"):
        atomic.write_atomically(path, payload)
        assert path.read_bytes() == payload and os.listdir(path.parent) == ["file.json"]


def test_an_existing_file_survives_a_failed_write(tmp_path):
    path = tmp_path / "file.json"
    atomic.write_atomically(path, b"first")
    with pytest.raises(TypeError):
        atomic.write_atomically(path, "not bytes")
    assert path.read_bytes() == b"first"


@pytest.mark.parametrize("kind", [errors.SerError, errors.StorageError, errors.SerWarning])
@pytest.mark.parametrize(
    "text", ["a\nb", "a\x85b.wav", "a\u2028b\u2029", "\x1b[2Ja", "a\rb\x0bc", "x" * 140_000, "x " * 9999]
)
def test_a_message_is_one_line_of_bounded_length(kind, text):
    message = str(kind(f"list.csv: {text} is no number; correct it"))
    assert message.startswith("list.csv: ") and message.endswith("is no number; correct it")
    assert len(message.splitlines()) == 1 and message.isprintable() and len(message) < 2100


def test_a_message_keeps_letters_of_every_script_and_bytes_that_are_no_text():
    assert str(errors.SerError("Grüße, 北京, na\u0308ive \udcfc.wav")) == "Grüße, 北京, na\u0308ive \udcfc.wav"


def test_standard_error_is_silenced_and_restored(capfd):
    os.write(2, b"before ")
    with console.silence_stderr(), console.silence_stderr():
        os.write(2, b"inside ")
    os.write(2, b"after")
    assert capfd.readouterr().err == "before after"


def test_standard_error_is_redirected_to_a_log(tmp_path, capfd):
    with progress.redirect_stderr(tmp_path / "log") as terminal:
        os.write(2, b"a library")
        progress.print_progress("a notebook", terminal)
    assert (tmp_path / "log").read_bytes() == b"a library"
    assert capfd.readouterr().err == "a notebook\n"


def test_progress_is_reported_at_intervals(capfd):
    calls = threading.Semaphore(0)

    def done() -> str:
        calls.release()
        return ", 3 runs"

    with progress.report_progress("01", time.monotonic() - 5, done, terminal=2, every=0.01):
        assert all(calls.acquire(timeout=30) for _ in range(2))
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) > 1 and all(re.fullmatch(r"01: \d+ s, 3 runs", line) for line in lines)


@pytest.mark.parametrize(
    ("variable", "function", "default"),
    [
        ("SER_DATA", paths.data_dir, "data"),
        ("SER_CACHE", paths.cache_dir, ".cache"),
        ("SER_RUNS", paths.runs_dir, "runs"),
    ],
)
def test_environment_variables_name_the_folders(variable, function, default, monkeypatch, tmp_path):
    monkeypatch.delenv(variable, raising=False)
    assert function() == paths.root() / default
    monkeypatch.setenv(variable, str(tmp_path))
    assert function() == tmp_path
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "relative")
    assert function() == tmp_path / "relative"
    monkeypatch.setenv(variable, "~/somewhere")
    assert function() == Path.home().resolve() / "somewhere"


def test_quick_notebooks_are_asked_for_by_one(monkeypatch):
    for value, quick in (("1", True), ("0", False), ("", False)):
        monkeypatch.setenv("SER_QUICK", value)
        assert paths.quick() is quick


def test_the_processor_is_named_with_its_cores():
    assert machine.processor() == f"{machine.processor_name()}, {os.cpu_count()} cores"
    assert machine.processor_name()


def test_versions_name_installed_packages_only():
    versions = machine.versions()
    assert {"python", "numpy", "soundfile"} <= set(versions) <= {"python", *machine.DEPENDENCIES}
    assert all(versions.values())


def test_markdown_on_a_terminal_fits_its_width_and_loses_no_letter():
    pytest.importorskip("rich")
    words = ["Linear classifier, ComParE", "no augmentation", "57.2\N{NO-BREAK SPACE}[52.1,\N{NO-BREAK SPACE}62.2]"]
    text, out = "| a | b | c |\n| --- | --- | ---: |\n| " + " | ".join(words) + " |\n", io.StringIO()
    assert console.print_markdown(text, out, width=30)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 30 and "…" not in out.getvalue()
    letters = sorted(re.sub(r"\s", "", "".join(lines)).replace("─", "").replace("━", ""))
    assert letters == sorted(re.sub(r"\s", "", "abc" + "".join(words)))
