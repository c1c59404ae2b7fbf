"""Paired tests, Holm's correction and power, against enumeration, formulas, and simulations with known truth."""

import json
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ser_core import metrics
from ser_core.metrics import significance, uncertainty

LABELS = ("neutral", "happy", "sad", "angry")
SPEAKERS, EACH = 24, 10  # a speaker's utterances per emotion


def systems(random, draws, *, better=0.0, speakers=SPEAKERS):
    """Draw the number of right predictions [draws, speakers, labels] of two systems, ``better`` apart in accuracy.

    Each speaker has an effect on both systems, and another on each of them, so errors of a speaker are correlated.
    """
    level = 0.5 + 0.12 * random.standard_normal((draws, speakers, 1)) + np.array([0.15, 0.0, -0.05, -0.1])
    own = [0.07 * random.standard_normal((draws, speakers, 1)) for _ in range(2)]
    rates = [np.clip(level + shift + step, 0, 1) for shift, step in zip(own, (0.0, better), strict=True)]
    return [random.binomial(EACH, rate) for rate in rates]


def matrices(hits):
    """Return confusion matrices [..., labels, labels] whose errors are all on the next label."""
    result = np.zeros((*hits.shape, len(LABELS)), dtype=int)
    index = np.arange(len(LABELS))
    result[..., index, index] = hits
    result[..., index, np.roll(index, 1)] = EACH - hits
    return result


def test_every_exchange_is_counted():
    random = np.random.default_rng(3)
    for count in (1, 2, 5, 9):
        each = random.standard_normal(count).round(1)
        sums = np.array([np.dot(signs, each) for signs in product((1, -1), repeat=count)])
        assert significance.signflip(each) == pytest.approx((np.abs(sums) >= abs(each.sum()) - 1e-9).mean())
    assert significance.signflip(np.ones(24)) == pytest.approx(2.0**-23)
    assert significance.signflip(np.array([0.1, -0.1, 0.2, -0.2])) == 1.0


def test_the_p_value_is_that_of_scipys_permutation_test():
    each = np.random.default_rng(5).normal(0.3, 1, 12)
    expected = stats.permutation_test((each,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert significance.signflip(each) == pytest.approx(expected.pvalue)


def test_many_units_are_flipped_at_random_and_seeded():
    each = np.random.default_rng(1).normal(0.2, 1, 91)
    p = significance.signflip(each)
    assert p == significance.signflip(each) and p != significance.signflip(each, seed=1)
    assert p == pytest.approx(stats.ttest_1samp(each, 0).pvalue, abs=0.01)


def test_holm_by_hand():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert significance.holm([]) == []


def test_contributions_sum_to_the_difference():
    first, second = (matrices(hits[0]) for hits in systems(np.random.default_rng(2), 1, better=0.05))
    added = significance.contributions(first, second)
    before, after = (metrics.scores_from_confusion(each.sum(axis=0)) for each in (first, second))
    for name in significance.TESTED:
        assert added[name].sum() == pytest.approx(after[name] - before[name])


def test_the_paired_test_has_its_nominal_error_rate():
    """Two equal systems with speaker effects, 24 speakers: 3 to 7 % false positives at the 5 % level."""
    first, second = systems(np.random.default_rng(11), 3000)
    each = (second - first).sum(axis=2) / (SPEAKERS * EACH * len(LABELS))
    wrong = np.mean([significance.signflip(draw) <= 0.05 for draw in each])
    assert 0.03 <= wrong <= 0.07, wrong


def test_the_paired_interval_covers_the_truth():
    """With a true difference of 4 points and 24 speakers, the 95 % interval contains it in 93 to 97 % of draws."""
    draws = 3000
    pair = [matrices(hits) for hits in systems(np.random.default_rng(12), draws, better=0.04)]
    wide = systems(np.random.default_rng(13), 100_000, better=0.04)
    truth = (wide[1] - wide[0]).mean() / EACH
    whole = [metrics.scores_from_confusion(each.sum(axis=1))["accuracy"] for each in pair]
    without = [metrics.scores_from_confusion(each.sum(axis=1, keepdims=True) - each)["accuracy"] for each in pair]
    differences = zip(without[1] - without[0], whole[1] - whole[0], strict=True)
    limits = [uncertainty.jackknife(*difference) for difference in differences]
    covered = np.mean([low <= truth <= high for low, high in limits])
    assert 0.93 <= covered <= 0.97, covered


def test_the_sign_flip_test_reaches_the_power_of_the_minimum_detectable_effect():
    """At the difference computed for 80 % power, the test is significant in about 80 % of draws."""
    random = np.random.default_rng(21)
    null = random.normal(0, 0.1, 24) / 24
    wanted = significance.minimum_detectable_effect(null)
    deviation = np.std(24 * null, ddof=1)
    assert significance.paired_power(wanted, deviation, 24) == pytest.approx(0.8)
    draws = random.normal(wanted, deviation, (1500, 24)) / 24
    assert np.mean([significance.signflip(draw) <= 0.05 for draw in draws]) == pytest.approx(0.8, abs=0.035)
    assert significance.minimum_detectable_effect(null, units=96) < wanted / 1.9
    assert significance.minimum_detectable_effect(np.full(24, 0.1)) is None
    assert significance.paired_power(0.0, 1.0, 24) == pytest.approx(0.05)


@pytest.mark.parametrize("units", [6, 9, 24, 40])
def test_the_interval_contains_what_the_test_does_not_reject(units):
    random = np.random.default_rng(units)
    for draw in range(12 if units <= 24 else 2):
        shares = random.dirichlet(np.full(units, 5.0))
        each = np.round(random.normal(0.02 * draw, 0.2, units), 1) * shares  # rounded: many ties, as in counts
        low, high = significance.signflip_interval(each, shares)
        assert low <= each.sum() <= high
        assert (low <= 0.0 <= high) == (significance.signflip(each) > 0.05)
        width = high - low
        for value, inside in ((low + 0.01 * width, True), (high - 0.01 * width, True), (low - 0.01 * width, False)):
            if inside or units > 6:  # with six units the test rejects only the most extreme of 64
                assert (significance.signflip(each - value * shares) > 0.05) == inside


def test_units_of_unequal_size_weigh_the_same_in_interval_and_test():
    """A speaker with nine tenths of the utterances: a constant difference is found exactly, whatever the sizes."""
    shares = np.array([0.9, *np.full(9, 0.1 / 9)])
    low, high = significance.signflip_interval(0.03 * shares, shares)
    assert low == pytest.approx(0.03, abs=1e-6) and high == pytest.approx(0.03, abs=1e-6)


def frame(hits):
    """Return a table of predictions from the number of right ones [speakers, labels]."""
    rows = []
    for speaker, own in enumerate(hits):
        for place, right in enumerate(own):
            for number in range(EACH):
                answer = LABELS[place if number < right else (place + 1) % len(LABELS)]
                rows.append((f"{speaker}-{place}-{number}", f"{speaker:02d}", "01", LABELS[place], answer))
    return pd.DataFrame(rows, columns=["id", "speaker", "text", "truth", "prediction"])


def test_paired_gives_the_p_of_the_speakers_differences():
    first, second = (hits[0] for hits in systems(np.random.default_rng(4), 1, better=0.1))
    result = significance.paired(frame(first), frame(second), LABELS)
    each = (second - first).sum(axis=1) / (EACH * len(LABELS) * SPEAKERS)
    assert result.accuracy.p == pytest.approx(significance.signflip(each))
    assert result.uar.p == pytest.approx(result.accuracy.p)  # equal supports
    assert result.accuracy.minimum_detectable == pytest.approx(significance.minimum_detectable_effect(each))
    few = significance.paired(frame(first[:3]), frame(second[:3]), LABELS)
    assert few.accuracy.p is None and few.accuracy.interval is None
    assert significance.PairedDifferences.from_json(json.loads(json.dumps(result.to_json()))) == result
    interval = result.accuracy.interval
    assert result.accuracy.significant == (interval.low > 0 or interval.high < 0)


def test_with_balanced_classes_the_paired_interval_is_near_the_t_interval_of_the_speakers():
    random = np.random.default_rng(0)
    labels = ["a", "b"]
    frames = []
    for skill in (0.5, 0.7):
        truth = np.tile(labels, 60)
        right = random.random(120) < skill
        frames.append(
            pd.DataFrame(
                {"id": np.arange(120), "speaker": np.repeat(np.arange(12), 10), "text": "x", "truth": truth,
                 "prediction": np.where(right, truth, np.where(truth == "a", "b", "a"))}
            )
        )  # fmt: skip
    result = significance.paired(*frames, labels)
    each = [(part["truth"] == part["prediction"]).groupby(part["speaker"]).mean() for part in frames]
    gain = each[1] - each[0]
    half = stats.t.ppf(0.975, 11) * gain.std(ddof=1) / np.sqrt(12)
    assert result.accuracy.difference == pytest.approx(gain.mean())
    assert result.accuracy.interval.limits == pytest.approx((gain.mean() - half, gain.mean() + half), abs=0.1 * half)
    low, high = uncertainty.jackknife((gain.sum() - gain) / (len(gain) - 1), gain.mean())  # of scores without a test
    assert (low, high) == pytest.approx((gain.mean() - half, gain.mean() + half))
    assert result.unit == "speaker" and result.n == 12
    same = significance.paired(frames[0], frames[0].sample(frac=1, random_state=0), labels)
    assert same.accuracy == significance.Difference(0, None, 1.0, None), "no spread, no interval"
    with pytest.raises(ValueError, match="same utterances"):
        significance.paired(frames[0], frames[1].iloc[:50], labels)


def test_two_seeds_of_a_system_count_half_each():
    table = pd.DataFrame({"id": range(8), "speaker": np.arange(8) // 2, "text": "x", "truth": "a", "prediction": "a"})
    wrong = table.assign(prediction="b")
    both = pd.concat([table, wrong], ignore_index=True)
    assert significance.paired(table, both, ["a", "b"]).accuracy.difference == pytest.approx(-0.5)
