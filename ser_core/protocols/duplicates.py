"""Which recordings are the same: by bytes, by samples, and by ear of a machine.

A recording with another gain, trimmed, shifted, resampled, coded anew or with noise in it is still the same waveform:
its cross-correlation with the original stays high at some lag. Another take of the same sentence by the same speaker
is another waveform, however alike it sounds. All pairs are searched at 1 kHz (60 to 500 Hz, where voices are
strongest), and what is found there is confirmed at 8 kHz. A copy that was stretched or shifted in pitch is another
waveform too and is not found by this; :func:`ser_core.protocols.leakage.named_copies` knows such copies by their names.
"""

import hashlib
import json

import numpy as np

from ser_core import audio
from ser_core._utils.atomic import write_atomically
from ser_core._utils.paths import cache_dir
from ser_core.features import cache

VERSION = 1
"""Raised whenever what is measured here changes."""
SEARCH_RATE, LOWEST, LONGEST = 1_000, 60.0, 20.0
"""Rate of the search (Hz), lowest frequency in it (Hz), and how much of a recording it takes (s)."""
CONFIRM_RATE = 8_000
SUSPECT, SAME = 0.5, 0.75
"""Correlation that is worth a second look, and the one that confirms. Of a copy, white noise at 5 dB leaves 0.87, and a
cut to 60 % of its energy 0.77; the most alike pairs of different recordings reach 0.46 in RAVDESS and 0.65 in TESS."""
QUIET_DB = 40.0
"""Frames this far below the loudest count as silence at the ends."""
CUES = ("seconds", "leading_silence", "trailing_silence", "peak_dbfs", "rms_dbfs", "dc_offset", "rate", "channels")


def find_duplicates(paths: list[str], *, progress: bool = True) -> dict:
    """Cues and copies among recordings, from the cache or measured now.

    Parameters
    ----------
    paths : recordings; a path may stand there twice

    Returns
    -------
    dict
        ``digests`` (SHA-256 of each path's bytes), ``facts`` (digest to ``audio``, the digest of the samples, and the
        :data:`CUES`), ``pairs`` ([digest, digest, kind, correlation], kind "same audio" or "same recording")

    Raises
    ------
    SerError
        for a recording that cannot be used, naming it
    """
    if not paths:
        return {"digests": [], "facts": {}, "pairs": []}
    digests = [cache.file_digest(path) for path in paths]
    where = dict(zip(digests, paths, strict=True))
    name = hashlib.sha256(json.dumps([VERSION, sorted(where)]).encode()).hexdigest()[:32]
    store = cache_dir() / "leaks" / f"{name}.json"
    try:
        known = json.loads(store.read_text())
    except (OSError, ValueError):
        known = _measure(where, progress)
        write_atomically(store, json.dumps(known).encode())
    return {"digests": digests, **known}


def _measure(where: dict[str, str], progress: bool) -> dict:
    from tqdm import tqdm

    quiet = None if progress else True  # shown on a terminal alone
    facts, voices = {}, []
    for digest in tqdm(sorted(where), desc="recordings", unit="utt", disable=quiet):
        samples, rate, _ = audio.decode(where[digest])
        facts[digest] = cues(samples, rate)
        voices.append(fingerprint(samples, rate))
    names = list(facts)
    pairs = []
    for i, j, _ in candidate_pairs(voices, progress=progress):
        first, second = names[i], names[j]
        if facts[first]["audio"] == facts[second]["audio"]:
            pairs.append([first, second, "same audio", 1.0])
            continue
        found = peak_correlation(*(_at(where[digest], CONFIRM_RATE) for digest in (first, second)))
        if found >= SAME:
            pairs.append([first, second, "same recording", round(found, 4)])
    return {"facts": facts, "pairs": pairs}


def cues(samples: np.ndarray, rate: int) -> dict:
    """What a recording gives away without its speech: length, silence at the ends (s), level (dBFS), DC, rate (Hz).

    samples : float [samples, channels] as decoded; also ``audio``, the digest of samples and rate
    """
    mono = samples.mean(axis=1, dtype=np.float64)
    width = max(1, rate // 100)
    frames = np.sqrt(np.mean(np.square(mono[: len(mono) // width * width] - mono.mean()).reshape(-1, width), axis=1))
    loud = np.flatnonzero(frames > frames.max() * 10 ** (-QUIET_DB / 20))
    ends = (loud[0], len(frames) - 1 - loud[-1]) if len(loud) else (len(frames), len(frames))
    return {
        "audio": hashlib.sha256(samples.tobytes() + str((rate, samples.shape)).encode()).hexdigest()[:32],
        "seconds": len(samples) / rate,
        "leading_silence": float(ends[0]) / 100,
        "trailing_silence": float(ends[1]) / 100,
        **audio.measure_level(samples),
        "rate": rate,
        "channels": samples.shape[1],
    }


def fingerprint(samples: np.ndarray, rate: int) -> np.ndarray:
    """The low band of a recording's first 20 s, of unit energy: float32 [samples at 1 kHz]."""
    from scipy import fft

    short = audio.resample(samples[: int(LONGEST * rate)].mean(axis=1), rate, SEARCH_RATE)
    spectrum = fft.rfft(short)
    spectrum[: int(LOWEST * len(short) / SEARCH_RATE)] = 0
    low = fft.irfft(spectrum, len(short))
    return (low / max(np.linalg.norm(low), 1e-12)).astype(np.float32)


def candidate_pairs(voices: list[np.ndarray], *, progress: bool = True, block: int = 64):
    """Pairs whose circular cross-correlation reaches :data:`SUSPECT` at some lag, of either sign: (i, j, value)."""
    from scipy import fft
    from tqdm import tqdm

    length = fft.next_fast_len(max(map(len, voices), default=1), real=True)
    spectra = np.stack([fft.rfft(one, length) for one in voices]).astype(np.complex64)
    found = []
    with tqdm(total=len(voices) * (len(voices) - 1) // 2, desc="pairs", unit="pair", unit_scale=True,
              disable=None if progress else True) as bar:  # fmt: skip
        for i in range(len(voices) - 1):
            own = np.conj(spectra[i])
            for start in range(i + 1, len(voices), block):
                lags = fft.irfft(spectra[start : start + block] * own, length, overwrite_x=True)
                peaks = np.maximum(lags.max(axis=1), -lags.min(axis=1))
                found += [(i, start + int(k), float(peaks[k])) for k in np.flatnonzero(peaks >= SUSPECT)]
            bar.update(len(voices) - 1 - i)
    return found


def _at(path: str, rate: int) -> np.ndarray:
    samples, own, _ = audio.decode(path)
    mono = audio.resample(samples.mean(axis=1), own, rate)
    return mono - mono.mean()


def peak_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Largest absolute cross-correlation of two signals at one rate over all lags, 0 to 1 (1: alike but for gain)."""
    from scipy import fft

    length = fft.next_fast_len(len(first) + len(second) - 1, real=True)
    lags = fft.irfft(fft.rfft(first, length) * np.conj(fft.rfft(second, length)), length)
    return float(np.abs(lags).max() / max(np.linalg.norm(first) * np.linalg.norm(second), 1e-12))
