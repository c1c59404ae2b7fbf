"""Scores against scikit-learn and by hand; intervals against the t formula and by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from ser_core import metrics
from ser_core.metrics import uncertainty

LABELS = ("neutral", "happy", "sad", "angry")


@pytest.mark.parametrize("seed", range(5))
def test_scores_equal_scikit_learn(seed):
    random = np.random.default_rng(seed)
    truth, prediction = random.choice(LABELS, 200), random.choice(LABELS, 200)
    ours = metrics.scores(truth, prediction, LABELS)
    p, r, f, _ = sk.precision_recall_fscore_support(truth, prediction, labels=LABELS, average="macro", zero_division=0)
    assert ours["accuracy"] == pytest.approx(sk.accuracy_score(truth, prediction))
    assert [ours[k] for k in ("precision", "recall", "f1")] == pytest.approx([p, r, f])
    assert ours["uar"] == pytest.approx(sk.balanced_accuracy_score(truth, prediction))
    assert np.array_equal(
        metrics.confusion(truth, prediction, LABELS), sk.confusion_matrix(truth, prediction, labels=LABELS)
    )
    assert metrics.uar(truth, prediction, LABELS) == ours["uar"]


def test_by_hand():
    truth = ["happy", "happy", "sad", "sad", "sad"]
    prediction = ["happy", "sad", "sad", "sad", "angry"]
    each = metrics.per_class(truth, prediction, LABELS)
    assert each["happy"] == pytest.approx({"precision": 1.0, "recall": 0.5, "f1": 2 / 3, "support": 2})
    assert each["sad"] == pytest.approx({"precision": 2 / 3, "recall": 2 / 3, "f1": 2 / 3, "support": 3})
    assert metrics.accuracy(truth, prediction, LABELS) == pytest.approx(3 / 5)


def test_a_class_absent_from_the_truth_is_not_averaged():
    truth, prediction = ["happy", "happy"], ["happy", "sad"]
    assert (
        metrics.uar(truth, prediction, LABELS)
        == 0.5
        == sk.recall_score(truth, prediction, labels=["happy"], average="macro")
    )
    assert metrics.f1(truth, prediction, LABELS) == pytest.approx(2 / 3)


def test_a_class_never_predicted_has_precision_zero():
    assert metrics.per_class(["sad"], ["happy"], LABELS)["sad"] == {"precision": 0, "recall": 0, "f1": 0, "support": 1}


@pytest.mark.parametrize(("truth", "prediction"), [(["happy"], []), (["joy"], ["happy"]), (["happy"], ["joy"])])
def test_bad_input_is_refused(truth, prediction):
    with pytest.raises(ValueError):
        metrics.confusion(truth, prediction, LABELS)


def simulated(random, speakers=24, each=20, spread=0.1, mean=0.5):
    """Predictions whose accuracy varies from speaker to speaker around ``mean``."""
    rates = np.clip(mean + spread * random.standard_normal(speakers), 0, 1)
    rows = []
    for speaker, rate in enumerate(rates):
        truth = np.tile(LABELS, each // len(LABELS))
        right = random.random(each) < rate
        wrong = np.roll(LABELS, 1)[np.tile(np.arange(len(LABELS)), each // len(LABELS))]
        rows.append(pd.DataFrame({"truth": truth, "prediction": np.where(right, truth, wrong), "speaker": speaker}))
    return pd.concat(rows, ignore_index=True).assign(text="01")


def test_with_equal_numbers_it_is_the_t_interval_of_the_speakers():
    predictions = simulated(np.random.default_rng(0))
    each = (predictions["truth"] == predictions["prediction"]).groupby(predictions["speaker"]).mean()
    low, high = stats.t.interval(0.95, 23, loc=each.mean(), scale=each.sem())
    found = uncertainty.intervals(predictions, LABELS)
    assert found["accuracy"] == pytest.approx([low, high])
    assert found["uar"] == pytest.approx([low, high])
    assert (found["unit"], found["n"], found["level"]) == ("speaker", 24, 0.95)


def test_the_intervals_cover_the_truth():
    """24 speakers with effects of their own: a 95 % interval holds the population's score in 93 to 97 % of draws."""
    random = np.random.default_rng(7)
    count = len(LABELS)

    def speakers(n, each=5, spread=0.15):
        """Confusion matrices [n, labels, labels] of speakers who differ in every class."""
        rates = np.clip(0.55 + spread * random.standard_normal((n, 1)) + [0.2, 0.0, -0.1, -0.2], 0.02, 0.98)
        right = random.binomial(each, rates)
        matrices = np.zeros((n, count, count), dtype=int)
        matrices[:, range(count), range(count)] = right
        matrices[:, range(count), [1, 2, 3, 0]] = each - right
        return matrices

    truth = metrics.scores_from_confusion(speakers(200_000).sum(axis=0))
    draws = 2_000
    held = dict.fromkeys(uncertainty.SCORES, 0)
    for _ in range(draws):
        for score, (low, high) in uncertainty.jackknife_scores(speakers(24)).items():
            held[score] += low <= truth[score] <= high
    assert all(0.93 <= count / draws <= 0.97 for count in held.values()), held


def test_too_few_speakers_give_words_or_nothing():
    predictions = simulated(np.random.default_rng(0), speakers=3)
    assert uncertainty.intervals(predictions, LABELS)["accuracy"] is None
    words = predictions.assign(text=[str(i % 10) for i in range(len(predictions))])
    found = uncertainty.intervals(words, LABELS)
    assert found["unit"] == "word" and found["n"] == 10 and found["accuracy"][0] < found["accuracy"][1]


def test_answers_that_are_all_the_same_have_no_interval_of_one_number():
    """Every word right once in four, and one word lacks a recording: 25.0 [25.0, 25.0] says too much."""
    table = pd.DataFrame({"text": np.repeat(np.arange(2000), len(LABELS)), "truth": LABELS * 2000})
    table = table.assign(speaker="one", prediction=LABELS[0], id=range(len(table)))[1:]
    found = uncertainty.intervals(table, LABELS)
    assert found["unit"] == "word" and found["accuracy"] is None
    table.loc[table["text"] < 500, "prediction"] = LABELS[1]
    table.loc[table["text"] < 200, "prediction"] = table["truth"]
    assert uncertainty.intervals(table, LABELS)["accuracy"] is not None
