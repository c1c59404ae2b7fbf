"""List every network input by name, and compute each in two steps.

:data:`RAW` computes raw features from samples, which the cache keeps. :func:`to_input` makes the network's input from
them. The feature sets of the paper come from :mod:`ser_core.features.frames`. Here are the other inputs of its tables:
the chunks of the log-mel image, the 193 means, the waveform, and the functionals of the classical systems.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE
from ser_core.features import FeatureSettings, encoders, mel_image, opensmile_sets, voice, whisper, without_speech

CHUNK, CHUNK_STEP = 128, 64
"""Length of a chunk of the log-mel image and distance between chunks, frames."""
WAVE_SECONDS = 4.0
"""Length of the waveform input, seconds."""
CHROMA_FFT, CHROMA_HOP, CHROMA_MFCC = 4096, 2048, 34
"""Of the input of MFCC and chroma: Fourier transform and hop in samples; number of MFCC."""
PERCENTILES = (5, 25, 50, 75, 95)
"""Percentiles among the functionals."""
STEPS = 25
"""Steps of 160 ms in an encoder's input: 4 s."""

TEACHER = "whisper_tiny_en_base"
"""Encoders whose vector teaches the distilled network."""


@dataclass(frozen=True)
class Input:
    """Describe one kind of network input."""

    title: str  # as tables show it
    raw: str  # key of RAW: the raw features that are cached
    finish: Callable[[np.ndarray, FeatureSettings], np.ndarray]  # (raw features, settings) -> float [*shape(frames)]
    shape: Callable[[int], tuple[int, ...]]  # frames -> shape of one utterance's input
    frames: int = 1  # default length; 1 for an input without a time axis
    rate: int = SAMPLE_RATE  # default sampling rate, Hz
    znorm: bool = False  # whether Eq. 4 applies; other inputs are scaled with training statistics, or not at all
    normalise: bool = True  # whether the waveform may be scaled to a peak of 1; False keeps the recorded level
    extra: str = ""  # optional dependencies: pip install .[extra]
    asked: str = ""  # input of a trained network that predicts, where training takes more, such as copies; its raw
    # features are enough for recordings that are only tested
    version: int = 1  # increased when its numbers change; part of the hash of a result


def _mfcc_chroma(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute 34 MFCC and 12 chroma bands of 4,096-sample frames, hop 2,048, by librosa: float32 [frames, 46]."""
    import librosa

    common: dict[str, Any] = {"sr": rate, "n_fft": CHROMA_FFT, "hop_length": CHROMA_HOP}
    y = np.pad(np.asarray(samples, dtype=np.float32), (0, max(0, CHROMA_FFT - len(samples))))
    cepstrum = librosa.feature.mfcc(y=y, n_mfcc=CHROMA_MFCC, **common)
    chroma = librosa.feature.chroma_stft(y=y, n_chroma=12, **common)
    return np.vstack([cepstrum, chroma]).T.astype(np.float32)


def _mfcc40(samples: np.ndarray, rate: int) -> np.ndarray:
    return features.mfcc(samples, rate, n_mfcc=40).astype(np.float32)


def _means(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the means over time of Issa et al. 2020, by librosa: float32 [193].

    They are 40 MFCC, 12 chroma, 128 mel bands, 7 spectral contrasts and 6 tonnetz.
    """
    import librosa

    y = np.asarray(samples, dtype=np.float32)
    y = np.pad(y, (0, max(0, 2048 - len(y))))
    magnitude = np.abs(librosa.stft(y))
    parts = (
        librosa.feature.mfcc(y=y, sr=rate, n_mfcc=40),
        librosa.feature.chroma_stft(S=magnitude, sr=rate),
        librosa.feature.melspectrogram(y=y, sr=rate),
        librosa.feature.spectral_contrast(S=magnitude, sr=rate),
        librosa.feature.tonnetz(chroma=librosa.feature.chroma_stft(y=librosa.effects.harmonic(y), sr=rate)),
    )
    return np.concatenate([part.mean(axis=1) for part in parts]).astype(np.float32)


def _waveform(samples: np.ndarray, rate: int) -> np.ndarray:
    return np.asarray(samples[: round(WAVE_SECONDS * rate)], dtype=np.float32)


def functionals(values: np.ndarray) -> np.ndarray:
    """Compute functionals: mean, standard deviation and five percentiles of each channel over time.

    Parameters
    ----------
    values : float [frames, channels]

    Returns
    -------
    ndarray of float32 [7 x channels]

    Examples
    --------
    >>> functionals(np.array([[1.0, 1.0], [3.0, 5.0]]))[:4]  # two means, two deviations
    array([2., 3., 1., 2.], dtype=float32)
    """
    statistics = [values.mean(axis=0), values.std(axis=0), *np.percentile(values, PERCENTILES, axis=0)]
    return np.concatenate(statistics).astype(np.float32)


def _with_functionals(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Compute a row with the mean of each encoder layer, and one with the functionals of 42 channels, zero-padded."""
    rows = [*encoders.layer_means(samples, rate, name=name), functionals(features.raw_channels(samples, rate))]
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


def _voice_and_whisper(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the voice functionals at every speed, and a last row with the vectors of both encoders, zero-padded."""
    vector = whisper.utterance_vector(samples, rate, names=whisper.COMBINATIONS[TEACHER])
    rows = [*voice.at_speeds(samples, rate), vector]
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


RAW: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "base": features.raw_channels,
    "wide": lambda samples, rate: features.raw_channels(samples, rate, with_wide=True),
    "mfcc40": _mfcc40,
    "mel": mel_image.of_three_seconds,
    "mel_small": mel_image.small_of_three_seconds,
    "mfcc_chroma": _mfcc_chroma,
    "means": _means,
    "waveform": _waveform,
    "without_speech": without_speech.seven_numbers,
    "first_250ms": without_speech.first_moments,
    **{name: partial(opensmile_sets.functionals, name=name) for name in opensmile_sets.SETS},
    **{
        f"{name}_levels": opensmile_sets.by_level(partial(opensmile_sets.functionals, name=name))
        for name in opensmile_sets.SETS
    },
    "functionals_levels": opensmile_sets.by_level(
        lambda samples, rate: functionals(features.raw_channels(samples, rate))
    ),
    **{name: partial(encoders.layer_means, name=name) for name in encoders.CHECKPOINTS},
    **{f"{name}_steps": partial(encoders.layer_steps, name=name) for name in encoders.CHECKPOINTS},
    **{f"{name}_functionals": partial(_with_functionals, name=name) for name in encoders.CHECKPOINTS},
    "voice": voice.at_speeds,
    "voice_corrupted": voice.with_corrupted,
    "voice_functionals": voice.voice_functionals,
    "voice_whisper": _voice_and_whisper,
    **{name: partial(whisper.utterance_vector, names=names) for name, names in whisper.COMBINATIONS.items()},
}
"""Functions from (samples, rate in Hz) to the raw features that are cached: float32, ``*_steps`` float16."""
RAW_VERSIONS = {"egemaps": 2, "compare": 2}
"""Version of raw features whose numbers changed; part of their names in the cache."""
ENCODER = {raw: name for name in encoders.CHECKPOINTS for raw in (name, f"{name}_steps", f"{name}_functionals")}
"""Encoder (a key of ``encoders.CHECKPOINTS``) of each raw feature that depends on pretrained weights."""


def weights_fingerprint(raw: str) -> str | None:
    """Identify the pretrained weights that raw features depend on; None where they depend on the samples alone."""
    if raw in whisper.COMBINATIONS or raw == "voice_whisper":
        return whisper.fingerprint(TEACHER if raw == "voice_whisper" else raw)
    return encoders.fingerprint(ENCODER[raw]) if raw in ENCODER else None


def _fit(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    return features.fit_length(values, settings.frames)


def _scaled(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    return _fit(features.zscore(values) if settings.znorm else values, settings)


def _image(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Transpose [frames, bands] to [bands, frames], cut or padded with the lowest value."""
    missing = max(0, settings.frames - len(values))
    return np.pad(values[: settings.frames], ((0, missing), (0, 0)), constant_values=values.min()).T


def chunks(image: np.ndarray) -> np.ndarray:
    """Cut a log-mel image into overlapping chunks of 128 frames, one every 64 frames.

    Parameters
    ----------
    image : float [bands, frames]

    Returns
    -------
    ndarray of float [chunks, bands, 128]

    Examples
    --------
    >>> chunks(np.zeros((128, 563))).shape
    (7, 128, 128)
    """
    starts = range(0, image.shape[1] - CHUNK + 1, CHUNK_STEP)
    return np.stack([image[:, start : start + CHUNK] for start in starts])


def _samples(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    length = round(WAVE_SECONDS * settings.rate)
    return np.pad(values[:length], (0, max(0, length - len(values))))[:, None]


def _frame_level(name: str) -> Input:
    count = len(features.CHANNELS[name])
    raw = "wide" if name == "wide" else "base"
    return Input(
        f"{count} channels, 10 ms", raw, features.to_input, lambda frames: (frames, count), features.FRAMES, znorm=True
    )


def _vector(title: str, raw: str, size: int, *, extra: str = "", rate: int = SAMPLE_RATE, version: int = 1) -> Input:
    return Input(
        title, raw, lambda values, settings: values, lambda frames: (size,), rate=rate, extra=extra, version=version
    )


def _two_levels(title: str, raw: str, size: int, *, extra: str = "") -> Input:
    return Input(
        f"{title}, level kept and peak normalised", raw, lambda values, settings: values, lambda frames: (2, size),
        normalise=False, extra=extra,
    )  # fmt: skip


def _layers(name: str) -> Input:
    def shape(frames: int) -> tuple[int, ...]:
        return encoders.CHECKPOINTS[name].layers, encoders.CHECKPOINTS[name].size

    title = f"{encoders.CHECKPOINTS[name].title}, means of layers"
    return Input(title, name, lambda values, settings: values, shape, extra="ssl")


def _steps(name: str) -> Input:
    def shape(frames: int) -> tuple[int, ...]:
        return frames, encoders.CHECKPOINTS[name].layers, encoders.CHECKPOINTS[name].size

    def fit(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
        return np.pad(values[: settings.frames], ((0, max(0, settings.frames - len(values))), (0, 0), (0, 0)))

    title = f"{encoders.CHECKPOINTS[name].title}, layers, 160 ms"
    return Input(title, f"{name}_steps", fit, shape, STEPS, extra="ssl")


def _layers_and_functionals(name: str) -> Input:
    def shape(frames: int) -> tuple[int, ...]:
        return encoders.CHECKPOINTS[name].layers + 1, max(encoders.CHECKPOINTS[name].size, _FUNCTIONALS)

    title = f"{encoders.CHECKPOINTS[name].title}, means, and functionals"
    return Input(title, f"{name}_functionals", lambda values, settings: values, shape, extra="ssl")


def _whisper(name: str) -> Input:
    def shape(frames: int) -> tuple[int, ...]:
        return (whisper.vector_size(name),)

    title = f"{whisper.title(name)}, mean and deviation"
    return Input(title, name, lambda values, settings: values, shape, extra="encoders")


def _rows(count: int, size: int = voice.SIZE) -> Callable[[np.ndarray, FeatureSettings], np.ndarray]:
    """Return a function that adds zeros where there is only the first row: the recording as it is, without copies."""

    def pad(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
        rows = np.atleast_2d(values)
        return np.pad(rows, ((0, count - len(rows)), (0, size - rows.shape[1])))

    return pad


MEL_FRAMES = 1 + round(mel_image.SECONDS * mel_image.RATE) // mel_image.HOP
_TAUGHT = max(voice.SIZE, whisper.vector_size(TEACHER))
_CORRUPTED = len(voice.SPEEDS) + len(voice.CORRUPTED)
_FUNCTIONALS = (2 + len(PERCENTILES)) * len(features.CHANNELS["42"])
INPUTS: dict[str, Input] = {
    **{name: _frame_level(name) for name in features.CHANNELS},
    "mfcc40": Input("40 MFCC, 10 ms", "mfcc40", _scaled, lambda frames: (frames, 40), features.FRAMES, znorm=True),
    "mel": Input(
        "log-mel image, 128 bands, 0.5 to 3.5 s", "mel", _image, lambda frames: (mel_image.BANDS, frames), MEL_FRAMES,
        mel_image.RATE,
    ),
    "mel_chunks": Input(
        "log-mel image in chunks of 128 frames", "mel", lambda values, settings: chunks(_image(values, settings)),
        lambda frames: (1 + (frames - CHUNK) // CHUNK_STEP, mel_image.BANDS, CHUNK), MEL_FRAMES, mel_image.RATE,
    ),
    "mel_small": Input("log-mel image, 64 bands, 0.5 to 3.5 s", "mel_small", _image, lambda frames: (64, frames), 128),
    "mfcc_chroma": Input("34 MFCC and 12 chroma, 43 ms", "mfcc_chroma", _fit, lambda frames: (frames, 46), 94, 48_000),
    "means": _vector("193 means over time", "means", 193, rate=22_050),
    "waveform": Input("waveform, 4 s at 16 kHz", "waveform", _samples, lambda frames: (64_000, 1)),
    "functionals": Input(
        "functionals of 42 channels", "base", lambda values, settings: functionals(values),
        lambda frames: (_FUNCTIONALS,),
    ),
    "egemaps": _vector("eGeMAPS, 88 functionals", "egemaps", 88, extra="opensmile", version=2),
    "compare": _vector("ComParE 2016, 6,373 functionals", "compare", 6373, extra="opensmile", version=2),
    "functionals_levels": _two_levels("functionals of 42 channels", "functionals_levels", _FUNCTIONALS),
    "egemaps_levels": _two_levels("eGeMAPS", "egemaps_levels", 88, extra="opensmile"),
    "compare_levels": _two_levels("ComParE 2016", "compare_levels", 6373, extra="opensmile"),
    "without_speech": _vector(
        "length, level, noise floor and edges", "without_speech", len(without_speech.NUMBERS)
    ),
    "first_250ms": _vector("first 250 ms: 14 channels", "first_250ms", 2 * without_speech.FIRST_CHANNELS),
    "voice": Input(
        f"{voice.SIZE:,} voice functionals, three speeds", "voice", _rows(len(voice.SPEEDS)),
        lambda frames: (len(voice.SPEEDS), voice.SIZE), normalise=False, asked="voice_functionals",
    ),
    "voice_peak": Input(
        f"{voice.SIZE:,} voice functionals, three speeds, peak normalised", "voice", _rows(len(voice.SPEEDS)),
        lambda frames: (len(voice.SPEEDS), voice.SIZE), asked="voice_functionals",
    ),
    "voice_corrupted": Input(
        f"{voice.SIZE:,} voice functionals, three speeds, corrupted copies, peak normalised", "voice_corrupted",
        _rows(_CORRUPTED), lambda frames: (_CORRUPTED, voice.SIZE), asked="voice_functionals",
    ),
    "voice_functionals": _vector(f"{voice.SIZE:,} voice functionals", "voice_functionals", voice.SIZE),
    "voice_whisper": Input(
        f"{voice.SIZE:,} voice functionals, three speeds, and a teacher's vector", "voice_whisper",
        _rows(len(voice.SPEEDS) + 1, _TAUGHT), lambda frames: (len(voice.SPEEDS) + 1, _TAUGHT), normalise=False,
        extra="encoders", asked="voice_functionals",
    ),
    **{name: _layers(name) for name in encoders.CHECKPOINTS},
    **{f"{name}_steps": _steps(name) for name in encoders.CHECKPOINTS},
    **{f"{name}_functionals": _layers_and_functionals(name) for name in encoders.CHECKPOINTS},
    **{name: _whisper(name) for name in whisper.COMBINATIONS},
}  # fmt: skip
"""Every network input by name: the value of a spec's ``features``."""


def get_input(name: str) -> Input:
    """Return an input by name.

    Parameters
    ----------
    name : str
        one of :data:`INPUTS`

    Returns
    -------
    Input

    Raises
    ------
    SerError
        for an unknown input

    Examples
    --------
    >>> get_input("42").title
    '42 channels, 10 ms'
    """
    if name not in INPUTS:
        raise SerError(f"features {name!r}: not known; choose among {', '.join(INPUTS)}")
    return INPUTS[name]


def input_shape(settings: FeatureSettings) -> tuple[int, ...]:
    """Return the shape of one utterance's input, without the batch.

    Parameters
    ----------
    settings : FeatureSettings
        its ``features`` and ``frames`` are used

    Returns
    -------
    tuple of int

    Raises
    ------
    SerError
        for an unknown input, or too few frames

    Examples
    --------
    >>> input_shape(FeatureSettings(features="42", frames=400))
    (400, 42)
    """
    shape = get_input(settings.features).shape(settings.frames)
    if min(shape) < 1:
        raise SerError(f"frames {settings.frames}: too few for the input {settings.features}; give more")
    return shape


def to_input(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """Make the network's input from cached raw features.

    Parameters
    ----------
    values : float
        what the input's function in :data:`RAW` gives
    settings : FeatureSettings

    Returns
    -------
    ndarray of float32 [*input_shape(settings)]
    """
    return get_input(settings.features).finish(values, settings).astype(np.float32)
