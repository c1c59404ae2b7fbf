"""The shell command: JSON for machines, one line and exit code 1 for bad input."""

import json
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import cli, corpora


def ser(*arguments):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


def test_every_command_has_help():
    def walk(command, words=()):
        result = ser(*words, "--help")
        assert result.exit_code == 0 and result.output.startswith("Usage:") and len(command.help or "") > 20
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, (*words, name))

    walk(cli.main)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run", "--corpus", "nowhere"), "nowhere"),
        (("run", "--fold", "9"), "folds 0 to 5"),
        (("run", "--model", "nothing"), "nothing"),
        (("run", "--augment", "echo"), "echo"),
        (("sweep", "nothing"), "nothing"),
        (("sweep", "demo", "--model", "a1"), "fixed"),
        (("sweep", "--folds", "a-b"), "a-b"),
        (("reproduce", "--profile", "nothing"), "nothing"),
        (("data", "verify", "nowhere"), "nowhere"),
        (("data", "fetch", "emodb"), "emodb"),
        (("inspect", "nowhere.wav"), "nowhere.wav"),
        (("inspect", "--channels", "43", "a.wav"), "43"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(arguments, word):
    result = ser(*arguments)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("ser: ") and result.stderr.count("\n") == 1 and word in result.stderr


def test_inspect_reads_the_good_and_names_the_bad(tmp_path):
    soundfile.write(tmp_path / "good.wav", np.sin(np.arange(48_000)), 48_000)
    (tmp_path / "zero.wav").touch()
    (tmp_path / "text.wav").write_text("not audio " * 50)
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    files = [tmp_path / name for name in ("zero.wav", "good.wav", "text.wav", "nan.wav")] + [tmp_path]
    result = ser("inspect", *files, "--json")
    rows = json.loads(result.stdout)
    assert result.exit_code == 1 and result.stderr.count("\n") == 4
    assert [("error" in row) for row in rows] == [True, False, True, True, True]
    assert rows[1]["seconds"] == 1.0 and rows[1]["feature_shape"] == [400, 42]
    assert ser("inspect", files[1]).exit_code == 0


def test_inspect_reads_every_published_oddity(real_data):
    native = sorted((real_data / "native").rglob("*.wav"))
    result = ser("inspect", *native, "--json")
    assert result.exit_code == 0 and len(json.loads(result.stdout)) == 18


def test_verify_the_real_corpora(real_data):
    ravdess = json.loads(ser("data", "verify", "ravdess", "--json").stdout)
    assert ravdess["expected"] == 1440 and ravdess["missing"] == [] and ravdess["changed"] == []
    tess = ser("data", "verify", "tess", "--json")
    assert tess.exit_code == 0
    assert json.loads(tess.stdout)["missing"] == ["OAF_back_angry.wav", "YAF_beg_sad.wav"]


def test_list_names_every_corpus():
    rows = json.loads(ser("data", "list", "--json").stdout)
    assert {row["name"] for row in rows} == set(corpora.CORPORA)


def test_run_prints_one_json_line_and_nothing_else(own_store):
    command = [sys.executable, "-m", "ser_core.cli", "run", "--corpus", "demo", "--model", "a1", "--epochs", "1"]
    command += ["--augment", "none", "--frames", "100", "--json"]
    first, second = (subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(2))
    assert first.stdout.count("\n") == 1
    row = json.loads(first.stdout)
    assert row["status"] == "ok" and row["n_test"] == 64 and row["parameters"] == 320_584
    assert json.loads(second.stdout) == row
    fresh = subprocess.run([*command, "--fresh"], capture_output=True, text=True, check=True)
    assert json.loads(fresh.stdout)["scores"] == row["scores"]
