"""The contract of :mod:`fuzz_tables` over some inputs; `python -m tests.fuzz_tables --count 4000` runs more."""

import fuzz_tables
import numpy as np
import pytest

COUNTS = {"csv": 60, "row": 40, "cache": 20, "model": 20}


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_inputs_are_answered_or_refused_in_one_line(kind):
    report = fuzz_tables.run(kind, COUNTS[kind], seed=0)
    assert report.broken == []
    assert sum(report.outcomes.values()) == COUNTS[kind] and len(report.outcomes) > (kind != "cache")


def test_an_input_depends_on_its_number_alone():
    first, again, other = (fuzz_tables.damaged_json({"a": [1, 2]}, np.random.default_rng([0, n])) for n in (7, 7, 8))
    assert first == again != other
