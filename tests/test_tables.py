"""Tables are made of rows and predictions, pool folds, average seeds, and never mix protocols."""

import json

import numpy as np
import pandas as pd
import pytest
from made_rows import made_row, made_rows

from ser_core import metrics
from ser_core._utils.errors import SerError
from ser_core.claims import paper
from ser_core.corpora import inventory
from ser_core.experiments.result import Completeness
from ser_core.metrics import uncertainty
from ser_core.results import formatting, pooling, tables


def test_predictions_are_the_test_side_with_the_most_probable_label(tmp_path):
    row = made_row(tmp_path)
    test, validation = (pooling.subset_predictions(row, tmp_path, side) for side in ("test", "validation"))
    assert (len(test), len(validation)) == (row.n_test, row.n_validation)
    assert metrics.scores(test["truth"], test["prediction"], row.labels) == pytest.approx(row.scores)


def test_folds_are_pooled_and_not_averaged(tmp_path):
    rows = made_rows(tmp_path)
    (one,) = pooling.pool_results(rows, tmp_path)
    everything = pooling.join_predictions(rows, tmp_path)
    expected = metrics.scores(everything["truth"], everything["prediction"], rows[0].labels)
    assert one.scores == pytest.approx(expected)
    assert one.scores["f1"] != pytest.approx(np.mean([row.scores["f1"] for row in rows]), abs=1e-6)
    assert (one.folds, one.folds_total, one.seeds) == ((0, 1, 2, 3, 4, 5), 6, (0,))
    assert one.n_test == sum(row.n_test for row in rows) == np.sum(one.confusion)
    assert one.intervals == uncertainty.intervals(everything, rows[0].labels)
    assert (one.intervals.unit, one.intervals.n) == ("speaker", 24)
    assert one.intervals.accuracy.low < one.scores["accuracy"] < one.intervals.accuracy.high
    assert one.completeness == Completeness(1440, 1438, ("a", "b"))


def test_seeds_are_averaged(tmp_path):
    rows = made_rows(tmp_path, folds=2, seeds=(0, 1, 2))
    (one,) = pooling.pool_results(rows, tmp_path)
    each = [pooling.join_predictions([row for row in rows if row.spec["seed"] == seed], tmp_path) for seed in (0, 1, 2)]
    scores = [metrics.scores(frame["truth"], frame["prediction"], rows[0].labels)["uar"] for frame in each]
    assert len(set(scores)) == 3
    assert one.scores["uar"] == pytest.approx(np.mean(scores))
    assert one.n_test == len(each[0])
    assert sum(scores.support for scores in one.per_class.values()) == one.n_test


def test_a_seed_with_fewer_folds_is_left_out_and_named(tmp_path):
    rows = made_rows(tmp_path, folds=3) + made_rows(tmp_path, folds=2, seeds=(7,))
    (one,) = pooling.pool_results(rows, tmp_path)
    assert (one.folds, one.seeds, one.seeds_left_out) == ((0, 1, 2), (0,), (7,))
    table = tables.results_table([one])
    assert set(table["folds"]) == {3} and set(tables.format_results(table)["folds"]) == {"3 of 6"}
    (shared,) = pooling.pool_results(rows, tmp_path, folds=[0, 1])
    assert (shared.folds, shared.seeds) == ((0, 1), (0, 7))


def test_other_settings_are_not_pooled(tmp_path):
    rows = [*made_rows(tmp_path, folds=1), *made_rows(tmp_path, folds=1, learning_rate=0.0001, augment="")]
    first, second = pooling.pool_results(rows, tmp_path)
    settings = tables.results_table([first, second])["setting"].unique().tolist()
    assert settings == ["as the paper", "no augmentation, learning rate 0.0001"]


@pytest.mark.parametrize(
    ("epochs", "patience", "words"),
    [
        (300, 300, "no early stopping"),
        (30, 300, "epochs 30, no early stopping"),
        (300, 5, "patience 5"),
        (300, 20, "as the paper"),
    ],
)
def test_patience_that_never_ends_a_training_is_called_so(tmp_path, epochs, patience, words):
    rows = made_rows(tmp_path, folds=1, epochs=epochs, patience=patience)
    assert set(tables.results_table(pooling.pool_results(rows, tmp_path))["setting"]) == {words}


def test_a_failed_run_is_a_line(tmp_path):
    good, bad = made_row(tmp_path), made_row(tmp_path, fold=1, status="error")
    (one,) = pooling.pool_results([good, bad], tmp_path)
    assert (one.folds, one.errors) == ((0,), ("ValueError: made up",))
    (lost,) = pooling.pool_results([bad], tmp_path)
    assert tables.results_table([lost])["accuracy"].isna().all()
    line = tables.format_results(tables.results_table([lost])).iloc[0]
    assert (line["ours: accuracy %"], line["folds"], line["95 % interval"]) == ("failed", "0 of 6", "–")


def test_two_speakers_give_an_interval_over_words(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path, corpus="tess", folds=2), tmp_path)
    line = tables.format_results(tables.results_table([one])).iloc[0]
    assert (line["over"], line["folds"], line["paper: accuracy %"]) == ("12 words", "2 of 2", "–")


def test_the_claim_stands_beside_ours(tmp_path):
    table = tables.results_table(pooling.pool_results(made_rows(tmp_path), tmp_path))
    assert table["claimed"].iloc[0] == 0.9174 and table["accuracy_low"].dtype == float
    line = tables.format_results(table).iloc[0]
    assert line["paper: accuracy %"] == "91.74"
    assert line["95 % interval"].startswith("[") and line["95 % interval"].count(".") == 2
    assert line["corpus complete"] == "1,438 of 1,440"


def test_only_ravdess_is_also_scored_with_calm_as_neutral(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path), tmp_path)
    merged = one.calm_is_neutral
    matrix = pd.DataFrame(one.confusion, list(one.labels), list(one.labels))
    gained = (matrix.loc["calm", "neutral"] + matrix.loc["neutral", "calm"]) / one.n_test
    assert gained > 0
    assert merged.scores["accuracy"] == pytest.approx(one.scores["accuracy"] + gained)
    for corpus in ("tess", "demo_ravdess"):
        (other,) = pooling.pool_results(made_rows(tmp_path, corpus=corpus, folds=1), tmp_path)
        assert other.calm_is_neutral is None


def test_a_composed_corpus_is_scored_on_each_part(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path, corpus="ravtess", folds=2), tmp_path)
    assert list(one.parts) == ["ravdess", "tess"]
    assert sum(part.n_test for part in one.parts.values()) == one.n_test
    corpus = tables.results_table([one])["corpus"].tolist()
    assert len(corpus) == 3 and corpus[1:] == ["of which RAVDESS", "of which TESS"]


def test_demo_rows_say_demo(tmp_path):
    pooled = pooling.pool_results(made_rows(tmp_path, corpus="demo_ravdess", folds=1), tmp_path)
    assert "demo" in tables.results_table(pooled)["corpus"].iloc[0].lower()
    assert "Demo: synthetic speech" in tables.results_markdown(pooled)


def test_of_rows_apart_in_the_rule_of_epoch_choice_the_default_is_marked(tmp_path):
    rows = [run for keep in ("uar", "loss", "last") for run in made_rows(tmp_path, folds=1, keep=keep, epochs=9)]
    rows += made_rows(tmp_path, folds=1, epochs=7)
    settings = tables.results_table(pooling.pool_results(rows, tmp_path), calm_is_neutral=False)["setting"].tolist()
    default = "epochs 9, epoch of the lowest validation loss (the default)"
    assert settings[1] == default and sum("the default" in words for words in settings) == 1
    assert settings[3] == "epochs 7"  # nothing differs from it in the rule alone


def test_a_network_has_its_title_and_its_name(tmp_path):
    lines = tables.table_records(pooling.pool_results(made_rows(tmp_path, folds=1, model="svm"), tmp_path))
    assert {(line["network"], line["model"]) for line in lines} == {("SVM, functionals", "svm")}


def test_deviations_are_explained_where_they_are_shown(tmp_path):
    one_seed = pooling.pool_results(made_rows(tmp_path, folds=2), tmp_path)
    assert "SD over" not in tables.results_markdown(one_seed)
    text = tables.results_markdown(pooling.pool_results(made_rows(tmp_path, folds=2, seeds=(0, 1)), tmp_path))
    assert "SD over units" in text.splitlines()[2] and tables.SPREAD_LEGEND in text


def test_a_table_never_mixes_protocols(tmp_path):
    rows = made_rows(tmp_path, folds=1) + made_rows(tmp_path, folds=1, protocol="random")
    pooled = pooling.pool_results(rows, tmp_path)
    with pytest.raises(SerError, match="cannot mix the protocols random, speaker"):
        tables.results_table(pooled)
    lines = tables.table_records(pooled)
    assert [line["protocol"] for line in lines] == ["speaker", "speaker", "random", "random"]
    assert lines[0]["ours: accuracy %"] == f"{100 * lines[0]['accuracy']:.1f}" and lines[1]["claimed"] is None
    assert json.loads(json.dumps(lines)) == lines
    text = tables.results_markdown(pooled)
    assert text.count("**Protocol `") == 2 and text.count("| corpus |") == 2


def test_table_iii_stands_beside_ours(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path), tmp_path)
    numbers = tables.per_class_table(one)
    assert numbers["f1"].tolist() == [one.per_class[label].f1 for label in one.labels]
    table = tables.format_per_class(numbers).set_index("emotion")
    assert tuple(table.index) == one.labels
    assert table.loc["sad", "F1 %, paper"] == "95.13"
    assert table.loc["sad", "recall %, ours"] == f"{100 * one.per_class['sad'].recall:.1f}"
    assert table["test utterances"].sum() == one.n_test


def test_the_compact_table_keeps_every_figure(tmp_path):
    numbers = tables.results_table(pooling.pool_results(made_rows(tmp_path, corpus="tess", folds=2), tmp_path))
    short, table = tables.compact_results(numbers), tables.format_results(numbers)
    score = short["ours: accuracy % [95 %]"][0].replace("\N{NO-BREAK SPACE}", " ")
    assert score == f"{table['ours: accuracy %'][0]} {table['95 % interval'][0]}"
    assert "setting" not in short and short["tested on"][0] == "112; 12 words"
    assert short["corpus complete"][0] == "1,438 of 1,440"


def test_markdown_escapes_bars_and_aligns_figures():
    text = formatting.to_markdown(pd.DataFrame({"name": ["a|b"], "value": [12.5]}))
    assert text == "| name | value |\n| --- | ---: |\n| a\\|b | 12.5 |\n"
    frame = formatting.text_frame([{"name": "1", "value": "+2 [1, 3]"}], right=["value"])
    assert formatting.to_markdown(frame).splitlines()[1] == "| --- | ---: |", "not by what the text begins with"
    assert formatting.to_markdown(frame, right=["name"]).splitlines()[1] == "| ---: | --- |"


def test_the_readme_block_is_replaced_and_nothing_else(tmp_path):
    readme, text = (
        tmp_path / "README.md",
        tables.results_markdown(pooling.pool_results(made_rows(tmp_path, folds=2), tmp_path)),
    )
    readme.write_text(f"# Title\n\n{tables.OPEN}\noutdated\n{tables.CLOSE}\n\nAfter.\n")
    assert tables.update_readme(readme, text) is True
    whole = readme.read_text()
    assert whole.startswith(f"# Title\n\n{tables.OPEN}\n") and whole.endswith(f"{tables.CLOSE}\n\nAfter.\n")
    assert (
        "outdated" not in whole and "| 2\N{NO-BREAK SPACE}of\N{NO-BREAK SPACE}6; seed 0 |" in text and "91.74" in text
    )
    assert tables.update_readme(readme, text) is False
    assert readme.read_text() == whole


@pytest.mark.parametrize("text", ["none", f"{tables.OPEN}", f"{tables.CLOSE} {tables.OPEN}"])
def test_a_readme_without_the_marks_is_refused(tmp_path, text):
    (tmp_path / "README.md").write_text(text)
    with pytest.raises(SerError, match="README.md: put one line"):
        tables.update_readme(tmp_path / "README.md", "text")
    assert (tmp_path / "README.md").read_text() == text


def test_completeness_names_the_missing():
    facts = {"expected": 2800, "found": 2798, "missing": [f"m{n}" for n in range(6)]}
    table = inventory.completeness_table({"tess": facts, "ravdess": None})
    assert table["missing"].tolist() == ["m0, m1, m2, m3 and 2 more", "–"]
    assert table["found"].tolist() == ["2,798", "not here"]


def test_the_published_list_stands_in_for_absent_audio(tmp_path, monkeypatch):
    monkeypatch.setenv("SER_DATA", str(tmp_path))
    with pytest.raises(SerError, match="ser data fetch ravdess"):
        inventory.read_headers("ravdess")
    listed = inventory.read_headers("ravdess", listed=True)
    assert (len(listed), listed.attrs["source"]) == (1440, "published list")
    assert (listed["seconds"] > 4).sum() == 255  # those that 400 frames cut


def test_recordings_read_the_headers():
    table = inventory.read_headers("demo_ravdess")
    assert table.attrs["source"] == "recordings"
    assert table["seconds"].between(0.1, 20).all() and (table["rate"] > 0).all()


def test_claims_are_as_printed():
    assert paper.claimed_scores("cnn_bilstm_attention", "demo")["accuracy"] == 0.9174
    assert paper.claimed_scores("cnn_bilstm_attention_lite", "ravtess") == {
        "accuracy": 0.981,
        "precision": 0.9795,
        "recall": 0.9802,
        "f1": 0.9798,
        "source": "Table IV",
    }
    assert paper.claimed_scores("a3", "ravdess") == {"accuracy": 0.8876, "f1": 0.8871, "source": "Table V"}
    assert (
        paper.claimed_scores("cnn_bilstm_attention", "tess") is None
        and paper.claimed_scores("svm_egemaps", "ravdess") is None
    )
    assert [len(paper.table(number)) for number in paper.TABLES] == [3, 5, 8, 3, 5, 5]
