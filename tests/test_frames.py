"""Frame features: deltas against Eq. 1 and 2 written out, feature sets, scaling and length."""

import numpy as np
import pytest
import soundfile

from ser_core import audio, corpora, features
from ser_core._utils.errors import SerError


@pytest.fixture(scope="module")
def speech():
    """Samples of one utterance."""
    return audio.read(corpora.load("demo")["path"].iloc[0]).astype(np.float64)


def written_out(c, n=2):
    """Compute Eq. 1 frame by frame, the edge frames repeated beyond the ends."""
    last = len(c) - 1
    at = lambda t: c[min(max(t, 0), last)]  # noqa: E731
    return np.array(
        [
            sum(k * (at(t + k) - at(t - k)) for k in range(1, n + 1)) / (2 * sum(k * k for k in range(1, n + 1)))
            for t in range(len(c))
        ]
    )


def test_deltas_equal_the_equations(speech):
    c = np.random.default_rng(0).normal(size=(57, 14))
    assert np.allclose(features.delta(c), written_out(c))
    static = np.column_stack([features.mfcc(speech), features.rmse(speech)])
    first = written_out(static)
    assert np.allclose(features.base_channels(speech), np.hstack([static, first, written_out(first)]))


def test_delta_of_a_line_is_its_slope():
    line = np.arange(30.0)[:, None] * [3.0, -0.5]
    assert np.allclose(features.delta(line)[2:-2], [3.0, -0.5])


def test_zscore_equals_a_computation_by_hand():
    scaled = features.zscore(np.array([[1.0, 7.0], [3.0, 7.0]]))
    assert np.allclose(scaled, [[-1.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize("name", list(features.CHANNELS))
def test_every_feature_set_has_its_shape_and_scale(speech, name):
    count = len(features.CHANNELS[name])
    assert count == (49 if name == "wide" else int(name))
    x = features.extract(speech, features=name)
    assert x.shape == (400, count) and x.dtype == np.float32 and np.isfinite(x).all()
    used = 1 + len(speech) // 160
    if used <= 400:
        assert np.allclose(x[:used].mean(axis=0), 0.0, atol=1e-4)
        assert not x[used:].any()


def test_feature_sets_are_parts_of_the_widest(speech):
    raw = features.raw_channels(speech, with_wide=True)
    whole = dict(zip(features.CHANNELS["wide"], features.extract(speech, features="wide", znorm=False).T, strict=True))
    for feature_set, names in features.CHANNELS.items():
        x = features.to_input(raw, features.FeatureSettings(features=feature_set, znorm=False))
        assert all(np.array_equal(x[:, i], whole[name]) for i, name in enumerate(names))
        x = features.extract(speech, features=feature_set, znorm=False)
        assert all(np.allclose(x[:, i], whole[name], rtol=0.0, atol=1e-4) for i, name in enumerate(names))


def test_long_utterances_are_cut_after_scaling():
    y = np.random.default_rng(0).normal(size=6 * 16_000)
    longer = features.extract(y, frames=1_000)
    assert np.array_equal(features.extract(y), longer[:400]) and longer[401:600].any()


def test_wide_features_follow_the_signal():
    t = np.arange(16_000) / 16_000
    low, high = (features.wide_channels(0.5 * np.sin(2 * np.pi * f * t)) for f in (110.0, 220.0))
    pitch = features.WIDE_EXTRAS.index("pitch")
    assert np.median(high[:, pitch]) - np.median(low[:, pitch]) == pytest.approx(12.0, abs=0.3)
    assert np.median(low[:, pitch]) == pytest.approx(12.0, abs=0.3)  # an octave above 55 Hz


def test_an_unknown_feature_set_is_refused():
    with pytest.raises(SerError, match="features '43'"):
        features.extract(np.ones(16_000), features="43")


def test_a_recording_is_described_with_its_features(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(24_000) / 48_000)
    soundfile.write(tmp_path / "a.wav", np.column_stack([tone, tone]), 48_000)
    described = features.describe_recording(tmp_path / "a.wav", features="13")
    assert (described["seconds"], described["rate"], described["channels"]) == (0.5, 48_000, 2)
    assert described["frames"] == 51 and described["feature_shape"] == [400, 13]
