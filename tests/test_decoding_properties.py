"""Properties of decoding over headers, lengths, rates, channels and sample formats, with Hypothesis."""

import io
import struct

import made_recordings
import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core._utils.recordings import printable
from ser_core.audio import headers, mpeg, streaming

QUIET = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=80
)
"""The same examples in every run, and nothing kept on the disk."""

LOSSLESS = [
    (container, subtype)
    for container in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "FLAC")
    for subtype in ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
    if soundfile.check_format(container, subtype)
]
STEPS = {"PCM_16": 2**-15, "PCM_24": 2**-23, "PCM_32": 2**-23, "FLOAT": 2**-24, "DOUBLE": 2**-24}
"""Largest error of a sample in each format, once it is float32."""


BEGINNINGS = [
    *(b"", b"RIFF\0\0\0\0WAVEfmt ", b"FORM\0\0\0\0AIFFCOMM", b"fLaC\0\0\0\x22", b"OggS\0\2", b"caff\0\1\0\0"),
    *(b".snd\0\0\0\x18", b"ID3\4\0\0", b"\xff\xfb\x90\0", b"RF64\xff\xff\xff\xffWAVEds64", b"NIST_1A\n"),
    *(headers._W64_RIFF, b"\0\0\0\x20ftypM4A ", b"\x1aE\xdf\xa3"),
]


def sound(count: int, channels: int) -> np.ndarray:
    values = np.random.default_rng(count * 31 + channels).uniform(-0.9, 0.9, (count, channels))
    values[0], values[-1] = 0.9, -0.9  # loud in every channel and in their mean
    return values


def encoded(samples: np.ndarray, rate: int, container: str, subtype: str) -> bytes:
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", rate, samples.shape[1], subtype, format=container) as opened:
        opened.write(samples)
    return file.getvalue()


@QUIET
@given(st.sampled_from(LOSSLESS), st.integers(1_000, 192_000), st.integers(1, 8), st.integers(0, 3_000))
def test_what_was_written_is_read(form, rate, channels, more):
    samples = sound(-(-rate // 10) + more, channels)
    decoded, found, _ = audio.decode(encoded(samples, rate, *form))
    assert found == rate and decoded.shape == samples.shape and decoded.dtype == np.float32
    assert np.abs(decoded - samples).max() <= STEPS[form[1]]


@QUIET
@given(st.sampled_from(["WAV", "W64", "AIFF", "AU", "CAF"]), st.integers(-4_000, 4_000), st.integers(1, 4))
@example("WAV", 44, 1)
@example("WAV", 1, 1)
@example("AIFF", -1, 3)
def test_a_wrong_length_is_read_to_the_end_or_refused_by_the_rule(container, error, channels):
    samples = sound(8_000, channels)
    data = encoded(samples, 16_000, container, "PCM_16")
    count = 2 * samples.size
    first = headers.find_samples(audio.sources.Content(data), len(data)).first
    data = data[: first + count]  # CAF and AIFF may have chunks behind
    changed = made_recordings.with_length(data, container, lambda n: n + error)
    if error > max(0.01 * (count + error), first):
        with pytest.raises(SerError, match="truncated"):
            audio.decode(changed)
        return
    decoded, _, container_facts = audio.decode(changed)
    assert len(decoded) == (7_999 if error == -1 else 8_000)  # one byte behind an odd length is its padding
    assert np.abs(decoded - samples[: len(decoded)]).max() <= STEPS["PCM_16"]
    assert bool(container_facts.get("notes")) == (error > 0 or error <= -2)


@QUIET
@given(st.one_of(st.integers(0, 2**36 - 1), st.integers(0, 70_000)))
@example(31_999)
@example(32_000)
@example(32_160)
@example(32_161)
@example(32_400)
def test_the_number_of_samples_of_a_flac_header_changes_nothing_that_is_heard(count):
    data, whole = made_recordings.flac_of_length(count), 32_000
    if count - whole > max(160, 0.01 * count):  # 10 ms, 1 %
        with pytest.raises(SerError, match="truncated"):
            audio.decode(data)
    else:
        samples, _, container = audio.decode(data)
        assert len(samples) == whole and bool(container.get("notes")) == (0 < count < whole or count > whole + 160)


@QUIET
@given(
    st.sampled_from(BEGINNINGS),
    st.binary(max_size=2_000),
)
def test_any_bytes_are_samples_or_one_line(start, rest):
    try:
        samples, rate, _ = audio.decode(start + rest, "any")
    except SerError as error:
        assert str(error).startswith("any: ") and len(str(error).splitlines()) == 1
    else:
        assert np.isfinite(samples).all() and len(samples) >= 0.1 * rate


@QUIET
@given(
    arrays.arrays(
        st.sampled_from([np.float32, np.float64, np.int16, np.uint8, np.int32, np.bool_, np.complex64]),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=200),
    ),
    st.one_of(st.integers(-10, 10**6), st.floats(), st.none(), st.text(max_size=3), st.booleans()),
)
def test_any_array_is_checked_or_one_line(samples, rate):
    try:
        checked, found = audio.check_samples(samples, rate, "any")
    except SerError as error:
        assert str(error).startswith("any: ") and len(str(error).splitlines()) == 1
    else:
        assert checked.dtype == np.float32 and checked.ndim == 2 and np.isfinite(checked).all() and found == rate


class Trickle(io.RawIOBase):
    """A pipe that gives as many bytes as it likes."""

    def __init__(self, data: bytes, sizes: list[int]):
        self.data, self.sizes, self.at, self.turn = data, sizes, 0, 0

    def read(self, count=-1):
        size = min(count, self.sizes[self.turn % len(self.sizes)])
        self.turn += 1
        part = self.data[self.at : self.at + size]
        self.at += len(part)
        return part


@QUIET
@given(st.lists(st.integers(1, 5_000), min_size=1, max_size=8), st.integers(1, 3), st.integers(0, 9_000))
def test_a_pipe_gives_the_same_however_it_trickles(sizes, channels, junk):
    samples = sound(4_000, channels)
    data = (
        encoded(samples, 16_000, "WAV", "PCM_16")
        + b"LIST"
        + struct.pack("<I", junk)
        + bytes(range(256)) * (junk // 256)
    )
    chunks = [chunk for chunk, _ in streaming.read_pipe(Trickle(data, sizes), 8_000, 1)]
    assert np.abs(np.concatenate(chunks) - samples).max() <= STEPS["PCM_16"]


@QUIET
@given(st.text(max_size=40), st.binary(max_size=20))
def test_a_name_is_printable_and_its_text_is_kept(text, raw):
    for name in (text, raw):
        shown = printable(name)
        assert shown.isprintable() and shown.encode() is not None
    assert not text.isprintable() or printable(text) == text


@QUIET
@given(st.binary(min_size=4, max_size=4))
def test_a_frame_of_mpeg_has_a_size_within_the_standard(head):
    size = mpeg.frame_size(head)
    assert size == 0 or 24 <= size <= 2_881
    assert head[0] == 0xFF or size == 0
