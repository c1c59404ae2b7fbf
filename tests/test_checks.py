"""Checks of claims, against scikit-learn and cases by hand."""

import math
import re
from decimal import Decimal

import made_claims
import numpy as np
import pytest
from sklearn import metrics as sk

from ser_core import metrics
from ser_core.claims import audit, checks, claim_file, consistency


@pytest.mark.parametrize("seed", range(4))
def test_f1_of_real_predictions_holds_and_a_changed_one_is_impossible(seed, tmp_path):
    """Rounded scores of scikit-learn hold; an F1 changed by 0.03 is impossible."""
    random = np.random.default_rng(seed)
    truth, guess = random.integers(0, 5, 300), random.integers(0, 5, 300)
    guess = np.where(random.random(300) < 0.6, truth, guess)
    for values in zip(*sk.precision_recall_fscore_support(truth, guess)[:3]):
        p, r, f = (f"{100 * value:.2f}" for value in values)
        low, high = consistency.f1_range(Decimal(p), Decimal(r))
        assert float(low) - 0.005 <= float(f) <= float(high) + 0.005
        assert made_claims.check_one(tmp_path, "f1", precision=p, recall=r, f1=f).verdict == checks.HOLDS
        assert made_claims.check_one(tmp_path, "f1_between", precision=p, recall=r, f1=f).verdict == checks.HOLDS
        changed = f"{float(f) + 0.03:.2f}"
        assert made_claims.check_one(tmp_path, "f1", precision=p, recall=r, f1=changed).verdict == checks.IMPOSSIBLE


@pytest.mark.parametrize("classes", [2, 7, 8])
def test_one_vs_rest_accuracy_is_the_mean_over_classes_and_can_be_inverted(classes):
    random = np.random.default_rng(classes)
    names = [f"c{i}" for i in range(classes)]
    truth, guess = random.choice(names, 150), random.choice(names, 150)
    each = [sk.accuracy_score(truth == name, guess == name) for name in names]  # (TP + TN) / all
    matrix = metrics.confusion(truth, guess, names)
    assert metrics.one_vs_rest_accuracy(matrix) == pytest.approx(np.mean(each))
    again = metrics.accuracy_from_one_vs_rest(metrics.one_vs_rest_accuracy(matrix), classes)
    assert again == pytest.approx(sk.accuracy_score(truth, guess))


def test_accuracies_of_the_paper_read_as_one_vs_rest():
    assert f"{100 * metrics.accuracy_from_one_vs_rest(0.9174, 8):.2f}" == "66.96"
    assert f"{100 * metrics.accuracy_from_one_vs_rest(0.9810, 7):.2f}" == "93.35"
    assert math.isnan(metrics.one_vs_rest_accuracy(np.zeros((3, 3))))


def test_checks_hold_where_the_figures_agree(tmp_path):
    verdict = lambda *a, **k: made_claims.check_one(tmp_path, *a, **k).verdict  # noqa: E731
    assert verdict("rtf", rtf="0.003", latency_ms=12, seconds=4) == checks.HOLDS
    assert verdict("implied_length", rtf="0.003", latency_ms=12, seconds=4) == checks.HOLDS
    assert verdict("speakers", speakers=24) == checks.HOLDS
    assert verdict("smallest_support", printed=99.48, largest=192) == checks.HOLDS  # 191 of 192
    assert verdict("smallest_support", printed=99.89, largest=869) == checks.IMPOSSIBLE
    assert verdict("fraction", printed=91.67, tests="[{ each = 60, to = 4 }]") == checks.HOLDS
    assert verdict("attention_bounds", printed='"p"', frames=400, pools="[8]", low=-20, high=20) == checks.HOLDS
    assert verdict("truncation", printed='"p"', corpus='"ravdess"', frames=528, hop_ms=10) == checks.HOLDS
    assert verdict("truncation", printed='"p"', corpus='"cremad"', frames=528, hop_ms=10) == checks.OPEN
    assert verdict("twice", first=1, first_where='"a"', second=1, second_where='"b"') == checks.HOLDS


def test_every_result_is_complete_and_every_check_is_used():
    results = audit.check_claims()[1]
    assert len(results) >= 15
    for result in results:
        assert result.verdict in checks.VERDICTS and result.printed and result.why.endswith(".")
    used = {result.check for result in results}
    used |= {result.check for result in audit.check_claims(claim_file.CONSTRUCTED)[1]}
    assert used == set(checks.CHECKS)
    assert sum(audit.count_verdicts(results).values()) == len(results)


def test_the_claims_page_explains_every_check_and_its_example_runs(tmp_path):
    from ser_core._utils import paths

    page = (paths.root() / "docs" / "claims.md").read_text(encoding="utf-8")
    named = {
        name for line in re.findall(r"^\| (`.*?) \|", page, flags=re.MULTILINE) for name in re.findall(r"`(\w+)`", line)
    }
    assert named == set(checks.CHECKS)
    (tmp_path / "example.toml").write_text(re.search(r"```toml\n(.*?)```", page, flags=re.DOTALL)[1])
    verdicts = {result.id: result.verdict for result in audit.check_claims(tmp_path / "example.toml")[1]}
    assert verdicts == {"f1-angry": checks.HOLDS, "f1-sad": checks.IMPOSSIBLE, "accuracy": checks.IMPOSSIBLE}
