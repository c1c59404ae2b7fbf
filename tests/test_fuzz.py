"""The contract of :mod:`fuzz` over 60 damaged recordings, 200 with --full; `python -m tests.fuzz` runs any number."""

import fuzz


def test_damaged_recordings_are_answered_or_refused_in_one_line(full):
    count = 200 if full else 60
    report = fuzz.run(count, seed=0)
    assert report.broken == []
    least = min(report.outcomes[kind] for kind in ("samples", "refused"))
    assert sum(report.outcomes.values()) == count and least > count / 10
    assert report.peak[-1] - report.peak[1] < 100  # MB; flat


def test_an_input_depends_on_its_number_alone():
    import numpy as np

    recordings = fuzz.seeds()
    first, again, other = (fuzz.damaged(recordings, np.random.default_rng([0, number])) for number in (7, 7, 8))
    assert first == again != other
