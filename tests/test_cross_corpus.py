"""Tables and figure of notebook 07, from made-up rows."""

import itertools
import json
import re

import pandas as pd
import pytest
from made_rows import made_row

from ser_core.experiments.spec import Spec
from ser_core.figures import plots
from ser_core.figures.cross_corpus import plot_cross_corpus_scores
from ser_core.report.html import export_html, headline_table
from ser_core.results import comparison, cross_corpus, pooling, tables

PLAIN = {"corpus": "tess", "test_corpus": "ravdess", "protocol": "cross", "augment": ""}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """RAVDESS to TESS and back, zero and masked padding, one adaptation; skill differs so that masks help."""
    folder = tmp_path_factory.mktemp("rows")
    back = {"corpus": "tess", "test_corpus": "emodb"} | {k: PLAIN[k] for k in ("protocol", "augment")}
    rows = [
        made_row(folder, skill=skill, size=140, **PLAIN | fields)
        for skill, fields in ((0.2, {}), (0.9, {"padding": "masked"}), (0.25, {"adapt": "coral"}))
    ]
    rows += [made_row(folder, skill=0.3, size=140, **back), made_row(folder, condition="white:0", **PLAIN)]
    return pooling.pool_results(rows, folder), folder


def test_the_matrix_has_plain_rows_alone(made):
    pooled, _ = made
    (some,) = cross_corpus.rows_by_system(pooled).values()
    assert len(some) == 4, "not the noisy one"
    frame = cross_corpus.format_matrix(cross_corpus.cross_matrix(some)).set_index("trained on")
    plain = next(one for one in some if cross_corpus.is_plain(one) and one.spec["test_corpus"] == "ravdess")
    assert frame.loc["TESS", "tested on RAVDESS"] == comparison.describe_score(plain, "uar")
    assert frame.loc["RAVDESS", "tested on TESS"] == "–"
    assert len(frame) == 3 and set(cross_corpus.shared_emotions(some)["direction"]) == {
        cross_corpus.direction(plain),
        "TESS → EmoDB",
    }


def test_the_markdown_has_a_matrix_per_adaptation_for_systems_of_three_corpora_or_more(made, tmp_path):
    assert cross_corpus.matrix_markdown(*made) == "", "only TESS trains"
    rows = [
        made_row(tmp_path, skill=skill, size=140, model="svm", protocol="cross", corpus=a, test_corpus=b, adapt=adapt)
        for a, b in itertools.permutations(("ravdess", "tess", "emodb"), 2)
        for skill, adapt in ((0.2, "none"), (0.6, "corpus"))
    ]
    pooled = pooling.pool_results(rows, tmp_path)
    text = cross_corpus.matrix_markdown(pooled, tmp_path)
    off, on = text.split("Adaptation corpus (scaled by each corpus)")
    assert "Adaptation none (as trained)" in off and "coral" not in text
    for part, adapt in ((off, "none"), (on, "corpus")):
        own = [one for one in pooled if (one.spec["corpus"], one.spec["adapt"]) == ("tess", adapt)]
        found = {one.spec["test_corpus"]: comparison.describe_score(one, "uar") for one in own}
        lines = [
            next(row for row in part.splitlines() if row.startswith(start)) for start in ("| trained on", "| TESS")
        ]
        heads, entries = ([cell.strip() for cell in row.strip("|").split("|")] for row in lines)
        line = dict(zip(heads, entries, strict=True))
        assert line == {
            "trained on": "TESS", "tested on TESS": "–",
            "tested on RAVDESS": found["ravdess"], "tested on EmoDB": found["emodb"],
        }  # fmt: skip
    assert re.search(r"Adaptation: of \d differences \d significant", text)
    assert all(f"| TESS → {name} |" in text.split("emotions in common")[1] for name in ("EmoDB", "RAVDESS"))


def test_a_network_that_gives_one_answer_is_seen_to_do_so(made):
    pooled, folder = made
    one = next(one for one in pooled if cross_corpus.is_plain(one))
    answers = pd.concat([pooling.subset_predictions(row, folder) for row in one.results])["prediction"].value_counts()
    emotion, share = cross_corpus.most_frequent_answer(one)
    assert answers[emotion] == answers.max() and share == pytest.approx(answers.max() / answers.sum())
    (some,) = cross_corpus.rows_by_system(pooled).values()
    text = cross_corpus.format_emotions(cross_corpus.shared_emotions(some))["most frequent answer"]
    assert f"{emotion}, {100 * share:.0f} %" in list(text)


def test_changes_are_paired_against_the_plain_row(made):
    pooled, folder = made
    (some,) = cross_corpus.rows_by_system(pooled).values()
    found = cross_corpus.adaptation_changes(some, folder, "padding")
    assert [line.choice for line in found] == ["zero", "masked"] and found[0].difference is None
    scores = [line.result.scores["uar"] for line in found]
    assert found[1].difference.difference == pytest.approx(scores[1] - scores[0])
    assert cross_corpus.significant_changes(found) == [found[1]]
    assert "of 1 differences 1 significant at 5 %" in cross_corpus.changes_sentence(found, "Masked padding")
    adapted = cross_corpus.adaptation_changes(some, folder, "adapt")
    assert [line.choice for line in adapted] == ["none", "coral"]
    table = cross_corpus.format_changes(cross_corpus.changes_table(adapted), "adapt")
    assert list(table["direction"]) == ["TESS → RAVDESS"] * 2 and "CORAL" in table["adapt"][1]
    figure = plot_cross_corpus_scores(adapted, "adapt", title="x")
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()][0].startswith("TESS → RAVDESS")


def test_pairs_that_a_profile_has_not_are_added(made):
    pooled, _ = made
    rows = [row for one in pooled for row in one.results]
    found = cross_corpus.other_pairs(rows, [Spec(**PLAIN)])
    assert {row.spec["test_corpus"] for row in found} == {"emodb"}


def test_nothing_measured_is_said():
    assert cross_corpus.rows_by_system([]) == {} and cross_corpus.adaptation_changes([], ".", "padding") == []
    assert "no difference could be tested" in cross_corpus.changes_sentence([], "Adaptation")
    assert cross_corpus.cross_matrix([]).empty and plot_cross_corpus_scores([], "padding", title="x").axes


def test_several_folds_test_the_same_utterances_and_count_them_once(made):
    _, folder = made
    rows = [made_row(folder, seed=5, skill=0.5, size=70, **PLAIN)]
    second = made_row(folder, seed=5, fold=1, skill=0.7, size=70, **PLAIN)
    path = folder / f"{second.hash}.parquet"
    frame = pd.read_parquet(path)
    frame["id"] = frame["id"].str.replace("1-", "0-")
    frame.to_parquet(path)
    (one,) = pooling.pool_results([*rows, second], folder)
    assert one.n_test == 70 and one.folds == (0, 1)
    assert sum(each.support for each in one.per_class.values()) == 70
    assert one.claimed is None and one.calm_is_neutral is None


@pytest.fixture(scope="module")
def leaky(tmp_path_factory):
    folder = tmp_path_factory.mktemp("leaky")
    row = made_row(folder, protocol="leaky", size=96)
    path = folder / f"{row.hash}.parquet"
    frame = pd.read_parquet(path)
    frame["copy"] = ["" if number % 3 else "noise" for number in range(len(frame))]
    frame.to_parquet(path)
    return pooling.pool_results([row], folder), frame[frame["side"] == "test"]


def test_leaky_is_red_and_says_so(leaky):
    pooled, test = leaky
    page = headline_table(pooled)
    assert 'class="badge bad">leaky<' in page and page.count("clips") == 2
    figure = plots.claim_versus_ours(pooled)
    label = figure.axes[0].get_yticklabels()[0]
    assert "leaky" in label.get_text() and label.get_color() == plots.RED
    lines = tables.results_table(pooled)
    parts = lines[lines["corpus"].str.contains("clips")].set_index("corpus")["n_test"]
    assert parts["of which original clips"] == (test["copy"] == "").sum()
    assert parts["of which augmented clips"] == (test["copy"] != "").sum()


def test_leaky_is_red_in_a_notebooks_page(tmp_path):
    import nbformat

    cell = nbformat.v4.new_markdown_cell("**Protocol `leaky`** and\n\n| protocol |\n| --- |\n| leaky |\n\nleaky pipes")
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(nbformat.v4.new_notebook(cells=[cell])))
    page = export_html(path, tmp_path / "a.html").read_text()
    assert page.count('<span class="leaky">leaky</span>') == 2


def test_conditions_stand_in_no_table_of_results(made):
    pooled, _ = made
    assert any(one.spec["condition"] != "clean" for one in pooled)
    for text in (tables.results_markdown(pooled), headline_table(pooled)):
        assert "white:0" not in text and "coral" in text
