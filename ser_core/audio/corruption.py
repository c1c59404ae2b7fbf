"""Corrupt recordings for training: noise, babble, rooms, lines and codecs, at random strengths.

:mod:`ser_core.audio.degradation` measures; this module trains. Its draws are wider than the conditions that are
measured. Babble is made of the synthetic speech of the embedded demo corpus, or of the utterance itself, played at
other speeds, partly backwards, from random starting points. So no speaker can get from one subset into another.
"""

import zlib
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from ser_core.audio import degradation, resample

SNR_DB = (5.0, 30.0)
"""Noise is this far below the active speech level."""
ROOM_TONE_SLOPE = (0.3, 1.2)
"""Exponent by which the amplitude of room tone falls with frequency; 0 is white."""
ROOM_TONE_FROM_HZ = 40.0
RT60 = (0.2, 1.2)
"""Reverberation time, seconds."""
DIRECT_DB = (-3.0, 9.0)
"""Energy of the direct sound over the reverberation."""
LOW_HZ, HIGH_HZ = (50.0, 400.0), (2_500.0, 7_500.0)
"""Edges of a band limit."""
TALKERS, TALKER_SPEEDS = 6, (0.8, 1.25)
"""Voices of an utterance's own babble, and their speeds."""
DEMO_STEP = 3
"""Every third recording of the demo corpus is a voice of other babble."""
CODECS = (
    *(f"codec:opus:{rate}" for rate in (6, 8, 12, 16)),
    *(f"codec:mp3:{rate}" for rate in (8, 16, 24, 32)),
    *(f"codec:vorbis:{quality}" for quality in (0, 1, 2, 3)),
)

Corruption = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]
"""Function from (samples, rate in Hz, random) to corrupted samples of the same number."""


def _log_uniform(low: float, high: float, random: np.random.Generator) -> float:
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def room_tone(length: int, rate: int, random: np.random.Generator) -> np.ndarray:
    """Draw the noise of a quiet room: Gaussian, louder at low frequencies.

    Parameters
    ----------
    length : int
        samples
    rate : int
        sampling rate, Hz
    random : Generator
        draws the slope of the spectrum (:data:`ROOM_TONE_SLOPE`) and the noise

    Returns
    -------
    ndarray of float64 [length]
    """
    gain = np.maximum(np.fft.rfftfreq(length, 1.0 / rate), ROOM_TONE_FROM_HZ) ** -random.uniform(*ROOM_TONE_SLOPE)
    return np.fft.irfft(np.fft.rfft(random.normal(size=length)) * gain, length)


def own_babble(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """Make babble of one utterance: the sum of copies at other speeds, half of them backwards.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz
    random : Generator

    Returns
    -------
    ndarray of float64 [samples]
    """
    total = np.zeros(len(samples))
    for _ in range(TALKERS):
        talker = resample(samples, round(rate * random.uniform(*TALKER_SPEEDS)), rate)
        talker = talker[::-1] if random.random() < 0.5 else talker
        total += talker[(random.integers(len(talker)) + np.arange(len(samples))) % len(talker)]
    return total


def _white(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    return degradation.add_noise(samples, random.normal(size=len(samples)), rate, random.uniform(*SNR_DB))


def _room_tone(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    return degradation.add_noise(samples, room_tone(len(samples), rate, random), rate, random.uniform(*SNR_DB))


@lru_cache(maxsize=2)
def demo_voices(rate: int) -> tuple[np.ndarray, ...]:
    """Read the recordings of the demo corpus that make babble: float32 [samples] each, at ``rate`` Hz."""
    from ser_core import corpora
    from ser_core.audio import read

    return tuple(read(path, rate=rate, normalise=False) for path in corpora.load("demo")["path"][::DEMO_STEP])


def _babble(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    voices = demo_voices(rate)
    return degradation.add_babble(samples, rate, random, voices, snr=random.uniform(*SNR_DB))


def _own_babble(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    return degradation.add_noise(samples, own_babble(samples, rate, random), rate, random.uniform(*SNR_DB))


def _reverb(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    from scipy.signal import fftconvolve

    response = degradation.room_impulse_response(_log_uniform(*RT60, random), rate, random)
    response[1:] *= 10.0 ** ((degradation.DIRECT_TO_REVERBERANT - random.uniform(*DIRECT_DB)) / 20.0)
    return fftconvolve(samples, response)[: len(samples)]


def _telephone(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    return degradation.degrade(samples, "telephone", key="", rate=rate)


def _band(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    from scipy.signal import butter, sosfiltfilt

    edges = random.uniform(*LOW_HZ), min(_log_uniform(*HIGH_HZ, random), 0.49 * rate)
    return sosfiltfilt(butter(4, edges, "bandpass", fs=rate, output="sos"), samples, padtype=None)


def _codec(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    return degradation.degrade(samples, CODECS[random.integers(len(CODECS))], key="", rate=rate)


def _mixed(samples: np.ndarray, rate: int, random: np.random.Generator) -> np.ndarray:
    """Put noise after a room, and a line after both; room and line are left out half of the time each."""
    if random.random() < 0.5:
        samples = _reverb(samples, rate, random)
    samples = (_white, _room_tone, _babble, _own_babble)[random.integers(4)](samples, rate, random)
    if random.random() < 0.5:
        samples = (_telephone, _band, _codec)[random.integers(3)](samples, rate, random)
    return samples


CORRUPTIONS: dict[str, Corruption] = {
    "white": _white,
    "room tone": _room_tone,
    "babble": _babble,
    "own babble": _own_babble,
    "reverb": _reverb,
    "telephone": _telephone,
    "band": _band,
    "codec": _codec,
    "mixed": _mixed,
}
"""Every kind of corruption by name."""


def corrupt(samples: np.ndarray, kind: str, *, rate: int, copy: int = 0) -> np.ndarray:
    """Corrupt one utterance.

    Parameters
    ----------
    samples : float [samples]
        full scale is 1; not modified
    kind : str
        a key of :data:`CORRUPTIONS`
    rate : int
        sampling rate, Hz
    copy : int, default 0
        number of the copy; with the kind and the samples (rounded to 16 bits) it fixes every random draw

    Returns
    -------
    ndarray of float32 [samples], not clipped to full scale and not normalised

    Examples
    --------
    >>> tone = np.sin(np.arange(16_000) / 20.0)
    >>> np.array_equal(corrupt(tone, "white", rate=16_000), corrupt(tone, "white", rate=16_000))
    True
    """
    signal = np.asarray(samples, dtype=np.float64)
    content = zlib.crc32(np.clip(np.rint(signal * 2**15), -(2**31), 2**31 - 1).astype("<i4").tobytes())
    random = np.random.default_rng([zlib.crc32(kind.encode()), content, copy])
    return np.asarray(CORRUPTIONS[kind](signal, rate, random), dtype=np.float32)
