"""Recordings that cannot be used are left out, counted and named; too many stop a run."""

import json

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import corpora
from ser_core._utils.errors import SerError, SerWarning
from ser_core.cli import main
from ser_core.experiments import run
from ser_core.experiments.spec import Spec
from ser_core.features import cache, digests, usable

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a2146" * 8 + b"\nsize 64044\n"
SPOILED = {
    "silent": lambda path: soundfile.write(path, np.zeros(6400), 16_000),
    "empty": lambda path: path.write_bytes(b""),
    "no audio": lambda path: path.write_bytes(b"RIFF" + bytes(100)),
    "LFS": lambda path: path.write_bytes(POINTER),
    "not finite": lambda path: soundfile.write(path, np.full(6400, np.nan), 16_000, subtype="FLOAT"),
}


@pytest.fixture
def made(tmp_path, own_cache):
    """48 recordings of three speakers and two emotions; the name of the corpus and its folder."""
    random = np.random.default_rng(0)
    for emotion in ("happy", "sad"):
        (tmp_path / "made" / emotion).mkdir(parents=True)
        for speaker in "abc":
            for take in range(8):
                path = tmp_path / "made" / emotion / f"{speaker}_{take}.wav"
                soundfile.write(path, random.normal(0, 0.1, 6400), 16_000)
    return f"folder:{tmp_path / 'made'}", tmp_path / "made"


def small(name, **fields):
    return Spec(**({"corpus": name, "model": "svm", "augment": "none"} | fields))


@pytest.mark.parametrize("kind", SPOILED)
def test_one_recording_is_left_out_and_named_in_the_row_and_by_the_commands(kind, made, own_store):
    name, folder = made
    whole = cache.data_version(corpora.load(name))
    SPOILED[kind](folder / "sad" / "a_0.wav")
    with pytest.warns(SerWarning, match="left out of .*sad/a_0"):
        row = run.run_spec(small(name), progress=False)
    assert set(row.unusable[name]) == {"sad/a_0"} and row.n_train + row.n_validation + row.n_test == 47
    assert row.completeness.expected == 48 and row.completeness.found == 47 and row.data_version != whole
    assert type(row).from_json(json.loads(json.dumps(row.to_json()))).unusable == row.unusable
    verified = CliRunner().invoke(main, ["data", "verify", name])
    assert verified.exit_code == 0 and f"sad/a_0: {row.unusable[name]['sad/a_0']}" in verified.output
    leaks = CliRunner().invoke(main, ["leaks", "--corpus", name])
    assert leaks.exit_code == 0 and "not examined: 1 recording (sad/a_0" in leaks.output


def test_more_than_one_in_twenty_stops_the_run_unless_that_is_allowed(made, own_store):
    name, folder = made
    for take in range(2):
        SPOILED["silent"](folder / "sad" / f"a_{take}.wav")
    assert run.run_spec(small(name), progress=False).ok  # 2 of 48
    SPOILED["silent"](folder / "sad" / "a_2.wav")
    with pytest.raises(SerError, match="of 48, 3 recordings .*--allow-unusable"):
        run.run_spec(small(name), progress=False)
    words = ["run", "--corpus", name, "--model", "svm", "--augment", "none", "--json"]
    assert CliRunner().invoke(main, words).exit_code == 1
    allowed = CliRunner().invoke(main, [*words, "--allow-unusable"])
    assert len(json.loads(allowed.stdout)["unusable"][name]) == 3
    assert CliRunner().invoke(main, words).exit_code == 1, "the permission outlived its command"


def test_nothing_usable_is_refused_even_if_allowed(made, monkeypatch):
    name, folder = made
    for path in folder.rglob("*.wav"):
        path.write_bytes(POINTER)
    monkeypatch.setenv("SER_ALLOW_UNUSABLE", "1")
    with pytest.raises(SerError, match="of 48, 48 recordings"):
        usable.load(name)


def test_a_known_answer_is_not_asked_again(made, monkeypatch):
    name, folder = made
    SPOILED["silent"](folder / "sad" / "a_0.wav")
    first = usable.find_unusable(corpora.load(name))
    monkeypatch.setattr(digests, "_decoded_digest", None)
    assert usable.find_unusable(corpora.load(name)) == first


def test_a_corrected_label_gives_another_result_and_the_same_list_the_same(made, tmp_path, own_cache):
    name, folder = made
    lines = [f"made/{e}/{s}_{t}.wav,{e},{s}" for e in ("happy", "sad") for s in "abc" for t in range(8)]
    versions = []
    for number, text in enumerate((lines, lines, [lines[0].replace("happy,", "angry,"), *lines[1:]], lines[::-1])):
        path = tmp_path / f"list{number}.csv"
        path.write_text("\n".join(["path,emotion,speaker", *text]))
        versions.append(run.corpus_version(f"csv:{path}"))
    assert versions[0] == versions[1] == versions[3] != versions[2]


def test_the_version_of_a_known_corpus_is_that_of_its_samples():
    assert run.corpus_version("demo") == cache.data_version(corpora.load("demo"))


def test_a_good_copy_is_preferred_to_a_pointer(made):
    name, folder = made
    samples, rate = soundfile.read(folder / "sad" / "a_0.wav")
    soundfile.write(folder / "sad" / "a_0.flac", samples, rate)
    chosen = lambda: dict(zip(corpora.load(name)["id"], corpora.load(name)["path"]))["sad/a_0"]  # noqa: E731
    assert chosen().endswith(".wav")
    (folder / "sad" / "a_0.wav").write_bytes(POINTER)
    assert chosen().endswith(".flac") and usable.find_unusable(corpora.load(name)) == {}
