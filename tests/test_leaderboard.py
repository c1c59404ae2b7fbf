"""Leaderboards: which results are ranked, in which order, and what the verdicts and the sentence say."""

import pytest
from made_rows import made_rows

from ser_core._utils.errors import SerError
from ser_core.metrics import significance
from ser_core.results import leaderboard, pooling


@pytest.fixture
def board(tmp_path):
    """Six folds of A5 under two settings and of two systems; a system on two folds, and a degraded result."""
    rows = [
        *made_rows(tmp_path, folds=6, skill=0.3, augment="", precision="mixed_bfloat16"),
        *made_rows(tmp_path, folds=6, skill=0.4, precision="mixed_bfloat16"),
        *made_rows(tmp_path, folds=6, skill=0.9, model="a1", augment="", precision="mixed_bfloat16"),
        *made_rows(tmp_path, folds=6, skill=0.39, model="a2", augment="", precision="mixed_bfloat16"),
        *made_rows(tmp_path, folds=2, skill=1.0, model="issa", augment=""),
        *made_rows(tmp_path, folds=6, skill=1.0, model="a1", augment="", condition="white:20"),
        *made_rows(tmp_path, folds=6, skill=1.0, protocol="random"),
    ]
    (found,) = leaderboard.leaderboards(pooling.pool_results(rows, tmp_path), tmp_path)
    return found, tmp_path


def test_complete_results_are_ranked_by_uar_and_the_others_named(board):
    found, _ = board
    scores = [result.scores["uar"] for result in found.ranked]
    assert scores == sorted(scores, reverse=True) and len(scores) == 4
    assert found.ranked[0].spec["model"] == "a1" and found.ranked[0].spec["condition"] == "clean"
    assert [result.spec["model"] for result in found.partial] == ["issa"]


def test_the_reference_is_the_best_setting_of_the_papers_network(board):
    found, _ = board
    a5 = [result for result in found.ranked if result.spec["model"] == "cnn_bilstm_attention"]
    assert found.reference is a5[0] and a5[0].scores["uar"] > a5[1].scores["uar"]
    assert found.verdict(found.ranked.index(found.reference)) == "reference"


def test_verdicts_follow_the_corrected_p_values(board):
    found, folder = board
    table = leaderboard.leaderboard_table(found)
    assert table["verdict"][0] == "better" and table["p"][0] <= significance.ALPHA
    raw = [change.uar.p for change in found.changes if change]
    assert found.p[0] == pytest.approx(min(1, len(raw) * found.changes[0].uar.p))  # Holm: the smallest of all
    for verdict, p in zip(table["verdict"], table["p"], strict=True):
        assert (verdict in ("better", "worse")) == (p <= significance.ALPHA)
    assert table["difference"][0] == pytest.approx(found.ranked[0].scores["uar"] - found.reference.scores["uar"])
    shown = leaderboard.format_leaderboard(table)
    assert list(shown["rank"]) == ["1", "2", "3", "4"] and shown["compared with A5"][0].startswith(
        "better (p\N{NO-BREAK SPACE}"
    )
    assert "bfloat16" in leaderboard.common_setting(found) and not shown["setting"].str.contains("bfloat16").any()


def test_the_sentence_says_what_is_best_by_how_much_and_how_certain(board):
    found, folder = board
    sentence = leaderboard.leaderboard_sentence(found, folder)
    best, change = found.ranked[0], found.changes[0].uar
    assert sentence.startswith("On RAVDESS, protocol speaker, A1: CNN, MFCC is best of 4: UAR ")
    for number in (f"{100 * best.scores['uar']:.1f}", f"{100 * change.difference:+.1f}", "chance 12.5 %"):
        assert number in sentence
    assert "It leads A2: CNN, MFCC+RMSE" in sentence or "It leads" not in sentence
    text = leaderboard.leaderboard_markdown(list(found.ranked) + list(found.partial), folder)
    assert "accuracy of human listeners" in text and "Not ranked, on fewer folds: Issa et al. CNN." in text


def test_a_reference_on_fewer_folds_is_compared_on_the_shared_ones_and_not_ranked(tmp_path):
    rows = made_rows(tmp_path, folds=6, skill=0.9, model="svm") + made_rows(tmp_path, folds=2, skill=0.3)
    pooled = pooling.pool_results(rows, tmp_path)
    (found,) = leaderboard.leaderboards(pooled, tmp_path)
    assert [one.spec["model"] for one in found.ranked] == ["svm"]
    assert found.reference is found.partial[0] and found.reference.spec["model"] == "cnn_bilstm_attention"
    (shared,) = [one for one in pooling.pool_results(rows, tmp_path, folds=[0, 1]) if one.spec["model"] == "svm"]
    expected = shared.scores["uar"] - found.reference.scores["uar"]
    assert leaderboard.leaderboard_table(found)["difference"][0] == pytest.approx(expected)
    assert "on the 2 folds that both have" in leaderboard.leaderboard_sentence(found, tmp_path)
    assert "on 2 of 6 folds; differences are on the folds that both have" in leaderboard.common_setting(found)


def test_without_a_reference_there_is_no_column_for_it_and_titles_stay_apart(tmp_path):
    rows = made_rows(tmp_path, folds=6, model="svm")
    rows += [run for model in ("a1", "a2") for run in made_rows(tmp_path, folds=2, model=model)]
    pooled = pooling.pool_results(rows, tmp_path)
    (found,) = leaderboard.leaderboards(pooled, tmp_path)
    shown = leaderboard.format_leaderboard(leaderboard.leaderboard_table(found))
    assert found.reference is None and not any("A5" in column for column in shown) and "rank" in shown
    text = leaderboard.leaderboard_markdown(pooled, tmp_path)
    assert "Not ranked, on fewer folds: A1: CNN, MFCC; A2: CNN, MFCC+RMSE." in text


def whisper_encoder_weights(size, layers, bands=80, positions=1500):
    """Count the weights of a Whisper encoder by its published layers (Radford et al. 2022)."""
    convolutions = 3 * bands * size + size + 3 * size * size + size
    attention = 4 * size * size + 3 * size  # the keys have no bias
    feed_forward = 2 * 4 * size * size + 4 * size + size
    norm = 2 * size
    return convolutions + positions * size + layers * (attention + feed_forward + 2 * norm) + norm


def test_weights_of_a_frozen_encoder_are_counted_apart(tmp_path):
    tiny, base = whisper_encoder_weights(384, 4), whisper_encoder_weights(512, 6)
    rows = made_rows(tmp_path, folds=6, skill=0.9, model="whisper_tiny_en_base", augment="")
    rows += made_rows(tmp_path, folds=6, skill=0.8, model="whisper_base", augment="") + made_rows(tmp_path, skill=0.2)
    (found,) = leaderboard.leaderboards(pooling.pool_results(rows, tmp_path), tmp_path)
    table = leaderboard.leaderboard_table(found)
    assert table["frozen"][:2].tolist() == [tiny + base, base] and table["frozen"].isna().tolist() == [
        False,
        False,
        True,
    ]
    shown = [text.replace("\N{NO-BREAK SPACE}", " ") for text in leaderboard.format_leaderboard(table)["weights"]]
    assert shown == [f"469,257 + {tiny + base:,} frozen", f"469,257 + {base:,} frozen", "469,257"]


def test_results_on_the_demo_corpus_are_called_so(tmp_path):
    rows = made_rows(tmp_path, folds=6, corpus="demo", skill=0.5)
    (found,) = leaderboard.leaderboards(pooling.pool_results(rows, tmp_path), tmp_path)
    assert "demo" in leaderboard.leaderboard_sentence(found, tmp_path)
    assert len(leaderboard.reference_lines(found)) == 1  # people heard the real corpus


def test_own_results_are_ranked_among_the_published_ones_by_their_names(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(tmp_path))
    published = tmp_path / "published"
    published.mkdir()
    made_rows(published, folds=6, skill=0.3, augment="")
    made_rows(published, folds=6, model="a1")
    own = tmp_path / "store"
    own.mkdir()
    first = made_rows(own, folds=6, skill=0.95, model="ser_core.models.mel:base_cnn")
    second = made_rows(own, folds=5, skill=0.05, model="ser_core.models.mel:base_cnn", epochs=9)
    found = leaderboard.own_leaderboard({"small": first, "wider": second}, "ravdess")
    assert [one.spec["model"] for one in found.ranked][0] == "small" and len(found.ranked) == 3
    assert [one.spec["model"] for one in found.partial] == ["wider"]
    assert found.reference.spec["model"] == "cnn_bilstm_attention" and found.verdict(0) == "better"
    other = leaderboard.own_leaderboard({"small": first}, "ravdess", reference="a1")
    assert other.reference.spec["model"] == "a1"
    assert "compared with A1: CNN, MFCC" in leaderboard.leaderboard_sentence(other, tmp_path)
    with pytest.raises(SerError, match="nothing was measured on all folds"):
        leaderboard.own_leaderboard({}, "tess")
