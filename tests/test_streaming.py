"""Standard input of `ser listen`: what is samples, and what is not."""

import io
import struct

import made_recordings
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import cli
from ser_core._utils.errors import SerError
from ser_core.audio import streaming

VOICE = made_recordings.voice()[:, 0]
PCM = (VOICE * 32_767).astype("<i2").tobytes()


def heard(data: bytes, rate=16_000, channels=1) -> np.ndarray:
    chunks = [samples for samples, _ in streaming.read_pipe(io.BytesIO(data), rate, channels)]
    return np.concatenate(chunks) if chunks else np.zeros((0, channels))


def wav(data: bytes, claimed: int | None = None, before: bytes = b"", after: bytes = b"") -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    claimed = len(data) if claimed is None else claimed
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + before + b"data" + struct.pack("<I", claimed) + data + after
    return b"RIFF" + struct.pack("<I", min(len(body), 2**32 - 1)) + body


LIST = b"LIST" + struct.pack("<I", 4_000) + b"INFO" + b"\x7f\x40" * 1_998


@pytest.mark.parametrize("after", [b"", LIST, wav(PCM), b"ID3" + bytes(500)])
@pytest.mark.parametrize("before", [b"", LIST])
def test_only_the_chunk_of_samples_is_played(before, after):
    assert np.allclose(heard(wav(PCM, before=before, after=after))[:, 0], VOICE, atol=1e-4)
    assert len(heard(wav(PCM, before=before, after=after))) == len(VOICE)


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_header_without_a_length_is_played_to_the_end(claimed):
    assert len(heard(wav(PCM, claimed=claimed))) == len(VOICE)


def test_an_empty_wav_with_a_chunk_behind_is_empty():
    assert len(heard(wav(b"", after=LIST))) == 0


def test_a_length_beyond_the_end_is_played_to_the_end():
    assert len(heard(wav(PCM, claimed=len(PCM) + 44))) == len(VOICE)


def test_rf64_names_its_length_in_another_place():
    assert np.allclose(heard(made_recordings.written("RF64") + LIST)[:, 0], VOICE, atol=1e-4)


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_raw_samples_are_played_whole(cut):
    assert np.allclose(heard(PCM[: 4_000 + cut], 16_000, 1)[:, 0], VOICE[: (4_000 + cut) // 2], atol=1e-4)
    assert heard(PCM[:4_000], 16_000, 2).shape == (1_000, 2)


def test_raw_samples_that_begin_like_mp3_are_played():
    data = bytes([0xFF, 0xFB, 0x90, 0]) + PCM
    assert len(heard(data)) == len(VOICE) + 2


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (made_recordings.written("FLAC"), "FLAC"),
        (made_recordings.written("OGG", "VORBIS"), "Ogg"),
        (made_recordings.written("OGG", "OPUS"), "Ogg"),
        (made_recordings.written("MP3"), "MP3"),
        (made_recordings.untagged_mp3("VARIABLE"), "MP3"),
        (b"ID3\4\0\0\0\0\1\0" + bytes(128) + made_recordings.written("MP3"), "MP3"),
        (made_recordings.written("AIFF"), "AIFF"),
        (made_recordings.written("AU"), "AU"),
        (made_recordings.written("CAF"), "CAF"),
        (made_recordings.written("W64"), "W64"),
        (made_recordings.written("NIST"), "NIST"),
        (b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(100), "m4a"),
        (b"\x1aE\xdf\xa3" + bytes(100), "webm"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "picture"),
        (b"<!DOCTYPE html><html>" + bytes(100), "web page"),
        (made_recordings.no_recordings().__next__().data, "LFS pointer"),
    ],
)
def test_the_known_beginning_of_anything_else_is_refused(data, word):
    with pytest.raises(SerError, match=word) as caught:
        heard(data)
    assert "\n" not in str(caught.value) and "ser predict -" in str(caught.value)


def listen(*options: str, data: bytes = PCM):
    return CliRunner().invoke(cli.main, ["listen", "-", *options], input=data)


@pytest.mark.parametrize(
    ("options", "data", "word"),
    [
        (("--rate", "0"), PCM, "0 Hz"),
        (("--rate", "-5"), PCM, "-5 Hz"),
        (("--hop", "nan"), PCM, "hop"),
        (("--seconds", "nan"), PCM, "--seconds"),
        (("--seconds", "0"), PCM, "--seconds"),
        ((), PCM[:8_000], "0.25 s of sound, too little for an answer"),
        ((), wav(b"", after=LIST), "0.00 s of sound, too little"),
        ((), b"\1", "0.00 s of sound, too little"),
    ],
)
def test_what_cannot_be_answered_is_one_line(options, data, word):
    shown = listen(*options, data=data)
    assert shown.exit_code == 1 and shown.stderr.count("\n") == 1 and word in shown.stderr and not shown.stdout


def test_enough_for_an_answer_is_answered():
    shown = listen(data=made_recordings.written("WAV", "FLOAT") + soundfile.__file__.encode())
    assert shown.exit_code == 0 and shown.stdout.count("\n") == 4
