"""The peers: the usual way of each stage, by librosa and Keras alone, as most published code has it.

Nothing here uses the suite's own code, so that the comparison is with what a user would write.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RATE, FRAME, HOP = 16_000, 400, 160
FRAMES = 400


def load(path: str) -> np.ndarray:
    """Read a recording with librosa: mono, 16 kHz, peak 1.

    Parameters
    ----------
    path : str

    Returns
    -------
    ndarray of float32 [samples]
    """
    import librosa

    samples, _ = librosa.load(path, sr=RATE)
    return samples / max(float(np.abs(samples).max()), 1e-30)


def channels(samples: np.ndarray, energy: bool = True) -> np.ndarray:
    """Compute MFCC, RMSE and their deltas with librosa.

    Parameters
    ----------
    samples : float [samples]
    energy : bool, default True
        42 channels; without, 39

    Returns
    -------
    ndarray of float [frames, 42 or 39]
    """
    import librosa

    common: dict[str, Any] = {"hop_length": HOP, "center": True}
    static = librosa.feature.mfcc(y=samples, sr=RATE, n_mfcc=13, n_fft=FRAME, n_mels=40, **common)
    if energy:
        static = np.vstack([static, librosa.feature.rms(y=samples, frame_length=FRAME, **common)])
    first = librosa.feature.delta(static, width=5, mode="nearest")
    return np.vstack([static, first, librosa.feature.delta(first, width=5, mode="nearest")]).T


def network_input(values: np.ndarray) -> np.ndarray:
    """Standardise each channel, then cut to 400 frames or pad with zeros.

    Parameters
    ----------
    values : float [frames, channels]

    Returns
    -------
    ndarray of float32 [400, channels]
    """
    deviation = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(deviation > 1e-8, deviation, np.inf)
    made = np.zeros((FRAMES, values.shape[1]), dtype=np.float32)
    made[: len(scaled)] = scaled[:FRAMES]
    return made


def predict(path: str, network: Any, energy: bool = True) -> np.ndarray:
    """Predict the emotion of a recording: librosa, then ``model.predict``.

    Parameters
    ----------
    path : str
    network : keras.Model
    energy : bool, default True
        as in :func:`channels`

    Returns
    -------
    ndarray of float32 [labels]
    """
    return network.predict(network_input(channels(load(path), energy))[None], verbose=0)[0]


def corpus(paths: list[str]) -> np.ndarray:
    """Compute the network inputs of recordings, one after the other.

    Parameters
    ----------
    paths : list of str

    Returns
    -------
    ndarray of float32 [recordings, 400, 42]
    """
    return np.stack([network_input(channels(load(path))) for path in paths])


SCRIPT = """
import sys
import keras, librosa, numpy as np
samples, _ = librosa.load(sys.argv[2], sr=16000)
samples = samples / np.abs(samples).max()
static = np.vstack([
    librosa.feature.mfcc(y=samples, sr=16000, n_mfcc=13, n_fft=400, hop_length=160, n_mels=40),
    librosa.feature.rms(y=samples, frame_length=400, hop_length=160),
])
first = librosa.feature.delta(static, width=5, mode="nearest")
x = np.vstack([static, first, librosa.feature.delta(first, width=5, mode="nearest")]).T
x = (x - x.mean(axis=0)) / x.std(axis=0)
x = np.pad(x[:400], ((0, max(0, 400 - len(x))), (0, 0)))
print(keras.models.load_model(sys.argv[1]).predict(x[None], verbose=0)[0].argmax())
"""
"""A script that predicts one recording: ``python -c SCRIPT network.keras clip.wav``."""
