"""Run frozen Whisper encoders in the CTranslate2 form: log-mel spectrogram, encoder output, one vector per utterance.

The encoders are those of Radford et al. 2022. This repository has no weights: they come from
``<SER_WEIGHTS>/<name>``, by default ``<SER_DATA>/weights/<name>``. Where the folder lacks them, a run ends with an
error that begins with :data:`encoders.NOT_MEASURED`. ``ctranslate2`` needs no torch and loads when first used:
``pip install '.[encoders]'``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core._utils.errors import SerError, UnavailableError
from ser_core._utils.paths import weights_dir
from ser_core.audio import SAMPLE_RATE
from ser_core.features import encoders
from ser_core.features.spectral import mel_filters

BANDS, WINDOW, HOP = 80, 400, 160
"""Mel bands; window (as long as the FFT) and hop, samples: 25 and 10 ms."""
STEP = 2 * HOP
"""Samples per frame of the encoder's output (20 ms): its second convolution takes every other frame of its input."""
LONGEST = 30 * SAMPLE_RATE
"""Longest input, samples: the encoder has positions for 30 s."""
RANGE = 8.0
"""Depth of the spectrogram below its maximum, decades of power."""
SOURCE = "Radford et al. 2022, arXiv 2212.04356"


@dataclass(frozen=True)
class Checkpoint:
    """Describe a published Whisper model."""

    title: str
    published: str  # its name among the public conversions for faster-whisper
    size: int  # values per frame of the encoder's output
    multilingual: bool  # whether it was trained on other languages than English


CHECKPOINTS: dict[str, Checkpoint] = {
    "whisper_tiny_en": Checkpoint("Whisper tiny.en", "faster-whisper-tiny.en", 384, False),
    "whisper_base": Checkpoint("Whisper base", "faster-whisper-base", 512, True),
}
"""Whisper models by name, which is also the name of their folder."""
COMBINATIONS: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in CHECKPOINTS},
    "whisper_tiny_en_base": ("whisper_tiny_en", "whisper_base"),
}
"""Inputs by name, and the encoders whose vectors each one concatenates."""


def title(combination: str) -> str:
    """Return the title of one of :data:`COMBINATIONS`.

    >>> title("whisper_tiny_en_base")
    'Whisper tiny.en and base'
    """
    first, *others = (CHECKPOINTS[name].title for name in COMBINATIONS[combination])
    return " and ".join([first, *(other.removeprefix("Whisper ") for other in others)])


def vector_size(combination: str) -> int:
    """Return the length of the vector of one of :data:`COMBINATIONS`: a mean and a deviation per encoder value.

    >>> vector_size("whisper_base")
    1024
    """
    return 2 * sum(CHECKPOINTS[name].size for name in COMBINATIONS[combination])


def find_weights(name: str) -> Path:
    """Find the folder with the weights of a Whisper model, ``<SER_WEIGHTS>/<name>``.

    Parameters
    ----------
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    Path

    Raises
    ------
    SerError
        beginning with :data:`encoders.NOT_MEASURED` where the folder has no ``model.bin``
    """
    folder = weights_dir() / name
    if not (folder / "model.bin").is_file():
        raise UnavailableError(
            f"{encoders.NOT_MEASURED}: {name} needs the CTranslate2 form of {CHECKPOINTS[name].title} (model.bin, "
            f"config.json, vocabulary) in {folder}; download the public conversion {CHECKPOINTS[name].published} from "
            f"the Hugging Face hub, or name the folder above it in SER_WEIGHTS"
        )
    return folder


def fingerprint(combination: str) -> str:
    """Identify the weights behind one of :data:`COMBINATIONS`, so that other weights give other cache names."""
    return " ".join(encoders.folder_fingerprint(find_weights(name)) for name in COMBINATIONS[combination])


def log_mel(samples: np.ndarray) -> np.ndarray:
    """Compute the log-mel spectrogram that Whisper was trained on, without padding to 30 s.

    Windows of 25 ms every 10 ms under a periodic Hann window, centred on multiples of the hop, with the samples
    reflected at both ends; 80 bands on Slaney's scale with his normalisation; ``log10`` of the power, floored 8 below
    its maximum; then ``(x + 4) / 4``.

    Parameters
    ----------
    samples : ndarray of float [samples], at 16 kHz
        zeros are added below 20 ms; samples beyond 30 s, or beyond a multiple of 20 ms, are left out

    Returns
    -------
    ndarray of float32 [80, frames]
        an even number of frames of 10 ms

    >>> log_mel(np.zeros(16_000)).shape
    (80, 100)
    """
    x = np.asarray(samples[:LONGEST], dtype=np.float64)
    x = np.pad(x, (0, max(0, STEP - len(x))))
    x = np.pad(x[: len(x) // STEP * STEP], WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(x, WINDOW)[::HOP][:-1]
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(WINDOW) / WINDOW)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    logarithm = np.log10(np.maximum(mel_filters(SAMPLE_RATE, WINDOW, BANDS) @ power.T, 1e-10))
    return ((np.maximum(logarithm, logarithm.max() - RANGE) + 4.0) / 4.0).astype(np.float32)


def _library(name: str):
    """Import ctranslate2."""
    try:
        import ctranslate2
    except ImportError:
        raise UnavailableError(
            f"{encoders.NOT_MEASURED}: {name} needs ctranslate2; pip install '.[encoders]'"
        ) from None
    return ctranslate2


@lru_cache(maxsize=len(CHECKPOINTS))
def _load_model(folder: Path, name: str):
    """Load a Whisper model for one thread in float32, and check that it is the one of that name."""
    library = _library(name)
    try:
        model = library.models.Whisper(str(folder), device="cpu", compute_type="float32", intra_threads=1)
    except (RuntimeError, ValueError) as error:
        raise SerError(f"{folder}: cannot be loaded as {name}: {' '.join(str(error).split())[:300]}") from error
    if model.n_mels != BANDS or model.is_multilingual != CHECKPOINTS[name].multilingual:
        languages = "multilingual" if model.is_multilingual else "English only"
        raise SerError(f"{folder}: is not {CHECKPOINTS[name].title}: {model.n_mels} mel bands, {languages}")
    return model


def encoder_output(samples: np.ndarray, name: str) -> np.ndarray:
    """Run a frozen Whisper encoder on an utterance, alone and unpadded.

    Parameters
    ----------
    samples : ndarray of float [samples], at 16 kHz
        see :func:`log_mel`
    name : str
        one of :data:`CHECKPOINTS`

    Returns
    -------
    ndarray of float32 [frames, size]
        output of the last layer, normalised; 20 ms per frame

    Raises
    ------
    SerError
        for weights that are missing, or are not those of ``name``
    """
    library = _library(name)
    model = _load_model(find_weights(name), name)
    output = np.array(model.encode(library.StorageView.from_array(log_mel(samples)[None]), to_cpu=True))[0]
    if output.shape[1] != CHECKPOINTS[name].size:
        raise SerError(
            f"{weights_dir() / name}: is not {CHECKPOINTS[name].title}: {output.shape[1]} values per frame, "
            f"not {CHECKPOINTS[name].size}"
        )
    return output


def utterance_vector(samples: np.ndarray, rate: int, *, names: Sequence[str]) -> np.ndarray:
    """Compute the mean and the standard deviation over time of the output of each encoder.

    Parameters
    ----------
    samples : ndarray of float [samples]
    rate : int, Hz
        16,000
    names : sequence of str
        keys of :data:`CHECKPOINTS`

    Returns
    -------
    ndarray of float32 [2 x sizes]
        means, then deviations, of the first encoder, then of the next

    Raises
    ------
    SerError
        for another rate; see also :func:`encoder_output`
    """
    if rate != SAMPLE_RATE:
        raise SerError(f"rate {rate}: Whisper takes {SAMPLE_RATE} Hz only; leave rate out")
    outputs = [encoder_output(samples, name) for name in names]
    return np.concatenate([part for output in outputs for part in (output.mean(axis=0), output.std(axis=0))])
