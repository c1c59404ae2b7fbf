"""The paper's four augmentations (II.B), each alone, each seeded.

The paper gives no ranges; the defaults are this suite's reading and are parameters of every run. Copies are made of
training utterances only: :func:`ser_core.experiments.data.network_inputs` is the one place that asks for them.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE


@dataclass(frozen=True)
class Ranges:
    """How far each technique may go; the value is drawn uniformly from the range."""

    snr_low: float = 10.0  # dB, signal-to-noise ratio of the noisiest copy
    snr_high: float = 20.0  # dB, of the cleanest
    stretch: float = 0.1  # rate within 1 - stretch to 1 + stretch
    shift: float = 0.1  # seconds, to either side
    pitch: float = 2.0  # semitones, to either side


def add_noise(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """White Gaussian noise at a signal-to-noise ratio of ``snr_low`` to ``snr_high`` dB ("noise addition")."""
    snr = random.uniform(ranges.snr_low, ranges.snr_high)
    power = np.mean(np.square(samples, dtype=np.float64)) / 10.0 ** (snr / 10.0)
    return samples + random.normal(0.0, np.sqrt(power), len(samples))


def stretch_time(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Another duration at the same pitch ("time stretching"): rate 1.1 makes it 1.1 times as fast."""
    import librosa

    rate = random.uniform(1.0 - ranges.stretch, 1.0 + ranges.stretch)
    return librosa.effects.time_stretch(samples, rate=rate)


def shift_time(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Move the signal by up to ``shift`` seconds, zeros where nothing is left, same length ("signal shifting")."""
    offset = round(random.uniform(-ranges.shift, ranges.shift) * rate)
    moved = np.zeros_like(samples)
    if offset >= 0:
        moved[offset:] = samples[: len(samples) - offset]
    else:
        moved[:offset] = samples[-offset:]
    return moved


def shift_pitch(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Another pitch at the same duration, by up to ``pitch`` semitones ("pitch modification")."""
    import librosa

    steps = random.uniform(-ranges.pitch, ranges.pitch)
    return librosa.effects.pitch_shift(samples, sr=rate, n_steps=steps, res_type="soxr_hq")


TECHNIQUES = {"noise": add_noise, "stretch": stretch_time, "shift": shift_time, "pitch": shift_pitch}


def parse_techniques(names: str) -> tuple[str, ...]:
    """``"noise,pitch"`` to ``("noise", "pitch")``; ``""`` and ``"none"`` to ``()``. Unknown names raise SerError."""
    chosen = tuple(name.strip() for name in names.split(",") if name.strip() not in ("", "none"))
    for name in chosen:
        if name not in TECHNIQUES:
            raise SerError(f"augmentation {name!r}: not known; choose among {', '.join(TECHNIQUES)} or none")
    return chosen


def augment(
    samples: np.ndarray,
    technique: str,
    *,
    key: str,
    seed: int = 0,
    copy: int = 0,
    ranges: Ranges = Ranges(),
    rate: int = SAMPLE_RATE,
) -> np.ndarray:
    """One seeded copy of an utterance by one technique.

    Parameters
    ----------
    samples : float32 [samples] at ``rate`` Hz
    technique : one of :data:`TECHNIQUES`
    key : the utterance's id; with ``seed``, ``technique`` and ``copy`` it fixes the random draw
    seed, copy : int

    Returns
    -------
    float32 [samples'], of another length for ``stretch``
    """
    random = np.random.default_rng([seed, copy, zlib.crc32(technique.encode()), zlib.crc32(key.encode())])
    return np.asarray(TECHNIQUES[technique](samples, random, ranges, rate), dtype=np.float32)
