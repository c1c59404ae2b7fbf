"""Calibration and abstention against cases counted by hand, scikit-learn, and networks whose truth is known."""

import json

import numpy as np
import pandas as pd
import pytest
from made_rows import made_row, made_rows

from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.metrics import calibration, temperature_scaling
from ser_core.results import calibration_tables, formatting, pooling

TWO = np.array([[0.9, 0.1], [0.8, 0.2], [0.35, 0.65], [0.4, 0.6]])
TRUTH = np.array([0, 1, 1, 1])


def drawn(n=20_000, labels=4, temperature=1.0, seed=0):
    """Probabilities, and truths drawn from them: calibrated by construction when they are tempered back."""
    dice = np.random.default_rng(seed)
    logits = 2 * dice.normal(size=(n, labels))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (dice.random((n, 1)) > honest.cumsum(axis=1)).sum(axis=1).clip(0, labels - 1)
    return temperature_scaling.apply_temperature(honest, 1 / temperature), truth


def test_scores_by_hand():
    assert temperature_scaling.negative_log_likelihood(TWO, TRUTH) == pytest.approx(
        -np.log([0.9, 0.2, 0.65, 0.6]).mean()
    )
    assert calibration.brier_score(TWO, TRUTH) == pytest.approx(2 * np.mean([0.01, 0.64, 0.1225, 0.16]))
    assert calibration.overconfidence(TWO, TRUTH) == pytest.approx((0.9 + 0.8 + 0.65 + 0.6) / 4 - 0.75)


def test_scores_agree_with_scikit_learn():
    from sklearn.metrics import brier_score_loss, log_loss

    p, truth = drawn(500)
    assert temperature_scaling.negative_log_likelihood(p, truth) == pytest.approx(log_loss(truth, p))
    two = np.stack([1 - p[:, 0], p[:, 0]], axis=1)
    wanted = 2 * brier_score_loss(truth == 0, p[:, 0])
    assert calibration.brier_score(two, (truth == 0).astype(int)) == pytest.approx(wanted)


def test_reliability_by_hand():
    found = calibration.reliability(TWO, TRUTH, bins=10)
    assert found["count"].tolist() == [1, 1, 1, 1] and found["accuracy"].tolist() == [1, 1, 0, 1]
    assert found["low"] == pytest.approx([0.5, 0.6, 0.7, 0.8]) and found["confidence"] == pytest.approx(
        [0.6, 0.65, 0.8, 0.9]
    )
    assert calibration.expected_calibration_error(TWO, TRUTH, bins=10) == pytest.approx((0.4 + 0.35 + 0.8 + 0.1) / 4)
    halves = calibration.reliability(TWO, TRUTH, bins=2, equal_mass=True)
    assert halves["count"].tolist() == [2, 2] and halves["confidence"] == pytest.approx([0.625, 0.85])
    assert halves["accuracy"] == pytest.approx([1.0, 0.5])
    wanted = (0.375 + 0.35) / 2
    assert calibration.expected_calibration_error(TWO, TRUTH, bins=2, equal_mass=True) == pytest.approx(wanted)


def test_equal_widths_agree_with_scikit_learn():
    from sklearn.calibration import calibration_curve

    p, truth = drawn(3_000)
    right = p.argmax(axis=1) == truth
    accuracy, confidence = calibration_curve(right, p.max(axis=1), n_bins=10)
    found = calibration.reliability(p, truth, bins=10)
    assert found["accuracy"] == pytest.approx(accuracy) and found["confidence"] == pytest.approx(confidence)
    counts = calibration.reliability(p, truth, bins=7, equal_mass=True)["count"]
    assert counts.sum() == 3_000 and np.ptp(counts) <= 1


@pytest.mark.parametrize("equal_mass", [False, True])
def test_honest_probabilities_are_calibrated_and_sharpened_ones_are_not(equal_mass):
    honest = calibration.expected_calibration_error(*drawn(), equal_mass=equal_mass)
    sharp = calibration.expected_calibration_error(*drawn(temperature=2.0), equal_mass=equal_mass)
    assert honest < 0.02 and sharp > 0.1
    assert abs(calibration.overconfidence(*drawn())) < 0.01 < calibration.overconfidence(*drawn(temperature=2.0))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7, 3.0])
def test_the_temperature_by_which_truth_was_distorted_is_found(temperature):
    p, truth = drawn(temperature=temperature)
    found = temperature_scaling.fit_temperature(p, truth)
    assert found == pytest.approx(temperature, rel=0.03)
    mended = temperature_scaling.apply_temperature(p, found)
    assert calibration.expected_calibration_error(mended, truth) < 0.02
    assert (mended.argmax(axis=1) == p.argmax(axis=1)).all() and mended.sum(axis=1) == pytest.approx(1)
    least = temperature_scaling.negative_log_likelihood(mended, truth)
    around = [
        temperature_scaling.negative_log_likelihood(temperature_scaling.apply_temperature(p, found * f), truth)
        for f in (0.9, 1.1)
    ]
    assert least < min(around)


def test_degenerate_validation_sides():
    equal = np.full((10, 4), 0.25)
    assert temperature_scaling.fit_temperature(equal, np.arange(10) % 4) == 1.0
    sure = np.eye(4)[np.arange(8) % 4] * 0.9 + 0.025
    assert temperature_scaling.TEMPERATURES[0] <= temperature_scaling.fit_temperature(sure, np.arange(8) % 4) < 0.3
    assert temperature_scaling.fit_temperature(sure, (np.arange(8) + 1) % 4) == pytest.approx(
        temperature_scaling.TEMPERATURES[-1], rel=0.05
    )
    zeros = np.eye(4)[np.arange(8) % 4]
    assert np.isfinite(temperature_scaling.fit_temperature(zeros, (np.arange(8) + (np.arange(8) == 0)) % 4))
    with pytest.raises(SerError, match="no validation utterance"):
        temperature_scaling.fit_temperature(np.zeros((0, 4)), np.zeros(0, int))


def test_risk_and_coverage_by_hand():
    confidence, right = np.array([0.5, 0.9, 0.8, 0.6]), np.array([0, 1, 0, 1])
    coverage, risk = calibration.risk_coverage(confidence, right)
    assert coverage == pytest.approx([0.25, 0.5, 0.75, 1])
    assert risk == pytest.approx([0, 1 / 2, 1 / 3, 1 / 2])
    assert calibration.area_under_risk_coverage(confidence, right) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert calibration.coverage_at_risk(confidence, right, 0.4) == 0.75
    assert calibration.coverage_at_risk(confidence, right, 0.1) == 0.25
    assert calibration.coverage_at_risk(confidence[:1], right[:1], 0.1) == 0
    assert calibration.confidence_threshold(confidence, right, 0.4) == 0.6
    assert calibration.confidence_threshold(confidence[:1], right[:1], 0.1) == np.inf


def test_answers_of_one_confidence_stand_in_no_order():
    """The mean over all orders of the tied answers, against many orders drawn by chance."""
    dice = np.random.default_rng(0)
    confidence, right = np.repeat([0.9, 0.7, 0.5], [3, 6, 4]), dice.integers(0, 2, 13)
    found = calibration.risk_coverage(confidence, right)[1]
    curves = []
    for _ in range(4_000):
        order = np.lexsort((dice.random(13), -confidence))
        curves.append(np.cumsum(1 - right[order]) / np.arange(1, 14))
    assert found == pytest.approx(np.mean(curves, axis=0), abs=0.03)
    shuffled = dice.permutation(13)
    assert calibration.risk_coverage(confidence[shuffled], right[shuffled])[1] == pytest.approx(found)


def test_confidence_that_tells_nothing_has_the_error_rate_as_area():
    dice = np.random.default_rng(1)
    right = (dice.random(20_000) < 0.7).astype(float)
    assert calibration.area_under_risk_coverage(np.ones(20_000), right) == pytest.approx(1 - right.mean())
    assert calibration.area_under_risk_coverage(dice.random(20_000), right) == pytest.approx(0.3, abs=0.02)
    assert calibration.area_under_risk_coverage(right, right) < 0.07  # a perfect order: e + (1 - e) ln(1 - e)
    e = 1 - right.mean()
    assert calibration.area_under_risk_coverage(right + 1e-9 * dice.random(20_000), right) == pytest.approx(
        e + (1 - e) * np.log(1 - e), abs=1e-3
    )


# Rows


def sharpened(folder, row, temperature, seed):
    """Other predictions for a made row: honest ones, distorted by a temperature."""
    frame = pd.read_parquet(folder / f"{row.hash}.parquet")
    labels = list(row.labels)
    frame = pd.concat([frame] * 12, ignore_index=True)
    frame["id"] = [f"{row.hash}-{number}" for number in range(len(frame))]
    frame["side"] = np.where(np.arange(len(frame)) % 2, "test", "validation")
    frame["speaker"] = [f"{side}-{row.spec['fold']}-{k % 8 // 2}" for k, side in enumerate(frame["side"])]
    p, truth = drawn(len(frame), len(labels), temperature, seed)
    frame["truth"] = np.array(labels)[truth]
    frame[labels] = p.astype(np.float32)
    frame.to_parquet(folder / f"{row.hash}.parquet")


def test_each_row_has_its_own_temperature_fitted_on_its_validation_side(tmp_path):
    rows = [made_row(tmp_path, fold=fold, size=100) for fold in range(2)]
    for row, temperature in zip(rows, (1.5, 3.0), strict=True):
        sharpened(tmp_path, row, temperature, row.spec["fold"])
    found = calibration_tables.calibrated_answers(rows, tmp_path)
    assert found.temperatures == pytest.approx((1.5, 3.0), rel=0.15)
    told = calibration_tables.calibration_summary(rows, tmp_path)
    assert told.temperature == pytest.approx(np.sqrt(np.prod(found.temperatures)))
    assert told.ece.before > 0.1 > 0.06 > told.ece.after
    assert told.nll.after < told.nll.before and told.overconfidence.before > 0.1
    interval = told.intervals["overconfidence"].before
    assert interval.contains(told.overconfidence.before) and (interval.unit, told.unit) == ("speaker", "speaker")
    assert told.n == interval.n == 8
    # For honest answers the threshold from validation keeps its promise on the test, more or less.
    assert told.abstention.validated_risk == pytest.approx(calibration.RISK, abs=0.06)
    assert 0 < told.abstention.validated_coverage < 1
    changed = pd.read_parquet(tmp_path / f"{rows[0].hash}.parquet")
    test = changed["side"] == "test"
    changed.loc[test, "truth"] = rows[0].labels[0]  # what the test says must not move the temperature
    changed.to_parquet(tmp_path / f"{rows[0].hash}.parquet")
    assert calibration_tables.calibrated_answers(rows, tmp_path).temperatures == found.temperatures


def test_a_summary_is_plain_data_and_counts_every_utterance(tmp_path):
    rows = made_rows(tmp_path, folds=2, seeds=(0, 1))
    told = calibration_tables.calibration_summary(rows, tmp_path)
    assert json.loads(json.dumps(told.to_json())) == told.to_json()
    assert (told.folds, told.seeds, told.n_test) == ((0, 1), (0, 1), 2 * (48 + 64))
    assert told.accuracy == pytest.approx(np.average([r.scores["accuracy"] for r in rows], weights=[48, 64] * 2))
    assert f"ECE {100 * told.ece.before:.1f} to {100 * told.ece.after:.1f}" in calibration_tables.calibration_sentence(
        told
    )
    assert f"error rate of {100 - 100 * told.accuracy:.1f} %" in calibration_tables.abstention_sentence(told)
    for name in ("ece", "ece_equal_mass", "nll", "brier", "overconfidence", "aurc"):
        assert set(told.to_json()[name]) == {"before", "after"}


def test_the_jackknife_of_a_mean_is_the_t_interval_of_the_speakers(tmp_path):
    from scipy.stats import t

    rows = made_rows(tmp_path, folds=2)[:1]
    found = calibration_tables.calibrated_answers(rows, tmp_path)
    right = calibration_tables.answer_confidence(found, after=False)
    each = (right[0] - right[1]).reshape(-1, 4).mean(axis=0)  # the four speakers take turns
    half = t.ppf(0.975, 3) * each.std(ddof=1) / 2
    wanted = (each.mean() - half, each.mean() + half)
    intervals, unit, count = calibration_tables.calibration_intervals(found)
    assert intervals["overconfidence"].before.limits == pytest.approx(wanted) and (unit, count) == ("speaker", 4)


def test_rows_of_several_specs_are_refused(tmp_path):
    rows = [made_row(tmp_path), made_row(tmp_path, protocol="random")]
    with pytest.raises(SerError, match="2 specs"):
        calibration_tables.calibration_summary(rows, tmp_path)
    with pytest.raises(SerError, match="0 specs"):
        calibration_tables.calibration_summary([made_row(tmp_path, fold=1, status="error")], tmp_path)


def test_the_table_says_what_the_summary_says_and_mixes_no_protocols(tmp_path):
    rows = made_rows(tmp_path, folds=2)
    pooled = pooling.pool_results(rows, tmp_path)
    told = calibration_tables.calibration_summary(rows, tmp_path)
    table = calibration_tables.calibration_table(pooled, tmp_path)
    assert table["ece_before"].item() == told.ece.before and table["before_low"].dtype == float
    (line,) = calibration_tables.format_calibration(table).to_dict("records")
    before, after = (formatting.format_percent(value) for value in (told.ece.before, told.ece.after))
    assert line["ECE, points"] == f"{before} to {after}"
    assert line["folds"] == "2 of 6" and line["overconfidence before, points [95 %]"].count("[") == 1
    other = pooling.pool_results([made_row(tmp_path, protocol="random")], tmp_path)
    with pytest.raises(SerError, match="cannot mix"):
        calibration_tables.calibration_table([*pooled, *other], tmp_path)


def test_the_published_rows_can_be_calibrated():
    folder = paths.root() / "runs" / "published"
    rows = [row for row in store.load_rows(folder) if row.spec["model"].startswith("svm")]
    pooled = pooling.pool_results(rows, folder)
    assert pooled
    for one in pooled:
        told = calibration_tables.calibration_summary(one.results, folder)
        assert told.accuracy == pytest.approx(one.scores["accuracy"])
        assert told.nll.before > 0 and told.lowest_temperature >= temperature_scaling.TEMPERATURES[0]
