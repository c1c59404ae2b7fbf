"""Which epoch each rule keeps, by hand and as properties."""

import numpy as np
import pytest

from ser_core.training.selection import kept_epochs, last_improvement


def test_loss_closes_after_its_patience_and_later_lows_are_not_kept():
    loss = [1.0, 0.9, 0.95, 0.96, 0.97, 0.5]
    assert kept_epochs(loss, [], patience=3)["loss"] == 2
    assert kept_epochs(loss, [], patience=4)["loss"] == 6, "its patience had not run out"


def test_uar_ties_go_to_the_lower_loss_then_to_the_earlier_epoch():
    assert kept_epochs([1.0, 0.8, 0.9, 0.8], [0.2, 0.5, 0.5, 0.5], patience=9)["uar"] == 2
    assert kept_epochs([1.0, 0.9, 0.8], [0.2, 0.5, 0.5], patience=9)["uar"] == 3


@pytest.mark.parametrize("seed", range(5))
def test_the_rules_agree_with_numpy_where_no_patience_runs_out(seed):
    random = np.random.default_rng(seed)
    loss, uar, test = random.random(30), random.random(30), random.random(30)
    kept = kept_epochs(list(loss), list(uar), 100, list(test))
    assert kept == {
        "loss": 1 + loss.argmin(), "uar": 1 + uar.argmax(), "last": 30, "oracle": 1 + test.argmax()
    }  # fmt: skip
    assert last_improvement(list(loss), list(uar)) == max(kept["loss"], kept["uar"])


def test_the_test_utterances_move_only_the_oracle():
    loss, uar = [1.0, 0.8, 0.9], [0.2, 0.3, 0.4]
    first, second = (kept_epochs(loss, uar, 5, test) for test in ([0.1, 0.2, 0.9], [0.9, 0.2, 0.1]))
    assert first.pop("oracle") == 3 and second.pop("oracle") == 1 and first == second
