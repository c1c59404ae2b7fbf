"""Paired tests, Holm and power: against every exchange by hand, formulas, and simulations with known truth."""

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
    """Hits [draws, speakers, labels] of two systems on the same utterances, ``better`` apart in accuracy.

    A speaker moves both systems alike, and each system in a way of its own: utterances of one speaker err together.
    """
    level = 0.5 + 0.12 * random.standard_normal((draws, speakers, 1)) + np.array([0.15, 0.0, -0.05, -0.1])
    own = [0.07 * random.standard_normal((draws, speakers, 1)) for _ in range(2)]
    rates = [np.clip(level + shift + step, 0, 1) for shift, step in zip(own, (0.0, better), strict=True)]
    return [random.binomial(EACH, rate) for rate in rates]


def matrices(hits):
    """Confusion matrices [..., labels, labels] whose errors all fall on the next label."""
    found = np.zeros((*hits.shape, len(LABELS)), dtype=int)
    place = np.arange(len(LABELS))
    found[..., place, place] = hits
    found[..., place, np.roll(place, 1)] = EACH - hits
    return found


def test_every_exchange_is_counted():
    random = np.random.default_rng(3)
    for count in (1, 2, 5, 9):
        each = random.standard_normal(count).round(1)
        sums = np.array([np.dot(signs, each) for signs in product((1, -1), repeat=count)])
        assert significance.signflip(each) == pytest.approx((np.abs(sums) >= abs(each.sum()) - 1e-9).mean())
    assert significance.signflip(np.ones(24)) == pytest.approx(2.0**-23)
    assert significance.signflip(np.array([0.1, -0.1, 0.2, -0.2])) == 1.0


def test_it_is_scipys_permutation_test():
    each = np.random.default_rng(5).normal(0.3, 1, 12)
    found = stats.permutation_test((each,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert significance.signflip(each) == pytest.approx(found.pvalue)


def test_many_units_are_flipped_at_random_and_seeded():
    each = np.random.default_rng(1).normal(0.2, 1, 91)
    found = significance.signflip(each)
    assert found == significance.signflip(each) and found != significance.signflip(each, seed=1)
    assert found == pytest.approx(stats.ttest_1samp(each, 0).pvalue, abs=0.01)


def test_holm_by_hand():
    assert significance.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert significance.holm([0.5, None, 0.9]) == [1.0, None, 1.0]
    assert significance.holm([]) == []


def test_contributions_sum_to_the_difference():
    first, second = (matrices(hits[0]) for hits in systems(np.random.default_rng(2), 1, better=0.05))
    found = significance.contributions(first, second)
    before, after = (metrics.scores_from_confusion(each.sum(axis=0)) for each in (first, second))
    for name in significance.TESTED:
        assert found[name].sum() == pytest.approx(after[name] - before[name])


def test_the_paired_test_is_wrong_as_often_as_it_says():
    """Two systems that are alike, with speaker effects: 3 to 7 % false positives at 5 %, over 24 speakers."""
    first, second = systems(np.random.default_rng(11), 3000)
    each = (second - first).sum(axis=2) / (SPEAKERS * EACH * len(LABELS))
    wrong = np.mean([significance.signflip(one) <= 0.05 for one in each])
    assert 0.03 <= wrong <= 0.07, wrong


def test_the_paired_interval_covers_the_truth():
    """A true difference of 4 points, 24 speakers: the 95 % interval of accuracy holds it in 93 to 97 % of draws."""
    draws = 3000
    pair = [matrices(hits) for hits in systems(np.random.default_rng(12), draws, better=0.04)]
    wide = systems(np.random.default_rng(13), 100_000, better=0.04)
    truth = (wide[1] - wide[0]).mean() / EACH
    whole = [metrics.scores_from_confusion(each.sum(axis=1))["accuracy"] for each in pair]
    without = [metrics.scores_from_confusion(each.sum(axis=1, keepdims=True) - each)["accuracy"] for each in pair]
    found = [uncertainty.jackknife(*both) for both in zip(without[1] - without[0], whole[1] - whole[0], strict=True)]
    held = sum(low <= truth <= high for low, high in found)
    assert 0.93 <= held / draws <= 0.97, held / draws


def test_power_is_what_the_test_reaches():
    """At the difference that is said to be found in 80 % of draws, the sign-flip test finds it in about 80 %."""
    random = np.random.default_rng(21)
    null = random.normal(0, 0.1, 24) / 24
    wanted = significance.minimum_detectable_effect(null)
    deviation = np.std(24 * null, ddof=1)
    assert significance.paired_power(wanted, deviation, 24) == pytest.approx(0.8)
    draws = random.normal(wanted, deviation, (1500, 24)) / 24
    assert np.mean([significance.signflip(one) <= 0.05 for one in draws]) == pytest.approx(0.8, abs=0.035)
    assert significance.minimum_detectable_effect(null, units=96) < wanted / 1.9
    assert significance.minimum_detectable_effect(np.full(24, 0.1)) is None
    assert significance.paired_power(0.0, 1.0, 24) == pytest.approx(0.05)


def frame(hits):
    """Predictions as a table from hits [speakers, labels]."""
    rows = []
    for speaker, own in enumerate(hits):
        for place, right in enumerate(own):
            for number in range(EACH):
                answer = LABELS[place if number < right else (place + 1) % len(LABELS)]
                rows.append((f"{speaker}-{place}-{number}", f"{speaker:02d}", "01", LABELS[place], answer))
    return pd.DataFrame(rows, columns=["id", "speaker", "text", "truth", "prediction"])


def test_paired_gives_the_p_of_the_speakers_differences():
    first, second = (hits[0] for hits in systems(np.random.default_rng(4), 1, better=0.1))
    found = significance.paired(frame(first), frame(second), LABELS)
    each = (second - first).sum(axis=1) / (EACH * len(LABELS) * SPEAKERS)
    assert found.accuracy.p == pytest.approx(significance.signflip(each))
    assert found.uar.p == pytest.approx(found.accuracy.p)  # equal supports
    assert found.accuracy.minimum_detectable == pytest.approx(significance.minimum_detectable_effect(each))
    few = significance.paired(frame(first[:3]), frame(second[:3]), LABELS)
    assert few.accuracy.p is None and few.accuracy.interval is None
    assert significance.PairedDifferences.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert found.accuracy.significant == (found.accuracy.interval.low > 0 or found.accuracy.interval.high < 0)
