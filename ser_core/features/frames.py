"""Extract the frame features of the paper (II.C, II.D.1): MFCC, RMSE and their deltas.

:mod:`ser_core.features.spectral` gives the 13 MFCC and the energy of each frame. Deltas follow Eq. 1 and 2. Each
channel is standardised over the frames of the utterance (Eq. 4), then padded with zeros or cut to 400 frames.
"""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE
from ser_core.features.spectral import N_MELS, N_MFCC, frame_sizes, mfcc, rmse

FRAMES = 400
"""Frames of an input by default: 4.00 s."""
DELTA_N = 2
"""Frames to each side of a delta."""

_MFCC = tuple(f"mfcc{i}" for i in range(N_MFCC))
_BASE = (*_MFCC, "rmse")
_BASE_DELTAS = (*_BASE, *(f"delta_{name}" for name in _BASE), *(f"delta2_{name}" for name in _BASE))
WIDE_EXTRAS = ("zcr", "pitch", "voiced", "centroid", "rolloff", "pitch_slope", "onset_strength")
CHANNELS: dict[str, tuple[str, ...]] = {
    "13": _MFCC,
    "14": _BASE,
    "39": tuple(name for name in _BASE_DELTAS if not name.endswith("rmse")),
    "40": (*(name for name in _BASE_DELTAS if not name.endswith("rmse")), "rmse"),
    "42": _BASE_DELTAS,
    "wide": (*_BASE_DELTAS, *WIDE_EXTRAS),
}
"""Channels of each feature set: 13 MFCC; 14 with RMSE; 39 MFCC with both deltas; 40 these and RMSE; 42 all of them with
both deltas. ``wide`` adds what II.C lists and then drops: zero-crossing rate, pitch, centroid, roll-off and prosody
(intonation as the slope of the pitch, rhythm as the onset strength)."""


@dataclass(frozen=True)
class FeatureSettings:
    """Set how a network's input is computed from a recording."""

    features: str = "42"  # one of inputs.INPUTS, such as the feature sets in CHANNELS
    frames: int = FRAMES  # length after padding or cutting; 400 frames are 4.00 s
    znorm: bool = True  # standardise each channel over the utterance (Eq. 4)
    rate: int = SAMPLE_RATE  # Hz
    normalise: bool = True  # scale the waveform to a peak of 1
    denoise: bool = False  # apply audio.reduce_noise


def channel_names(features: str) -> tuple[str, ...]:
    """Return the channels of a feature set, in order.

    Parameters
    ----------
    features : str
        one of :data:`CHANNELS`

    Returns
    -------
    tuple of str

    Raises
    ------
    SerError
        for an unknown feature set

    Examples
    --------
    >>> channel_names("14")[-2:]
    ('mfcc12', 'rmse')
    """
    if features not in CHANNELS:
        raise SerError(f"features {features!r}: not known; choose among {', '.join(CHANNELS)}")
    return CHANNELS[features]


def delta(values: np.ndarray, n: int = DELTA_N) -> np.ndarray:
    """Compute deltas: the regression slope over neighbouring frames (Eq. 1).

    Beyond the ends of the utterance its first or last frame is repeated.

    Parameters
    ----------
    values : float [frames, channels]
    n : int, default 2
        frames to each side

    Returns
    -------
    ndarray of float64 [frames, channels], change per frame

    Examples
    --------
    >>> delta(np.array([[0.0], [3.0], [6.0], [9.0], [12.0]]))[2]
    array([3.])
    """
    padded = np.pad(np.asarray(values, dtype=np.float64), ((n, n), (0, 0)), mode="edge")
    length = len(values)

    def shifted(k: int) -> np.ndarray:
        return padded[n + k : n + k + length]

    slopes = np.asarray(sum(k * (shifted(k) - shifted(-k)) for k in range(1, n + 1)))
    return slopes / (2.0 * sum(k * k for k in range(1, n + 1)))


def base_channels(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Compute the 42 channels before scaling, in the order of ``CHANNELS["42"]``.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float64 [frames, 42]
    """
    static = np.column_stack([mfcc(samples, rate), rmse(samples, rate)])
    first = delta(static)
    return np.hstack([static, first, delta(first)])


def wide_channels(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Compute the seven further channels of II.C before scaling, by librosa.

    They are the zero-crossing rate (fraction of samples), the pitch (semitones above 55 Hz by YIN, 0 where unvoiced),
    voicing (0 or 1), the spectral centroid and the 85 % roll-off (Hz), the slope of the pitch over 90 ms (semitones per
    frame) and the onset strength. A frame is voiced within 35 dB of the loudest frame and with a zero-crossing rate
    below a quarter.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float64 [frames, 7], in the order of :data:`WIDE_EXTRAS`
    """
    import librosa

    frame, hop = frame_sizes(rate)
    y = np.asarray(samples, dtype=np.float32)
    energy = rmse(samples, rate)
    count = len(energy)
    common: dict[str, Any] = {"n_fft": frame, "hop_length": hop}
    zcr = librosa.feature.zero_crossing_rate(y, frame_length=frame, hop_length=hop)[0]
    pitch = librosa.yin(y, fmin=65.0, fmax=600.0, sr=rate, frame_length=4 * frame, hop_length=hop)
    centroid = librosa.feature.spectral_centroid(y=y, sr=rate, **common)[0]
    rolloff = librosa.feature.spectral_rolloff(y=y, sr=rate, **common)[0]
    onset = librosa.onset.onset_strength(y=y, sr=rate, n_mels=N_MELS, **common)
    zcr, pitch, centroid, rolloff, onset = (np.resize(x, count) for x in (zcr, pitch, centroid, rolloff, onset))
    voiced = (energy > energy.max() * 10.0 ** (-35.0 / 20.0)) & (zcr < 0.25)
    semitones = np.where(voiced, 12.0 * np.log2(np.maximum(pitch, 55.0) / 55.0), 0.0)
    slope = delta(semitones[:, None], n=4)[:, 0]
    return np.column_stack([zcr, semitones, voiced.astype(float), centroid, rolloff, slope, onset])


def raw_channels(samples: np.ndarray, rate: int = SAMPLE_RATE, *, with_wide: bool = False) -> np.ndarray:
    """Compute all channels before scaling: what the cache keeps of an utterance.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz
    with_wide : bool, default False
        append the seven channels of :func:`wide_channels`

    Returns
    -------
    ndarray of float32 [frames, 42], or [frames, 49] with ``with_wide``
    """
    columns = [base_channels(samples, rate)] + ([wide_channels(samples, rate)] if with_wide else [])
    return np.hstack(columns).astype(np.float32)


def zscore(values: np.ndarray) -> np.ndarray:
    """Standardise each channel over the frames of one utterance (Eq. 4).

    Parameters
    ----------
    values : float [frames, channels]

    Returns
    -------
    ndarray of float64 [frames, channels]
        mean 0 and standard deviation 1 in each channel; constant channels become 0

    Examples
    --------
    >>> zscore(np.array([[1.0, 7.0], [3.0, 7.0]]))
    array([[-1.,  0.],
           [ 1.,  0.]])
    """
    values = np.asarray(values, dtype=np.float64)
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 1e-8, deviation, np.inf)


def fit_length(values: np.ndarray, frames: int) -> np.ndarray:
    """Cut features to a number of frames, or pad them with zeros.

    Parameters
    ----------
    values : float [any length, channels]
    frames : int

    Returns
    -------
    ndarray of float [frames, channels]

    Examples
    --------
    >>> fit_length(np.ones((2, 1)), frames=3)
    array([[1.],
           [1.],
           [0.]])
    """
    return np.pad(values[:frames], ((0, max(0, frames - len(values))), (0, 0)))


def to_input(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Make the network's input from all channels: select, standardise, then cut or pad.

    Parameters
    ----------
    values : float [any length, 42 or 49]
        from :func:`raw_channels`
    settings : FeatureSettings
        its ``features``, ``znorm`` and ``frames`` are used

    Returns
    -------
    ndarray of float32 [settings.frames, channels]
    """
    order = CHANNELS["wide"]
    selected = values[:, [order.index(name) for name in channel_names(settings.features)]]
    scaled = zscore(selected) if settings.znorm else selected
    return fit_length(scaled, settings.frames).astype(np.float32)


def extract(
    samples: np.ndarray,
    *,
    features: str = "42",
    frames: int = FRAMES,
    znorm: bool = True,
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Extract the frame features of an utterance, as the network gets them.

    Parameters
    ----------
    samples : float [samples]
    features : str, default "42"
        one of :data:`CHANNELS`
    frames : int, default 400
        length after padding or cutting, 10 ms each
    znorm : bool, default True
        standardise each channel over the utterance (Eq. 4)
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [frames, channels]

    Raises
    ------
    SerError
        for an unknown feature set

    Examples
    --------
    >>> extract(np.sin(np.arange(16_000)), features="13", frames=100).shape
    (100, 13)
    """
    settings = FeatureSettings(features=features, frames=frames, znorm=znorm, rate=rate)
    channel_names(features)
    return to_input(raw_channels(samples, rate, with_wide=features == "wide"), settings)


def describe_recording(path: str | os.PathLike | bytes, *, features: str = "42") -> dict[str, Any]:
    """Describe a recording and its features, for ``ser inspect``.

    Parameters
    ----------
    path : path, or bytes of a file
    features : str, default "42"
        one of :data:`CHANNELS`

    Returns
    -------
    dict
        ``seconds``, ``rate`` (Hz), ``channels``, ``samples``, ``format``, ``subtype``, ``peak_dbfs``, ``rms_dbfs``,
        ``dc_offset``, ``frames`` (10 ms each, at 16 kHz, before padding) and ``feature_shape`` (400 x channels)

    Raises
    ------
    SerError
        for a recording that cannot be used; see :func:`ser_core.audio.decode`
    """
    samples, rate, container = audio.decode(path)
    prepared = audio.preprocess(samples, rate)
    extracted = extract(prepared, features=features)
    sizes = {"seconds": len(samples) / rate, "rate": rate, "channels": samples.shape[1], "samples": len(samples)}
    frames = 1 + len(prepared) // frame_sizes()[1]
    return sizes | container | audio.measure_level(samples) | {"frames": frames, "feature_shape": list(extracted.shape)}
