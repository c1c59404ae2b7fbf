"""Options and names that cannot be meant: one line and exit code 1, at once; --json prints JSON alone."""

import json
import os
import subprocess
import sys
import time

import made_runs
import pytest
from click.testing import CliRunner

from ser_core._utils import console
from ser_core.cli import main
from ser_core.cli.base import describe_os_error, numbers

LONG = "x" * 5000
CSV = "csv:list.csv"
STRANGE = {
    "copies": (["run", "--augment-copies", "1000000"], "copies 1000000: must be at most 100"),
    "old name": (["run", "--copies", "1000000"], "must be at most"),
    "frames": (["run", "--frames", "100000000"], "frames 100000000: must be at most 60,000"),
    "epochs": (["run", "--epochs", "99999999999999999999"], "must be at most"),
    "batch": (["run", "--batch-size", "1000000000"], "must be at most"),
    "folds": (["sweep", "--folds", "0-9999999999"], "more than 10,000 numbers"),
    "many folds": (["sweep", "--folds", ",".join(["0-9000"] * 3)], "more than 10,000 numbers"),
    "falling folds": (["sweep", "--folds", "5-0"], "give numbers such as"),
    "three ends": (["sweep", "--folds", "0-1-9"], "give numbers such as"),
    "seeds": (["sweep", "--seeds", "0-99999999999999999999"], "more than 10,000 numbers"),
    "scored folds": (["score", "--predictions", "a.csv", "--corpus", "demo", "--folds", "0-9999999999"], "more than"),
    "unknown account": (["data", "show", "csv:~nosuchuser/list.csv"], "~nosuchuser/list.csv"),
    "unknown account's folder": (["data", "show", "folder:~nosuchuser"], "~nosuchuser"),
    "unknown account's format": (["data", "show", "kaldi:~nosuchuser/train"], "~nosuchuser"),
    "unknown account's split": (["leaks", "--split", "~nosuchuser/split.csv"], "~nosuchuser/split.csv"),
    "long name": (["data", "show", f"folder:{LONG}"], "too long"),
    "long CSV": (["data", "show", f"csv:{LONG}"], "too long"),
    "long Kaldi": (["data", "show", f"kaldi:{LONG}"], "too long"),
    "null": (["data", "show", "folder:a\0b"], "a"),
    "mirror": (["data", "fetch", "tess", "--yes", "--from", "http://[::1"], "check the address"),
    "mirror's port": (["data", "fetch", "tess", "--yes", "--from", "http://localhost:x/"], "check the address"),
    "mirror's scheme": (["data", "fetch", "tess", "--yes", "--from", "file:///etc"], "check the address"),
}


@pytest.mark.parametrize(("words", "line"), STRANGE.values(), ids=STRANGE)
def test_what_cannot_be_meant_is_one_line(words, line):
    start = time.process_time()
    done = CliRunner().invoke(main, words)
    assert time.process_time() - start < 10
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), done.exception
    (only,) = done.output.splitlines()
    assert only.startswith("ser: ") and line in only


def test_too_many_workers_are_refused():
    assert CliRunner().invoke(main, ["sweep", "--workers", "1000000"]).exit_code == 2


LISTS = {
    "a separator in a cell": ('path,emotion,text\na.wav,sad,"one\u2028two"\n', "none of its files"),
    "a line break in a cell": ('path,emotion,text\na.wav,sad,"one\ntwo"\n', "none of its files"),
    "an open quote": ('path,emotion\n"a.wav,sad\n' + "x" * 140_000, "no CSV .*quote"),
    "a short row": ("path,emotion,text\na.wav,sad\n", "line 2: 2 values for 3 columns"),
    "a null": ("path,emotion\na\0.wav,sad\n", "none of its files"),
    "an unknown account": ("path,emotion\n~nosuchuser/a.wav,sad\n", "none of its files"),
    "a long name": (f"path,emotion\n{LONG}.wav,sad\n", "none of its files"),
    "one file twice": ("path,emotion\na.wav,sad\n./a.wav,sad\n", "listed in line 2 already"),
    "twins": ("path,emotion\na.wav,sad\na.flac,sad\n", "none of its files"),
}


@pytest.mark.parametrize(("text", "line"), LISTS.values(), ids=LISTS)
def test_a_strange_list_is_one_line(text, line, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.csv").write_text(text, encoding="utf-8", newline="")
    done = CliRunner().invoke(main, ["data", "show", CSV])
    assert done.exit_code == 1 and isinstance(done.exception, SystemExit), done.exception
    (only,) = done.output.splitlines()
    assert pytest.importorskip("re").search(line, only), only


def test_twins_are_two_utterances_with_ids_of_their_own(tmp_path):
    import soundfile

    from ser_core import corpora

    samples = [0.1, -0.1] * 4000
    for name in ("a.wav", "a.flac", "b.wav"):
        soundfile.write(tmp_path / name, samples, 16_000)
    lines = ["path,emotion", "a.wav,sad", "a.flac,happy", "b.wav,sad"]
    for order in (lines, [lines[0], *lines[:0:-1]]):
        (tmp_path / "list.csv").write_text("\n".join(order))
        assert list(corpora.load(f"csv:{tmp_path / 'list.csv'}")["id"]) == ["a.flac", "a.wav", "b"]


NOISY = """
import os
import sys

print("noise of a library")
os.write(1, b"noise of C")


class Late:
    def __del__(self):
        raise ValueError("in a callback")


def net(shape, classes):
    from tiny_networks import small

    print("more noise")
    Late()
    return small(shape, classes)
"""


def test_json_is_all_that_is_printed_whatever_libraries_print(runs_folder, tmp_path, own_store, own_cache):
    (tmp_path / "noisy.py").write_text(NOISY)
    environment = made_runs.environment(runs_folder)
    environment["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environment["PYTHONPATH"]])
    corpus = f"folder:{runs_folder / 'corpus'}"
    words = ["run", "--corpus", corpus, "--model", "noisy:net", "--epochs", "1", "--augment", "none", "--frames", "40"]
    done = subprocess.run(
        [sys.executable, "-m", "ser_core.cli", *words, "--json"], env=environment, capture_output=True, text=True
    )
    assert json.loads(done.stdout)["status"] == "ok" and len(done.stdout.splitlines()) == 1
    assert "noise of C" in done.stderr and "Exception ignored" not in done.stderr


def test_a_full_standard_output_is_one_line():
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        words = [sys.executable, "-m", "ser_core.cli", "data", "list"]
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True)
    (line,) = done.stderr.splitlines()
    assert done.returncode == 1 and line.startswith("ser: ") and "No space left" in line


def test_the_output_is_diverted_and_comes_back(capfd):
    with console.divert_stdout() as output:
        print("noise")
        print("answer", file=output)
    print("after")
    found = capfd.readouterr()
    assert found.out.split() == ["answer", "after"] and "noise" in found.err


def test_numbers_and_errors_of_the_system():
    assert numbers("0,2-4", "folds") == [0, 2, 3, 4]
    assert describe_os_error(OSError(36, "File name too long", LONG)).endswith("...: File name too long")
