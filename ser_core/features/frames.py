"""Extract the frame features of the paper (II.C, II.D.1): MFCC, RMSE and their deltas.

:mod:`ser_core.features.spectral` gives the 13 MFCC and the energy of each frame. Deltas follow Eq. 1 and 2. Each
channel is standardised over the frames of the utterance (Eq. 4), then padded with zeros or cut to 400 frames.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.kept_arrays import scratch
from ser_core.audio import SAMPLE_RATE
from ser_core.features import fast
from ser_core.features.spectral import N_MELS, N_MFCC, dct_matrix, mel_and_energy, to_decibel

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
    rows = _channel_rows(len(energy), "float64")
    inside = rows[:, DELTA_N:-DELTA_N]
    inside[:N_MFCC] = (to_decibel(mel) @ dct_matrix(N_MFCC, N_MELS).T).T
    np.sqrt(energy, out=inside[N_MFCC])
    return _with_deltas(rows).T


def assemble_fast(mel: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Make the 42 channels as :func:`assemble_channels` does, in float32.

    Parameters
    ----------
    mel : float [frames, 40]
        from :func:`ser_core.features.fast.mel_and_energy`; overwritten
    energy : float [frames]

    Returns
    -------
    ndarray of float32 [42, frames]
        channel by channel; stands until the next call in the same thread
    """
    rows = _channel_rows(len(energy), "float32")
    fast.static_channels(mel, energy, rows[: len(_BASE), DELTA_N:-DELTA_N])
    return _with_deltas(rows)


def _channel_rows(frames: int, kind: str) -> np.ndarray:
    """Return an array for 42 channels [42, n + frames + n], which have repeated frames at both ends."""
    return scratch("channels", 3 * len(_BASE), frames + 2 * DELTA_N, kind=kind)


def _with_deltas(rows: np.ndarray) -> np.ndarray:
    """Write the deltas of the first 14 rows to the others; return [42, frames], without the ends."""
    count, n = len(_BASE), DELTA_N
    for part, deltas in ((rows[:count], rows[count : 2 * count]), (rows[count : 2 * count], rows[2 * count :])):
        part[:, :n], part[:, -n:] = part[:, n : n + 1], part[:, -n - 1 : -n]
        _slopes(part, deltas)
    return rows[:, n:-n]


def raw_channels(samples: np.ndarray, rate: int = SAMPLE_RATE, *, with_wide: bool = False) -> np.ndarray:
    """Compute all channels before scaling: what the cache keeps of an utterance.

    Parameters
    ----------
    samples : float [samples]
    rate : int, default 16,000
        sampling rate, Hz
    with_wide : bool, default False
        append the seven channels of :func:`ser_core.features.wide.wide_channels`

    Returns
    -------
    ndarray of float32 [frames, 42], or [frames, 49] with ``with_wide``
    """
    base = assemble_channels(*mel_and_energy(samples, rate)).astype(np.float32, order="C")
    if not with_wide:
        return base
    from ser_core.features.wide import wide_channels

    return np.hstack([base, wide_channels(samples, rate).astype(np.float32)])


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
    rows = _chosen(values.T, settings)
    if settings.znorm:
        scaled = scratch("scaled", *rows.shape)
        np.copyto(scaled, rows)
        rows = _standardise(scaled)
    return _padded(rows, settings.frames)


def _chosen(rows: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Return the channels of a feature set among all [42 or 49, frames]."""
    places = _places(settings.features)
    return rows if places == tuple(range(len(rows))) else rows[list(places)]


def _padded(rows: np.ndarray, frames: int) -> np.ndarray:
    """Return channels [channels, any length] cut to a number of frames or padded with zeros: [frames, channels]."""
    result = np.zeros((frames, len(rows)), dtype=np.float32)
    count = min(frames, rows.shape[1])
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

    This is the fast way of :mod:`ser_core.features.fast`. Networks are trained on :func:`raw_channels`, computed in
    float64; the two differ by less than 1e-4.

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
    return extract_input(samples, settings, fast.fastest_kind() if znorm else "float64")


def extract_input(samples: np.ndarray, settings: FeatureSettings, kind: str = "float64") -> np.ndarray:
    """Extract the frame features of an utterance as :func:`extract` does, in a given precision.

    Parameters
    ----------
    samples : float [samples]
    settings : FeatureSettings
        its ``features``, ``frames``, ``znorm`` and ``rate`` are used; not for the feature set ``wide``
    kind : str, default "float64"
        precision of the spectrum; see :func:`ser_core.features.fast.mel_and_energy`

    Returns
    -------
    ndarray of float32 [settings.frames, channels]
    """
    return finish(assemble_fast(*fast.mel_and_energy(samples, settings.rate, kind=kind)), settings)


def finish(rows: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Make the network's input from all channels as :func:`to_input` does, in float32.

    Parameters
    ----------
    rows : float32 [42, any length]
        from :func:`assemble_fast`
    settings : FeatureSettings
        its ``features``, ``znorm`` and ``frames`` are used

    Returns
    -------
    ndarray of float32 [settings.frames, channels]
    """
    rows = _chosen(rows, settings)
    if not settings.znorm:
        return _padded(rows, settings.frames)
    scaled = scratch("scaled", *rows.shape, kind="float32")
    np.subtract(rows, rows[:, :1], out=scaled)  # keeps a constant channel exactly constant, and changes no score
    scaled -= np.add.reduce(scaled, axis=1, keepdims=True) / np.float32(rows.shape[1])
    deviation = np.sqrt(np.vecdot(scaled, scaled) / np.float32(rows.shape[1]))
    factor = 1.0 / np.where(deviation > 1e-8, deviation, np.float32(np.inf))
    result = np.zeros((settings.frames, len(rows)), dtype=np.float32)
    count = min(settings.frames, rows.shape[1])
    np.multiply(scaled[:, :count], factor[:, None], out=result[:count].T)
    return result
