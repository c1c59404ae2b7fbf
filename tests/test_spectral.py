"""Spectral features against librosa in float64."""

import librosa
import numpy as np
import pytest

from ser_core import audio, corpora, features


def assert_equals_librosa(y):
    settings = {"sr": 16_000, "n_fft": 400, "hop_length": 160, "n_mels": 40}
    assert np.abs(features.mfcc(y) - librosa.feature.mfcc(y=y, n_mfcc=13, **settings).T).max() < 1e-4
    expected = librosa.feature.rms(y=y, frame_length=400, hop_length=160)[0]
    assert np.abs(features.rmse(y) - expected).max() < 1e-4


def test_mfcc_and_rmse_equal_librosa():
    for path in corpora.load("demo")["path"].iloc[::90]:
        assert_equals_librosa(audio.read(path).astype(np.float64))


def test_mfcc_and_rmse_equal_librosa_on_real_files(real_data):
    for name in ("ravdess", "tess"):
        for path in corpora.load(name)["path"].iloc[::200]:
            assert_equals_librosa(audio.read(path).astype(np.float64))


@pytest.mark.parametrize(("rate", "bands"), [(8_000, 40), (16_000, 40), (22_050, 64), (48_000, 128)])
def test_mel_filters_equal_librosa(rate, bands):
    expected = librosa.filters.mel(sr=rate, n_fft=1024, n_mels=bands, dtype=np.float64)
    assert np.allclose(features.mel_filters(rate, 1024, bands), expected, atol=1e-12)


def test_dct_is_orthonormal():
    square = features.dct_matrix(40, 40)
    assert np.allclose(square @ square.T, np.eye(40))


def test_rmse_of_a_constant_is_the_constant_inside():
    values = features.rmse(np.full(1600, 0.25))
    assert len(values) == 11 and np.allclose(values[2:-2], 0.25)
