"""The concordance correlation coefficient against its formula, audmetric, and simulations with known truth."""

import numpy as np
import pandas as pd
import pytest

from ser_core._utils.errors import SerError
from ser_core.metrics import regression, uncertainty

CASES = range(40)


def draw(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw truth and prediction of a random number of utterances, on a random scale."""
    random = np.random.default_rng(seed)
    count, scale, shift = random.integers(2, 2_000), 10.0 ** random.integers(-3, 4), random.normal() * 100
    truth = random.uniform(1, 7, count)
    prediction = random.uniform(-1, 1) * truth + random.normal(0, random.uniform(0.01, 3), count) + random.normal()
    return scale * truth + shift, scale * prediction + shift


def direct(truth: np.ndarray, prediction: np.ndarray) -> float:
    """Compute Lin's formula from NumPy's correlation, means and variances."""
    correlation = np.corrcoef(truth, prediction)[0, 1]
    numerator = 2 * correlation * truth.std() * prediction.std()
    return numerator / (truth.var() + prediction.var() + (truth.mean() - prediction.mean()) ** 2)


@pytest.mark.parametrize("seed", CASES)
def test_ccc_is_its_formula(seed):
    truth, prediction = draw(seed)
    assert regression.ccc(truth, prediction) == pytest.approx(direct(truth, prediction), abs=1e-12)


@pytest.mark.parametrize("seed", CASES)
def test_ccc_is_that_of_audmetric(seed):
    audmetric = pytest.importorskip("audmetric")
    truth, prediction = draw(seed)
    assert regression.ccc(truth, prediction) == pytest.approx(audmetric.concordance_cc(truth, prediction), abs=1e-12)


def test_ccc_by_hand():
    assert regression.ccc([1, 2, 3, 4], [1, 2, 3, 4]) == 1.0
    assert regression.ccc([1, 2, 3, 4], [4, 3, 2, 1]) == -1.0
    assert regression.ccc([1, 2, 3], [2, 2, 2]) == 0.0
    # variances 2/3 and 8/3, covariance 4/3, means 2 and 4: 2 * 4/3 / (2/3 + 8/3 + 4)
    assert regression.ccc([1, 2, 3], [2, 4, 6]) == pytest.approx((8 / 3) / (22 / 3))
    assert np.isnan(regression.ccc([2, 2, 2], [2, 2, 2])) and np.isnan(regression.ccc([1], [1]))


def test_ccc_falls_with_shift_and_scale_where_a_correlation_does_not():
    truth, _ = draw(1)
    for prediction in (truth + truth.std(), 2 * truth, 0.5 * truth):
        assert regression.ccc(truth, prediction) < 0.95 < np.corrcoef(truth, prediction)[0, 1]


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        ([1, 2], [1, 2, 3], "two lists of the same length"),
        ([[1, 2]], [[1, 2]], "two lists of the same length"),
        ([1, np.nan], [1, 2], "must be finite"),
        ([1, 2], [1, np.inf], "must be finite"),
    ],
)
def test_unusable_values_are_an_error(truth, prediction, message):
    with pytest.raises(SerError, match=message):
        regression.ccc(truth, prediction)


def speakers(random, count=24, each=20):
    """Draw utterances of speakers who each have their own bias: names, truth, prediction."""
    names = np.repeat([f"s{number}" for number in range(count)], each)
    truth = random.normal(4, 1, count * each)
    bias = np.repeat(random.normal(0, 0.5, count), each)
    return names, truth, truth + bias + random.normal(0, 0.5, count * each)


def test_the_interval_is_the_jackknife_written_out():
    names, truth, prediction = speakers(np.random.default_rng(0), count=6)
    result = regression.ccc_interval(truth, prediction, names)
    whole = direct(truth, prediction)
    without = [direct(truth[names != name], prediction[names != name]) for name in sorted(set(names))]
    pseudo = 6 * whole - 5 * np.array(without)
    half = 2.5705818366147395 * pseudo.std(ddof=1) / np.sqrt(6)  # Student's t, 5 degrees of freedom, 97.5 %
    assert result["ccc"] == pytest.approx(whole, abs=1e-12)
    assert result["interval"] == pytest.approx([whole - half, whole + half])
    assert (result["unit"], result["n"], result["level"]) == ("speaker", 6, 0.95)


def test_the_interval_covers_the_true_value():
    """Of 600 corpora of 24 speakers with the same true CCC, about 95 % of the intervals contain it."""
    random = np.random.default_rng(7)
    true = 2 * 1.0 / (1.0 + 1.0 + 0.5**2 + 0.5**2)
    inside = 0
    for _ in range(600):
        names, truth, prediction = speakers(random)
        low, high = regression.ccc_interval(truth, prediction, names)["interval"]
        inside += low <= true <= high
    assert 0.92 <= inside / 600 <= 0.975


def test_there_is_no_interval_without_four_named_speakers():
    names, truth, prediction = speakers(np.random.default_rng(1), count=uncertainty.FEWEST_UNITS)
    assert regression.ccc_interval(truth, prediction, names)["interval"]
    for speaker in (np.where(names == "s3", "s2", names), np.where(names == "s3", "unknown", names)):
        result = regression.ccc_interval(truth, prediction, speaker)
        assert result["interval"] is None and result["unit"] == "none" and np.isfinite(result["ccc"])
    with pytest.raises(SerError, match="3 speakers given for 80 utterances"):
        regression.ccc_interval(truth, prediction, ["a", "b", "c"])


def test_dimensions_are_scored_where_they_have_a_truth():
    names, truth, prediction = speakers(np.random.default_rng(2))
    frame = pd.DataFrame({"speaker": names, "arousal": truth, "predicted_arousal": prediction, "valence": truth})
    frame.loc[:9, "arousal"] = np.nan
    scores = regression.score_dimensions(frame)
    assert list(scores) == ["arousal"] and scores["arousal"]["n_test"] == len(frame) - 10
    assert scores["arousal"]["ccc"] == regression.ccc(truth[10:], prediction[10:])
