"""16-bit WAV files that are read straight have the bits of libsndfile's conversion."""

import io

import numpy as np
import pytest
import soundfile

from ser_core import audio
from ser_core.audio import decoding, pcm, sources


def written(samples, **settings):
    file = io.BytesIO()
    soundfile.write(file, samples, 16_000, format="WAV", **settings)
    return file.getvalue()


@pytest.fixture
def values():
    random = np.random.default_rng(0)
    return random.integers(-(2**15), 2**15, (5_000, 3)).astype(np.int16)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_samples_have_the_bits_of_the_decoder(values, channels, kind):
    file = io.BytesIO()
    soundfile.write(file, values[:, :channels], 16_000, format=kind, subtype="PCM_16")
    expected = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32", always_2d=True)[0]
    samples, _, container = audio.decode(file.getvalue())
    assert samples.tobytes() == expected.tobytes() and samples.shape == expected.shape
    assert container["subtype"] == "PCM_16"
    file, size = sources.open_source(file.getvalue(), "a")
    with soundfile.SoundFile(file) as opened:
        read = pcm.straight_reader(opened, file, size)
        assert read(10, 20).tobytes() == expected[10:30].tobytes()
        assert len(read(4_990, 20)) == 10 and len(read(6_000, 20)) == 0


def test_chunks_before_and_after_the_samples_are_no_samples(values):
    plain = written(values[:, :1], subtype="PCM_16")
    note = b"LIST" + (12).to_bytes(4, "little") + b"INFOISFT\0\0\0\0"
    content = bytearray(plain[:36] + note + plain[36:] + note)
    content[4:8] = (len(content) - 8).to_bytes(4, "little")
    assert audio.decode(bytes(content))[0].tobytes() == audio.decode(plain)[0].tobytes()


@pytest.mark.parametrize("settings", [{"subtype": "PCM_24"}, {"subtype": "FLOAT"}, {"endian": "BIG"}])
def test_other_files_are_left_to_the_decoder(values, settings):
    content = written(values[:, :1], **settings)
    file, size = sources.open_source(content, "a")
    with soundfile.SoundFile(file) as opened:
        assert pcm.straight_reader(opened, file, size) is None
    expected = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)[0]
    assert audio.decode(content)[0].tobytes() == expected.tobytes()


def test_a_recording_that_is_read_straight_has_no_decoder_at_work(values, monkeypatch):
    monkeypatch.setattr(decoding._forward_class(), "read", lambda *_, **__: pytest.fail("decoded"))
    assert len(audio.decode(written(values[:, :1], subtype="PCM_16"))[0]) == 5_000


def test_the_shortest_header_needs_no_decoder(values, monkeypatch):
    content = written(values[:, :2], subtype="PCM_16")
    expected = audio.decode(content)
    monkeypatch.setattr(decoding, "_forward_class", lambda: pytest.fail("opened"))
    samples, rate, container = audio.decode(content)
    assert samples.tobytes() == expected[0].tobytes() and (rate, container) == expected[1:]
    assert samples.shape == (5_000, 2) and rate == 16_000 and container == {"format": "WAV", "subtype": "PCM_16"}
    blocks = [block for block, _ in audio.decode_blocks(content)]
    assert np.concatenate(blocks).tobytes() == samples.tobytes()


def test_what_is_unusual_in_a_header_is_left_to_the_decoder(values):
    content = written(values[:, :1], subtype="PCM_16")
    file, size = sources.open_source(content, "a")
    plain = pcm.plain_sound(file, size)
    assert (plain.rate, plain.channels, plain.promised) == (16_000, 1, 5_000)
    for at, changed in ((4, b"\0"), (20, b"\3"), (22, b"\0"), (22, b"\2"), (24, b"\1"), (32, b"\4"), (34, b"\x18"),
                        (40, b"\1"), (36, b"LIST")):  # fmt: skip
        other = content[:at] + changed + content[at + len(changed) :]
        file, size = sources.open_source(other, "a")
        assert pcm.plain_sound(file, size) is None, at
    file, size = sources.open_source(content[:30], "a")
    assert pcm.plain_sound(file, size) is None


@pytest.mark.parametrize("rate", [16_000, 48_000, 44_100])
def test_a_recording_has_the_samples_of_its_decoded_integers(values, rate):
    file = io.BytesIO()
    soundfile.write(file, values[:, 0], rate, format="WAV", subtype="PCM_16")
    expected = audio.preprocess(values[:, :1].astype(np.float32) / np.float32(2**15), rate)
    first = audio.read(file.getvalue())
    assert first.tobytes() == expected.tobytes()
    audio.read(written(values[::-1, 0], subtype="PCM_16"))
    assert first.tobytes() == expected.tobytes()  # it is not in an array that is used again
