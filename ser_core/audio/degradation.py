"""Degrade test recordings: noise, reverberation, a telephone line, a codec.

A condition is a name such as ``white:10`` or ``codec:mp3:16``: the field ``condition`` of a
:class:`~ser_core.experiments.spec.Spec`. It applies to test utterances only; training and validation stay clean. Every
condition keeps the length, and its random draw is fixed by the utterance's id and the seed. The level is left as it
comes out: a caller that uses peak normalisation normalises the degraded recording again.
"""

import io
import math
import zlib
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted, near
from ser_core.audio import SHORTEST, resample

CONDITIONS: dict[str, str] = {
    "clean": "the recording as it is",
    "white": "white Gaussian noise; white:10 is 10 dB below the active speech level",
    "babble": "recordings of other speakers, mixed; babble:10 is 10 dB below the active speech level",
    "reverb": "a room made of decaying noise; reverb:0.6 falls by 60 dB in 0.6 s",
    "telephone": "300 to 3,400 Hz, 8 kHz, G.711 mu-law",
    "codec": "coded and decoded at 16 kHz; codec:mp3:16 and codec:opus:8 in kbit/s, codec:vorbis:0 in quality 0 to 10",
}
"""Description of each kind of condition."""
STANDARD = (
    *(f"{noise}:{snr}" for noise in ("white", "babble") for snr in (20, 15, 10, 5, 0)),
    *("reverb:0.3", "reverb:0.6", "reverb:1.2", "telephone", "codec:mp3:16", "codec:opus:8", "codec:vorbis:0"),
)
"""Conditions of a robustness table, in addition to ``clean``."""
SNR_RANGE = (-30.0, 60.0)  # dB
RT60_RANGE = (0.05, 5.0)  # s
DIRECT_TO_REVERBERANT = 0.0
"""Energy ratio of the direct sound to the reverberation, dB: 0 is a listener at the critical distance."""
TALKERS = 6
"""Recordings that are mixed into babble, or fewer where fewer are available."""
TELEPHONE_RATE, TELEPHONE_BAND = 8_000, (300.0, 3_400.0)  # Hz
CODEC_RATE = 16_000  # Hz
MP3_BITRATES = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
"""Bit rates of MPEG-2 Layer III at 16 kHz, kbit/s (ISO/IEC 13818-3)."""
OPUS_BITRATES = (6, 256)  # kbit/s, lowest and highest that libsndfile requests from libopus
VORBIS_QUALITIES = (0, 10)
MP3_DELAY = 576 + 529
"""Samples by which LAME's encoder and a Layer III decoder delay a stream without a LAME tag."""


Degradation = Callable[[np.ndarray, int, np.random.Generator, Sequence[np.ndarray]], np.ndarray]
"""Function from (samples, rate, random, others) to the degraded samples."""


def _kind(name: str) -> str:
    return name.split(":", 1)[0]


def _number(name: str, text: str, low: float, high: float, unit: str) -> float:
    """Return the number in a condition's name; only one spelling is accepted, so that each condition has one name."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise SerError(f"condition {name!r}: {text!r} must be a number from {low:g} to {high:g} {unit}")
    if f"{value:g}" != text:
        raise SerError(f"condition {name!r}: write {value:g} instead of {text}, so that each condition has one name")
    return value


def _parse(name: str) -> Degradation:
    """Return the function of a condition."""
    kind, *parameters = str(name).split(":")
    expected = {"clean": 0, "telephone": 0, "white": 1, "babble": 1, "reverb": 1, "codec": 2}.get(kind)
    if expected is None:
        raise SerError(f"condition {name!r}: not known{near(kind, CONDITIONS)}; choose among {', '.join(CONDITIONS)}")
    if len(parameters) != expected:
        raise SerError(f"condition {name!r}: {kind} takes {counted(expected, 'parameter')}, {CONDITIONS[kind]}")
    if kind == "clean":
        return lambda samples, rate, random, others: samples
    if kind == "telephone":
        return _telephone
    if kind == "codec":
        return partial(_codec, settings=_codec_settings(name, *parameters))
    if kind == "reverb":
        return partial(_reverb, rt60=_number(name, parameters[0], *RT60_RANGE, "s"))
    add = _white if kind == "white" else add_babble
    return partial(add, snr=_number(name, parameters[0], *SNR_RANGE, "dB"))


def check_condition(name: str) -> None:
    """Check the name of a condition.

    Parameters
    ----------
    name : str
        such as ``white:10``; see :data:`CONDITIONS`

    Raises
    ------
    SerError
        for an unknown or impossible condition: ``white:loud``, ``codec:mp3:17``, ``white:20.0``

    Examples
    --------
    >>> check_condition("white:20")
    >>> check_condition("white:loud")
    Traceback (most recent call last):
    ser_core._utils.errors.SerError: condition 'white:loud': 'loud' must be a number from -30 to 60 dB
    """
    _parse(name)


def needs_other_speakers(name: str) -> bool:
    """Return whether :func:`degrade` needs recordings of other speakers for a condition.

    >>> needs_other_speakers("babble:10"), needs_other_speakers("white:10")
    (True, False)
    """
    check_condition(name)
    return _kind(name) == "babble"


def degrade(
    samples: np.ndarray,
    condition: str,
    *,
    key: str,
    rate: int,
    seed: int = 0,
    others: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """Degrade one utterance.

    Parameters
    ----------
    samples : float32 [samples]
        full scale is 1; not modified
    condition : str
        such as ``white:10``; see :data:`CONDITIONS`
    key : str
        id of the utterance; with ``seed`` and the kind of condition it fixes every random draw, so that ``white:20``
        and ``white:0`` hold the same noise at two levels
    rate : int
        sampling rate, Hz
    seed : int, default 0
        not negative
    others : sequence of float [any length], default none
        recordings of other speakers at ``rate`` Hz; at least two for ``babble``

    Returns
    -------
    ndarray of float32 [samples], not clipped to full scale and not normalised

    Raises
    ------
    SerError
        for a condition that :func:`check_condition` refuses, less than 0.1 s, or babble without other speakers
    """
    change = _parse(condition)
    if condition != "clean" and len(samples) < SHORTEST * rate:
        raise SerError(f"condition {condition}: {len(samples)} samples, wanted {SHORTEST} s ({round(SHORTEST * rate)})")
    random = np.random.default_rng([seed, zlib.crc32(_kind(condition).encode()), zlib.crc32(key.encode())])
    return np.asarray(change(np.asarray(samples, dtype=np.float32), rate, random, others), dtype=np.float32)


def active_speech_level(samples: np.ndarray, rate: int) -> float:
    """Compute the active speech level of an utterance: its mean square without the pauses (ITU-T P.56, method B).

    The rectified signal is smoothed twice with a time constant of 30 ms. A threshold is active while the envelope has
    exceeded it within the last 200 ms. The active level is the one 15.9 dB above its own threshold. The thresholds are
    6 dB apart, from the peak down.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz

    Returns
    -------
    float
        mean square, full scale is 1; 0 for silence

    Examples
    --------
    >>> active_speech_level(np.zeros(16_000), 16_000)
    0.0
    """
    from scipy.ndimage import maximum_filter1d
    from scipy.signal import lfilter

    x = np.asarray(samples, dtype=np.float64)
    peak = np.abs(x).max(initial=0.0)
    if peak == 0:
        return 0.0
    pole = math.exp(-1.0 / (0.03 * rate))
    envelope = lfilter([(1.0 - pole) ** 2], [1.0, -2.0 * pole, pole**2], np.abs(x))
    hangover = math.ceil(0.2 * rate)
    highest = maximum_filter1d(np.pad(envelope, (hangover, 0)), hangover + 1, origin=hangover // 2)[hangover:]
    thresholds = peak * 2.0 ** np.arange(-15.0, 1.0)
    active = np.array([(highest >= threshold).sum() for threshold in thresholds])
    thresholds, active = thresholds[active > 0], active[active > 0]
    level = 10.0 * np.log10(np.sum(x**2) / active)
    margin = level - 20.0 * np.log10(thresholds) - 15.9
    last = int(np.flatnonzero(margin >= 0.0).max(initial=0))
    if margin[last] < 0.0 or last + 1 == len(margin):
        return float(10.0 ** (level[last] / 10.0))
    part = margin[last] / (margin[last] - margin[last + 1])
    return float(10.0 ** ((level[last] + part * (level[last + 1] - level[last])) / 10.0))


def add_noise(samples: np.ndarray, noise: np.ndarray, rate: int, snr: float) -> np.ndarray:
    """Add noise whose mean power is ``snr`` dB below the active speech level.

    Parameters
    ----------
    samples, noise : float [samples]
    rate : int
        sampling rate, Hz
    snr : float
        dB

    Returns
    -------
    ndarray of float64 [samples]
    """
    power = np.mean(noise**2)
    gain = np.sqrt(active_speech_level(samples, rate) / 10.0 ** (snr / 10.0) / power) if power > 0 else 0.0
    return samples + gain * noise


def _white(samples, rate, random, others, *, snr: float) -> np.ndarray:
    return add_noise(samples, random.normal(size=len(samples)), rate, snr)


def add_babble(samples, rate, random, others, *, snr: float) -> np.ndarray:
    """Add up to :data:`TALKERS` recordings at the same active level, each repeated from a random starting point.

    The parameters are those of :data:`Degradation`; ``snr`` is in dB.
    """
    if len(others) < 2:
        raise SerError(f"babble: needs at least two recordings of other speakers, {len(others)} given")
    total = np.zeros(len(samples))
    for i in random.permutation(len(others))[:TALKERS]:
        talker = np.asarray(others[i], dtype=np.float64)
        positions = random.integers(len(talker)) + np.arange(len(samples))
        level = active_speech_level(talker, rate)
        total += talker[positions % len(talker)] / np.sqrt(level) if level > 0 else 0.0
    return add_noise(samples, total, rate, snr)


def room_impulse_response(rt60: float, rate: int, random: np.random.Generator) -> np.ndarray:
    """Draw the impulse response of a room: a direct sound of 1, then decaying Gaussian noise.

    Polack's statistical model of late reverberation (J.-D. Polack, La transmission de l'energie sonore dans les
    salles, 1988; as used by K. Lebart et al., Acta Acustica 87, 2001, Eq. 1): ``b(t) exp(-3 ln 10 t / RT60)``. The
    energy of the noise is set by :data:`DIRECT_TO_REVERBERANT`.

    Parameters
    ----------
    rt60 : float
        seconds in which the noise decays by 60 dB
    rate : int
        sampling rate, Hz
    random : Generator
        draws the noise

    Returns
    -------
    ndarray of float64 [rt60 x rate]

    Examples
    --------
    >>> room_impulse_response(0.3, 16_000, np.random.default_rng(0)).shape
    (4800,)
    """
    time = np.arange(max(2, round(rt60 * rate))) / rate
    tail = random.normal(size=len(time)) * np.exp(-3.0 * math.log(10.0) * time / rt60)
    tail[0] = 0.0
    tail *= np.sqrt(10.0 ** (-DIRECT_TO_REVERBERANT / 10.0) / np.sum(tail**2))
    tail[0] = 1.0
    return tail


def _reverb(samples, rate, random, others, *, rt60: float) -> np.ndarray:
    from scipy.signal import fftconvolve

    return fftconvolve(samples, room_impulse_response(rt60, rate, random))[: len(samples)]


def _fit_length(samples: np.ndarray, length: int) -> np.ndarray:
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def mu_law(samples: np.ndarray) -> np.ndarray:
    """Encode samples as 8-bit G.711 mu-law and decode them, by libsndfile.

    Parameters
    ----------
    samples : float [samples]
        clipped to full scale, which is 1

    Returns
    -------
    ndarray of float32 [samples]
    """
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1.0, 1.0), TELEPHONE_RATE, format="AU", subtype="ULAW")
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0]


def _telephone(samples, rate, random, others) -> np.ndarray:
    """Apply the telephone band (ITU-T G.712) by a forward-backward Butterworth filter, then :func:`mu_law`."""
    from scipy.signal import butter, sosfiltfilt

    narrow = resample(samples, rate, TELEPHONE_RATE)
    band = butter(8, TELEPHONE_BAND, "bandpass", fs=TELEPHONE_RATE, output="sos")
    narrow = mu_law(sosfiltfilt(band, narrow).astype(np.float32))
    return _fit_length(resample(narrow, TELEPHONE_RATE, rate), len(samples))


def _codec_settings(name: str, codec: str, text: str) -> dict:
    """Return libsndfile's settings of a codec; its compression level, 0 to 1, sets the bit rate or the quality.

    The mapping is described in libsndfile's ``command.md``.
    """
    if codec == "mp3":
        bitrate = _number(name, text, MP3_BITRATES[0], MP3_BITRATES[-1], "kbit/s")
        if bitrate not in MP3_BITRATES:
            raise SerError(f"condition {name!r}: MPEG-2 Layer III has {', '.join(map(str, MP3_BITRATES))} kbit/s")
        level = max(0.0, (159.5 - bitrate) / 152.0)  # libsndfile truncates 160 - 152 level
        return {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT", "compression_level": level}
    if codec == "opus":
        level = (256.0 - _number(name, text, *OPUS_BITRATES, "kbit/s")) / 250.0
        return {"format": "OGG", "subtype": "OPUS", "compression_level": level}
    if codec == "vorbis":
        level = 1.0 - _number(name, text, *VORBIS_QUALITIES, "(quality)") / 10.0
        return {"format": "OGG", "subtype": "VORBIS", "compression_level": level}
    raise SerError(f"condition {name!r}: codec {codec!r} is not known; choose among mp3, opus, vorbis")


def _codec(samples, rate, random, others, *, settings: dict) -> np.ndarray:
    """Code and decode at :data:`CODEC_RATE` by libsndfile (LAME, libopus, libvorbis)."""
    import soundfile

    wide = resample(samples, rate, CODEC_RATE)
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", samplerate=CODEC_RATE, channels=1, **settings) as coder:
        coder.write(wide)
    file.seek(0)
    decoded, decoded_rate = soundfile.read(file, dtype="float32")
    if settings["format"] == "MP3" and len(decoded) >= len(wide) + MP3_DELAY:  # the bit rate is too low for a LAME tag
        decoded = decoded[MP3_DELAY:]
    if decoded_rate == CODEC_RATE:
        decoded = _fit_length(decoded, len(wide))
    else:
        decoded = resample(decoded, decoded_rate, CODEC_RATE)
    return _fit_length(resample(decoded, CODEC_RATE, rate), len(samples))
