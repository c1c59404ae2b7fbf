"""Features against librosa in float64, and the deltas against Eq. 1 and 2 written out."""

import librosa
import numpy as np
import pytest

from ser_core import audio, corpora, features
from ser_core._utils.errors import SerError


def some_speech():
    return {path: audio.read(path).astype(np.float64) for path in corpora.load("demo")["path"].iloc[::90]}


def assert_equals_librosa(y):
    settings = {"sr": 16_000, "n_fft": 400, "hop_length": 160, "n_mels": 40}
    assert np.abs(features.mfcc(y) - librosa.feature.mfcc(y=y, n_mfcc=13, **settings).T).max() < 1e-4
    theirs = librosa.feature.rms(y=y, frame_length=400, hop_length=160)[0]
    assert np.abs(features.rmse(y) - theirs).max() < 1e-4


def test_mfcc_and_rmse_equal_librosa():
    for y in some_speech().values():
        assert_equals_librosa(y)


def test_mfcc_and_rmse_equal_librosa_on_real_files(real_data):
    for name in ("ravdess", "tess"):
        for path in corpora.load(name)["path"].iloc[::200]:
            assert_equals_librosa(audio.read(path).astype(np.float64))


@pytest.mark.parametrize(("rate", "bands"), [(8_000, 40), (16_000, 40), (22_050, 64), (48_000, 128)])
def test_mel_filters_equal_librosa(rate, bands):
    theirs = librosa.filters.mel(sr=rate, n_fft=1024, n_mels=bands, dtype=np.float64)
    assert np.allclose(features.mel_filters(rate, 1024, bands), theirs, atol=1e-12)


def test_dct_is_orthonormal():
    square = features.dct_matrix(40, 40)
    assert np.allclose(square @ square.T, np.eye(40))


def test_rmse_of_a_constant_is_the_constant_inside():
    values = features.rmse(np.full(1600, 0.25))
    assert len(values) == 11 and np.allclose(values[2:-2], 0.25)


def written_out(c, n=2):
    """Eq. 1 as it stands, frame by frame, the last frame repeated beyond the ends."""
    last = len(c) - 1
    at = lambda t: c[min(max(t, 0), last)]  # noqa: E731
    return np.array(
        [
            sum(k * (at(t + k) - at(t - k)) for k in range(1, n + 1)) / (2 * sum(k * k for k in range(1, n + 1)))
            for t in range(len(c))
        ]
    )


def test_deltas_equal_the_equations():
    c = np.random.default_rng(0).normal(size=(57, 14))
    assert np.allclose(features.delta(c), written_out(c))
    y = next(iter(some_speech().values()))
    static = np.column_stack([features.mfcc(y), features.rmse(y)])
    first = written_out(static)
    assert np.allclose(features.base_channels(y), np.hstack([static, first, written_out(first)]))


def test_delta_of_a_line_is_its_slope():
    line = np.arange(30.0)[:, None] * [3.0, -0.5]
    assert np.allclose(features.delta(line)[2:-2], [3.0, -0.5])


def test_zscore_by_hand():
    scaled = features.zscore(np.array([[1.0, 7.0], [3.0, 7.0]]))
    assert np.allclose(scaled, [[-1.0, 0.0], [1.0, 0.0]])


@pytest.mark.parametrize("channels", list(features.CHANNELS))
def test_every_channel_set_has_its_shape_and_scale(channels):
    y = next(iter(some_speech().values()))
    count = len(features.CHANNELS[channels])
    assert count == (49 if channels == "wide" else int(channels))
    x = features.extract(y, features=channels)
    assert x.shape == (400, count) and x.dtype == np.float32 and np.isfinite(x).all()
    used = 1 + len(y) // 160
    if used <= 400:
        assert np.allclose(x[:used].mean(axis=0), 0.0, atol=1e-4)
        assert not x[used:].any()


def test_channel_sets_are_parts_of_the_whole():
    y = next(iter(some_speech().values()))
    whole = dict(zip(features.CHANNELS["wide"], features.extract(y, features="wide", znorm=False).T, strict=True))
    for channels, names in features.CHANNELS.items():
        x = features.extract(y, features=channels, znorm=False)
        assert all(np.array_equal(x[:, i], whole[name]) for i, name in enumerate(names))


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


def test_unknown_channels_are_refused():
    with pytest.raises(SerError, match="features '43'"):
        features.extract(np.ones(16_000), features="43")
