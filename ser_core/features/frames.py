"""Frame-level features of the paper (II.C, II.D.1), computed by our own vectorised code.

13 mel-frequency cepstral coefficients and the root-mean-square energy of 25 ms frames every 10 ms; deltas by Eq. 1 and
2; z-scores per utterance over its own frames (Eq. 4); zero-padded or cut to 400 frames. The paper is silent on the
rest; here: a periodic Hann window, an FFT as long as the frame, 40 Slaney mel bands from 0 Hz to half the sampling
rate, power in dB with a range of 80 dB, an orthonormal DCT-II, and frames centred on multiples of the hop with zeros
beyond the ends. That is ``librosa.feature.mfcc(y=y, sr=16000, n_mfcc=13, n_fft=400, hop_length=160, n_mels=40)`` and
``librosa.feature.rms(y=y, frame_length=400, hop_length=160)``, which the tests compare with.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE

FRAME_SECONDS, HOP_SECONDS = 0.025, 0.010
FRAMES = 400
N_MFCC, N_MELS, DELTA_N = 13, 40, 2
DYNAMIC_RANGE_DB = 80.0

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
"""Selectable channel sets: 13 MFCC; 14 with RMSE; 39 MFCC with both deltas; 40 these and RMSE; 42 all with both deltas;
``wide`` adds what II.C lists and drops: zero-crossing rate, pitch, centroid, roll-off and prosody (intonation as the
slope of the pitch, rhythm as the onset strength)."""


@dataclass(frozen=True)
class FeatureSettings:
    """What fixes the input of a network, apart from the utterance."""

    features: str = "42"  # one of CHANNELS
    frames: int = FRAMES  # length after padding or cutting; 400 frames are 4.00 s
    znorm: bool = True  # Eq. 4 per utterance
    rate: int = SAMPLE_RATE  # Hz
    normalise: bool = True  # peak to 1
    denoise: bool = False  # audio.reduce_noise


def channel_names(features: str) -> tuple[str, ...]:
    """Names of a channel set in their order; SerError for an unknown set."""
    if features not in CHANNELS:
        raise SerError(f"features {features!r}: not known; choose among {', '.join(CHANNELS)}")
    return CHANNELS[features]


def frame_sizes(rate: int = SAMPLE_RATE) -> tuple[int, int]:
    """Frame and hop in samples: 400 and 160 at 16 kHz."""
    return round(FRAME_SECONDS * rate), round(HOP_SECONDS * rate)


def framed(samples: np.ndarray, frame: int, hop: int) -> np.ndarray:
    """Frames centred on multiples of ``hop``, zeros beyond both ends: float64 [1 + samples // hop, frame]."""
    padded = np.pad(np.asarray(samples, dtype=np.float64), frame // 2)
    return np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]


@lru_cache(maxsize=8)
def mel_filters(rate: int, n_fft: int, n_mels: int = N_MELS) -> np.ndarray:
    """Triangular mel filters, Slaney's scale (linear to 1 kHz, then logarithmic) and area normalisation.

    Returns
    -------
    float64 [n_mels, n_fft // 2 + 1]
    """
    breakpoint_mel, log_step = 15.0, np.log(6.4) / 27.0

    def to_hz(mel):
        linear = mel * 200.0 / 3.0
        return np.where(mel < breakpoint_mel, linear, 1000.0 * np.exp(log_step * (mel - breakpoint_mel)))

    top = breakpoint_mel + np.log(rate / 2 / 1000.0) / log_step if rate > 2000 else rate / 2 * 3.0 / 200.0
    edges = to_hz(np.linspace(0.0, top, n_mels + 2))
    bins = np.fft.rfftfreq(n_fft, 1.0 / rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    return np.maximum(0.0, np.minimum(rising, falling)) * (2.0 / (edges[2:] - edges[:-2]))[:, None]


@lru_cache(maxsize=8)
def dct_matrix(n_out: int, n_in: int) -> np.ndarray:
    """The first ``n_out`` rows of the orthonormal DCT-II of length ``n_in``: float64 [n_out, n_in]."""
    matrix = np.sqrt(2.0 / n_in) * np.cos(np.pi * np.outer(np.arange(n_out), np.arange(n_in) + 0.5) / n_in)
    matrix[0] /= np.sqrt(2.0)
    return matrix


def log_mel(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Mel power spectrogram in dB, floored 80 dB below the utterance's maximum: float64 [frames, 40]."""
    frame, hop = frame_sizes(rate)
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(frame) / frame)
    power = np.abs(np.fft.rfft(framed(samples, frame, hop) * window, axis=1)) ** 2
    decibel = 10.0 * np.log10(np.maximum(power @ mel_filters(rate, frame).T, 1e-10))
    return np.maximum(decibel, decibel.max() - DYNAMIC_RANGE_DB)


def mfcc(samples: np.ndarray, rate: int = SAMPLE_RATE, n_mfcc: int = N_MFCC) -> np.ndarray:
    """Mel-frequency cepstral coefficients (II.D.1): float64 [frames, n_mfcc], the zeroth first."""
    return log_mel(samples, rate) @ dct_matrix(n_mfcc, N_MELS).T


def rmse(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """Root-mean-square energy of each frame (Eq. 3): float64 [frames], 0 to 1 for samples within full scale."""
    return np.sqrt(np.mean(framed(samples, *frame_sizes(rate)) ** 2, axis=1))


def delta(values: np.ndarray, n: int = DELTA_N) -> np.ndarray:
    """Eq. 1: regression slope over ``n`` frames to each side; beyond the ends the last frame is repeated.

    Parameters
    ----------
    values : float [frames, channels]

    Returns
    -------
    float64 [frames, channels], per frame
    """
    padded = np.pad(np.asarray(values, dtype=np.float64), ((n, n), (0, 0)), mode="edge")
    length = len(values)
    ahead = lambda k: padded[n + k : n + k + length]  # noqa: E731
    return sum(k * (ahead(k) - ahead(-k)) for k in range(1, n + 1)) / (2.0 * sum(k * k for k in range(1, n + 1)))


def base_channels(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """All 42 channels before scaling, in the order of ``CHANNELS["42"]``: float64 [frames, 42]."""
    static = np.column_stack([mfcc(samples, rate), rmse(samples, rate)])
    first = delta(static)
    return np.hstack([static, first, delta(first)])


def wide_channels(samples: np.ndarray, rate: int = SAMPLE_RATE) -> np.ndarray:
    """The seven further channels of II.C by librosa, before scaling: float64 [frames, 7].

    Zero-crossing rate (fraction of samples), pitch (semitones above 55 Hz by YIN, 0 where unvoiced), voiced (0 or 1:
    within 35 dB of the loudest frame and crossing zero in less than a quarter of its samples), spectral centroid and
    85 % roll-off (Hz), slope of the pitch over 90 ms (semitones per frame), onset strength.
    """
    import librosa

    frame, hop = frame_sizes(rate)
    y = np.asarray(samples, dtype=np.float32)
    energy = rmse(samples, rate)
    count = len(energy)
    common = {"n_fft": frame, "hop_length": hop}
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
    """Channels before scaling: float32 [frames, 42], or [frames, 49] ``with_wide``."""
    columns = [base_channels(samples, rate)] + ([wide_channels(samples, rate)] if with_wide else [])
    return np.hstack(columns).astype(np.float32)


def zscore(values: np.ndarray) -> np.ndarray:
    """Eq. 4 over the frames of one utterance: mean 0, deviation 1 in each channel; constant channels become 0."""
    values = np.asarray(values, dtype=np.float64)
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 1e-8, deviation, np.inf)


def fit_length(values: np.ndarray, frames: int) -> np.ndarray:
    """Cut [n, channels] after ``frames`` frames, or pad it with zeros to [frames, channels]."""
    return np.pad(values[:frames], ((0, max(0, frames - len(values))), (0, 0)))


def to_input(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """From :func:`raw` [n, 42 or 49] to the network's input: float32 [settings.frames, channels].

    The z-score is taken over all frames of the utterance, then it is cut or padded.
    """
    order = CHANNELS["wide"]
    chosen = values[:, [order.index(name) for name in channel_names(settings.features)]]
    scaled = zscore(chosen) if settings.znorm else chosen
    return fit_length(scaled, settings.frames).astype(np.float32)


def extract(
    samples: np.ndarray,
    *,
    features: str = "42",
    frames: int = FRAMES,
    znorm: bool = True,
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """Features of one utterance as the network gets them.

    Parameters
    ----------
    samples : float [samples] at ``rate`` Hz
    features : one of :data:`CHANNELS`
    frames : int, length after padding or cutting (10 ms each)
    znorm : bool, Eq. 4

    Returns
    -------
    float32 [frames, number of channels]
    """
    settings = FeatureSettings(features=features, frames=frames, znorm=znorm, rate=rate)
    channel_names(features)
    return to_input(raw_channels(samples, rate, with_wide=features == "wide"), settings)


def describe_recording(path, *, features: str = "42") -> dict:
    """What the suite sees in a recording, for ``ser inspect``.

    Returns
    -------
    dict
        ``seconds``, ``rate`` (Hz), ``channels``, ``samples``, ``format``, ``subtype``, ``peak_dbfs``, ``rms_dbfs``,
        ``dc_offset``, ``frames`` (10 ms each, at 16 kHz, before padding) and ``feature_shape`` (400 x channels)

    Raises
    ------
    SerError
        see :func:`ser_core.audio.decode`
    """
    samples, rate, container = audio.decode(path)
    prepared = audio.preprocess(samples, rate)
    extracted = extract(prepared, features=features)
    sizes = {"seconds": len(samples) / rate, "rate": rate, "channels": samples.shape[1], "samples": len(samples)}
    frames = 1 + len(prepared) // frame_sizes()[1]
    return sizes | container | audio.measure_level(samples) | {"frames": frames, "feature_shape": list(extracted.shape)}
