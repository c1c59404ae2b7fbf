"""The features of a moving window equal those of each window alone, and each frame is computed once."""

import numpy as np
import pytest

from ser_core import audio, corpora, features
from ser_core.features import moving
from ser_core.features.moving import MovingFeatures


@pytest.fixture(scope="module")
def speech():
    """Twelve seconds of speech, quiet at first."""
    samples = np.concatenate([audio.read(path) for path in corpora.load("demo_ravdess")["path"].iloc[:6]])[:192_000]
    samples[:40_000] *= 0.1
    return samples


def windows(samples, hop, size=64_000):
    for end in range(hop, len(samples) + 1, hop):
        start = max(0, end - size)
        yield samples[start:end], start


@pytest.mark.parametrize("hop", [8_000, 1_600, 4_800, 2_000, 1_234, 64_000])
@pytest.mark.parametrize("name", ["39", "42"])
def test_each_window_equals_its_features_alone(speech, hop, name):
    settings = features.FeatureSettings(features=name)
    followed = MovingFeatures(settings)
    for window, start in windows(speech, hop):
        peak = np.abs(window).max()
        computed = followed.update(window, start, 1.0 / peak)
        expected = features.extract(window / peak, features=name)
        assert computed.shape == expected.shape and np.abs(computed - expected).max() < 1e-3


def test_unscaled_channels_equal_those_of_the_window(speech):
    settings = features.FeatureSettings(znorm=False)
    followed = MovingFeatures(settings)
    for window, start in windows(speech, 8_000):
        assert np.array_equal(followed.update(window, start), features.extract(window, znorm=False))


def test_an_estimate_computes_the_new_frames_only(speech, monkeypatch):
    counts, compute = [], moving.mel_and_energy

    def counted(samples, rate, **limits):
        counts.append(limits["last"] - limits["first"])
        return compute(samples, rate, **limits)

    monkeypatch.setattr(moving, "mel_and_energy", counted)
    followed, totals = MovingFeatures(features.FeatureSettings()), []
    for window, start in windows(speech, 8_000):
        counts.clear()
        followed.update(window, start)
        totals.append(sum(counts))
    assert max(totals[1:]) <= 54 and totals[-1] == 54  # 50 frames of 0.5 s, two at each end of the window


def test_a_jump_is_computed_anew(speech):
    followed = MovingFeatures(features.FeatureSettings())
    for start in (0, 160, 100_000, 128_000 - 64_000 + 40_000):
        window = speech[start : start + 64_000]
        assert np.abs(followed.update(window, start) - features.extract(window)).max() < 1e-3


def test_windows_shorter_than_a_frame(speech):
    followed = MovingFeatures(features.FeatureSettings())
    for end in (100, 300, 460, 3_000):
        window = speech[80_000 : 80_000 + end]
        assert np.abs(followed.update(window, 0) - features.extract(window)).max() < 1e-3
