"""The overview: which systems stand for their kind, and that only what was measured is shown."""

import pytest
from made_rows import made_rows

from ser_core.report.overview import overview_content
from ser_core.results import leaderboard, overview, pooling


@pytest.fixture
def columns(tmp_path):
    rows = [
        *made_rows(tmp_path, folds=6, skill=0.4),
        *made_rows(tmp_path, folds=6, skill=0.8, protocol="random"),
        *made_rows(tmp_path, folds=2, skill=0.9, protocol="random", augment=""),
        *made_rows(tmp_path, folds=6, skill=0.7, model="svm", augment=""),
        *made_rows(tmp_path, folds=6, skill=0.2, model="svm_egemaps", augment=""),
        *made_rows(tmp_path, folds=6, skill=0.5, model="a1", augment=""),
        *made_rows(tmp_path, folds=6, skill=1.0, model="a2", augment="", condition="white:20"),
        *made_rows(tmp_path, folds=1, skill=1.0, model="a3", augment=""),
    ]
    pooled = pooling.pool_results(rows, tmp_path)
    (board,) = leaderboard.leaderboards(pooled, tmp_path)
    return overview.overview(board, pooled, tmp_path), pooled


def test_the_best_system_on_all_folds_is_shown_for_each_kind(columns):
    found, _ = columns
    assert [column.kind for column in found] == list(overview.KINDS)
    assert [column.system for column in found] == [
        "CNN-BiLSTM-Attention (A5)", "SVM, functionals", "A1: CNN, MFCC", "",
    ]  # fmt: skip


def test_only_what_was_measured_is_shown_under_the_same_setting(columns):
    found, pooled = columns
    paper, classical, *_ = found
    assert set(paper.measured) == {"random", "speaker"} and set(classical.measured) == {"speaker"}
    assert paper.claimed == 0.9174 and classical.claimed is None
    random = next(one for one in pooled if one.spec["protocol"] == "random" and one.spec["augment"])
    assert paper.measured["random"].accuracy == pytest.approx(random.scores["accuracy"])
    text = overview.unmeasured_words(found)
    assert text.startswith("No pretrained system was measured on all folds; ")
    assert "SVM, functionals was not measured under leaky, random, cross" in text


def test_the_papers_network_is_shown_in_the_setting_of_most_protocols_and_others_are_named(tmp_path):
    rows = [
        *made_rows(tmp_path, folds=6, skill=0.4),
        *made_rows(tmp_path, folds=6, skill=0.8, protocol="random"),
        *made_rows(tmp_path, folds=6, skill=0.9, augment=""),  # better, but under one protocol only
        *made_rows(tmp_path, folds=2, skill=0.3, protocol="cross", test_corpus="tess", augment=""),
    ]
    pooled = pooling.pool_results(rows, tmp_path)
    (board,) = leaderboard.leaderboards(pooled, tmp_path)
    columns = overview.overview(board, pooled, tmp_path)
    shown = next(one for one in pooled if one.spec["protocol"] == "speaker" and one.spec["augment"])
    assert columns[0].measured["speaker"].accuracy == pytest.approx(shown.scores["accuracy"])
    content = overview_content(columns, "RAVDESS")
    notes = {row["protocol"]: row["cells"][0]["note"] for row in content["rows"]}
    assert notes["speaker"] == notes["random"] == "" and "no augmentation" in notes["cross"]
