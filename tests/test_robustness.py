"""The figures beyond one score show the numbers that they were given, with units."""

import numpy as np
import pytest
from made_rows import made_rows
from test_plots import check, words
from test_subgroups import answered, noisy, pooled  # noqa: F401  (fixtures)

from ser_core.figures import robustness as plots
from ser_core.metrics import calibration
from ser_core.results import calibration_tables, pooling, robustness, subgroups


@pytest.mark.parametrize("equal_mass", [False, True])
def test_the_reliability_diagram_is_before_and_after(tmp_path, equal_mass):
    found = calibration_tables.calibrated_answers(made_rows(tmp_path, folds=2), tmp_path)
    figure = plots.reliability_diagram(found, equal_mass=equal_mass, title="of two folds")
    check(figure, title="of two folds", axes=False)  # the right column shares the left one's axis
    for p in (found.before, found.after):
        error = calibration.expected_calibration_error(p, found.truth, equal_mass=equal_mass)
        assert f"ECE {100 * error:.1f} points" in words(figure)
    wanted = calibration.reliability(found.before, found.truth, equal_mass=equal_mass)
    assert [bar.get_height() for bar in figure.axes[0].patches] == pytest.approx(wanted["accuracy"])
    assert sum(bar.get_height() for bar in figure.axes[2].patches) == pytest.approx(100)
    assert "confidence (probability of the answer)" in words(figure) and "answers (%)" in words(figure)


def test_risk_against_coverage_ends_at_the_error_rate(tmp_path):
    found = calibration_tables.calibrated_answers(made_rows(tmp_path, folds=2), tmp_path)
    figure = plots.risk_against_coverage(found, title="silence")
    check(figure, title="silence (area under the curve")
    (ax,) = figure.axes
    error = 100 * (1 - calibration_tables.answer_confidence(found)[1].mean())
    curve, _, perfect = ax.lines[:3]
    assert curve.get_ydata()[-1] == pytest.approx(error) and perfect.get_ydata()[-1] == pytest.approx(error)
    assert (perfect.get_ydata()[-len(curve.get_ydata()) :] <= curve.get_ydata() + 1e-9).all()
    assert f"by chance: {error:.1f} %" in words(figure)


def test_groups_and_the_worst_speaker_by_id(pooled):  # noqa: F811
    one, folder = pooled
    figure = plots.scores_by_group(one, folder, title="for whom")
    check(figure, title="for whom")
    worst = subgroups.scores_by_speaker(one, folder).iloc[0]
    assert f"speaker {worst['speaker']}: {100 * worst['uar']:.1f}" in words(figure)
    assert "sex: male" in words(figure) and "intensity: strong" in words(figure)
    dots = np.concatenate([line.get_ydata() for line in figure.axes[1].lines[:2]])
    assert sorted(dots) == pytest.approx(sorted(100 * subgroups.scores_by_speaker(one, folder)["uar"]))


def test_where_there_is_one_group_the_figure_says_so(tmp_path):
    (one,) = pooling.pool_results(made_rows(tmp_path, folds=2, corpus="tess"), tmp_path)
    assert "no groups to compare" in words(plots.scores_by_group(one, tmp_path))


def test_noise_curves_and_bars(noisy):  # noqa: F811
    rows, folder = noisy
    (family,) = robustness.group_by_system(rows, folder)
    figure = plots.noise_curves(family, title="noise")
    check(figure, title="noise")
    (ax,) = figure.axes
    assert ax.get_xlabel().endswith("(dB)") and ax.xaxis_inverted()
    assert list(ax.lines[0].get_xdata()) == [20, 10, 0]
    assert list(ax.lines[0].get_ydata()) == pytest.approx(100 * robustness.noise_curve(family, "white")["uar"])
    assert "clean: " in words(figure) and "chance: 12.5 %" in words(figure) and "babble" not in words(figure)
    figure = plots.condition_bars(family, title="bars")
    check(figure, title="bars")
    assert "reverb, 0.6 s" in words(figure) and "telephone" in words(figure) and "white" not in words(figure)
    wanted = [100 * family[name].scores["uar"] for name in ("reverb:0.6", "telephone")]
    assert [bar.get_width() for bar in figure.axes[0].patches][:2] == pytest.approx(wanted)
