"""Small odd recordings as recorders, pipes and telephones write them: ``python -m tests.made_recordings FOLDER``.

``odd()`` returns them by kind. Every one is made of the same two seconds of sound, so that its right length is known.
"""

import io
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE, SECONDS = 16_000, 2.0
FIELDS = {  # container: (what stands before the length, its distance, its format, what it counts besides the samples)
    "WAV": (b"data", 4, "<I", 0),
    "W64": (b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", 16, "<Q", 24),
    "AIFF": (b"SSND", 4, ">I", 8),
    "AU": (b".snd", 8, ">I", 0),
    "CAF": (b"data", 4, ">q", 4),
}


@dataclass(frozen=True)
class Odd:
    """Hold one odd recording and what is right about it."""

    name: str
    data: bytes
    seconds: float | None = SECONDS  # None: refused
    word: str = ""  # in a note, or in the refusal
    slack: float = 0.0  # s; lossy codecs pad


def voice(rate: int = RATE, seconds: float = SECONDS, channels: int = 1) -> np.ndarray:
    """Return two seconds that no part of looks like text or silence: float64 [samples, channels]."""
    time = np.arange(int(rate * seconds)) / rate
    random = np.random.default_rng(0)
    tones = np.column_stack([np.sin(2 * np.pi * (210 + 40 * k) * time) for k in range(channels)])
    return 0.4 * tones * (1 + 0.5 * np.sin(2 * np.pi * 3 * time))[:, None] + random.normal(0, 0.03, tones.shape)


def written(form: str = "WAV", subtype: str | None = None, rate: int = RATE, channels: int = 1, **settings) -> bytes:
    """Return the bytes of an ordinary recording."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, channels, subtype, format=form, **settings) as sound:
        sound.write(voice(rate, channels=channels))
    return file.getvalue()


def with_length(data: bytes, container: str, change) -> bytes:
    """Return a recording whose header names another length: ``change(bytes of samples)``."""
    mark, distance, form, extra = FIELDS[container]
    at = data.index(mark) + distance
    value = struct.unpack_from(form, data, at)[0] - extra
    changed = bytearray(data)
    new = change(value)
    struct.pack_into(form, changed, at, new if new in (0, -1) or new >= 2**31 - 65_536 else new + extra)
    return bytes(changed)


def lengths() -> Iterator[Odd]:
    """Yield headers whose length is not that of the samples."""
    for container in FIELDS:
        data = written(container)
        data = data[: data.index(b"PEAK")] if b"PEAK" in data[-40:] else data
        end = container.lower()
        yield Odd(f"44 too long.{end}", with_length(data, container, lambda n: n + 44), word="header names")
        yield Odd(f"1 too long.{end}", with_length(data, container, lambda n: n + 1), word="header names")
        yield Odd(f"length 0.{end}", with_length(data, container, lambda n: 0), word="no length")
        yield Odd(f"half the length.{end}", with_length(data, container, lambda n: n // 2), word="header names")
        yield Odd(f"44 too short.{end}", with_length(data, container, lambda n: n - 44), word="header names")
        yield Odd(f"twice as long.{end}", with_length(data, container, lambda n: 2 * n), None, "truncated")
        yield Odd(f"cut.{end}", data[: len(data) * 3 // 4], None, "truncated")
        blank = {"W64": 2**64 - 1, "CAF": -1}.get(container, 2**32 - 1)
        yield Odd(f"from a pipe.{end}", with_length(data, container, lambda n, blank=blank: blank), word="no length")
        if container in ("WAV", "AIFF", "AU"):
            for size in (0x7FFFFFFF, 0x7FFFF000, 0x80000000, 0xFFFFFFFE):
                name = f"from a pipe, {size:08x}.{end}"
                yield Odd(name, with_length(data, container, lambda n, size=size: size), word="no length")
    yield from _rf64()
    wav = written()
    yield Odd("chunks behind.wav", wav + b"LIST" + struct.pack("<I", 12) + b"INFOISFT\x00\x00\x00\x00")
    yield Odd("zeros behind.wav", wav + bytes(512))
    yield Odd("a tag behind.wav", wav + b"TAG" + bytes(125))
    yield Odd("joined.wav", wav + wav, word="another recording follows")
    second = b"data" + struct.pack("<I", 3_200) + b"\1\2" * 1_600
    yield Odd("two data chunks.wav", wav + second, word="a second chunk of samples follows")
    yield Odd("exabytes.caf", with_length(written("CAF"), "CAF", lambda n: 2**60), word="no length")
    empty = with_length(wav, "WAV", lambda n: 0)[:44] + b"LIST" + struct.pack("<I", 4) + b"INFO"
    yield Odd("empty, with a chunk behind.wav", empty, None, "0.000 s")


def _rf64() -> Iterator[Odd]:
    data = written("RF64")
    at = data.index(b"ds64") + 16  # of the 64-bit length
    count = struct.unpack_from("<Q", data, at)[0]
    for name, value, seconds, word in (
        ("44 too long", count + 44, SECONDS, "header names"),
        ("length 0", 0, SECONDS, "no length"),
        ("from a pipe", 2**64 - 1, SECONDS, "no length"),
        ("half the length", count // 2, SECONDS, "header names"),
        ("twice as long", 2 * count, None, "truncated"),
    ):
        yield Odd(f"{name}.rf64", data[:at] + struct.pack("<Q", value) + data[at + 8 :], seconds, word)


def flac_of_length(count: int, data: bytes | None = None) -> bytes:
    """Return a FLAC file whose header names a number of samples; 0 is its word for unknown."""
    data = bytearray(data or written("FLAC"))
    assert data[:8] == b"fLaC\0\0\0\x22"
    data[21] = data[21] & 0xF0 | count >> 32
    struct.pack_into(">I", data, 22, count & 0xFFFFFFFF)
    return bytes(data)


def untagged_mp3(mode: str, rate: int = RATE) -> bytes:
    """Return an MP3 file without the frame that holds its tag, as an encoder writes it to a pipe."""
    from ser_core.audio import mpeg

    data = written("MP3", "MPEG_LAYER_III", rate, bitrate_mode=mode)
    assert any(mark in data[:200] for mark in (b"Xing", b"Info"))
    return data[mpeg.frame_size(data[:4]) :]


def counts() -> Iterator[Odd]:
    """Yield recordings of whose length the decoder knows nothing, or something that is not true."""
    yield Odd("streamed.flac", flac_of_length(0))
    yield Odd("an hour claimed.flac", flac_of_length(3_600 * RATE), None, "truncated")
    yield Odd("half claimed.flac", flac_of_length(RATE), word="names 16000 samples, 32000 are there")
    yield Odd("a tag behind.flac", written("FLAC") + b"TAG" + bytes(125))
    yield Odd("a tag in front.flac", b"ID3\4\0\0\0\0\1\0" + bytes(128) + written("FLAC"))
    yield Odd("a tag in front.wav", b"ID3\4\0\0\0\0\1\0" + bytes(128) + written())
    yield Odd("days claimed.flac", flac_of_length(2**36 - 1), None, "truncated")
    eight = written("FLAC", rate=48_000, channels=8)
    yield Odd("an hour of eight channels claimed.flac", flac_of_length(3_600 * 48_000, eight), None, "truncated")
    yield Odd("tagged.mp3", written("MP3"))
    for mode in ("CONSTANT", "VARIABLE"):
        mp3 = untagged_mp3(mode)
        yield Odd(f"{mode.lower()} rate, untagged.mp3", mp3, slack=0.01)
        yield Odd(f"{mode.lower()} rate, untagged, ID3.mp3", b"ID3\4\0\0\0\0\1\0" + bytes(128) + mp3, slack=0.01)
        yield Odd(f"{mode.lower()} rate, untagged, joined.mp3", mp3 + mp3, 2 * SECONDS, slack=0.4)
        yield Odd(f"{mode.lower()} rate, untagged, last frame cut.mp3", mp3[:-20], slack=0.2)
        yield Odd(f"{mode.lower()} rate, junk in front.mp3", bytes(100) + mp3, word="before the first frame", slack=0.2)
    tagged = written("MP3")
    at = tagged.index(b"Info" if b"Info" in tagged[:200] else b"Xing") + 8
    fewer = tagged[:at] + struct.pack(">I", 20) + tagged[at + 4 :]
    yield Odd("fewer frames named.mp3", fewer, word="beginning of the file only", slack=0.2)
    yield Odd("joined.mp3", tagged + tagged, 2 * SECONDS, "beginning of the file only", slack=0.4)
    two_rates = untagged_mp3("CONSTANT") + untagged_mp3("CONSTANT", 44_100)
    yield Odd("joined, of two rates.mp3", two_rates, SECONDS, "rate or channels change", slack=0.2)
    for name, data in (
        ("vorbis.ogg", written("OGG", "VORBIS")),
        ("opus.opus", written("OGG", "OPUS")),
        ("pcm.flac", written("FLAC")),
    ):
        yield Odd(f"joined {name}", data + data, 2 * SECONDS, "2 streams are joined in the file; all")
        yield Odd(f"three joined {name}", 3 * data, 3 * SECONDS, "3 streams are joined in the file; all")
    other = written("OGG", "VORBIS", rate=22_050)
    yield Odd("joined, of two rates.ogg", written("OGG", "VORBIS") + other, SECONDS, "only the first was read")


def telephones() -> Iterator[Odd]:
    """Yield the codecs of telephone speech."""
    for subtype in ("GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "ULAW", "ALAW"):
        yield Odd(f"{subtype.lower()}.wav", written("WAV", subtype, 8_000), slack=0.05)
    for container, subtype in (("AU", "G721_32"), ("AU", "G723_24"), ("AU", "ULAW"), ("AIFF", "GSM610")):
        yield Odd(f"{subtype.lower()}.{container.lower()}", written(container, subtype, 8_000), slack=0.05)
    yield Odd("sphere.sph", written("NIST", "PCM_16", 8_000))


def no_recordings() -> Iterator[Odd]:
    """Yield what stands in the place of a recording."""
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a2146" * 8 + b"\nsize 64044\n"
    yield Odd("pointer.wav", pointer, None, "git lfs pull")
    yield Odd("film.mp4", b"\0\0\0\x20ftypisom" + bytes(24), None, "")


def odd() -> list[Odd]:
    """Return all odd recordings."""
    return [*lengths(), *counts(), *telephones(), *no_recordings()]


if __name__ == "__main__":
    for recording in odd():
        (Path(sys.argv[1]) / recording.name).write_bytes(recording.data)
