"""Unusable recordings, one of each kind, and unusual but valid ones: for the reader, the command and the page.

``refused(folder)`` yields the unusable ones, each with a word of its error; ``accepted()`` returns the valid ones.
"""

import gzip
import io
import os
import socket
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile


def tone(rate=16_000, seconds=0.5, hertz=440.0, level=0.5):
    """Return a sine: float64 [seconds x rate]."""
    return level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


def noise(count, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, count)


def wav_bytes(samples, rate=16_000, **settings) -> bytes:
    """Return the bytes of an audio file; WAV unless ``format`` is given."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format=settings.pop("format", "WAV"), **settings)
    return buffer.getvalue()


def wav_header(*, code=1, channels=1, rate=16_000, bits=16, data=b"", claimed=None) -> bytes:
    """Return a WAV file with an arbitrary header."""
    align = channels * bits // 8
    form = struct.pack("<HHIIHH", code, channels, rate, (rate * align) % 2**32, align, bits)
    claimed = len(data) if claimed is None else claimed
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", claimed) + data
    return b"RIFF" + struct.pack("<I", min(len(body), 2**32 - 1)) + body


def contents() -> dict[str, tuple[bytes, str]]:
    """Return recordings that are refused for their content: name to (bytes, word of the message)."""
    data = wav_bytes(tone(48_000, 2.0), 48_000)
    flac = wav_bytes(noise(32_000), format="FLAC")
    holed = bytearray(flac)
    holed[len(flac) // 2 : len(flac) // 2 + 300] = bytes(300)
    ogg, aiff = wav_bytes(noise(64_000), format="OGG"), wav_bytes(noise(32_000), format="AIFF")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("voice.wav", data)
    array = io.BytesIO()
    np.save(array, tone())
    random = np.random.default_rng(1).bytes(50_000)
    samples = (tone() * 32767).astype("<i2").tobytes()
    as_float = {"subtype": "FLOAT"}
    return {
        "empty.wav": (b"", "empty"),
        "one_byte.wav": (b"R", "not audio"),
        "text.wav": (b"Once upon a time there was a text.\n" * 20, "not audio"),
        "umlauts.wav": ("Es war einmal ein Text in Köln.\n".encode("utf-16") * 20, "not audio"),
        "page.wav": (b"<!DOCTYPE html><html><body>404 Not Found</body></html>" * 9, "not audio"),
        "list.wav": (b'[{"file": "a.wav"}]' * 30, "not audio"),
        "archive.wav": (archive.getvalue(), "not audio"),
        "packed.wav": (gzip.compress(data), "not audio"),
        "picture.wav": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + random[:5_000], "not audio"),
        "photo.wav": (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(5_000), "not audio"),
        "paper.wav": (b"%PDF-1.7\n" + random[:5_000], "not audio"),
        "program.wav": (b"\x7fELF\x02\x01\x01" + random[:5_000], "not audio"),
        "array.wav": (array.getvalue(), "not audio"),
        "film.m4a": (b"\x00\x00\x00\x20ftypM4A \x00\x00\x00\x00M4A mp42isom" + random[:5_000], "not audio"),
        "film.webm": (b"\x1aE\xdf\xa3\x01\x00\x00\x00\x00\x00\x00\x1fB\x86\x81\x01webm" + random[:5_000], "not audio"),
        "notes.wav": (b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk" + bytes(500), "not audio"),
        "random.wav": (b"\x00" + random, "not audio"),
        "zeros.wav": (bytes(50_000), "not audio"),
        "header.wav": (data[:30], "not audio"),
        "no_samples.wav": (data[:44], "truncated"),
        "cut.wav": (data[:100_000], "truncated"),
        "cut.aiff": (aiff[:20_000], "truncated"),
        "cut.flac": (flac[:20_000], "damaged"),
        "cut.ogg": (ogg[: len(ogg) // 20], ""),
        "holed.flac": (bytes(holed), "damaged"),
        "codec.wav": (wav_header(code=0x0161, data=samples), ""),  # with PyAV: damaged
        "no_channel.wav": (wav_header(channels=0, data=samples), "not audio"),
        "rate_0.wav": (wav_header(rate=0, data=samples), ""),
        "rate_1.wav": (wav_bytes(tone(), 1), "1 Hz"),
        "rate_999.wav": (wav_bytes(tone(), 999), "999 Hz"),
        "rate_2000000.wav": (wav_header(rate=2_000_000, data=samples * 100), "2000000 Hz"),
        "nan.wav": (wav_bytes(np.full(16_000, np.nan), **as_float), "NaN"),
        "one_nan.wav": (wav_bytes(np.r_[tone(), np.nan, tone()], **as_float), "NaN"),
        "infinite.wav": (wav_bytes(np.r_[tone(), np.inf], **as_float), "infinite"),
        "enormous.wav": (wav_bytes(tone() * 1e37, **as_float), "full scale"),
        "silent.wav": (wav_bytes(np.zeros(16_000)), "silent"),
        "offset.wav": (wav_bytes(np.full(16_000, 0.5)), "silent"),
        "whisper.wav": (wav_bytes(tone(level=1e-6), **as_float), "silent"),
        "cancelling.wav": (wav_bytes(np.column_stack([tone(), -tone()]), **as_float), "silent"),
        "short.wav": (wav_bytes(tone(seconds=0.05)), "0.1 s"),
        "click.wav": (wav_bytes(tone(seconds=0.001)), "0.1 s"),
        "none.wav": (wav_bytes(np.zeros(0)), "0.1 s"),
        "none.flac": (wav_bytes(np.zeros(0), format="FLAC"), ""),
        "long.wav": (wav_bytes(np.zeros(1_001 * 3_600), 1_000, subtype="PCM_U8"), "3600 s"),
        "tag_only.mp3": (b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(3_000), "not audio"),
    }


def refused(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield (path, word of the message) of each unusable kind; the message always starts with the path."""
    for name, (content, word) in contents().items():
        (folder / name).write_bytes(content)
        yield folder / name, word
    (folder / "folder.wav").mkdir()
    yield folder / "folder.wav", "folder"
    yield folder / "nowhere.wav", "no such file"
    yield folder / "nowhere" / "voice.wav", "no such file"
    yield folder / "text.wav" / "voice.wav", ""
    yield folder / ("n" * 300 + ".wav"), "cannot be opened"
    yield Path("/dev/null"), "not a regular file"
    yield Path("/dev/zero"), "not a regular file"
    os.mkfifo(folder / "pipe.wav")
    yield folder / "pipe.wav", "not a regular file"
    with socket.socket(socket.AF_UNIX) as plug:
        here = os.getcwd()
        os.chdir(folder)  # a socket's path must be short
        try:
            plug.bind("socket.wav")
        finally:
            os.chdir(here)
        yield folder / "socket.wav", "not a regular file"
    (folder / "broken_link.wav").symlink_to(folder / "gone.wav")
    yield folder / "broken_link.wav", "no such file"
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    yield folder / "loop.wav", "cannot be opened"
    if os.geteuid() != 0:
        (folder / "locked.wav").write_bytes(wav_bytes(tone()))
        (folder / "locked.wav").chmod(0)
        yield folder / "locked.wav", "permissions"


def accepted() -> dict[str, bytes]:
    """Return unusual recordings that must work: name to bytes."""
    voice = tone(seconds=0.5) + noise(8_000)
    eight = np.column_stack([voice * (k + 1) / 8 for k in range(8)])
    wav = wav_bytes(voice)
    pcm = (voice.clip(-1, 1) * 32767).astype("<i2").tobytes()
    return {
        "Grüße aus Köln, ein Satz.wav": wav,
        "感情 🙂.wav": wav,
        'it\'s "quoted" & $(odd); 100%.wav': wav,
        "new\nline.wav": wav,
        "LOUD.WAV": wav,
        "eight channels.wav": wav_bytes(eight),
        "8 kHz.wav": wav_bytes(voice, 8_000),
        "96 kHz.wav": wav_bytes(np.tile(voice, 6), 96_000),
        "768 kHz.wav": wav_bytes(np.tile(voice, 20), 768_000),
        "11 kHz.wav": wav_bytes(voice, 11_026),
        "24 bit.wav": wav_bytes(voice, subtype="PCM_24"),
        "32 bit.wav": wav_bytes(voice, subtype="PCM_32"),
        "8 bit.wav": wav_bytes(voice, subtype="PCM_U8"),
        "float.wav": wav_bytes(voice, subtype="FLOAT"),
        "double.wav": wav_bytes(voice, subtype="DOUBLE"),
        "float beyond full scale.wav": wav_bytes(voice * 30_000, subtype="FLOAT"),
        "mu-law.wav": wav_bytes(voice, subtype="ULAW"),
        "a-law.wav": wav_bytes(voice, subtype="ALAW"),
        "adpcm.wav": wav_bytes(voice, subtype="IMA_ADPCM"),
        "voice.flac": wav_bytes(voice, format="FLAC"),
        "voice.ogg": wav_bytes(voice, format="OGG"),
        "opus.ogg": wav_bytes(voice, format="OGG", subtype="OPUS"),
        "voice.mp3": wav_bytes(voice, format="MP3"),
        "voice.aiff": wav_bytes(voice, format="AIFF"),
        "voice.caf": wav_bytes(voice, format="CAF"),
        "voice.au": wav_bytes(voice, format="AU"),
        "large.rf64": wav_bytes(voice, format="RF64"),
        "flac in a.wav": wav_bytes(voice, format="FLAC"),
        "wav in an.mp3": wav,
        "no suffix": wav,
        "piped, of unknown length.wav": wav_header(data=pcm, claimed=0xFFFFFFFF),
        "trailing.wav": wav + b"LIST\x04\x00\x00\x00INFO" + b"trailing bytes",
        "a tenth of a second.wav": wav_bytes(voice[:1_600]),
        "clipped.wav": wav_bytes(np.sign(voice)),
        "mostly silent.wav": wav_bytes(np.r_[np.zeros(64_000), voice, np.zeros(64_000)]),
    }
