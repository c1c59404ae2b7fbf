"""Augment training utterances with the paper's four techniques (II.B).

Each technique is applied alone, with a seeded random draw. The paper gives no ranges: the defaults of :class:`Ranges`
are this suite's reading and are parameters of every run. Only training utterances are augmented:
:func:`ser_core.experiments.data.network_inputs` is the one place that asks for copies.
"""

import zlib
from dataclasses import dataclass

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.audio import SAMPLE_RATE


@dataclass(frozen=True)
class Ranges:
    """Set how strong each technique is; the value is drawn uniformly from its range."""

    snr_low: float = 10.0  # dB, signal-to-noise ratio of the noisiest copy
    snr_high: float = 20.0  # dB, signal-to-noise ratio of the cleanest copy
    stretch: float = 0.1  # speed within 1 - stretch to 1 + stretch
    shift: float = 0.1  # seconds, in either direction
    pitch: float = 2.0  # semitones, up or down


def add_noise(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Add white Gaussian noise ("noise addition").

    Parameters
    ----------
    samples : float [samples]
    random : Generator
        draws the signal-to-noise ratio from ``snr_low`` to ``snr_high`` dB, then the noise
    ranges : Ranges
    rate : int
        sampling rate, Hz; has no effect here

    Returns
    -------
    ndarray of float64 [samples]
    """
    snr = random.uniform(ranges.snr_low, ranges.snr_high)
    power = np.mean(np.square(samples, dtype=np.float64)) / 10.0 ** (snr / 10.0)
    return samples + random.normal(0.0, np.sqrt(power), len(samples))


def stretch_time(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Change the duration at the same pitch ("time stretching").

    Parameters
    ----------
    samples : float [samples]
    random : Generator
        draws the speed within 1 - ``stretch`` to 1 + ``stretch``; a speed of 1.1 is 1.1 times as fast
    ranges : Ranges
    rate : int
        sampling rate, Hz; has no effect here

    Returns
    -------
    ndarray of float [samples / speed]
    """
    import librosa

    speed = random.uniform(1.0 - ranges.stretch, 1.0 + ranges.stretch)
    return librosa.effects.time_stretch(samples, rate=speed)


def shift_time(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Shift the signal in time and fill with zeros ("signal shifting").

    Parameters
    ----------
    samples : float [samples]
    random : Generator
        draws the offset within ``shift`` seconds in either direction
    ranges : Ranges
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float [samples], of the same length

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> shift_time(np.ones(5), random, Ranges(shift=5.0), rate=1)
    array([0., 1., 1., 1., 1.])
    """
    offset = round(random.uniform(-ranges.shift, ranges.shift) * rate)
    shifted = np.zeros_like(samples)
    if offset >= 0:
        shifted[offset:] = samples[: len(samples) - offset]
    else:
        shifted[:offset] = samples[-offset:]
    return shifted


def shift_pitch(samples: np.ndarray, random: np.random.Generator, ranges: Ranges, rate: int) -> np.ndarray:
    """Change the pitch at the same duration ("pitch modification").

    Parameters
    ----------
    samples : float [samples]
    random : Generator
        draws the change within ``pitch`` semitones, up or down
    ranges : Ranges
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float [samples]
    """
    import librosa

    semitones = random.uniform(-ranges.pitch, ranges.pitch)
    return librosa.effects.pitch_shift(samples, sr=rate, n_steps=semitones, res_type="soxr_hq")


TECHNIQUES = {"noise": add_noise, "stretch": stretch_time, "shift": shift_time, "pitch": shift_pitch}
"""Augmentation techniques by name."""


def parse_techniques(names: str) -> tuple[str, ...]:
    """Parse a list of techniques separated by commas.

    Parameters
    ----------
    names : str
        such as ``"noise,pitch"``; ``""`` and ``"none"`` stand for no augmentation

    Returns
    -------
    tuple of str
        keys of :data:`TECHNIQUES`

    Raises
    ------
    SerError
        for an unknown technique

    Examples
    --------
    >>> parse_techniques("noise, pitch")
    ('noise', 'pitch')
    >>> parse_techniques("none")
    ()
    """
    techniques = tuple(name.strip() for name in names.split(",") if name.strip() not in ("", "none"))
    for name in techniques:
        if name not in TECHNIQUES:
            raise SerError(f"augmentation {name!r}: not known; choose among {', '.join(TECHNIQUES)} or none")
    return techniques


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
    """Make one augmented copy of an utterance by one technique.

    Parameters
    ----------
    samples : float32 [samples]
    technique : str
        one of :data:`TECHNIQUES`
    key : str
        id of the utterance; with ``seed``, ``technique`` and ``copy`` it fixes the random draw
    seed : int, default 0
    copy : int, default 0
        number of the copy, from 0
    ranges : Ranges, optional
        how strong each technique is
    rate : int, default 16,000
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [samples], of another length for ``stretch``

    Examples
    --------
    >>> copy = augment(np.ones(4, np.float32), "noise", key="03-01-05-01-01-01-01")
    >>> print(copy.dtype, copy.shape)
    float32 (4,)
    """
    random = np.random.default_rng([seed, copy, zlib.crc32(technique.encode()), zlib.crc32(key.encode())])
    return np.asarray(TECHNIQUES[technique](samples, random, ranges, rate), dtype=np.float32)
