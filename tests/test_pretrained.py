"""The pretrained network: chosen by validation only, its card made from published results, ready to use."""

import json
import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from sklearn.metrics import recall_score

from ser_core import corpora, metrics
from ser_core._utils import paths
from ser_core.experiments import store
from ser_core.experiments.spec import current_names
from ser_core.inference import saved_models
from ser_core.inference.predict import PRETRAINED, Predictor
from ser_core.inference.pretrained import card, make
from ser_core.metrics import uncertainty

PUBLISHED = paths.root() / "runs" / "published"
needs_model = pytest.mark.skipif(not make.CHOICE.is_file(), reason="no pretrained network")


@pytest.fixture
def choice():
    return json.loads(make.CHOICE.read_text(encoding="utf-8"))


@needs_model
def test_the_file_is_small_and_has_its_metadata(choice):
    assert PRETRAINED == make.MODEL and PRETRAINED.stat().st_size == choice["bytes"] <= 3_000_000
    session = onnxruntime.InferenceSession(PRETRAINED, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["ser"])
    assert facts["labels"] == list(corpora.labels("ravdess")) and facts["rate"] == 16_000 and not facts["demo"]
    assert facts["licence"] == "CC BY-NC-SA 4.0" and facts["temperature"] == choice["temperature"]
    spec = current_names(facts["spec"])
    assert {**spec, **choice["spec"]} == spec
    assert [node.name for node in session.get_inputs()] == ["waveform"]


@needs_model
def test_the_pretrained_network_predicts():
    path = corpora.load("demo")["path"].iloc[0]
    prediction = Predictor().predict(path)
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0) and not Predictor().demo
    command = [sys.executable, "-m", "ser_core.cli", "predict", path, "--json"]
    (row,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert row["probabilities"] == pytest.approx(prediction.probabilities, abs=1e-5)


@needs_model
def test_no_complete_candidate_was_better_by_validation(choice):
    assert len(choice["folds"]) == 6 and all(len(other["folds"]) == 6 for other in choice["others"])
    assert all(choice["validation_uar"] >= other["validation_uar"] for other in choice["others"])
    assert all(len(other["folds"]) < 6 for other in choice["incomplete"])


@needs_model
def test_the_scores_are_those_of_the_named_results(choice):
    rows = store.find_results(PUBLISHED, choice["rows"])
    frames = [pd.read_parquet(store.predictions_path(row, PUBLISHED)) for row in rows]
    chosen = [row.best_epoch for row in rows if row.best_epoch]
    assert {row.spec["fold"] for row in rows} == set(range(6)) and len(rows) % 6 == 0
    assert choice["epochs"] == (int(np.median(chosen)) if chosen else None)
    together, labels = pd.concat(frames), list(rows[0].labels)
    together["prediction"] = np.array(labels)[together[labels].to_numpy().argmax(axis=1)]
    subsets = dict(list(together.groupby("side")))
    uar = {side: recall_score(part["truth"], part["prediction"], average="macro") for side, part in subsets.items()}
    assert choice["validation_uar"] == pytest.approx(uar["validation"], abs=1e-6)
    text = make.CARD.read_text(encoding="utf-8")
    total = re.search(r"^\| all \| ([\d,]+) \| ([\d.]+) ", text, flags=re.MULTILINE)
    assert int(total[1].replace(",", "")) == 1_440 and float(total[2]) == pytest.approx(100 * uar["test"], abs=0.051)


@needs_model
def test_the_card_is_up_to_date(choice):
    assert make.CARD.read_text(encoding="utf-8") == card.card_markdown(choice, PUBLISHED)


def guess_of(frame, labels):
    return np.asarray(labels)[frame[labels].to_numpy().argmax(axis=1)]


def row(name, fold, model, test_right, validation_right, folder, **fields):
    """Write a published result whose predictions are right in a given share of each subset."""
    from dataclasses import asdict

    from ser_core.experiments.spec import Spec

    labels = list(corpora.labels("ravdess"))
    subsets = []
    for side, right in (("test", test_right), ("validation", validation_right)):
        truth = np.repeat(labels, 10)
        wrong = np.roll(labels, 1).repeat(10)
        guess = np.where(np.tile(np.arange(10) < 10 * right, len(labels)), truth, wrong)
        frame = pd.DataFrame({"id": [f"{side}{fold}-{i}" for i in range(80)], "side": side, "corpus": "ravdess"})
        frame = frame.assign(
            speaker=[f"{i % 5:02d}" for i in range(80)], sex="female", text="a", intensity="", truth=truth
        )
        subsets.append(frame.assign(**{label: np.where(guess == label, 0.65, 0.05) for label in labels}))
    pd.concat(subsets).to_parquet(folder / f"{name}.parquet")
    spec = asdict(Spec(corpus="ravdess", model=model, fold=fold, **fields))
    tested = subsets[0].assign(prediction=guess_of(subsets[0], labels))
    answers = tested["truth"], tested["prediction"], labels
    values = {
        "hash": name, "spec": spec, "status": "ok", "labels": labels, "best_epoch": 10 + fold, "parameters": 1,
        "n_test": len(tested), "scores": metrics.scores(*answers), "confusion": metrics.confusion(*answers).tolist(),
        "intervals": uncertainty.intervals(tested, labels).to_json(),
    }  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(values))


def test_the_choice_is_by_validation_among_networks_with_all_folds(tmp_path):
    for fold in range(6):
        row(f"a{fold}", fold, "a1", 0.9, 0.5, tmp_path)
        row(f"b{fold}", fold, "a4", 0.2, 0.6, tmp_path)
        row(f"c{fold}", fold, "svm", 0.9, 0.9, tmp_path)  # a learner
        row(f"d{fold}", fold, "a2", 0.9, 0.9, tmp_path, features="wide")  # cannot be exported
        row(f"e{fold}", fold, "cnn_lstm_1d", 0.9, 0.9, tmp_path)  # cannot be exported
        row(f"f{fold}", fold, "a3", 0.9, 0.9, tmp_path, protocol="random")
    row("g0", 0, "cnn_bilstm_attention", 0.9, 0.9, tmp_path)  # one fold
    choice = make.choose_network(tmp_path)
    assert choice["spec"]["model"] == "a4" and choice["validation_uar"] == pytest.approx(0.6)
    assert choice["epochs"] == 12 and choice["rows"] == [f"b{fold}" for fold in range(6)]
    assert [other["spec"]["model"] for other in choice["others"]] == ["a1"]
    assert [other["spec"]["model"] for other in choice["incomplete"]] == ["cnn_bilstm_attention"]
    best = np.log(0.65 / 0.05) / np.log(0.6 / (0.4 / 7))  # six in ten right, the rest spread evenly
    assert choice["temperature"] == pytest.approx(best, rel=0.01)


def test_calibration_equals_a_calculation_by_hand():
    sure_and_right = np.array([[0.9, 0.1], [0.1, 0.9]])
    calibration = card.reliability_summary(sure_and_right, np.array([0, 1]))
    assert (
        calibration["ece"] == pytest.approx(0.1)
        and calibration["accuracy"] == 1.0
        and calibration["confidence"] == pytest.approx(0.9)
    )
    assert calibration["nll"] == pytest.approx(-np.log(0.9)) and calibration["brier"] == pytest.approx(0.02)
    half = card.reliability_summary(np.tile([0.75, 0.25], (4, 1)), np.array([0, 0, 0, 1]))
    assert half["ece"] == pytest.approx(0.0)


def test_the_licence_is_that_of_the_recordings():
    text = (make.HERE / "LICENSE.md").read_text(encoding="utf-8")
    assert "CC BY-NC-SA 4.0" in text and "RAVDESS" in text and corpora.get_corpus("ravdess").licence in text
    assert saved_models.licence_of("ravdess", False) == "CC BY-NC-SA 4.0" and "CC0 1.0" in saved_models.licence_of(
        "demo", True
    )
