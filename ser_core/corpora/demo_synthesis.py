"""Make the embedded demo corpus: emotional speech by a synthesiser, in the shapes and names of RAVDESS and TESS.

Run as ``python -m ser_core.corpora.demo_synthesis [--out FILE]``; needs the program espeak-ng. espeak-ng speaks the
words in one of its own voices; everything that carries emotion is done here, by a pitch-synchronous overlap-add
(Moulines and Charpentier 1990) and filters: pitch level, range and contour, rate and pauses, loudness and its contour,
spectral tilt, breathiness, roughness, tremor. The directions per emotion follow the reviews of Murray and Arnott
(1993), Banse and Scherer (1996) and Juslin and Laukka (2003). Speakers differ in voice, in how far and in which way
they act an emotion; clips jitter; neighbouring emotions are blended. So no simple rule separates them.

All randomness is seeded by what the clip is, so one clip can be made alone. The same espeak-ng version gives the same
samples up to rounding; the archive is the same byte for byte where the Opus encoder is the same too.
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
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal
from tqdm import tqdm

from ser_core._utils.errors import SerError

RATE = 16000  # Hz
SEED = 20240
EMOTIONS = ("neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised")  # RAVDESS codes 01 to 08
STATEMENTS = ("Kids are talking by the door", "Dogs are sitting by the door")  # RAVDESS statements 01 and 02
TESS_NAMES = {name: name for name in ("angry", "disgust", "happy", "neutral", "sad")}
TESS_NAMES |= {"fear": "fearful", "ps": "surprised"}  # label in the file name -> one of EMOTIONS
WORDS = ("back", "bean", "boat", "chair", "dime", "dog", "food", "gas", "home")
WORDS += ("join", "king", "love", "mouse", "pass", "ring", "sheep", "tough", "youth")
ACTORS = tuple(f"{number:02d}" for number in range(1, 25))
ACTRESSES = ("OAF", "YAF")
MALE_VOICES = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "adam", "max", "lee", "victor", "john")
FEMALE_VOICES = ("f1", "f2", "f3", "f4", "f5", "linda", "steph", "belinda", "Alicia", "Annie", "f2", "f5")

# What an emotion is made of: name -> unit, and the deviation from the speaker's plain voice for each of EMOTIONS.
PROFILES = {
    #           neutral calm  happy  sad  angry fear disgust surprised
    "pitch": (0.0, -0.8, 3.5, -0.5, 3.0, 5.0, -0.8, 4.5),  # semitones
    "range": (0.0, -0.3, 0.50, -0.5, 0.35, -0.1, 0.15, 0.6),  # log of the factor on the pitch movements
    "final": (0.0, -0.5, 1.0, -2.5, -3.5, 1.0, -2.0, 6.5),  # semitones reached at the end of the utterance
    "accent": (0.0, -0.3, 2.2, -0.4, 2.0, 0.3, 1.2, 1.5),  # semitones on stressed (loud) syllables
    "rate": (0.0, -0.12, 0.13, -0.28, 0.08, 0.20, -0.22, 0.04),  # log of the factor on the speech rate
    "slowing": (0.0, 0.05, -0.16, 0.22, 0.10, -0.16, 0.30, -0.22),  # log rate lost from the first word to the last
    "pause": (0.0, 0.03, -0.03, 0.22, 0.0, 0.12, 0.15, 0.02),  # seconds, somewhere between two words
    "level": (0.0, -2.0, 4.0, -4.0, 8.0, 2.0, 0.5, 4.5),  # dB
    "dynamics": (0.0, -0.12, 0.15, -0.22, 0.45, -0.05, 0.30, 0.12),  # exponent added to the loudness contour
    "fade": (0.0, -1.0, 2.0, -5.5, -1.0, 1.0, -4.5, 5.0),  # dB from the first sound to the last
    "tilt": (0.0, -2.5, 3.0, -5.0, 6.0, 1.0, -0.5, 2.5),  # dB of the band above 1.2 kHz
    "bite": (0.0, -0.1, 0.15, -0.25, 0.45, 0.0, 0.2, 0.1),  # dB more of that band per dB of loudness
    "breath": (0.0, 3.0, 0.0, 7.0, -2.0, 7.0, 1.0, 3.0),  # dB of aspiration
    "jitter": (0.0, -0.002, 0.002, 0.006, 0.012, 0.022, 0.012, 0.004),  # relative, period to period
    "tremor": (0.0, 0.0, 0.05, 0.20, 0.0, 0.55, 0.05, 0.05),  # semitones, and 0.3 of it as a share of the amplitude
    "rough": (0.0, -0.05, 0.0, 0.0, 0.30, 0.05, 0.28, 0.0),  # depth of a 30 to 60 Hz amplitude modulation
    "smile": (0.0, 0.0, 0.06, -0.03, 0.01, 0.01, -0.05, 0.03),  # log shift of the formants
    "inhale": (0.0, 2.0, 1.0, 3.0, -2.0, 10.0, 0.0, 11.0),  # dB of the breath drawn before speaking
    "sigh": (0.0, 3.0, 0.0, 10.0, 0.0, 2.0, 8.0, 0.0),  # dB of the breath let out after it
}
NAMES = tuple(PROFILES)
TABLE = np.array([PROFILES[name] for name in NAMES]).T  # [emotion, parameter]
SPREAD = TABLE.std(axis=0)
# The two emotions that each of EMOTIONS is most easily taken for (likelier first); a clip is a blend with one of them.
NEIGHBOURS = {"neutral": ("calm", "sad"), "calm": ("neutral", "sad"), "happy": ("surprised", "angry")}
NEIGHBOURS |= {"sad": ("calm", "fearful"), "angry": ("disgust", "happy"), "fearful": ("sad", "surprised")}
NEIGHBOURS |= {"disgust": ("angry", "sad"), "surprised": ("happy", "fearful")}
BLEND = 0.45  # the largest share of the neighbour
OWN_STYLE, OWN_EMOTION, CLIP_JITTER = 0.45, 0.36, 0.42  # in units of SPREAD: per speaker, speaker x emotion, clip
ACTRESS_SPREAD = 0.45  # two speakers are few: their ways are closer than those of two actors
STRENGTH = {"normal": 0.95, "strong": 1.35}


@dataclass(frozen=True)
class Clip:
    """One clip to be made: `name` is the member of the archive, `speaker` an actor number or an actress."""

    name: str
    speaker: str
    emotion: str
    intensity: str
    text: str


@dataclass(frozen=True)
class Voice:
    """A speaker's voice and recording."""

    variant: str  # of espeak-ng
    pitch: float  # Hz
    rate: float  # words a minute
    formants: float  # factor on their frequencies
    expressive: float  # factor on PROFILES
    noise: float  # dB that it lies below the speech
    colour: float  # 0 (white) to 1 (brown)
    room: float  # reverberation time, s
    wet: float  # reverberation relative to the speech


def clips() -> tuple[Clip, ...]:
    """All 636 clips in the order of the archive: 24 actors x 8 emotions x 2 statements, 2 x 18 words x 7 emotions."""
    made = []
    for index, actor in enumerate(ACTORS):
        for code, emotion in enumerate(EMOTIONS, start=1):
            for statement, text in enumerate(STATEMENTS, start=1):
                # Strong for one of the two statements, the other one for the next pair of actors.
                strong = emotion != "neutral" and (index // 2 + code + statement) % 2 == 0
                take = 1 + (index // 4 + statement + 1) % 2
                stem = f"03-01-{code:02d}-{1 + strong:02d}-{statement:02d}-{take:02d}-{actor}"
                name = f"demo_ravdess/Actor_{actor}/{stem}.ogg"
                made.append(Clip(name, actor, emotion, "strong" if strong else "normal", text))
    for actress in ACTRESSES:
        for word in WORDS:
            for label, emotion in TESS_NAMES.items():
                name = f"demo_tess/{actress}_{word}_{label}.ogg"
                made.append(Clip(name, actress, emotion, "normal", f"Say the word {word}"))
    return tuple(made)


def _random(*what) -> np.random.Generator:
    """A generator seeded by `what` (strings), the same on every machine."""
    return np.random.default_rng([SEED, *(zlib.crc32(str(part).encode()) for part in what)])


def voice(speaker: str) -> Voice:
    """The speaker's voice; odd actors are male, even ones and the actresses female."""
    random = _random("voice", speaker)
    if speaker in ACTRESSES:  # the older actress speaks lower and slower
        older = speaker == "OAF"
        return Voice(*(("f2", 178.0, 182, 0.98) if older else ("f5", 208.0, 192, 1.02)), 1.35, 42.0, 0.5, 0.1, 0.09)
    index = int(speaker) - 1
    male = index % 2 == 0
    variant = (MALE_VOICES if male else FEMALE_VOICES)[index // 2]
    pitch = (112 if male else 200) * 2 ** (random.uniform(-3, 3) / 12)
    rate, formants, expressive = random.uniform([168, 0.94, 0.75], [205, 1.06, 1.25])
    noise, colour, room, wet = random.uniform([34, 0.0, 0.05, 0.0], [50, 0.95, 0.25, 0.36])
    return Voice(variant, pitch, rate, formants, expressive, noise, colour, room, wet)


def expression(clip: Clip) -> dict[str, float]:
    """How this clip deviates from a plain reading: parameter name -> value, in the units of PROFILES."""
    random = _random("clip", clip.name)
    row = EMOTIONS.index(clip.emotion)
    other = EMOTIONS.index(NEIGHBOURS[clip.emotion][int(random.random() < 0.4)])
    share = BLEND * random.beta(1.0, 2.0)
    profile = (1 - share) * TABLE[row] + share * TABLE[other]
    value = profile * voice(clip.speaker).expressive * STRENGTH[clip.intensity]
    spread = SPREAD * (ACTRESS_SPREAD if clip.speaker in ACTRESSES else 1.0)
    value = value + spread * OWN_STYLE * _random("style", clip.speaker).normal(size=len(NAMES))
    value = value + spread * OWN_EMOTION * _random("style", clip.speaker, clip.emotion).normal(size=len(NAMES))
    value = value + spread * CLIP_JITTER * random.normal(size=len(NAMES))
    return dict(zip(NAMES, value.tolist(), strict=True))


@functools.cache
def espeak_version() -> str:
    """The version of the installed espeak-ng, such as "1.51"; raises SerError where there is none."""
    program = shutil.which("espeak-ng")
    if program is None:
        raise SerError("espeak-ng is not installed: install it with the system's package manager (apt, dnf, brew)")
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return said.split(":", 1)[1].split()[0]


def _speak(text: str, who: Voice, pitch: float, rate: float) -> np.ndarray:
    """`text` as espeak-ng says it: float64 [samples] at RATE, formants moved by `who.formants`."""
    espeak_version()
    # espeak-ng's pitch: 50 is about 100 Hz in its male and 185 Hz in its female voices, 0 and 99 are an octave away.
    natural = 185.0 if who.variant in FEMALE_VOICES else 100.0
    number = int(np.clip(50 + 50 * np.log2(pitch / natural / who.formants), 5, 95))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "said.wav")
        options = ["-v", f"en-us+{who.variant}", "-p", str(number), "-s", str(int(rate)), "-m", "-w", str(path)]
        subprocess.run(["espeak-ng", *options, text], check=True, capture_output=True)
        said, native = soundfile.read(path)
    ratio = Fraction(RATE / native / who.formants).limit_denominator(400)
    said = signal.resample_poly(said, ratio.numerator, ratio.denominator)
    loud = np.flatnonzero(np.abs(said) > 0.01 * np.abs(said).max())
    return said[max(loud[0] - 160, 0) : loud[-1] + 160] / np.abs(said).max()


def _pitch_track(samples: np.ndarray, expected: float) -> tuple[np.ndarray, np.ndarray]:
    """F0 in Hz and voicing (bool) every 5 ms by normalised autocorrelation, within an octave of `expected` Hz."""
    size, hop = int(2.5 * RATE / (expected / 1.8)), RATE // 200
    padded = np.pad(samples, (size // 2, size))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[: len(samples) : hop] * np.hanning(size)
    spectrum = np.abs(np.fft.rfft(frames, 2 * size)) ** 2
    window = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2)
    shortest, longest = int(RATE / (expected * 1.9)), int(RATE / (expected / 1.8))
    correlation = np.fft.irfft(spectrum)[:, : longest + 1] / (window[: longest + 1] / window[0])
    found = correlation[:, shortest:].argmax(axis=1) + shortest
    strength = correlation[np.arange(len(found)), found] / np.maximum(correlation[:, 0], 1e-12)
    voiced = (strength > 0.55) & (correlation[:, 0] > 1e-4 * correlation[:, 0].max())
    track = np.interp(np.arange(len(found)), np.flatnonzero(voiced), (RATE / found)[voiced])
    return signal.medfilt(track, 7), voiced


def _overlap_add(samples, track, voiced, target, pace, jitter, random) -> tuple[np.ndarray, np.ndarray]:
    """Pitch moved to `target` Hz, pace by `pace` (every 5 ms): new samples, and the place in `samples` of each."""
    hop = RATE // 200
    marks, periods, at = [], [], 0.0
    while at < len(samples) - 1:
        frame = min(int(at) // hop, len(track) - 1)
        period = RATE / track[frame] if voiced[frame] else 0.006 * RATE
        if voiced[frame]:
            low, high = int(max(at - 0.2 * period, 0)), int(min(at + 0.2 * period + 1, len(samples)))
            at = float(low + samples[low:high].argmax())
            at = max(at, marks[-1] + 0.5 * period) if marks else at
        marks.append(at)
        periods.append(period)
        at += period
    marks = np.array(marks)
    elapsed = np.concatenate([[0.0], np.cumsum(hop / pace)])
    place = np.interp(np.arange(int(elapsed[-1])), elapsed, np.arange(len(elapsed)) * hop)
    made, at = np.zeros(len(place) + RATE), 0.0
    while at < len(place):
        source = place[int(at)]
        frame = min(int(source) // hop, len(track) - 1)
        nearest = int(np.abs(marks - source).argmin())
        half = max(int(periods[nearest]), 2)
        grain = np.zeros(2 * half)
        start = int(marks[nearest]) - half
        low, high = max(start, 0), min(start + 2 * half, len(samples))
        grain[low - start : high - start] = samples[low:high]
        put = int(at) + RATE // 4 - half
        made[put : put + 2 * half] += grain * np.hanning(2 * half + 1)[:-1]
        step = RATE / target[frame] * (1 + jitter * random.normal()) if voiced[frame] else periods[nearest]
        at += float(np.clip(step, 0.0015 * RATE, 0.025 * RATE))
    return made[RATE // 4 : RATE // 4 + len(place)], place


def _loudness(samples: np.ndarray, seconds: float = 0.03) -> np.ndarray:
    """The smoothed envelope, [samples], relative to its own maximum."""
    smooth = np.sqrt(np.maximum(signal.oaconvolve(samples**2, signal.windows.hann(int(seconds * RATE)), "same"), 0))
    return smooth / smooth.max()


def _decibel(value):
    return 10.0 ** (np.asarray(value) / 20.0)


def _breath(random, length: float, who: Voice) -> np.ndarray:
    """A breath of `length` seconds: band-passed noise that swells and dies."""
    noise = random.normal(size=int(length * RATE))
    low, high = np.array([900.0, 4200.0]) * who.formants
    shaped = signal.sosfilt(signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos"), noise)
    return shaped * np.hanning(len(noise))


def _with_pause(text: str, seconds: float, random) -> str:
    """`text` with a break of `seconds` between two of its words; none below 60 ms."""
    words = text.split()
    pause = [f'<break time="{int(1000 * min(seconds, 0.7))}ms"/>'] if seconds >= 0.06 else []
    cut = int(random.integers(1, len(words)))
    return " ".join(words[:cut] + pause + words[cut:])


def synthesise(clip: Clip) -> np.ndarray:
    """The clip before encoding: float32 [samples] at RATE, mono, below full scale."""
    who, how = voice(clip.speaker), expression(clip)
    random = _random("sound", clip.name)
    pitch = who.pitch * 2 ** (how["pitch"] / 12)
    who_now = replace(who, formants=who.formants * float(np.exp(np.clip(how["smile"], -0.12, 0.12))))
    text = _with_pause(clip.text, how["pause"], random)
    pace = float(np.exp(np.clip(how["rate"], -0.5, 0.4)))
    said = _speak(text, who_now, pitch, np.clip(who.rate * pace / who_now.formants, 90, 300))

    # Pitch and pace, every 5 ms.
    track, voiced = _pitch_track(said, pitch)
    along = np.linspace(0, 1, len(track))
    loud = np.interp(along, np.linspace(0, 1, len(said)), _loudness(said, 0.12))
    middle = np.median(track[voiced])
    semitones = 12 * np.log2(track / middle) * np.exp(np.clip(how["range"], -1.0, 0.9))
    semitones += how["final"] * along**3 + how["accent"] * (loud - 0.4) - 1.5 * (along - 0.5)
    wobble = np.sin(2 * np.pi * (random.uniform(5.0, 7.5) * along * len(said) / RATE + random.random()))
    semitones += max(how["tremor"], 0) * wobble
    target = np.clip(pitch * 2 ** (np.clip(semitones, -9, 12) / 12), 55, 520)
    slowing = np.exp(-np.clip(how["slowing"], -0.5, 0.6) * (along - 0.5))
    jitter = float(np.clip(0.006 + how["jitter"], 0.002, 0.05))
    speech, place = _overlap_add(said, track, voiced, target, slowing, jitter, random)

    # Voice quality and loudness contour.
    envelope = _loudness(speech)
    through = place / len(said)
    relative = np.clip(20 * np.log10(envelope + 1e-3), -40, 0)
    hissing = signal.butter(1, 1500, "highpass", fs=RATE, output="sos")
    aspiration = signal.sosfilt(hissing, random.normal(size=len(speech)))
    speech = speech + aspiration * envelope**0.6 * _decibel(-47 + np.clip(how["breath"], -10, 16)) * 2
    low = signal.sosfiltfilt(signal.butter(1, 1200, fs=RATE, output="sos"), speech)
    bright = how["tilt"] + np.clip(how["bite"], -0.5, 0.8) * (relative + 12)
    speech = low + (speech - low) * _decibel(np.clip(bright, -14, 12))
    cycles = np.cumsum(random.uniform(32, 55) + 2 * np.cumsum(random.normal(size=len(speech))) / np.sqrt(RATE)) / RATE
    speech = speech * (1 - np.clip(how["rough"], 0, 0.6) * (0.5 + 0.5 * np.sin(2 * np.pi * cycles)))
    speech = speech * (1 + 0.3 * max(how["tremor"], 0) * np.interp(through, along, wobble))
    contour = np.clip(how["dynamics"], -0.4, 0.9) * relative + how["fade"] * (through - 0.5)
    speech = speech * _decibel(np.clip(contour, -40, 12))
    speech = speech / np.sqrt(np.mean(speech**2) + 1e-12) * _decibel(np.clip(how["level"], -12, 14) - 30)

    # Breaths, silence around, room and noise.
    before, after = ((0.2, 0.55), (0.2, 0.65)) if clip.speaker in ACTORS else ((0.05, 0.2), (0.05, 0.25))
    parts = [np.zeros(int(RATE * random.uniform(*before)))]
    if how["inhale"] > 4:
        parts.append(_breath(random, random.uniform(0.18, 0.4), who) * _decibel(how["inhale"] - 58))
        parts.append(np.zeros(int(RATE * random.uniform(0.03, 0.10))))
    parts.append(speech)
    if how["sigh"] > 4:
        parts.append(_breath(random, random.uniform(0.25, 0.5), who) * _decibel(how["sigh"] - 57))
    parts.append(np.zeros(int(RATE * random.uniform(*after))))
    whole = np.concatenate(parts)
    length = int(RATE * who.room * 1.5)
    tail = _random("room", clip.speaker).normal(size=length) * np.exp(-6.9 * np.arange(length) / RATE / who.room)
    whole = whole + who.wet * signal.oaconvolve(whole, tail / np.sqrt(np.sum(tail**2)))[: len(whole)]
    hiss = signal.lfilter([1 - who.colour], [1, -who.colour], random.normal(size=len(whole)))
    whole = whole + hiss / hiss.std() * _decibel(-28 - who.noise + random.normal(0, 1.5))
    peak = np.abs(whole).max()
    return (whole * min(1.0, 0.8 / peak)).astype(np.float32)


def encode(samples: np.ndarray, serial: int) -> bytes:
    """Ogg Opus at about 20 kbit/s (Vorbis headers alone weigh 3.5 kB); `serial` replaces libsndfile's random number."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="OGG", subtype="OPUS", compression_level=0.95)
    data, start = bytearray(buffer.getvalue()), 0
    while start < len(data):  # an Ogg page: serial at byte 14, checksum at 22, segment table from 26 (RFC 3533)
        segments = data[start + 26]
        end = start + 27 + segments + sum(data[start + 27 : start + 27 + segments])
        data[start + 14 : start + 18] = serial.to_bytes(4, "little")
        data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _ogg_checksum(data[start:end]).to_bytes(4, "little")
        start = end
    return bytes(data)


def _ogg_checksum(page: bytes) -> int:
    """RFC 3533's CRC (same polynomial as zlib's, bits in the other order, nothing inverted)."""
    mirrored = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
    value = zlib.crc32(page.translate(mirrored), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{value:032b}"[::-1], 2)


def provenance() -> str:
    """The text shipped beside the clips: what they are, how they were made, under what terms."""
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
    """Write the archive to `path` (by a temporary file beside it): a minute or two, with a progress bar."""
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
    """The command; an error ends it with one line and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("demo.zip"), help="the archive to write")
    out = parser.parse_args().out
    try:
        build(out)
    except (SerError, OSError) as error:
        sys.exit(f"Error: {error}")
    print(f"{out}: {out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
