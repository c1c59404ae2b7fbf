"""The contract of :mod:`fuzz_tables` over some inputs, more with --full; `python -m tests.fuzz_tables` runs any number.

Without it each kind has a quarter of its inputs.
"""

import fuzz_tables
import numpy as np
import pytest

COUNTS = {"csv": 60, "row": 40, "cache": 20, "model": 20}


@pytest.mark.parametrize("kind", COUNTS)
def test_damaged_inputs_are_answered_or_refused_in_one_line(kind, full):
    count = COUNTS[kind] if full else COUNTS[kind] // 4
    report = fuzz_tables.run(kind, count, seed=0)
    assert report.broken == []
    assert sum(report.outcomes.values()) == count and len(report.outcomes) > (kind != "cache")


def test_an_input_depends_on_its_number_alone():
    first, again, other = (fuzz_tables.damaged_json({"a": [1, 2]}, np.random.default_rng([0, n])) for n in (7, 7, 8))
    assert first == again != other
