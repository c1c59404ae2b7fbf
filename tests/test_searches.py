"""A search scored both ways: the choice by validation does not see the test, the choice by the test is the best."""

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from made_rows import made_row

from ser_core import cli, metrics
from ser_core._utils.errors import SerError
from ser_core.experiments import searches as listed
from ser_core.experiments import store
from ser_core.results import pooling, searches

RATES = (0.0003, 0.001, 0.003)


@pytest.fixture
def made(tmp_path):
    """Three candidates on five folds. The second is best on the test, the third on validation."""
    rows = []
    for rate, skill, held_out in zip(RATES, (0.3, 0.8, 0.5), (0.2, 0.3, 0.9), strict=True):
        for fold in range(5):
            recipe = listed.reslstm_recipe(learning_rate=rate, fold=fold)
            fields = {name: value for name, value in vars(recipe).items() if name not in ("corpus", "fold", "seed")}
            row = made_row(tmp_path, fold=fold, skill=skill, size=80, **fields)
            rows.append(row)
            _with_validation(tmp_path / f"{row.hash}.parquet", row.labels, held_out, fold)
    return rows, tmp_path


def _with_validation(path, labels, share, fold):
    """Write validation predictions of which a share is right."""
    import pandas as pd

    frame = pd.read_parquet(path)
    test = frame[frame["side"] == "test"]
    held_out = test.copy().assign(side="validation")
    right = np.random.default_rng([fold, int(100 * share)]).random(len(held_out)) < share
    for label in labels:
        other = labels[(labels.index(label) + 1) % len(labels)]
        held_out[label] = np.where(right, held_out["truth"] == label, held_out["truth"] == other).astype(np.float32)
    pd.concat([held_out, test]).to_parquet(path)


def test_each_choice_is_the_best_by_its_own_subset(made):
    rows, folder = made
    found = searches.score_search(rows, folder)
    assert [run.spec["learning_rate"] for run in found.by_validation] == [0.003] * 5
    assert [run.spec["fold"] for run in found.by_validation] == list(range(5))
    assert found.by_test.spec["learning_rate"] == 0.001
    uar = {}
    for rate in RATES:
        frame = pooling.join_predictions([row for row in rows if row.spec["learning_rate"] == rate], folder)
        uar[rate] = metrics.uar(frame["truth"], frame["prediction"], rows[0].labels)
    assert found.uar == pytest.approx(uar[0.003]) and found.by_test.scores["uar"] == pytest.approx(uar[0.001])
    assert found.difference.difference == pytest.approx(uar[0.001] - uar[0.003]) and found.difference.difference > 0


def test_the_choice_by_validation_does_not_change_with_the_test(made):
    rows, folder = made
    before = searches.score_search(rows, folder).by_validation
    import pandas as pd

    for row in rows:
        frame = pd.read_parquet(folder / f"{row.hash}.parquet")
        tested = frame["side"] == "test"
        frame.loc[tested, "truth"] = frame.loc[tested, "truth"].to_numpy()[::-1]
        frame.to_parquet(folder / f"{row.hash}.parquet")
    assert [run.hash for run in searches.score_search(rows, folder).by_validation] == [run.hash for run in before]


def test_sentence_and_table_name_both_choices(made):
    found = searches.score_search(*made)
    text = searches.search_markdown(found)
    assert "ResLSTM-SA on RAVDESS, protocol reslstm-5, 3 candidates, 5 folds" in text
    assert f"chosen by validation, UAR {100 * found.uar:.1f} %" in text and "chosen by the test, a leak" in text
    assert f"adds +{100 * found.difference.difference:.1f}" in text
    lines = [line for line in text.splitlines() if "learning rate" in line]
    assert len(lines) == 3 and "0, 1, 2, 3, 4" in next(line for line in lines if "0.003" in line)


def test_the_epochs_that_are_best_on_the_test_are_no_candidate_but_named_as_a_leak(made):
    rows, folder = made
    leaks = []
    for row in rows[5:10]:
        fields = {name: value for name, value in row.spec.items() if name not in ("corpus", "fold", "seed")}
        leak = made_row(folder, fold=row.spec["fold"], skill=0.95, size=80, **fields | {"keep": "oracle"})
        _with_validation(folder / f"{leak.hash}.parquet", leak.labels, 1.0, 0)  # the best on validation, too
        leaks.append(leak)
    found, with_leaks = searches.score_search(rows, folder), searches.score_search([*rows, *leaks], folder)
    assert with_leaks.by_validation == found.by_validation and with_leaks.candidates == found.candidates
    frame = pooling.join_predictions(leaks, folder)
    reached = metrics.uar(frame["truth"], frame["prediction"], leaks[0].labels)
    text = searches.search_sentence(with_leaks)
    assert text == f"{searches.search_sentence(found)} With the epochs, too, chosen by the test: {100 * reached:.1f} %."


def test_the_rules_of_one_training_follow_each_other():
    runs = listed.reslstm_search()
    assert [run.keep for run in runs[:3]] == ["uar", "loss", "last"] and len(set(runs)) == 180
    assert all(replace(one, keep="uar") == replace(runs[k - k % 3], keep="uar") for k, one in enumerate(runs))


def test_candidates_of_several_systems_or_too_few_are_refused(made):
    rows, folder = made
    with pytest.raises(SerError, match="1 candidate"):
        searches.score_search(rows[:5], folder)
    with pytest.raises(SerError, match="several"):
        searches.score_search([*rows, made_row(folder, model="a1")], folder)
    with pytest.raises(SerError, match="search 'mine': not known; choose among reslstm"):
        searches.named_search("mine", rows, folder)
    assert searches.searches_markdown(rows[:5], folder) == ""


def test_the_command_scores_what_is_in_the_store(made, own_store):
    rows, folder = made
    own_store.mkdir(parents=True)
    for row in rows:
        (own_store / f"{row.hash}.parquet").write_bytes((folder / f"{row.hash}.parquet").read_bytes())
        store.write_result(replace(row, path=None), own_store)
    told = CliRunner().invoke(cli.main, ["tables", "--search", "reslstm", "--store"])
    assert told.exit_code == 0 and "Tuning on the test adds +" in told.stdout, told.output
    refused = CliRunner().invoke(cli.main, ["tables", "--search", "mine", "--store"])
    assert refused.exit_code == 1 and "not known; choose among reslstm" in refused.stderr
    fixed = CliRunner().invoke(cli.main, ["sweep", "reslstm", "--epochs", "3"])
    assert fixed.exit_code == 1 and "its runs are fixed" in fixed.stderr
