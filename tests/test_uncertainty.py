"""Confidence intervals, against formulas, and by their coverage of a known truth."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ser_core import metrics
from ser_core.metrics import uncertainty

LABELS = ("neutral", "happy", "sad", "angry")
EACH = 10  # a speaker's utterances per emotion


def frame(hits):
    """Return a table of predictions from the number of right ones [speakers, labels]."""
    rows = []
    for speaker, own in enumerate(hits):
        for place, right in enumerate(own):
            for number in range(EACH):
                answer = LABELS[place if number < right else (place + 1) % len(LABELS)]
                rows.append((f"{speaker}-{place}-{number}", f"{speaker:02d}", "01", LABELS[place], answer))
    return pd.DataFrame(rows, columns=["id", "speaker", "text", "truth", "prediction"])


def simulated(random, speakers=24, each=20, spread=0.1, mean=0.5):
    """Return predictions whose accuracy varies between speakers around ``mean``."""
    rates = np.clip(mean + spread * random.standard_normal(speakers), 0, 1)
    rows = []
    for speaker, rate in enumerate(rates):
        truth = np.tile(LABELS, each // len(LABELS))
        right = random.random(each) < rate
        wrong = np.roll(LABELS, 1)[np.tile(np.arange(len(LABELS)), each // len(LABELS))]
        rows.append(pd.DataFrame({"truth": truth, "prediction": np.where(right, truth, wrong), "speaker": speaker}))
    return pd.concat(rows, ignore_index=True).assign(text="01")


def test_with_equally_many_utterances_it_is_the_t_interval_of_the_speakers():
    predictions = simulated(np.random.default_rng(0))
    each = (predictions["truth"] == predictions["prediction"]).groupby(predictions["speaker"]).mean()
    low, high = stats.t.interval(0.95, 23, loc=each.mean(), scale=each.sem())
    result = uncertainty.intervals(predictions, LABELS)
    assert result.accuracy.limits == pytest.approx((low, high))
    assert result.uar.limits == pytest.approx((low, high))
    assert (result.unit, result.n, result.level) == ("speaker", 24, 0.95)
    assert uncertainty.Intervals.from_json(json.loads(json.dumps(result.to_json()))) == result


def test_the_intervals_cover_the_truth():
    """With effects of 24 speakers, a 95 % interval contains the population's score in 93 to 97 % of draws."""
    random = np.random.default_rng(7)
    count = len(LABELS)

    def speakers(n, each=5, spread=0.15):
        """Return confusion matrices [n, labels, labels] of speakers who differ in every class."""
        rates = np.clip(0.55 + spread * random.standard_normal((n, 1)) + [0.2, 0.0, -0.1, -0.2], 0.02, 0.98)
        right = random.binomial(each, rates)
        matrices = np.zeros((n, count, count), dtype=int)
        matrices[:, range(count), range(count)] = right
        matrices[:, range(count), [1, 2, 3, 0]] = each - right
        return matrices

    truth = metrics.scores_from_confusion(speakers(200_000).sum(axis=0))
    draws = 2_000
    covered = dict.fromkeys(uncertainty.SCORES, 0)
    for _ in range(draws):
        for score, (low, high) in uncertainty.jackknife_scores(speakers(24)).items():
            covered[score] += low <= truth[score] <= high
    assert all(0.93 <= count / draws <= 0.97 for count in covered.values()), covered


def test_with_too_few_speakers_the_interval_is_over_words_or_missing():
    predictions = simulated(np.random.default_rng(0), speakers=3)
    assert uncertainty.intervals(predictions, LABELS).accuracy is None
    words = predictions.assign(text=[str(i % 10) for i in range(len(predictions))])
    result = uncertainty.intervals(words, LABELS)
    assert result.unit == "word" and result.n == 10 and result.accuracy.low < result.accuracy.high


def test_an_interval_too_narrow_to_print_is_omitted():
    """Every word is right once in four, and one word lacks a recording: 25.0 [25.0, 25.0] would mislead."""
    table = pd.DataFrame({"text": np.repeat(np.arange(2000), len(LABELS)), "truth": LABELS * 2000})
    table = table.assign(speaker="one", prediction=LABELS[0], id=range(len(table)))[1:]
    result = uncertainty.intervals(table, LABELS)
    assert result.unit == "word" and result.accuracy is None
    table.loc[table["text"] < 500, "prediction"] = LABELS[1]
    table.loc[table["text"] < 200, "prediction"] = table["truth"]
    assert uncertainty.intervals(table, LABELS).accuracy is not None


def test_spread_over_seeds_and_over_speakers():
    random = np.random.default_rng(6)
    first, second = (random.binomial(EACH, 0.6, (24, len(LABELS))) for _ in range(2))
    result = uncertainty.spread([frame(first), frame(second)], LABELS)["accuracy"]
    each = np.array([hits.sum(axis=1) / (EACH * len(LABELS)) for hits in (first, second)])
    assert result.seeds == pytest.approx(each.mean(axis=1).std(ddof=1))
    assert result.units == pytest.approx(each.mean(axis=0).std(ddof=1))
    assert uncertainty.spread([frame(first)], LABELS)["accuracy"].seeds is None
