"""Tables of subsets agree with the splits; ``ser folds`` prints them."""

import json

import pytest
from click.testing import CliRunner

from ser_core import cli, corpora
from ser_core.protocols import assignment, splits


def ser(*arguments):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


@pytest.fixture(autouse=True)
def no_audio(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "nothing"))


@pytest.mark.parametrize("protocol", ["speaker", "speaker-text", "random"])
def test_the_table_agrees_with_the_splits(protocol):
    frame = assignment.utterance_sides("ravdess", protocol)
    table = corpora.manifest("ravdess")
    for fold in range(splits.fold_count(table, protocol)):
        split = splits.split(table, protocol, fold)
        for subset in splits.SIDES:
            assert set(frame.loc[frame[str(fold)] == subset, "id"]) == set(getattr(split, subset))
    numbers = [column for column in frame if column.isdigit()]
    assert ((frame[numbers] == "test").sum(axis=1) == 1).all()


def test_ser_folds_prints_csv_json_and_lines():
    text = ser("folds", "tess", "speaker", "--csv").stdout
    assert text.splitlines()[0] == "id,corpus,speaker,text,emotion,0,1" and text.count("\n") == 2801
    folds = json.loads(ser("folds", "tess", "speaker", "--json").stdout)
    assert folds["folds"] == 2 and len(folds["utterances"]) == 2800
    assert "fold 1" in ser("folds", "tess", "speaker").stdout
    cross = assignment.utterance_sides("ravdess", "cross", "tess")
    assert set(cross.loc[cross["0"] == "test", "corpus"]) == {"tess"} and "calm" not in set(cross["emotion"])
    assert ser("folds", "ravdess", "cross").exit_code == 1
