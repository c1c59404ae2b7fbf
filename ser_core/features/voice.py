"""Compute functionals of spectrum, pitch and voice quality: one long vector per utterance.

The frames are 40 ms long, every 10 ms. From one Fourier transform per frame come 64 log-mel bands, 24 cepstral
coefficients, a pitch and six further descriptors. Their functionals describe what a small classifier needs: levels and
spreads while somebody speaks, changes over time, the course of pitch and energy, and modulation (the rhythm of the
bands). The level of the recording is kept; it is part of how an emotion is spoken.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ser_core.audio import corruption, peak_normalise
from ser_core.features import spectral
from ser_core.features.frame_power import WINDOWS, power_and_energy

FRAME, HOP, FFT = 0.040, 0.010, 1024
"""Frame and hop, seconds; Fourier transform, samples (at 16 kHz, where the autocorrelation has no wrapped part)."""
BANDS, CEPSTRUM, GROUPS = 64, 24, 8
"""Mel bands, cepstral coefficients, and groups of bands whose modulation is measured."""
RANGE_DB = 75.0
"""Bands and energy are raised to this far below the maximum of the utterance."""
SPEECH_DB = 35.0
"""Frames within this range below the loudest count as speech."""
PITCH_HZ = (50.0, 500.0)
VOICED = 0.5
"""Lowest normalised autocorrelation of a voiced frame."""
PITCH_SPAN = 0.8
"""Pitches are limited to this many octaves around their median, against octave errors."""
MODULATION_HZ = (0.3, 1.0, 2.0, 3.0, 4.5, 6.0, 8.0, 11.0, 16.0, 25.0)
"""Edges of the bands of modulation."""
PERCENTILES = (5, 25, 75, 95)
SPEEDS = (1.0, 0.9, 1.1)
"""Speeds of the recording: as it is, then the copies with which a classifier is trained."""
CORRUPTED = (
    "white", "white", "room tone", "babble", "babble", "own babble", "reverb", "codec", "band", "telephone", "reverb",
    "mixed", "mixed",
)  # fmt: skip
"""Kinds of corruption (``audio.corruption``) of the further copies with which a robust classifier is trained."""


@dataclass(frozen=True, eq=False)
class Frames:
    """Hold the descriptors of the frames of one utterance."""

    log_mel: np.ndarray  # float64 [frames, BANDS], dB
    cepstrum: np.ndarray  # float64 [frames, CEPSTRUM]
    shape: np.ndarray  # float64 [frames, 6]: energy (dB), centroid, spread, tilt, flux, harmonicity
    pitch: np.ndarray  # float64 [frames], octaves above 100 Hz
    speech: np.ndarray  # bool [frames], within SPEECH_DB of the loudest
    voiced: np.ndarray  # bool [frames], speech with a pitch


@lru_cache(maxsize=4)
def _window_correlation(frame: int) -> np.ndarray:
    """Return the normalised autocorrelation of the window: float64 [FFT]."""
    correlation = np.fft.irfft(np.abs(np.fft.rfft(WINDOWS["hann"](frame), FFT)) ** 2)
    return correlation / correlation[0]


def pitch_track(power: np.ndarray, frame: int, rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the pitch of frames from their normalised autocorrelation, corrected for the window.

    Parameters
    ----------
    power : float [frames, FFT // 2 + 1]
        power spectrum
    frame : int
        length of a frame, samples
    rate : int
        sampling rate, Hz

    Returns
    -------
    pitch : float64 [frames]
        octaves above 100 Hz
    harmonicity : float64 [frames]
        height of the autocorrelation at the pitch, about 0 (noise) to 1 (a periodic sound)

    Notes
    -----
    P. Boersma, "Accurate short-term analysis of the fundamental frequency", Proc. Institute of Phonetic Sciences 17,
    1993: the autocorrelation of the windowed frame is divided by that of the window. Long lags count a little less.
    """
    low, high = (round(rate / hertz) for hertz in PITCH_HZ[::-1])
    correlation = np.fft.irfft(power, axis=1)[:, : high + 1]
    correlation = correlation / (correlation[:, :1] + 1e-9) / (_window_correlation(frame)[: high + 1] + 1e-3)
    candidates = correlation[:, low : high + 1] * (1.0 - 0.0005 * np.arange(high - low + 1))
    best = candidates.argmax(axis=1)
    return np.log2(rate / (low + best) / 100.0), candidates.max(axis=1)


def describe_frames(samples: np.ndarray, rate: int) -> Frames:
    """Compute the descriptors of every frame.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz; 16,000

    Returns
    -------
    Frames
        with 1 + samples // hop frames
    """
    frame = round(FRAME * rate)
    power, energy = power_and_energy(samples, frame, round(HOP * rate), n_fft=FFT)
    log_mel = _floored(10.0 * np.log10(np.maximum(power @ spectral.mel_filters(rate, FFT, BANDS).T, 1e-10)))
    loudness = _floored(10.0 * np.log10(energy + 1e-9))
    pitch, harmonicity = pitch_track(power, frame, rate)
    band, weight = np.arange(BANDS), 10.0 ** (log_mel / 10.0)
    total = weight.sum(axis=1)
    centroid = weight @ band / total
    spread = np.sqrt((weight * np.square(band - centroid[:, None])).sum(axis=1) / total)
    ramp = band - band.mean()
    tilt = (log_mel - log_mel.mean(axis=1, keepdims=True)) @ (ramp / np.square(ramp).sum())
    flux = np.concatenate([[0.0], np.abs(np.diff(log_mel, axis=0)).mean(axis=1)])
    speech = loudness > loudness.max() - SPEECH_DB
    return Frames(
        log_mel, log_mel @ spectral.dct_matrix(CEPSTRUM, BANDS).T,
        np.stack([loudness, centroid, spread, tilt, flux, harmonicity], axis=1),
        pitch, speech, speech & (harmonicity > VOICED),
    )  # fmt: skip


def _floored(values: np.ndarray) -> np.ndarray:
    return np.maximum(values, values.max() - RANGE_DB)


def moments(values: np.ndarray) -> np.ndarray:
    """Compute mean, deviation, skewness, the fourth root of kurtosis, and four percentiles of each column.

    Parameters
    ----------
    values : float [frames, columns]
        fewer than four frames give zeros

    Returns
    -------
    ndarray of float64 [8 x columns]

    Examples
    --------
    >>> moments(np.array([[0.0], [1.0], [1.0], [2.0]])).round(2)
    array([1.  , 0.71, 0.  , 1.19, 0.15, 0.75, 1.25, 1.85])
    """
    if len(values) < 4:
        return np.zeros(8 * values.shape[1])
    mean, deviation = values.mean(axis=0), values.std(axis=0) + 1e-4
    scores = (values - mean) / deviation
    percentiles = np.percentile(values, PERCENTILES, axis=0)
    return np.concatenate(
        [mean, deviation, (scores**3).mean(axis=0), (scores**4).mean(axis=0) ** 0.25, percentiles.ravel()]
    )


def _runs(mask: np.ndarray) -> np.ndarray:
    """Return the lengths of the runs of true values.

    >>> _runs(np.array([True, True, False, True]))
    array([2, 1])
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return edges[1::2] - edges[::2]


def _change(values: np.ndarray) -> np.ndarray:
    """Return the slope per frame, averaged over five frames: [frames, columns]."""
    slope = np.gradient(values, axis=0) if len(values) > 1 else np.zeros_like(values)
    padded = np.pad(slope, ((2, 2), (0, 0)))
    return np.lib.stride_tricks.sliding_window_view(padded, 5, axis=0).mean(axis=-1)


def _pitch_functionals(frames: Frames, spoken: slice) -> np.ndarray:
    """Describe the course of the pitch, and how speech and voicing are spread over the utterance: float64 [19]."""
    pitch = frames.pitch[frames.voiced]
    pitch = pitch if len(pitch) >= 5 else np.zeros(5)
    middle = np.median(pitch)
    pitch = np.clip(pitch, middle - PITCH_SPAN, middle + PITCH_SPAN)
    steps = np.abs(np.diff(pitch))
    voiced, pauses = _runs(frames.voiced), len(_runs(frames.speech[spoken])) - 1
    rhythm = [
        frames.voiced.mean(), len(voiced), voiced.mean() if len(voiced) else 0.0,
        (spoken.stop - spoken.start) * HOP, frames.speech[spoken].mean(), pauses,
    ]  # fmt: skip
    course = np.polyfit(np.linspace(-1.0, 1.0, len(pitch)), pitch, 2)
    return np.concatenate([moments(pitch[:, None]), course, [steps.mean(), steps.std()], rhythm])


def modulation(log_mel: np.ndarray) -> np.ndarray:
    """Compute the log power of the modulation of groups of bands, by bands of modulation frequency.

    Parameters
    ----------
    log_mel : float [frames, BANDS]
        dB, one frame per :data:`HOP`

    Returns
    -------
    ndarray of float64 [modulation bands x GROUPS]
    """
    count = len(log_mel)
    groups = log_mel.reshape(count, GROUPS, -1).mean(axis=2)
    length = max(512, 1 << (count - 1).bit_length())
    power = np.abs(np.fft.rfft(groups - groups.mean(axis=0), length, axis=0)) ** 2 / count
    hertz = np.arange(len(power)) / (length * HOP)
    bands = [
        power[(hertz >= low) & (hertz < high)].mean(axis=0)
        for low, high in zip(MODULATION_HZ, MODULATION_HZ[1:], strict=False)
    ]
    return np.log(np.stack(bands) + 1e-3).ravel()


def _correlations(values: np.ndarray) -> np.ndarray:
    """Return the correlations of all pairs of columns; those of a constant column are 0."""
    scores = values - values.mean(axis=0)
    length = np.sqrt(np.square(scores).sum(axis=0))
    scores = scores / np.where(length > 1e-6, length, np.inf)
    return (scores.T @ scores)[np.triu_indices(values.shape[1], 1)]


def _by_voicing(frames: Frames, descriptors: np.ndarray) -> list[np.ndarray]:
    """Describe voiced and unvoiced speech apart; where there is too little of one, all speech takes its place."""
    voiced = frames.voiced if frames.voiced.sum() > 4 else frames.speech
    unvoiced = frames.speech & ~frames.voiced
    unvoiced = unvoiced if unvoiced.sum() > 4 else frames.speech
    return [descriptors[voiced].mean(axis=0), descriptors[voiced].std(axis=0), descriptors[unvoiced].mean(axis=0)]


def _course(frames: Frames, spoken: slice) -> np.ndarray:
    """Describe pitch, energy and voicing in each fifth of an utterance, then their steps: float64 [5 x 7 + 6]."""
    voiced = frames.voiced if frames.voiced.any() else frames.speech
    middle = np.median(frames.pitch[voiced])
    pitch = np.clip(frames.pitch, middle - PITCH_SPAN, middle + PITCH_SPAN) - middle
    loudness = frames.shape[:, 0] - frames.shape[frames.speech, 0].mean()
    parts: list[np.ndarray] = []
    for fifth in np.array_split(np.arange(spoken.start, spoken.stop), 5):
        tones = pitch[fifth][frames.voiced[fifth]]
        tones = tones if len(tones) > 2 else np.zeros(3)
        energy = loudness[fifth] if len(fifth) else np.zeros(1)
        share = frames.voiced[fifth].mean() if len(fifth) else 0.0
        parts.append(
            np.array([tones.mean(), tones.std(), tones.max(), tones.min(), energy.mean(), energy.std(), share])
        )
    neighbours = frames.voiced[1:] & frames.voiced[:-1]
    for track in (pitch, loudness):
        steps = np.abs(np.diff(track))[neighbours]
        steps = steps if len(steps) else np.zeros(1)
        parts.append(np.concatenate([[steps.mean()], np.percentile(steps, (50, 90))]))
    return np.concatenate(parts)


def _bands(frames: Frames, spoken: slice) -> list[np.ndarray]:
    """Describe the bands: how fast they change, their contrast in groups, and how loud frames differ from all."""
    speech = frames.log_mel[frames.speech]
    change = np.diff(frames.log_mel[spoken], axis=0, prepend=frames.log_mel[spoken][:1])
    bend = np.diff(frames.cepstrum[spoken], n=2, axis=0, prepend=np.repeat(frames.cepstrum[spoken][:1], 2, axis=0))
    groups = speech.reshape(len(speech), GROUPS, -1)
    contrast = groups.max(axis=2) - groups.min(axis=2)
    loudness = frames.shape[frames.speech, 0]
    loud = speech[loudness >= np.percentile(loudness, 75)].mean(axis=0) - speech.mean(axis=0)
    return [
        np.abs(change).mean(axis=0), change.std(axis=0), bend.std(axis=0), contrast.mean(axis=0), contrast.std(axis=0),
        loud,
    ]  # fmt: skip


def voice_functionals(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the functionals of one utterance.

    Parameters
    ----------
    samples : float [samples]
        at the recorded level
    rate : int
        sampling rate, Hz; 16,000

    Returns
    -------
    ndarray of float32 [:data:`SIZE`]
        finite for every recording, silence included
    """
    frames = describe_frames(samples, rate)
    loud = np.flatnonzero(frames.speech)
    spoken = slice(loud[0], loud[-1] + 1)
    descriptors = np.concatenate([frames.cepstrum, frames.shape], axis=1)
    inside, speech = descriptors[spoken], descriptors[frames.speech]
    thirds = [part.mean(axis=0) - inside.mean(axis=0) if len(part) else 0.0 * inside[0] for part in
              np.array_split(inside, 3)]  # fmt: skip
    return np.concatenate([
        moments(speech),
        moments(_change(descriptors)[spoken]),
        moments(frames.log_mel[frames.speech]),
        _pitch_functionals(frames, spoken),
        *thirds,
        modulation(frames.log_mel[spoken]),
        _correlations(np.concatenate([frames.cepstrum[:, :10], frames.shape[:, 1:]], axis=1)[frames.speech]),
        *_by_voicing(frames, descriptors),
        _course(frames, spoken),
        *_bands(frames, spoken),
    ]).astype(np.float32)  # fmt: skip


SIZE = (
    (16 + 3 + 3) * (CEPSTRUM + 6) + (8 + 3) * BANDS + CEPSTRUM + GROUPS * (len(MODULATION_HZ) + 1) + 19 + 105 + 41
)  # columns of descriptors, bands, cepstrum and groups; pitch and rhythm, correlations, course
"""Number of functionals."""


def _played(samples: np.ndarray, rate: int) -> list[np.ndarray]:
    """Play a recording at every speed of :data:`SPEEDS`."""
    import soxr

    return [samples if speed == 1.0 else soxr.resample(samples, rate * speed, rate) for speed in SPEEDS]


def at_speeds(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the functionals of a recording and of its faster and slower copies, whose pitch changes with the speed.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [speeds, :data:`SIZE`]
        in the order of :data:`SPEEDS`
    """
    return np.stack([voice_functionals(signal, rate) for signal in _played(samples, rate)])


def with_corrupted(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the functionals of a recording, of its copies at other speeds, and of corrupted copies at all speeds.

    A corrupted copy has the peak of what it is made from, as a degraded recording has after peak normalisation.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz

    Returns
    -------
    ndarray of float32 [speeds + corrupted copies, :data:`SIZE`]
        in the order of :data:`SPEEDS` and :data:`CORRUPTED`
    """
    played, copies = _played(samples, rate), []
    for number, kind in enumerate(CORRUPTED):
        source = played[number % len(SPEEDS)]
        copies.append(peak_normalise(corruption.corrupt(source, kind, rate=rate, copy=number)) * np.abs(source).max())
    return np.stack([voice_functionals(signal, rate) for signal in (*played, *copies)])
