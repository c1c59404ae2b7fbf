"""The contract of :mod:`fuzz` over 200 damaged recordings; `python -m tests.fuzz --count 10000` runs more."""

import fuzz


def test_damaged_recordings_are_answered_or_refused_in_one_line():
    report = fuzz.run(200, seed=0)
    assert report.broken == []
    assert sum(report.outcomes.values()) == 200 and min(report.outcomes[kind] for kind in ("samples", "refused")) > 20
    assert report.peak[-1] - report.peak[1] < 100  # MB; flat


def test_an_input_depends_on_its_number_alone():
    import numpy as np

    recordings = fuzz.seeds()
    first, again, other = (fuzz.damaged(recordings, np.random.default_rng([0, number])) for number in (7, 7, 8))
    assert first == again != other
