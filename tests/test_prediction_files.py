"""Predictions in the files of other tools score as the same predictions in a CSV do."""

import json
import re

import made_formats
import numpy as np
import pandas as pd
import pytest

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.results import prediction_files, submissions

LABELS = ("happy", "angry")


@pytest.fixture
def corpus(tmp_path):
    made_formats.write_audio(tmp_path)
    return made_formats.write_nkululeko(tmp_path)


def answers(corpus) -> pd.DataFrame:
    """A probability per emotion for each utterance; three of ten are wrong."""
    table = corpora.load(corpus)
    right = (table["emotion"] == "happy").to_numpy()
    wrong = np.arange(len(table)) % 4 == 1
    happy = np.where(right ^ wrong, 0.75, 0.25)
    frame = pd.DataFrame({"id": table["id"], "happy": happy, "angry": 1 - happy})
    frame["file"] = [re.sub(r"@.*", "", name) + ".wav" for name in table["id"]]
    clock = lambda values: [str(pd.Timedelta(v, unit="s")) if v == v else "" for v in values]  # noqa: E731
    return frame.assign(start=clock(table["start"]), end=clock(table["end"]))


def write(frame, form: str, path):
    """The answers in a form; its file."""
    hard = np.where(frame["happy"] > 0.5, "happy", "angry")
    if form == "csv":
        frame[["id", "happy", "angry"]].to_csv(path / "a.csv", index=False)
        return path / "a.csv"
    if form == "audformat":
        table = frame.rename(columns={"happy": "happiness", "angry": "anger"})
        table[["file", "start", "end", "happiness", "anger"]].to_csv(path / "a.csv", index=False)
        return path / "a.csv"
    if form == "audformat-label":
        names = pd.Series(hard).map({"happy": "happiness", "angry": "anger"})
        frame[["file", "start", "end"]].assign(emotion="sad", predicted=names).to_csv(path / "a.csv", index=False)
        return path / "a.csv"
    if form == "audformat-parquet":
        frame.set_index(["file", "start", "end"])[["happy", "angry"]].to_parquet(path / "a.parquet")
        return path / "a.parquet"
    lines = []
    for name, happy, label in zip(frame["id"], frame["happy"], hard, strict=True):
        answer = {"pred": label.capitalize()}
        if form == "emobox-probabilities":
            answer = {"probabilities": {"Happy": happy, "Angry": 1 - happy}}
        lines.append({"key": f"made-{name}"} | answer)
    text = json.dumps(lines) if form == "emobox-list" else "\n".join(map(json.dumps, lines))
    (path / "a.jsonl").write_text(text)
    return path / "a.jsonl"


FORMS = ["audformat", "audformat-label", "audformat-parquet", "emobox", "emobox-list", "emobox-probabilities"]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_scores(corpus, form, tmp_path):
    frame = answers(corpus)
    (tmp_path / "out").mkdir()
    expected = submissions.score_submission(write(frame, "csv", tmp_path / "out"), corpus, "speaker")
    actual = submissions.score_submission(write(frame, form, tmp_path / "out"), corpus, "speaker")
    assert actual.scored == expected.scored and actual.folds == tuple(range(5))
    assert actual.scored.scores["accuracy"] == 0.7


def test_probabilities_are_kept(corpus, tmp_path):
    frame = answers(corpus)
    for form in ("audformat", "emobox-probabilities"):
        given = submissions.read_predictions(write(frame, form, tmp_path), LABELS, tuple(frame["id"]))
        assert list(given["id"]) == list(frame["id"]) and np.allclose(given["happy"], frame["happy"])
    given = submissions.read_predictions(write(frame, "emobox", tmp_path), LABELS, tuple(frame["id"]))
    assert set(given["happy"]) == {0.0, 1.0}


def test_published_names_are_matched_by_their_file():
    ids = list(corpora.manifest("ravdess")["id"][:3])
    keys = [f"ravdess-{ids[0]}", f"Actor_01/{ids[1]}", ids[2], "ravdess-nobody"]
    assert prediction_files.match_ids(keys, ids) == [*ids, "ravdess-nobody"]


def test_a_name_that_two_utterances_have_is_not_guessed():
    assert prediction_files.match_ids(["x/01"], ["anna/01", "ben/01"]) == ["x/01"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"key": "a", "pred": 1}\n', "line 1: pred is 1, wanted the name of an emotion: happy, angry"),
        ("a.jsonl", '{"key": "a", "pred": "sad"}\n', "line 1: pred is 'sad', wanted the name of an emotion"),
        ("a.jsonl", '{"key": "a"}\n', "line 1: no prediction"),
        ("a.jsonl", '{"pred": "happy"}\n', "line 1: no key"),
        ("a.jsonl", '{"key": "a", "probabilities": {"happy": 1}}\n', "line 1: probabilities lacks angry"),
        ("a.jsonl", '{"key": "a"}\nnot json\n', "line 2: not a JSON object"),
        ("a.jsonl", "", "holds no prediction"),
        ("a.json", "[]", "holds no prediction"),
        (
            "a.csv",
            "file,happy\na.wav,1\n",
            "no column angry; found are file, happy; needed are file, happy, angry; or one of predicted, ",
        ),
        ("a.csv", "file,start,end,predicted\na.wav,2,1,happy\n", "row 2: a.wav: ends at 1 s and starts at 2 s"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(SerError, match=re.escape(message)) as error:
        submissions.read_predictions(tmp_path / name, LABELS)
    assert "\n" not in str(error.value) and name in str(error.value)
