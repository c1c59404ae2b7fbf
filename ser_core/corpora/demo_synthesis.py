"""Make the embedded demo corpus: synthetic emotional speech with the structure and file names of RAVDESS and TESS.

Run as ``python -m ser_core.corpora.demo_synthesis [--out FILE]``; needs the program espeak-ng. espeak-ng speaks the
words in one of its voices. Everything that carries emotion is added here, by pitch-synchronous overlap-add
(Moulines and Charpentier 1990) and filters: pitch level, range and contour, rate and pauses, loudness and its contour,
spectral tilt, breathiness, roughness, tremor. :mod:`ser_core.corpora.demo_design` chooses their values.

The same espeak-ng version gives the same samples up to rounding. The archive is identical byte for byte if the Opus
encoder is the same too.
"""

import argparse
import functools
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal
from tqdm import tqdm

from ser_core._utils.errors import SerError
from ser_core.corpora.demo_design import (
    ACTORS,
    ACTRESSES,
    EMOTIONS,
    FEMALE_VOICES,
    SEED,
    STATEMENTS,
    TESS_NAMES,
    WORDS,
    Clip,
    Voice,
    clips,
    expression,
    seeded_random,
    voice,
)

RATE = 16000
"""Sampling rate, Hz."""
HOP = RATE // 200
"""Samples between two pitch values: 5 ms."""


@dataclass(frozen=True)
class _Spoken:
    """Hold speech with its pitch moved, and what later steps need to know of it.

    ``place`` is the origin of each sample in the plain speech. ``along`` is the position (0 to 1) and ``wobble`` the
    tremor (-1 to 1) of each pitch value.
    """

    samples: np.ndarray
    place: np.ndarray
    along: np.ndarray
    wobble: np.ndarray


@functools.cache
def espeak_version() -> str:
    """Return the version of the installed espeak-ng, such as "1.51".

    Raises
    ------
    SerError
        If espeak-ng is not installed.
    """
    program = shutil.which("espeak-ng")
    if program is None:
        raise SerError("espeak-ng is not installed: install it with the system's package manager (apt, dnf, brew)")
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return answer.split(":", 1)[1].split()[0]


def _speak(text: str, speaker: Voice, pitch: float, rate: float) -> np.ndarray:
    """Speak a text with espeak-ng: float64 [samples] at RATE, formants moved by ``speaker.formants``."""
    espeak_version()
    # espeak-ng's pitch: 50 is about 100 Hz in its male and 185 Hz in its female voices, 0 and 99 are an octave away.
    natural = 185.0 if speaker.variant in FEMALE_VOICES else 100.0
    number = int(np.clip(50 + 50 * np.log2(pitch / natural / speaker.formants), 5, 95))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        options = ["-v", f"en-us+{speaker.variant}", "-p", str(number), "-s", str(int(rate)), "-m", "-w", str(path)]
        subprocess.run(["espeak-ng", *options, text], check=True, capture_output=True)
        speech, native = soundfile.read(path)
    ratio = Fraction(RATE / native / speaker.formants).limit_denominator(400)
    speech = signal.resample_poly(speech, ratio.numerator, ratio.denominator)
    loud = np.flatnonzero(np.abs(speech) > 0.01 * np.abs(speech).max())
    return speech[max(loud[0] - 160, 0) : loud[-1] + 160] / np.abs(speech).max()


def _pitch_track(samples: np.ndarray, expected: float) -> tuple[np.ndarray, np.ndarray]:
    """Estimate F0 in Hz and voicing (bool) every 5 ms by normalised autocorrelation, near ``expected`` Hz."""
    size = int(2.5 * RATE / (expected / 1.8))
    padded = np.pad(samples, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(samples) : HOP] * np.hanning(size)
    spectrum = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2)
    shortest, longest = int(RATE / (expected * 1.9)), int(RATE / (expected / 1.8))
    correlation = np.fft.irfft(spectrum)[:, : longest + 1] / (window[: longest + 1] / window[0])
    period = correlation[:, shortest:].argmax(axis=1) + shortest
    strength = correlation[np.arange(len(period)), period] / np.maximum(correlation[:, 0], 1e-12)
    voiced = (strength > 0.55) & (correlation[:, 0] > 1e-4 * correlation[:, 0].max())
    track = np.interp(np.arange(len(period)), np.flatnonzero(voiced), (RATE / period)[voiced])
    return signal.medfilt(track, 7), voiced


def _pitch_marks(samples: np.ndarray, track: np.ndarray, voiced: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """Place a mark on each pitch period; return the marks and the period at each, both in samples."""
    marks: list[float] = []
    periods: list[float] = []
    at = 0.0
    while at < len(samples) - 1:
        frame = min(int(at) // HOP, len(track) - 1)
        period = RATE / track[frame] if voiced[frame] else 0.006 * RATE
        if voiced[frame]:
            low, high = int(max(at - 0.2 * period, 0)), int(min(at + 0.2 * period + 1, len(samples)))
            at = float(low + samples[low:high].argmax())
            at = max(at, marks[-1] + 0.5 * period) if marks else at
        marks.append(at)
        periods.append(period)
        at += period
    return np.array(marks), periods


def _overlap_add(samples, track, voiced, target, pace, jitter, random) -> tuple[np.ndarray, np.ndarray]:
    """Move the pitch to ``target`` Hz and the pace by ``pace`` (every 5 ms): new samples, and the origin of each."""
    marks, periods = _pitch_marks(samples, track, voiced)
    elapsed = np.concatenate([[0.0], np.cumsum(HOP / pace)])
    place = np.interp(np.arange(int(elapsed[-1])), elapsed, np.arange(len(elapsed)) * HOP)
    output, at = np.zeros(len(place) + RATE), 0.0
    while at < len(place):
        source = place[int(at)]
        frame = min(int(source) // HOP, len(track) - 1)
        nearest = int(np.abs(marks - source).argmin())
        half = max(int(periods[nearest]), 2)
        grain = np.zeros(2 * half)
        start = int(marks[nearest]) - half
        low, high = max(start, 0), min(start + 2 * half, len(samples))
        grain[low - start : high - start] = samples[low:high]
        put = int(at) + RATE // 4 - half
        output[put : put + 2 * half] += grain * np.hanning(2 * half + 1)[:-1]
        step = RATE / target[frame] * (1 + jitter * random.normal()) if voiced[frame] else periods[nearest]
        at += float(np.clip(step, 0.0015 * RATE, 0.025 * RATE))
    return output[RATE // 4 : RATE // 4 + len(place)], place


def _loudness(samples: np.ndarray, seconds: float = 0.03) -> np.ndarray:
    """Return the smoothed envelope [samples], relative to its own maximum."""
    smooth = np.sqrt(np.maximum(signal.oaconvolve(samples**2, signal.windows.hann(int(seconds * RATE)), "same"), 0))
    return smooth / smooth.max()


def _decibel(value):
    """Return the amplitude factor of a level in dB."""
    return 10.0 ** (np.asarray(value) / 20.0)


def _breath(random: np.random.Generator, length: float, speaker: Voice) -> np.ndarray:
    """Make a breath of ``length`` seconds: band-passed noise that rises and falls."""
    noise = random.normal(size=int(length * RATE))
    low, high = np.array([900.0, 4200.0]) * speaker.formants
    shaped = signal.sosfilt(signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos"), noise)
    return shaped * np.hanning(len(noise))


def _with_pause(text: str, seconds: float, random: np.random.Generator) -> str:
    """Put a break of ``seconds`` between two words of a text; none below 60 ms."""
    words = text.split()
    pause = [f'<break time="{int(1000 * min(seconds, 0.7))}ms"/>'] if seconds >= 0.06 else []
    cut = int(random.integers(1, len(words)))
    return " ".join(words[:cut] + pause + words[cut:])


def synthesise(clip: Clip) -> np.ndarray:
    """Synthesise one clip.

    Parameters
    ----------
    clip : Clip
        From :func:`ser_core.corpora.demo_design.clips`.

    Returns
    -------
    ndarray of float32 [samples]
        Before encoding: RATE Hz, mono, below full scale.
    """
    speaker, style = voice(clip.speaker), expression(clip)
    random = seeded_random("sound", clip.name)
    pitch = speaker.pitch * 2 ** (style["pitch"] / 12)
    smiling = replace(speaker, formants=speaker.formants * float(np.exp(np.clip(style["smile"], -0.12, 0.12))))
    text = _with_pause(clip.text, style["pause"], random)
    pace = float(np.exp(np.clip(style["rate"], -0.5, 0.4)))
    plain = _speak(text, smiling, pitch, np.clip(speaker.rate * pace / smiling.formants, 90, 300))
    spoken = _move_pitch(plain, pitch, style, random)
    speech = _colour_voice(spoken, len(plain), style, random)
    return _record(speech, clip, speaker, style, random)


def _move_pitch(plain: np.ndarray, pitch: float, style: Mapping[str, float], random: np.random.Generator) -> _Spoken:
    """Give plain speech the pitch contour, the pace and the jitter of a style."""
    track, voiced = _pitch_track(plain, pitch)
    along = np.linspace(0, 1, len(track))
    loud = np.interp(along, np.linspace(0, 1, len(plain)), _loudness(plain, 0.12))
    middle = np.median(track[voiced])
    semitones = 12 * np.log2(track / middle) * np.exp(np.clip(style["range"], -1.0, 0.9))
    semitones += style["final"] * along**3 + style["accent"] * (loud - 0.4) - 1.5 * (along - 0.5)
    wobble = np.sin(2 * np.pi * (random.uniform(5.0, 7.5) * along * len(plain) / RATE + random.random()))
    semitones += max(style["tremor"], 0) * wobble
    target = np.clip(pitch * 2 ** (np.clip(semitones, -9, 12) / 12), 55, 520)
    slowing = np.exp(-np.clip(style["slowing"], -0.5, 0.6) * (along - 0.5))
    jitter = float(np.clip(0.006 + style["jitter"], 0.002, 0.05))
    samples, place = _overlap_add(plain, track, voiced, target, slowing, jitter, random)
    return _Spoken(samples, place, along, wobble)


def _colour_voice(
    spoken: _Spoken, plain_length: int, style: Mapping[str, float], random: np.random.Generator
) -> np.ndarray:
    """Give speech the voice quality and the loudness contour of a style."""
    speech = spoken.samples
    envelope = _loudness(speech)
    through = spoken.place / plain_length
    relative = np.clip(20 * np.log10(envelope + 1e-3), -40, 0)
    hissing = signal.butter(1, 1500, "highpass", fs=RATE, output="sos")
    aspiration = signal.sosfilt(hissing, random.normal(size=len(speech)))
    speech = speech + aspiration * envelope**0.6 * _decibel(-47 + np.clip(style["breath"], -10, 16)) * 2
    low = signal.sosfiltfilt(signal.butter(1, 1200, fs=RATE, output="sos"), speech)
    bright = style["tilt"] + np.clip(style["bite"], -0.5, 0.8) * (relative + 12)
    speech = low + (speech - low) * _decibel(np.clip(bright, -14, 12))
    cycles = np.cumsum(random.uniform(32, 55) + 2 * np.cumsum(random.normal(size=len(speech))) / np.sqrt(RATE)) / RATE
    speech = speech * (1 - np.clip(style["rough"], 0, 0.6) * (0.5 + 0.5 * np.sin(2 * np.pi * cycles)))
    speech = speech * (1 + 0.3 * max(style["tremor"], 0) * np.interp(through, spoken.along, spoken.wobble))
    contour = np.clip(style["dynamics"], -0.4, 0.9) * relative + style["fade"] * (through - 0.5)
    speech = speech * _decibel(np.clip(contour, -40, 12))
    return speech / np.sqrt(np.mean(speech**2) + 1e-12) * _decibel(np.clip(style["level"], -12, 14) - 30)


def _record(
    speech: np.ndarray, clip: Clip, speaker: Voice, style: Mapping[str, float], random: np.random.Generator
) -> np.ndarray:
    """Add breaths, silence, room and noise to speech: float32 [samples], below full scale."""
    before, after = ((0.2, 0.55), (0.2, 0.65)) if clip.speaker in ACTORS else ((0.05, 0.2), (0.05, 0.25))
    parts = [np.zeros(int(RATE * random.uniform(*before)))]
    if style["inhale"] > 4:
        parts.append(_breath(random, random.uniform(0.18, 0.4), speaker) * _decibel(style["inhale"] - 58))
        parts.append(np.zeros(int(RATE * random.uniform(0.03, 0.10))))
    parts.append(speech)
    if style["sigh"] > 4:
        parts.append(_breath(random, random.uniform(0.25, 0.5), speaker) * _decibel(style["sigh"] - 57))
    parts.append(np.zeros(int(RATE * random.uniform(*after))))
    dry = np.concatenate(parts)
    length = int(RATE * speaker.room * 1.5)
    decay = np.exp(-6.9 * np.arange(length) / RATE / speaker.room)
    tail = seeded_random("room", clip.speaker).normal(size=length) * decay
    recorded = dry + speaker.wet * signal.oaconvolve(dry, tail / np.sqrt(np.sum(tail**2)))[: len(dry)]
    hiss = signal.lfilter([1 - speaker.colour], [1, -speaker.colour], random.normal(size=len(recorded)))
    recorded = recorded + hiss / hiss.std() * _decibel(-28 - speaker.noise + random.normal(0, 1.5))
    peak = np.abs(recorded).max()
    return (recorded * min(1.0, 0.8 / peak)).astype(np.float32)


def encode(samples: np.ndarray, serial: int) -> bytes:
    """Encode samples as Ogg Opus at about 20 kbit/s (the headers of Vorbis alone are 3.5 kB).

    Parameters
    ----------
    samples : float32 [samples]
        RATE Hz, mono.
    serial : int
        Serial number of the Ogg stream, in place of libsndfile's random one.

    Returns
    -------
    bytes
        The file; the same samples and serial give the same bytes.
    """
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="OGG", subtype="OPUS", compression_level=0.95)
    data, start = bytearray(buffer.getvalue()), 0
    while start < len(data):  # an Ogg page: serial at byte 14, checksum at 22, segment table from 26 (RFC 3533)
        segments = data[start + 26]
        end = start + 27 + segments + sum(data[start + 27 : start + 27 + segments])
        data[start + 14 : start + 18] = serial.to_bytes(4, "little")
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _ogg_checksum(bytes(data[start:end])).to_bytes(4, "little")
        start = end
    return bytes(data)


def _ogg_checksum(page: bytes) -> int:
    """Compute the CRC of RFC 3533 (zlib's polynomial, bits in the other order, nothing inverted)."""
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    value = zlib.crc32(page.translate(mirrored), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def provenance() -> str:
    """Return the text shipped with the clips: what they are, how they were made, their licence."""
    return f"""# The embedded demo corpus

Not recordings of people: {len(clips())} clips of synthetic emotional speech in the shapes and file names of RAVDESS
(`demo_ravdess`: {len(ACTORS)} speakers, {len(EMOTIONS)} emotions, {len(STATEMENTS)} statements) and TESS
(`demo_tess`: {len(ACTRESSES)} speakers, {len(TESS_NAMES)} emotions, {len(WORDS)} words). No sample of either is in it.
Figures measured on it show that the pipeline works; they say nothing about emotion recognition in people.

## How it was made

`python -m ser_core.corpora.demo_synthesis`, seed {SEED}, with espeak-ng {espeak_version()}
(https://github.com/espeak-ng/espeak-ng),
then pitch-synchronous overlap-add and filters in that module; Ogg Opus, {RATE} Hz, mono, by libsndfile.

## Licence

The clips are ours and dedicated to the public domain: CC0 1.0 (https://creativecommons.org/publicdomain/zero/1.0/).
espeak-ng is free software under the GPLv3; the licence covers the program, not the sound that it makes. It is not
part of this archive and is needed only to make the clips again.
"""


def build(path: Path) -> None:
    """Write the archive by a temporary file next to it, with a progress bar; takes one or two minutes.

    Parameters
    ----------
    path : Path
        Zip file to write.

    Raises
    ------
    SerError
        If espeak-ng is not installed.
    """
    members = {"PROVENANCE.md": provenance().encode()}
    for clip in tqdm(clips(), unit="clip"):
        members[clip.name] = encode(synthesise(clip), zlib.crc32(clip.name.encode()))
    partial = path.with_name(path.name + ".part")
    with zipfile.ZipFile(partial, "w") as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, date_time=(2024, 1, 1, 0, 0, 0))
            entry.create_system = 3  # the same on every system
            archive.writestr(entry, members[name])
    partial.replace(path)


def main() -> None:
    """Run the command; an error ends it with one line and exit code 1."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("demo.zip"), help="the archive to write")
    out = parser.parse_args().out
    try:
        build(out)
    except (SerError, OSError) as error:
        sys.exit(f"Error: {error}")
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
