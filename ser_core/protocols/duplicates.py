"""Find recordings that are the same: by bytes, by samples, and by the waveform.

A recording with another gain, trimmed, shifted, resampled, transcoded or with added noise is still the same waveform.
Its cross-correlation with the original stays high at some lag. Another take of the same sentence by the same speaker is
a different waveform, however similar it sounds.

All pairs are searched at 1 kHz (60 to 500 Hz, where voices are strongest), and matches are confirmed at 8 kHz. Copies
that were stretched or shifted in pitch are different waveforms too, and are not found.
:func:`ser_core.protocols.leakage.named_copies` finds such copies by their names.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ser_core import audio
from ser_core._utils.paths import cache_dir
from ser_core._utils.segments import Segment
from ser_core.features import digests as digests_of_files
from ser_core.protocols.acoustic_cues import CUES, measure_cues

VERSION = 1
"""Part of the cache key; raised whenever the measurements change."""
SEARCH_RATE, LOWEST, LONGEST = 1_000, 60.0, 20.0
"""Sampling rate of the search (Hz), its lowest frequency (Hz), and the length of a recording that it uses (s)."""
CONFIRM_RATE = 8_000
"""Sampling rate at which candidates are confirmed (Hz)."""
SAME_AUDIO, SAME_RECORDING = "same audio", "same recording"
"""Kinds of pairs: equal samples, equal waveforms."""
SUSPECT, SAME = 0.5, 0.75
"""Correlation from which a pair is a candidate, and from which it is confirmed.

A copy with white noise at 5 dB still reaches 0.87, and one cut to 60 % of its energy 0.77. The most similar pairs of
different recordings reach 0.46 in RAVDESS and 0.65 in TESS.
"""


def find_duplicates(paths: Sequence[str | Segment], *, progress: bool = True) -> dict[str, Any]:
    """Find copies among recordings, and measure their acoustic cues; results are cached.

    Parameters
    ----------
    paths : sequence of str or Segment
        recordings; a path may occur twice
    progress : bool
        show progress bars on a terminal

    Returns
    -------
    dict
        ``digests`` (SHA-256 of the bytes of each path), ``facts`` (digest to ``audio``, the digest of the samples, and
        the :data:`ser_core.protocols.acoustic_cues.CUES`), ``pairs`` ([digest, digest, kind, correlation]; kind is
        "same audio" or "same recording")

    Raises
    ------
    SerError
        for a recording that cannot be decoded; the message names it
    """
    if not paths:
        return {"digests": [], "facts": {}, "pairs": []}
    known_digests = digests_of_files.source_digests(paths)
    digests = [known_digests[path] for path in paths]
    path_of = dict(zip(digests, paths, strict=True))
    name = hashlib.sha256(json.dumps([VERSION, sorted(path_of)]).encode()).hexdigest()[:32]
    store = cache_dir() / "leaks" / f"{name}.json"
    measured = _stored(store, set(path_of))
    if measured is None:
        measured = _measure(path_of, progress)
        digests_of_files.write_if_possible(store, json.dumps(measured).encode())
    return {"digests": digests, **measured}


def _stored(store: Path, digests: set[str]) -> dict[str, Any] | None:
    """Return measurements from the cache; None where they are missing, damaged or of another kind."""
    try:
        measured = json.loads(store.read_bytes())
        facts, pairs = measured["facts"], measured["pairs"]
        for digest in digests:
            float(sum(facts[digest][cue] for cue in CUES))
            len(facts[digest]["audio"])
        for first, second, kind, correlation in pairs:
            if not {first, second} <= digests or kind not in (SAME_AUDIO, SAME_RECORDING) or not 0 <= correlation <= 1:
                return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None
    return {"facts": facts, "pairs": pairs}


def _measure(path_of: dict[str, str | Segment], progress: bool) -> dict[str, Any]:
    """Measure the cues of every recording and find copies among all pairs."""
    from tqdm import tqdm

    disable = None if progress else True  # None: shown on a terminal only
    facts, fingerprints = {}, []
    for digest in tqdm(sorted(path_of), desc="recordings", unit="utt", disable=disable):
        samples, rate, _ = audio.decode(path_of[digest])
        facts[digest] = measure_cues(samples, rate)
        fingerprints.append(fingerprint(samples, rate))
    names = list(facts)
    pairs = []
    for i, j, _ in candidate_pairs(fingerprints, progress=progress):
        first, second = names[i], names[j]
        if facts[first]["audio"] == facts[second]["audio"]:
            pairs.append([first, second, SAME_AUDIO, 1.0])
            continue
        correlation = peak_correlation(*(_decode_at(path_of[digest], CONFIRM_RATE) for digest in (first, second)))
        if correlation >= SAME:
            pairs.append([first, second, SAME_RECORDING, round(correlation, 4)])
    return {"facts": facts, "pairs": pairs}


def fingerprint(samples: np.ndarray, rate: int) -> np.ndarray:
    """Compute the low band of the first 20 s of a recording, with unit energy.

    Parameters
    ----------
    samples : float [samples, channels]
        decoded recording
    rate : int
        sampling rate in Hz

    Returns
    -------
    float32 [samples at 1 kHz]
    """
    from scipy import fft

    short = audio.resample(samples[: int(LONGEST * rate)].mean(axis=1), rate, SEARCH_RATE)
    spectrum = fft.rfft(short)
    spectrum[: int(LOWEST * len(short) / SEARCH_RATE)] = 0
    low = fft.irfft(spectrum, len(short))
    return (low / max(np.linalg.norm(low), 1e-12)).astype(np.float32)


def candidate_pairs(
    fingerprints: Sequence[np.ndarray], *, progress: bool = True, block: int = 64
) -> list[tuple[int, int, float]]:
    """Return the pairs whose circular cross-correlation reaches :data:`SUSPECT` at some lag, with either sign.

    Parameters
    ----------
    fingerprints : sequence of float32 [samples at 1 kHz]
        those of :func:`fingerprint`
    progress : bool
        show a progress bar on a terminal
    block : int
        number of pairs that are correlated at a time

    Returns
    -------
    list of (int, int, float)
        the two places in the sequence, and the largest absolute correlation
    """
    from scipy import fft
    from tqdm import tqdm

    count = len(fingerprints)
    length = fft.next_fast_len(max(map(len, fingerprints), default=1), real=True)
    spectra = np.stack([fft.rfft(signal, length) for signal in fingerprints]).astype(np.complex64)
    candidates: list[tuple[int, int, float]] = []
    disable = None if progress else True
    with tqdm(total=count * (count - 1) // 2, desc="pairs", unit="pair", unit_scale=True, disable=disable) as bar:
        for i in range(count - 1):
            conjugate = np.conj(spectra[i])
            for start in range(i + 1, count, block):
                lags = fft.irfft(spectra[start : start + block] * conjugate, length, overwrite_x=True)
                peaks = np.maximum(lags.max(axis=1), -lags.min(axis=1))
                candidates += [(i, start + int(k), float(peaks[k])) for k in np.flatnonzero(peaks >= SUSPECT)]
            bar.update(count - 1 - i)
    return candidates


def _decode_at(path: str | Segment, rate: int) -> np.ndarray:
    """Decode a recording as one channel of mean zero at a sampling rate."""
    samples, original_rate, _ = audio.decode(path)
    mono = audio.resample(samples.mean(axis=1), original_rate, rate)
    return mono - mono.mean()


def peak_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the largest absolute cross-correlation of two signals over all lags.

    Parameters
    ----------
    first, second : float [samples]
        signals at the same sampling rate

    Returns
    -------
    float
        0 to 1; 1 if they differ only in gain and lag

    Examples
    --------
    >>> signal = np.array([1.0, -0.5, 0.25, 0.0])
    >>> round(peak_correlation(signal, -3 * np.roll(signal, 1)), 2)
    1.0
    """
    from scipy import fft

    length = fft.next_fast_len(len(first) + len(second) - 1, real=True)
    lags = fft.irfft(fft.rfft(first, length) * np.conj(fft.rfft(second, length)), length)
    return float(np.abs(lags).max() / max(np.linalg.norm(first) * np.linalg.norm(second), 1e-12))
