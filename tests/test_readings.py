"""The readings of the paper's text: which results count, the table, the sentence and the figure."""

import numpy as np
import pytest
from made_rows import made_rows
from test_plots import check, words

from ser_core.figures.readings import readings_plot
from ser_core.results import pooling, readings


@pytest.fixture
def measured(tmp_path):
    """Two readings under several rules, and results that are none."""
    rows = [
        *made_rows(tmp_path, folds=6, keep="loss", skill=0.4),
        *made_rows(tmp_path, folds=6, keep="uar", skill=0.5, seeds=(0,)),
        *made_rows(tmp_path, folds=6, keep="oracle", skill=0.7),
        *made_rows(tmp_path, folds=2, keep="last", augment="", learning_rate=0.0001, skill=0.9),
        *made_rows(tmp_path, folds=2, keep="uar", protocol="random", skill=1.0),
        *made_rows(tmp_path, folds=2, keep="uar", features="14", skill=1.0),
        *made_rows(tmp_path, folds=2, model="a1", keep="uar", skill=1.0),
        *made_rows(tmp_path, folds=2, augment="noise", skill=1.0),
        *made_rows(tmp_path, folds=2, epochs=20, skill=1.0),
    ]
    return rows, tmp_path


def test_only_readings_of_the_text_count(measured):
    found = readings.measured_readings(*measured)
    titles = ["four techniques of augmentation", "no augmentation, learning rate 0.0001"]
    assert [reading.title for reading in found] == titles
    assert [list(reading.results) for reading in found] == [["loss", "uar", "oracle"], ["last"]]


def test_the_table_has_the_pooled_scores(measured):
    table = readings.readings_table(readings.measured_readings(*measured))
    rows, folder = measured
    kept = [row for row in rows if row.spec["keep"] == "uar" and row.spec["model"] == readings.A5]
    kept = [row for row in kept if row.spec["protocol"] == "speaker" and row.spec["features"] == "42"]
    answers = [pooling.subset_predictions(row, folder) for row in kept]
    right = sum((frame["truth"] == frame["prediction"]).sum() for frame in answers) / sum(map(len, answers))
    own = table[(table["reading"] == "four techniques of augmentation") & (table["rule"] == "uar")].iloc[0]
    assert own["accuracy"] == pytest.approx(right) and (own["folds"], own["folds_total"]) == (6, 6)
    assert own["best_epoch"] == pytest.approx(np.mean([row.best_epoch for row in kept]))


def test_the_sentence_names_the_best_complete_honest_reading(measured):
    found = readings.measured_readings(*measured)
    sentence = readings.readings_sentence(found)
    best, leak = (100 * found[0].results[rule].scores["accuracy"] for rule in ("uar", "oracle"))
    assert sentence.startswith(
        "No measured reading of the text reaches the claimed 91.74 % on unseen speakers of RAVDESS"
    )
    assert (
        f"The best of those on all folds reaches {best:.1f} %" in sentence
        and "highest validation UAR; 6 of 6; seed 0" in sentence
    )
    assert sentence.endswith(f"best on test, a leak, reaches {leak:.1f} %.")


def test_a_reading_that_reaches_the_claim_is_said_to(tmp_path):
    rows = made_rows(tmp_path, folds=6, keep="uar", skill=1.0)
    assert readings.readings_sentence(readings.measured_readings(rows, tmp_path)).startswith(
        "A reading of the text reaches"
    )
    rows = made_rows(tmp_path, folds=6, keep="oracle", skill=1.0) + made_rows(tmp_path, folds=6, skill=0.4)
    sentence = readings.readings_sentence(readings.measured_readings(rows, tmp_path))
    assert sentence.startswith("No measured reading"), "a leak does not count"


def test_the_demo_corpus_cannot_test_the_claim(tmp_path):
    rows = made_rows(tmp_path, folds=2, corpus="demo", keep="uar")
    sentence = readings.readings_sentence(readings.measured_readings(rows, tmp_path))
    assert sentence.endswith("cannot test the paper's claim.") and "91.74" not in sentence


def test_without_several_rules_there_is_no_markdown(tmp_path):
    assert readings.readings_markdown(made_rows(tmp_path, folds=2), tmp_path) == ""
    assert readings.readings_sentence([]) == "No reading of the text was measured."


def test_the_figure_shows_every_rule_the_claim_and_chance(measured):
    found = readings.measured_readings(*measured)
    figure = readings_plot(found, title="Readings")
    check(figure, title="Readings")
    (ax,) = figure.axes
    shown = {round(line.get_xdata()[0], 3) for line in ax.lines}
    for reading in found:
        for result in reading.results.values():
            assert round(100 * result.scores["accuracy"], 3) in shown
    assert 91.74 in shown and 12.5 in shown
    for text in ("best epoch on test (leak)", "claimed by the paper", "chance"):
        assert text in words(figure)
