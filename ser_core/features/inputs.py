"""What a network is given: every input by name, each made from raw features that are computed once and cached.

The frame-level channel sets of the paper stand in :mod:`ser_core.features`. Here are the others that its tables need:
the log-mel image and its chunks, the 193 means, the waveform, and the functionals of the classical systems. An input
has two halves: ``RAW`` computes from samples what the cache keeps, :func:`finish` makes of it what the network sees.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from ser_core import features
from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE
from ser_core.features import FeatureSettings, encoders

MEL_BANDS, MEL_WINDOW, MEL_FFT, MEL_HOP, MEL_RATE = 128, 512, 1024, 256, 48_000
MEL_START, MEL_SECONDS = 0.5, 3.0
CHUNK, CHUNK_STEP = 128, 64
WAVE_SECONDS = 4.0
CHROMA_FFT, CHROMA_HOP, CHROMA_MFCC = 4096, 2048, 34
PERCENTILES = (5, 25, 50, 75, 95)
STEPS = 25  # of 160 ms: 4 s


@dataclass(frozen=True)
class Input:
    """One kind of input."""

    title: str
    raw: str  # key of RAW: what is cached
    finish: Callable[[np.ndarray, FeatureSettings], np.ndarray]  # (raw features, settings) -> float32 of shape(frames)
    shape: Callable[[int], tuple[int, ...]]  # frames -> shape of one utterance's input
    frames: int = 1  # length by default; 1 where the input has no time axis
    rate: int = SAMPLE_RATE  # Hz at which the recording is read by default
    znorm: bool = False  # whether Eq. 4 applies; the others are scaled on the training side, or not at all
    extra: str = ""  # optional dependencies that it needs: pip install .[extra]


def log_mel_image(samples: np.ndarray, rate: int, *, bands: int, window: int, n_fft: int, hop: int) -> np.ndarray:
    """Mel power spectrogram in dB below its maximum, 80 dB deep: float32 [1 + samples // hop, bands].

    Frames of ``window`` samples under a periodic Hamming window, zero-padded to ``n_fft``, centred on multiples of
    ``hop``: ``librosa.power_to_db(librosa.feature.melspectrogram(..., win_length=window, window="hamming"), ref=max)``.
    """
    hamming = 0.54 - 0.46 * np.cos(2.0 * np.pi * np.arange(window) / window)
    power = np.abs(np.fft.rfft(features.framed(samples, window, hop) * hamming, n=n_fft, axis=1)) ** 2
    decibel = 10.0 * np.log10(np.maximum(power @ features.mel_filters(rate, n_fft, bands).T, 1e-10))
    return np.maximum(decibel - decibel.max(), -features.DYNAMIC_RANGE_DB).astype(np.float32)


def middle_three_seconds(samples: np.ndarray, rate: int) -> np.ndarray:
    """From 0.5 s, three seconds, padded with zeros; what is shorter than a second is taken from its start."""
    start = round(MEL_START * rate) if len(samples) > rate else 0
    length = round(MEL_SECONDS * rate)
    cut = samples[start : start + length]
    return np.pad(cut, (0, length - len(cut)))


def _mel_image(samples: np.ndarray, rate: int) -> np.ndarray:
    return log_mel_image(
        middle_three_seconds(samples, rate), rate, bands=MEL_BANDS, window=MEL_WINDOW, n_fft=MEL_FFT, hop=MEL_HOP
    )  # fmt: skip


def _mel_small(samples: np.ndarray, rate: int) -> np.ndarray:
    """The same three seconds at a fifth of the size: 64 bands, 129 frames of 64 ms every 23.4 ms at 16 kHz."""
    hop = round(MEL_SECONDS * rate / 128)
    return log_mel_image(middle_three_seconds(samples, rate), rate, bands=64, window=1024, n_fft=1024, hop=hop)


def _mfcc_chroma(samples: np.ndarray, rate: int) -> np.ndarray:
    """34 MFCC and 12 chroma bands of frames of 4,096 samples every 2,048, by librosa: float32 [frames, 46]."""
    import librosa

    common = {"sr": rate, "n_fft": CHROMA_FFT, "hop_length": CHROMA_HOP}
    y = np.pad(np.asarray(samples, dtype=np.float32), (0, max(0, CHROMA_FFT - len(samples))))
    cepstrum = librosa.feature.mfcc(y=y, n_mfcc=CHROMA_MFCC, **common)
    chroma = librosa.feature.chroma_stft(y=y, n_chroma=12, **common)
    return np.vstack([cepstrum, chroma]).T.astype(np.float32)


def _mfcc40(samples: np.ndarray, rate: int) -> np.ndarray:
    return features.mfcc(samples, rate, n_mfcc=40).astype(np.float32)


def _means(samples: np.ndarray, rate: int) -> np.ndarray:
    """Issa et al. 2020: means over time of 40 MFCC, 12 chroma, 128 mel, 7 contrast and 6 tonnetz, by librosa: [193]."""
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
    """Mean, deviation and five percentiles of each channel over time: float32 [7 x channels]."""
    statistics = [values.mean(axis=0), values.std(axis=0), *np.percentile(values, PERCENTILES, axis=0)]
    return np.concatenate(statistics).astype(np.float32)


def _opensmile(name: str) -> Callable[[np.ndarray, int], np.ndarray]:
    """Functionals of a set of openSMILE: float32 [1, functionals]."""

    def compute(samples: np.ndarray, rate: int) -> np.ndarray:
        try:
            import opensmile
        except ImportError:
            raise SerError(
                f"{name}: needs openSMILE, whose licence allows research only; pip install '.[opensmile]'"
            ) from None
        y = np.pad(np.asarray(samples, dtype=np.float32), (0, max(0, rate // 2 - len(samples))))
        smile = opensmile.Smile(getattr(opensmile.FeatureSet, name), opensmile.FeatureLevel.Functionals)
        return np.nan_to_num(smile.process_signal(y, rate).to_numpy(dtype=np.float32))[0]

    return compute


def _with_functionals(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """A row for the mean of each layer of an encoder, and one for the functionals of 42 channels; zeros fill it up."""
    rows = [*encoders.layer_means(samples, rate, name=name), functionals(features.raw_channels(samples, rate))]
    width = max(map(len, rows))
    return np.stack([np.pad(row, (0, width - len(row))) for row in rows])


RAW: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "base": features.raw_channels,
    "wide": lambda samples, rate: features.raw_channels(samples, rate, with_wide=True),
    "mfcc40": _mfcc40,
    "mel": _mel_image,
    "mel_small": _mel_small,
    "mfcc_chroma": _mfcc_chroma,
    "means": _means,
    "waveform": _waveform,
    "egemaps": _opensmile("eGeMAPSv02"),
    "compare": _opensmile("ComParE_2016"),
    **{name: partial(encoders.layer_means, name=name) for name in encoders.CHECKPOINTS},
    **{f"{name}_steps": partial(encoders.layer_steps, name=name) for name in encoders.CHECKPOINTS},
    **{f"{name}_functionals": partial(_with_functionals, name=name) for name in encoders.CHECKPOINTS},
}
"""(samples, rate in Hz) -> float32 array (steps: float16): what is computed from an utterance and cached."""
ENCODER = {raw: name for name in encoders.CHECKPOINTS for raw in (name, f"{name}_steps", f"{name}_functionals")}
"""Keys of ``RAW`` that depend on weights besides the samples -> the encoder, a key of ``ssl.CHECKPOINTS``."""


def _fit(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    return features.fit_length(values, settings.frames)


def _scaled(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    return _fit(features.zscore(values) if settings.znorm else values, settings)


def _image(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """[frames, bands] to [bands, frames]; beyond the end stands the floor."""
    missing = max(0, settings.frames - len(values))
    return np.pad(values[: settings.frames], ((0, missing), (0, 0)), constant_values=values.min()).T


def chunks(image: np.ndarray) -> np.ndarray:
    """[bands, frames] to overlapping chunks [n, bands, 128], one every 64 frames: seven of 563 frames."""
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


def _vector(title: str, raw: str, size: int, *, extra: str = "", rate: int = SAMPLE_RATE) -> Input:
    return Input(title, raw, lambda values, settings: values, lambda frames: (size,), rate=rate, extra=extra)


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


MEL_FRAMES = 1 + round(MEL_SECONDS * MEL_RATE) // MEL_HOP
_FUNCTIONALS = (2 + len(PERCENTILES)) * len(features.CHANNELS["42"])
INPUTS: dict[str, Input] = {
    **{name: _frame_level(name) for name in features.CHANNELS},
    "mfcc40": Input("40 MFCC, 10 ms", "mfcc40", _scaled, lambda frames: (frames, 40), features.FRAMES, znorm=True),
    "mel": Input(
        "log-mel image, 128 bands, 0.5 to 3.5 s", "mel", _image, lambda frames: (MEL_BANDS, frames), MEL_FRAMES,
        MEL_RATE,
    ),
    "mel_chunks": Input(
        "log-mel image in chunks of 128 frames", "mel", lambda values, settings: chunks(_image(values, settings)),
        lambda frames: (1 + (frames - CHUNK) // CHUNK_STEP, MEL_BANDS, CHUNK), MEL_FRAMES, MEL_RATE,
    ),
    "mel_small": Input("log-mel image, 64 bands, 0.5 to 3.5 s", "mel_small", _image, lambda frames: (64, frames), 128),
    "mfcc_chroma": Input("34 MFCC and 12 chroma, 43 ms", "mfcc_chroma", _fit, lambda frames: (frames, 46), 94, 48_000),
    "means": _vector("193 means over time", "means", 193, rate=22_050),
    "waveform": Input("waveform, 4 s at 16 kHz", "waveform", _samples, lambda frames: (64_000, 1)),
    "functionals": Input(
        "functionals of 42 channels", "base", lambda values, settings: functionals(values),
        lambda frames: (_FUNCTIONALS,),
    ),
    "egemaps": _vector("eGeMAPS, 88 functionals", "egemaps", 88, extra="opensmile"),
    "compare": _vector("ComParE 2016, 6,373 functionals", "compare", 6373, extra="opensmile"),
    **{name: _layers(name) for name in encoders.CHECKPOINTS},
    **{f"{name}_steps": _steps(name) for name in encoders.CHECKPOINTS},
    **{f"{name}_functionals": _layers_and_functionals(name) for name in encoders.CHECKPOINTS},
}  # fmt: skip
"""Every input by name: the value of a spec's ``features``."""


def get_input(name: str) -> Input:
    """An input by name; SerError for an unknown one."""
    if name not in INPUTS:
        raise SerError(f"features {name!r}: not known; choose among {', '.join(INPUTS)}")
    return INPUTS[name]


def input_shape(settings: FeatureSettings) -> tuple[int, ...]:
    """Shape of one utterance's input, without the batch."""
    found = get_input(settings.features).shape(settings.frames)
    if min(found) < 1:
        raise SerError(f"frames {settings.frames}: too few for the input {settings.features}")
    return found


def to_input(values: np.ndarray, settings: FeatureSettings) -> np.ndarray:
    """From cached raw features to the network's input: float32 of :func:`shape`."""
    return get_input(settings.features).finish(values, settings).astype(np.float32)
