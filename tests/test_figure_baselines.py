"""Four figures are compared with stored pictures, so that a change of their look is seen.

``python tests/test_figure_baselines.py`` in the environment of the lock draws the pictures again.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.testing.compare import compare_images

from ser_core import corpora, features
from ser_core.figures import plots

BASELINES = Path(__file__).parent / "baselines"
TOLERANCE = 6.0
"""Root mean square of the differences of pixels, 0 to 255: above what fonts of another build change."""
LABELS = corpora.labels("ravdess")


def tone(seconds=1.0, rate=16_000):
    time = np.arange(int(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 220 * time) * np.exp(-3 * time)).astype(np.float32)


def confusion_matrix():
    counts = np.random.default_rng(0).integers(0, 40, (len(LABELS), len(LABELS))) + 60 * np.eye(len(LABELS), dtype=int)
    return plots.confusion_matrix(counts, LABELS, title="A made confusion matrix")


def waveform_pair():
    noisy = tone() + np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    return plots.waveform_pair(tone(), noisy, 16_000)


def feature_maps():
    matrix = features.extract(tone(3.0))
    return plots.feature_maps(matrix, features.channel_names("42"), used=301)


def count_plot():
    sexes = ("female", "male")
    rows = [{"emotion": label, "sex": sexes[k % 2], "corpus": "ravdess"} for label in LABELS for k in range(7)]
    return plots.count_plot(pd.DataFrame(rows), "ravdess")


FIGURES = {draw.__name__: draw for draw in (confusion_matrix, waveform_pair, feature_maps, count_plot)}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_looks_as_stored(name, tmp_path):
    FIGURES[name]().savefig(tmp_path / f"{name}.png", dpi=50)
    difference = compare_images(str(BASELINES / f"{name}.png"), str(tmp_path / f"{name}.png"), TOLERANCE)
    assert difference is None, difference


def test_the_comparison_sees_another_figure(tmp_path):
    plots.confusion_matrix(np.eye(8, dtype=int), LABELS, title="A made confusion matrix").savefig(
        tmp_path / "other.png", dpi=50
    )
    assert compare_images(str(BASELINES / "confusion_matrix.png"), str(tmp_path / "other.png"), TOLERANCE)


if __name__ == "__main__":
    BASELINES.mkdir(exist_ok=True)
    for name, draw in FIGURES.items():
        draw().savefig(BASELINES / f"{name}.png", dpi=50)
