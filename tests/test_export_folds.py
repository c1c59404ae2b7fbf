"""Folds written for other tools: read back, they are the folds that were written."""

import importlib.util
import json

import made_formats
import pandas as pd
import pytest
from click.testing import CliRunner

from ser_core import cli, corpora
from ser_core._utils.errors import SerError
from ser_core.protocols import assignment, export, splits

needs_audformat = pytest.mark.skipif(
    importlib.util.find_spec("audformat") is None, reason="the package audformat is not installed"
)


def ser(*arguments):
    return CliRunner().invoke(cli.main, ["folds", *map(str, arguments)])


@pytest.fixture
def corpus(tmp_path):
    made_formats.write_audio(tmp_path / "audio")
    return made_formats.write_nkululeko(tmp_path / "audio")


def sides(frame) -> dict[str, list[str]]:
    numbers = [column for column in frame if column.isdigit()]
    return dict(zip(frame["id"], frame[numbers].to_numpy().tolist(), strict=True))


def test_emobox_folds_of_segments_are_read_back(corpus, tmp_path):
    result = ser(corpus, "speaker", "--format", "emobox", "--output", tmp_path / "audio")
    assert result.exit_code == 0 and "5 folds of 10 utterances written to" in result.output
    again = corpora.load(f"emobox:{tmp_path / 'audio' / 'list'}")
    written = assignment.utterance_sides(corpus, "speaker")
    assert sides(again) == sides(written)
    here = corpora.load(corpus)
    for column in ("id", "path", "speaker", "sex", "emotion", "text", "start"):
        assert list(again[column].fillna(0)) == list(here[column].fillna(0)), column
    line = json.loads((tmp_path / "audio" / "list" / "list.jsonl").read_text().splitlines()[0])
    assert line["sample_rate"] == 16_000 and line["num_frame"] == 20_000 and line["length"] == 1.25
    assert line["channel"] == 1 and line["type"] == "raw" and line["task"] == "category"


def test_emobox_folds_of_a_published_corpus_need_no_recordings(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "nothing"))
    export.export_folds("ravdess", "speaker", "emobox", tmp_path)
    listed = assignment.utterance_sides("ravdess", "speaker")
    for fold in range(6):
        for side, subset in export.EMOBOX_SUBSETS.items():
            path = tmp_path / "ravdess" / f"fold_{fold + 1}" / f"ravdess_{subset}_fold_{fold + 1}.jsonl"
            keys = [json.loads(line)["key"] for line in path.read_text().splitlines()]
            assert keys == [f"ravdess-{name}" for name in listed.loc[listed[str(fold)] == side, "id"]]
    line = json.loads((tmp_path / "ravdess" / "ravdess.jsonl").read_text().splitlines()[0])
    assert line["wav"] == "Actor_01/03-01-01-01-01-01-01.wav" and line["sample_rate"] == 48_000
    assert line["num_frame"] == 158_558 and line["length"] == pytest.approx(158_558 / 48_000)


@needs_audformat
@pytest.mark.parametrize("protocol", ["speaker", "random"])
def test_audformat_folds_are_read_back(corpus, tmp_path, protocol):
    import audformat

    result = ser(corpus, protocol, "--format", "audformat", "--output", tmp_path / "audio", "--json")
    written = json.loads(result.stdout)
    assert written["format"] == "audformat" and written["utterances"] == 10
    database = audformat.Database.load(str(tmp_path / "audio"), load_data=True)
    expected = assignment.utterance_sides(corpus, protocol)
    known = database["emotion"].df["id"]
    for fold in range(written["folds"]):
        for side, split in export.AUDFORMAT_SPLITS.items():
            table = database[f"fold-{fold}.{split}"]
            assert database.splits[table.split_id].type == split
            assert set(known[table.index]) == set(expected.loc[expected[str(fold)] == side, "id"])
    again = corpora.load(f"audformat:{tmp_path / 'audio'}")
    here = corpora.load(corpus)
    for column in ("id", "path", "speaker", "sex", "emotion", "text", "start"):
        assert list(again[column].fillna(0)) == list(here[column].fillna(0)), column
    split = corpora.load(f"audformat:{tmp_path / 'audio'}#fold-0.test")
    assert list(split["id"]) == list(expected.loc[expected["0"] == "test", "id"])


def test_csv_folds_are_as_before(corpus, tmp_path):
    assert ser("ravdess", "speaker", "--format", "csv").stdout == ser("ravdess", "speaker", "--csv").stdout
    ser(corpus, "speaker", "--format", "csv", "--output", tmp_path / "folds.csv")
    assert sides(pd.read_csv(tmp_path / "folds.csv", dtype=str)) == sides(assignment.utterance_sides(corpus, "speaker"))


def test_folds_across_corpora_have_both(corpus, tmp_path):
    export.export_folds(corpus, "cross", "emobox", tmp_path / "out", test_corpus="demo")
    lines = (tmp_path / "out" / "list" / "list.jsonl").read_text().splitlines()
    data_sets = {json.loads(line)["dataset"] for line in lines}
    assert data_sets == {"list", "demo_ravdess"}


def test_what_cannot_be_written_is_one_line(corpus, tmp_path):
    result = ser(corpus, "speaker", "--format", "emobox")
    assert result.exit_code == 1 and "name a folder with --output" in result.stderr
    with pytest.raises(SerError, match="--format arff: choose among csv, emobox, audformat"):
        export.export_folds(corpus, "speaker", "arff", tmp_path)
    with pytest.raises(SerError, match="protocol leaky holds augmented copies"):
        export.export_folds("ravdess", "leaky", "emobox", tmp_path)
    assert set(splits.PROTOCOLS) >= {"leaky"}
