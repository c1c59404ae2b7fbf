"""Pooled results, comparisons and sets of results: typed, in JSON, as data frames."""

import json
from dataclasses import replace

import numpy as np
import pytest
from made_rows import made_rows

import ser_core as ser
from ser_core._utils.errors import SerError
from ser_core.experiments.grids import A5
from ser_core.metrics import significance
from ser_core.results import pooling
from ser_core.results.comparison import compare, paired_difference
from ser_core.results.records import Comparison, PooledResult, Results, load_results


@pytest.fixture
def results(tmp_path):
    rows = made_rows(tmp_path, folds=2) + made_rows(tmp_path, folds=2, model="a4", skill=0.4)
    return Results((*rows, *made_rows(tmp_path, folds=1, model="svm", protocol="random")), tmp_path)


@pytest.mark.parametrize("corpus", ["ravdess", "ravtess", "tess"])
def test_a_pooled_result_goes_through_json(tmp_path, corpus):
    rows = made_rows(tmp_path, corpus=corpus, folds=2, seeds=(0, 1))
    (one,) = pooling.pool_results(rows, tmp_path)
    assert PooledResult.from_json(json.loads(json.dumps(one.to_json()))) == one
    (failed,) = pooling.pool_results(made_rows(tmp_path, folds=1, status="error"), tmp_path)
    assert PooledResult.from_json(json.loads(json.dumps(failed.to_json()))) == failed and failed.scored is None


def test_the_frame_is_numeric(results):
    frame = results.frame()
    assert len(frame) == len(results) == 5 and frame["fold"].tolist() == [0, 1, 0, 1, 0]
    assert frame["uar"].tolist() == [result.scores["uar"] for result in results]
    assert (frame["uar_low"] < frame["uar"]).all() and (frame["uar"] < frame["uar_high"]).all()
    numbers = ["accuracy", "f1", "accuracy_low", "training_seconds", "claimed_accuracy", "parameters", "epochs"]
    assert all(np.issubdtype(frame[name].to_numpy(float).dtype, np.floating) for name in numbers)
    assert frame["model"].tolist() == [A5, A5, "a4", "a4", "svm"] and frame["epochs"].tolist() == [5, 6, 5, 6, 5]


def test_a_failed_run_is_a_row_of_missing_values(tmp_path):
    frame = Results(tuple(made_rows(tmp_path, folds=1, status="error")), tmp_path).frame()
    assert frame["accuracy"].isna().all() and frame["parameters"].isna().all() and frame["status"].tolist() == ["error"]


def test_predictions_are_one_frame_of_all_tests(results):
    frame = results.predictions()
    assert len(frame) == sum(result.n_test for result in results) and "side" not in frame
    for result in results:
        own = frame[frame["hash"] == result.hash]
        assert (own["truth"] == own["prediction"]).mean() == pytest.approx(result.scores["accuracy"])
        assert set(own["model"]) == {result.spec["model"]} and set(own["fold"]) == {result.spec["fold"]}


def test_a_comparison_is_the_paired_difference_on_the_shared_folds(results):
    found = compare(results, "a4", A5)
    first, second = (one for name in ("a4", A5) for one in results.pool() if one.spec["model"] == name)
    assert found == paired_difference(first, second, results.folder)
    assert (found.first, found.second, found.corpus, found.protocol) == ("a4", A5, "ravdess", "speaker")
    assert found.folds == (0, 1) and found.unit == "speaker" and found.n == 8
    assert found.uar.difference == pytest.approx(second.scores["uar"] - first.scores["uar"])
    frames = [pooling.join_predictions(one.results, results.folder) for one in (first, second)]
    assert found.accuracy.p == significance.paired(*frames, first.labels).accuracy.p
    assert found.accuracy.minimum_detectable > 0
    assert Comparison.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_of_several_settings_those_alike_are_compared(results, tmp_path):
    plain = made_rows(tmp_path, folds=2, model="a4", augment="")
    every = Results((*plain, *results.results), tmp_path)
    chosen, alone = compare(every, "a4", A5), compare(results, "a4", A5)
    assert replace(chosen, passed_over=0) == alone and (chosen.passed_over, alone.passed_over) == (1, 0)
    assert chosen.first_setting == chosen.second_setting == "default"


def test_a_comparison_names_the_settings_that_it_chose(tmp_path):
    rows = made_rows(tmp_path, folds=2) + made_rows(tmp_path, folds=2, model="a4", augment="", epochs=9)
    found = compare(Results(tuple(rows), tmp_path), "a4", A5)
    assert "no augmentation" in found.first_setting and "epochs 9" in found.first_setting
    assert found.second_setting == "default" and found.passed_over == 0


@pytest.mark.parametrize(
    ("arguments", "options", "told"),
    [
        (("a4", "nobody"), {}, "system nobody: no results on any corpus, protocol speaker; systems with results: a4"),
        (("a4", A5), {"corpus": "tess"}, "system a4: no results on tess"),
        (("svm", A5), {"protocol": "random"}, f"system {A5}: no results"),
    ],
)
def test_a_missing_system_is_one_line(results, arguments, options, told):
    with pytest.raises(SerError, match=told) as caught:
        compare(results, *arguments, **options)
    assert "\n" not in str(caught.value)


def test_systems_without_a_shared_fold_are_one_line(tmp_path):
    rows = made_rows(tmp_path, folds=2)[:1] + made_rows(tmp_path, folds=2, model="a4")[1:]
    with pytest.raises(SerError, match="share no fold"):
        compare(Results(tuple(rows), tmp_path), "a4", A5)


def test_results_are_loaded_by_name_or_folder(results, tmp_path, monkeypatch):
    assert sorted(one.hash for one in load_results(tmp_path)) == sorted(one.hash for one in results)
    monkeypatch.setenv("SER_RUNS", str(tmp_path / "runs"))
    with pytest.raises(SerError, match="no results; make results with `ser run`"):
        load_results("store")
    with pytest.raises(SerError, match="'nowhere': unknown"):
        load_results("nowhere")


def test_the_front_door_compares_published_results():
    published = ser.load_results("published")
    found = ser.compare(published, "svm_egemaps", A5, corpus="ravdess")
    assert found.folds == (0, 1, 2, 3, 4, 5) and found.n == 24 and found.uar.difference < 0


def test_results_are_shown_in_one_line(tmp_path):
    results = Results(tuple(made_rows(tmp_path, folds=3)), tmp_path)
    assert repr(results).startswith(f"Results(3 of {tmp_path};") and len(repr(results)) < 300
