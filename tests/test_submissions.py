"""Submissions: predictions of a published result give its scores, and invalid files are refused with the reason."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from ser_core import cli, corpora, metrics
from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.metrics import significance, uncertainty
from ser_core.results import pooling, submissions

PUBLISHED = paths.root() / "runs" / "published"
ROWS = [
    row
    for row in store.load_rows(PUBLISHED)
    if row.ok and row.spec["corpus"] in ("ravdess", "tess") and row.spec["condition"] == "clean"
]
LABELS = corpora.labels("ravdess")


@pytest.fixture(autouse=True)
def no_audio(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path / "nothing"))
    monkeypatch.setenv("SER_RUNS", str(PUBLISHED.parent))


def ser(*arguments):
    return CliRunner().invoke(cli.main, ["score", *map(str, arguments)])


def some(*, corpus="ravdess", protocol="speaker", model="svm_egemaps", fold=0):
    wanted = {"corpus": corpus, "protocol": protocol, "model": model, "fold": fold}
    found = [row for row in ROWS if all(row.spec[key] == value for key, value in wanted.items())]
    if not found:
        pytest.skip("this row is not published")
    return found[-1]


def file_of(row):
    return store.predictions_path(row, PUBLISHED)


A5 = "cnn_bilstm_attention"
CHOICES = [{}, {"protocol": "random", "model": A5, "fold": 3}, {"corpus": "tess", "model": A5, "fold": 1}]


@pytest.mark.parametrize("choice", CHOICES, ids=str)
def test_a_published_row_gives_its_own_scores_back(choice):
    row = some(**choice)
    spec = row.spec
    found = submissions.score_submission(file_of(row), spec["corpus"], spec["protocol"], against=[row.hash])
    assert found.folds == (spec["fold"],) and found.scored.n_test == row.n_test
    assert found.scored.scores == pytest.approx(row.scores) and found.scored.confusion == row.confusion
    for name in uncertainty.SCORES:
        assert found.scored.intervals.get(name) == row.intervals.get(name)
    (own,) = found.against
    change, tested = own.differences.uar, own.differences.n >= significance.FEWEST_TESTED
    assert change.difference == 0 and change.p == (1 if tested else None) and own.utterances == row.n_test
    assert found.absent == row.completeness.missing[: len(found.absent)]


def test_all_folds_as_one_csv_are_the_pooled_row(tmp_path):
    rows = [some(fold=fold) for fold in range(6)]
    frame = pd.concat([pooling.subset_predictions(row, PUBLISHED) for row in rows])
    frame[["id", *LABELS]].sample(frac=1, random_state=0).to_csv(tmp_path / "all.csv", index=False, sep=";")
    (pooled,) = pooling.pool_results(rows, PUBLISHED)
    found = json.loads(ser("--predictions", tmp_path / "all.csv", "--corpus", "ravdess", "--json",
                           "--against", "svm_compare", "--against", "svm_egemaps").stdout)  # fmt: skip
    assert found["folds"] == list(range(6)) and found["scores"] == pytest.approx(pooled.scores)
    assert found["calm_is_neutral"]["scores"] == pytest.approx(pooled.calm_is_neutral.scores)
    assert found["against"][1]["uar"]["difference"] == 0
    other, own = (one["uar"]["p"] for one in found["against"])
    assert [one["uar"]["p_holm"] for one in found["against"]] == pytest.approx(significance.holm([other, own]))
    told = ser("--predictions", tmp_path / "all.csv", "--corpus", "ravdess", "--against", "svm_compare").stdout
    assert "6 of 6 folds, 1,440 utterances" in told and "after Holm" in told and "human listeners" in told


def test_against_another_system_is_the_sign_flip_over_speakers(tmp_path):
    rows = {name: [some(model=name, fold=fold) for fold in range(6)] for name in ("svm_egemaps", "svm_compare")}
    mine, theirs = (
        pd.concat([pooling.subset_predictions(row, PUBLISHED) for row in some_rows], ignore_index=True)
        for some_rows in rows.values()
    )
    pd.concat([pd.read_parquet(file_of(row)) for row in rows["svm_egemaps"]]).query("side == 'test'").to_parquet(
        tmp_path / "all.parquet"
    )
    submission = submissions.score_submission(tmp_path / "all.parquet", "ravdess", "speaker", against=["svm_compare"])
    (found,) = submission.against
    right = [(one["truth"] == one["prediction"]).groupby(one["speaker"]).sum() for one in (theirs, mine)]
    each = (right[1] - right[0]) / len(mine)
    assert found.differences.accuracy.difference == pytest.approx(each.sum())
    assert found.differences.accuracy.p == pytest.approx(significance.signflip(each.to_numpy()))
    assert (found.differences.unit, found.differences.n) == ("speaker", 24)


def test_on_four_speakers_nothing_is_tested():
    row, other = some(), some(model="svm_compare")
    (found,) = submissions.score_submission(file_of(row), "ravdess", "speaker", against=[other.hash[:8]]).against
    assert (found.differences.unit, found.differences.n) == ("speaker", 4)
    assert found.differences.uar.p is None and found.differences.uar.interval
    assert 2 / 2**5 > significance.ALPHA >= 2 / 2**significance.FEWEST_TESTED, "the rarest exchange of five, and of six"


def test_the_one_utterance_taken_out_is_named(tmp_path):
    row = some()
    frame = pd.read_parquet(file_of(row))
    lost = frame.loc[frame["side"] == "test", "id"].iloc[17]
    frame[frame["id"] != lost].to_parquet(tmp_path / "short.parquet")
    result = ser("--predictions", tmp_path / "short.parquet", "--corpus", "ravdess")
    assert result.exit_code == 1 and result.stdout == "" and result.stderr.count("\n") == 1
    assert f"{lost} is missing" in result.stderr


def spoiled(frame, how):
    first = frame["id"].iloc[0]
    frame = frame.astype(dict.fromkeys(LABELS, "object")) if how == "text" else frame
    if how == "doubled":
        return pd.concat([frame, frame.iloc[:1]]), f"{first} occurs more than once"
    if how == "unknown":
        return pd.concat([frame, frame.iloc[:1].assign(id="99-stranger")]), "99-stranger is not tested"
    if how == "column":
        return frame.drop(columns="calm"), "no column calm; found are id, "
    value, told = {"nan": (np.nan, "is not a number"), "text": ("x", "is not a number"),
                   "negative": (-0.5, "is not a probability"), "logits": (0.99999, "sum to")}[how]  # fmt: skip
    frame.loc[frame.index[0], "sad"] = value
    return frame, f"{first}: " if how != "logits" else told


@pytest.mark.parametrize("how", ["doubled", "unknown", "column", "nan", "text", "negative", "logits"])
def test_what_is_wrong_is_one_line_that_names_it(tmp_path, how):
    frame = pooling.subset_predictions(some(), PUBLISHED)[["id", *LABELS]].reset_index(drop=True)
    bad, told = spoiled(frame, how)
    bad.to_csv(tmp_path / "bad.csv", index=False)
    result = ser("--predictions", tmp_path / "bad.csv", "--corpus", "ravdess", "--folds", "0")
    assert result.exit_code == 1 and result.stderr.count("\n") == 1 and told in result.stderr, result.stderr


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        (b"", "no table"),
        (b"id,x\n1,2\n", "no column neutral.*; found are id, x; needed are id, neutral"),
    ],
)
def test_a_file_that_is_no_table_is_one_line(tmp_path, content, told):
    path = tmp_path / "given.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SerError, match=told):
        submissions.read_predictions(path, LABELS)


def test_what_is_asked_for_must_be_there(tmp_path):
    path = file_of(some())
    with pytest.raises(SerError, match="no published result.*svm_egemaps"):
        submissions.score_submission(path, "ravdess", "speaker", against=["vit"])
    with pytest.raises(SerError, match="folds 0 to 5"):
        submissions.score_submission(path, "ravdess", "speaker", folds=[6])
    with pytest.raises(SerError, match="no utterance of this corpus"):
        submissions.score_submission(_renamed(path, tmp_path), "ravdess", "speaker")


def _renamed(path: Path, folder: Path) -> Path:
    frame = pd.read_parquet(path)
    frame.assign(id="x" + frame["id"]).to_parquet(folder / "renamed.parquet")
    return folder / "renamed.parquet"


def test_utterances_that_the_corpus_lacks_are_told_and_not_asked_for(tmp_path):
    row = some(corpus="tess", model="cnn_bilstm_attention")
    found = submissions.score_submission(file_of(row), "tess", "speaker")
    assert set(found.absent) <= {"OAF_back_angry", "YAF_beg_sad"} and len(found.absent) == 1
    test = pooling.subset_predictions(row, PUBLISHED)
    assert found.scored.scores == pytest.approx(metrics.scores(test["truth"], test["prediction"], row.labels))


def test_a_baseline_by_name_is_its_default_result_on_clean_recordings(tmp_path):
    """A5 has published results under noise, of single folds and of other settings: one of them is its own."""
    results = [run for run in store.load_rows(store.published_dir()) if run.spec["model"] == "cnn_bilstm_attention"]
    results = [run for run in results if run.spec["corpus"] == "ravdess" and run.spec["protocol"] == "speaker"]
    assert len({str(run.setting) for run in results}) > 5
    own = next(run for run in results if run.spec["augment"] == "" and run.spec["condition"] == "clean")
    found = submissions.score_submission(file_of(own), "ravdess", "speaker", against=["cnn_bilstm_attention"])
    (comparison,) = found.against
    chosen = [run for run in results if run.hash in comparison.hashes]
    assert {run.spec["fold"] for run in chosen} == set(range(6)) and {run.spec["condition"] for run in chosen} == {
        "clean"
    }
    assert chosen[0].spec["augment"] == "noise,stretch,shift,pitch"  # as the paper trains it
