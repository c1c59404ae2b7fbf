"""Typed results: golden scores, JSON there and back, rows of earlier versions, and models that are not imported."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_rows import made_row

from ser_core import corpora, metrics
from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.experiments import evaluation, store
from ser_core.experiments.result import SCHEMA, Completeness, RunResult
from ser_core.experiments.spec import Spec, current_names
from ser_core.metrics import uncertainty
from ser_core.protocols import splits
from ser_core.results import pooling

GOLDEN = json.loads((Path(__file__).parent / "golden" / "scores.json").read_text(encoding="utf-8"))
PUBLISHED = [
    path
    for path in sorted((paths.root() / "runs" / "published").rglob("*.json"))
    if "spec" in json.loads(path.read_text())
]


def golden_frame():
    """The golden predictions as a table with probabilities."""
    frame = pd.DataFrame({name: GOLDEN[name] for name in ("speaker", "truth", "prediction")})
    for label in GOLDEN["labels"]:
        frame[label] = np.where(frame["prediction"] == label, 0.7, 0.1)
    return frame.assign(text="unknown", corpus="golden", id=[str(number) for number in frame.index])


def test_scores_are_the_golden_ones():
    answers = GOLDEN["truth"], GOLDEN["prediction"], GOLDEN["labels"]
    assert metrics.scores(*answers) == pytest.approx(GOLDEN["scores"])
    assert metrics.confusion(*answers).tolist() == GOLDEN["confusion"]
    each = metrics.per_class(*answers)
    assert {label: vars(own) for label, own in each.items()} == {
        label: pytest.approx(own) for label, own in GOLDEN["per_class"].items()
    }


def test_a_results_scores_are_the_golden_ones():
    frame = golden_frame()
    evaluated = evaluation.evaluate_predictions({"test": frame, "validation": frame}, GOLDEN["labels"])
    result = RunResult("golden", {}, **vars(evaluated))
    assert result.scores == pytest.approx(GOLDEN["scores"]) and result.confusion == GOLDEN["confusion"]
    assert {label: own.support for label, own in result.per_class.items()} == {
        label: own["support"] for label, own in GOLDEN["per_class"].items()
    }
    assert result.validation["uar"] == pytest.approx(GOLDEN["scores"]["uar"])
    assert result.intervals.unit == "speaker" and result.intervals.n == 4
    assert result.intervals.uar.contains(GOLDEN["scores"]["uar"])


def test_every_published_row_is_read_and_written_back():
    assert PUBLISHED
    for path in PUBLISHED:
        stored = json.loads(path.read_text())
        result = RunResult.from_json(stored)
        written = result.to_json()
        assert RunResult.from_json(json.loads(json.dumps(written))) == result, path.name
        spec = current_names(stored["spec"])
        assert {name: written["spec"][name] for name in spec} == spec
        assert {name: written[name] for name in stored if name not in ("spec", "schema")} == {
            name: value for name, value in stored.items() if name not in ("spec", "schema")
        }
        assert written["schema"] == SCHEMA and result.other == {} and result.ok


def old_row(tmp_path):
    """A row as the first version stored it."""
    values = json.loads(json.dumps(made_row(tmp_path).to_json()))
    values["spec"]["channels"] = values["spec"].pop("features")
    for name in ("optimizer", "padding", "adapt", "batch_norm"):
        del values["spec"][name]
    for name in ("schema", "by_corpus", "data_version"):
        values.pop(name, None)
    return values


def test_a_row_of_the_first_version_is_completed(tmp_path):
    values = old_row(tmp_path)
    result = RunResult.from_json(values)
    assert result.schema == SCHEMA and result.by_corpus == {} and result.data_version is None
    assert result.spec["features"] == "42" and "channels" not in result.spec
    assert (result.spec["optimizer"], result.spec["padding"], result.spec["batch_norm"]) == ("adam", "zero", "moving")
    assert result.make_spec() == Spec(**result.spec) and result.completeness == Completeness(1440, 1438, ("a", "b"))
    path = tmp_path / "old.json"
    path.write_text(json.dumps(values))
    assert store.load_row(path) == result


def test_an_old_row_that_could_not_be_measured_is_unavailable():
    values = {
        "hash": "error-1",
        "spec": {"corpus": "ravdess"},
        "status": "error",
        "error": "not measured here: no weights",
    }
    assert RunResult.from_json(values).unavailable
    assert not RunResult.from_json(values | {"schema": SCHEMA}).unavailable


def test_unknown_keys_are_kept(tmp_path):
    values = made_row(tmp_path).to_json() | {"colour": "green"}
    result = RunResult.from_json(values)
    assert result.other == {"colour": "green"} and result.to_json() == values


def test_what_is_no_result_or_too_new_is_one_line(tmp_path):
    for values in ([], {}, {"hash": "a", "status": "ok"}, {"hash": "a", "status": "ok", "spec": 3}):
        with pytest.raises(SerError, match="^not the result of a run"):
            RunResult.from_json(values)
    newer = made_row(tmp_path).to_json() | {"schema": SCHEMA + 1}
    with pytest.raises(SerError, match="update ser-core") as caught:
        RunResult.from_json(newer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("corpus", ["ravdess", "folder:/nowhere"])
def test_reading_a_row_of_a_user_defined_model_imports_nothing(tmp_path, monkeypatch, corpus):
    (tmp_path / "my_network.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    values = old_row(tmp_path)
    values["spec"] |= {"model": "my_network:build", "corpus": corpus}
    (tmp_path / f"{values['hash']}.json").write_text(json.dumps(values))
    loaded = set(sys.modules)
    (result,) = store.load_rows(tmp_path)
    assert "my_network" not in sys.modules and "keras" not in set(sys.modules) - loaded
    assert result.spec["model"] == "my_network:build" and result.spec["features"] == "42"
    assert result.spec["batch_norm"] == "moving" and result.spec["corpus"] == corpus


def test_intervals_and_scores_go_through_json():
    frame = golden_frame()
    scored = uncertainty.score_predictions(frame, GOLDEN["labels"])
    assert uncertainty.Scored.from_json(json.loads(json.dumps(scored.to_json()))) == scored
    interval = scored.intervals.uar
    assert uncertainty.Interval.from_json(json.loads(json.dumps(interval.to_json()))) == interval
    assert (interval.unit, interval.n, interval.level) == ("speaker", 4, 0.95)


def test_what_python_shows_of_a_result_a_pool_and_a_split_is_one_short_line(tmp_path):
    row = made_row(tmp_path, fold=1)
    failed = replace(row, status="error", error="no memory")
    (pool,) = pooling.pool_results([row], tmp_path)
    fold = splits.split(corpora.manifest("ravdess"), "speaker", 0)
    shown = [repr(one) for one in (row, failed, pool, fold)]
    assert all(len(line) < 250 and "\n" not in line for line in shown)
    assert row.hash in shown[0] and f"uar {row.scores['uar']:.3f}" in shown[0] and "error: no memory" in shown[1]
    assert "1 fold, 1 seed" in shown[2] and shown[3] == "Split(train: 960, validation: 240, test: 240 ids)"
