"""Extract the frame features of the paper (II.C, II.D.1): MFCC, RMSE and their deltas.

:mod:`ser_core.features.spectral` gives the 13 MFCC and the energy of each frame. Deltas follow Eq. 1 and 2. Each
channel is standardised over the frames of the utterance (Eq. 4), then padded with zeros or cut to 400 frames.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE
from ser_core.features.frame_power import scratch
from ser_core.features.spectral import N_MELS, N_MFCC, dct_matrix, frame_sizes, mel_and_energy, rmse, to_decibel

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
    values = np.asarray(values, dtype=np.float64)
    padded = np.concatenate([values[:1]] * n + [values] + [values[-1:]] * n).T.copy()
    slopes = np.empty_like(padded)
    _slopes(padded, slopes, n)
    return slopes[:, n : n + len(values)].T


def _slopes(padded: np.ndarray, out: np.ndarray, n: int = DELTA_N) -> None:
    """Write the deltas of rows [channels, n + frames + n] to rows of the same shape; their edge frames stay undefined.

    The rows are contiguous and are taken as one, which is several times as fast; only edge frames mix two rows.
    """
    x, y = padded.reshape(-1), out.reshape(-1)[n:-n]
    np.subtract(x[n + 1 : len(x) - n + 1], x[n - 1 : -n - 1], out=y)
    for k in range(2, n + 1):
        difference = x[n + k : len(x) - n + k] - x[n - k : -n - k]
        difference *= k
        y += difference
    y /= 2.0 * sum(k * k for k in range(1, n + 1))


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
    return assemble_channels(*mel_and_energy(samples, rate)).copy()


def assemble_channels(mel: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Make the 42 channels from the mel power spectrogram and the mean square of each frame.

    Parameters
    ----------
    mel : float64 [frames, 40]
        overwritten
    energy : float64 [frames]

    Returns
    -------
    ndarray of float64 [frames, 42], in the order of ``CHANNELS["42"]``
        stands until the next call in the same thread
    """
    count, n = len(_BASE), DELTA_N
    shape = 3 * count, len(energy) + 2 * n
    rows = scratch("channels", *shape, kind=energy.dtype.name)  # channel by channel, with the repeated edge frames
    inside = rows[:, n:-n]
    inside[:N_MFCC] = (to_decibel(mel).astype(np.float64, copy=False) @ dct_matrix(N_MFCC, N_MELS).T).T
    np.sqrt(energy, out=inside[N_MFCC])
    for part, deltas in ((rows[:count], rows[count : 2 * count]), (rows[count : 2 * count], rows[2 * count :])):
        part[:, :n], part[:, -n:] = part[:, n : n + 1], part[:, -n - 1 : -n]
        _slopes(part, deltas)
    return inside.T


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
    base = assemble_channels(*mel_and_energy(samples, rate)).astype(np.float32, order="C")
    return np.hstack([base, wide_channels(samples, rate).astype(np.float32)]) if with_wide else base


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
    return _arrange(values.T, settings, "float64")


def _arrange(rows: np.ndarray, settings: FeatureSettings, kind: str) -> np.ndarray:
    """Make the network's input from channels [42 or 49, frames], standardised in the precision ``kind``."""
    places = _places(settings.features)
    rows = rows if places == tuple(range(len(rows))) else rows[list(places)]
    if settings.znorm:
        scaled = scratch("scaled", *rows.shape, kind=kind)
        if kind == "float64":
            np.copyto(scaled, rows)
        else:  # changes no score, and keeps a constant channel exactly constant
            np.subtract(rows, rows[:, :1], out=scaled)
        rows = _standardise(scaled)
    result = np.zeros((settings.frames, len(rows)), dtype=np.float32)
    count = min(settings.frames, rows.shape[1])
    result[:count] = rows.T[:count]
    return result


def _standardise(rows: np.ndarray) -> np.ndarray:
    """Standardise contiguous rows [channels, frames] in place, as :func:`zscore` does columns."""
    frames = rows.shape[1]
    rows -= np.add.reduce(rows, axis=1, keepdims=True) / frames
    squares = np.multiply(rows, rows, out=scratch("squares", *rows.shape, kind=rows.dtype.name))
    deviation = np.sqrt(np.add.reduce(squares, axis=1, keepdims=True) / frames)
    rows /= np.where(deviation > 1e-8, deviation, np.inf).astype(rows.dtype)
    return rows


@lru_cache(maxsize=len(CHANNELS))
def _places(features: str) -> tuple[int, ...]:
    """Return the places of a feature set's channels among all channels."""
    return tuple(CHANNELS["wide"].index(name) for name in channel_names(features))


def extract(
    samples: np.ndarray,
    *,
    features: str = "42",
    frames: int = FRAMES,
    znorm: bool = True,
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Extract the frame features of an utterance, as the network gets them.

    This is the fast way, in float32. Networks are trained on :func:`raw_channels`, computed in float64; the two differ
    by less than 1e-4.

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
    if features == "wide":
        return to_input(raw_channels(samples, rate, with_wide=True), settings)
    return finish(assemble_channels(*mel_and_energy(samples, rate, kind="float32")), settings)


def finish(channels: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Make the network's input from all channels as :func:`to_input` does, in float32.

    Parameters
    ----------
    channels : float32 [any length, 42]
        from :func:`assemble_channels`
    settings : FeatureSettings
        its ``features``, ``znorm`` and ``frames`` are used

    Returns
    -------
    ndarray of float32 [settings.frames, channels]
    """
    return _arrange(channels.T, settings, "float32")
