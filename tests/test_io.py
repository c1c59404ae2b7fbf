"""Reading recordings: which are accepted, and which are refused in one line."""

import numpy as np
import pytest
import soundfile

from ser_core import audio, corpora
from ser_core._utils.errors import SerError


def tone(rate=16_000, seconds=0.5, hertz=440.0, level=0.5):
    return level * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_414, 44_100, 48_000, 96_000, 768_000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_any_rate_and_channels_become_mono_at_16_khz(tmp_path, rate, channels):
    path = tmp_path / "Ton mit Lücke.wav"
    soundfile.write(path, np.column_stack([tone(rate)] * channels), rate)
    samples = audio.read(path)
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert abs(len(samples) - 8_000) <= 1
    assert np.abs(samples).max() == pytest.approx(1.0)
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert np.argmax(spectrum) * 16_000 / len(samples) == pytest.approx(440, abs=2)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_sample_format_gives_the_same_signal(tmp_path, subtype):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000, subtype=subtype)
    tolerance = 0.02 if subtype == "PCM_U8" else 1e-4
    assert np.allclose(audio.read(tmp_path / "a.wav", normalise=False), tone(), atol=tolerance)


@pytest.mark.parametrize("container", ["FLAC", "OGG", "AIFF", "MP3"])
def test_the_format_is_recognised_by_content_not_by_suffix(tmp_path, container):
    soundfile.write(tmp_path / "a.x", tone(), 16_000, format=container)
    (tmp_path / "a.x").rename(tmp_path / "a.wav")
    assert abs(len(audio.read(tmp_path / "a.wav")) - 8_000) < 2_500  # mp3 pads


def test_bytes_and_path_give_the_same_samples(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(), 16_000)
    assert np.array_equal(audio.read((tmp_path / "a.wav").read_bytes()), audio.read(tmp_path / "a.wav"))


def bad_files(folder):
    """Yield a file and a word of its message for each kind of unusable recording."""
    good = folder / "good.wav"
    soundfile.write(good, tone(48_000, 2.0), 48_000)
    data = good.read_bytes()
    flac = folder / "good.flac"
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000)
    soundfile.write(flac, noise, 16_000)
    damaged = bytearray(flac.read_bytes())
    damaged[len(damaged) // 2 : len(damaged) // 2 + 300] = bytes(300)
    contents = {
        "empty.wav": (b"", "empty"),
        "text.wav": (b"Once upon a time there was a text.\n" * 20, "not audio"),
        "header.wav": (data[:30], "not audio"),
        "cut.wav": (data[:100_000], "truncated"),
        "cut.flac": (flac.read_bytes()[:20_000], "damaged"),
        "damaged.flac": (bytes(damaged), "damaged"),
        "archive.wav": (b"PK\x03\x04" + bytes(500), "not audio"),
    }
    for name, (content, word) in contents.items():
        (folder / name).write_bytes(content)
        yield folder / name, word
    signals = {
        "nan.wav": (np.full(16_000, np.nan), 16_000, "NaN"),
        "infinite.wav": (np.r_[tone(), np.inf], 16_000, "infinite"),
        "silent.wav": (np.zeros(16_000), 16_000, "silent"),
        "offset.wav": (np.full(16_000, 0.5), 16_000, "silent"),
        "short.wav": (tone(seconds=0.09), 16_000, "0.1 s"),
        "none.wav": (np.zeros(0), 16_000, "0.1 s"),
        "slow.wav": (tone(), 1, "1 Hz"),
        "long.wav": (np.zeros(1_001 * 3_600), 1_000, "3600 s"),
    }
    for name, (samples, rate, word) in signals.items():
        soundfile.write(folder / name, samples, rate, subtype="FLOAT")
        yield folder / name, word
    (folder / "folder.wav").mkdir()
    yield folder / "folder.wav", "folder"
    yield folder / "nowhere.wav", "no such file"


def test_an_unusable_recording_is_one_line_that_names_the_file(tmp_path):
    kinds = 0
    for path, word in bad_files(tmp_path):
        with pytest.raises(SerError) as caught:
            audio.read(path)
        message = str(caught.value)
        assert message.startswith(str(path)) and word in message and "\n" not in message, message
        kinds += 1
    assert kinds == 17


def test_the_shortest_accepted_recording_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(seconds=0.1), 16_000)
    assert len(audio.read(tmp_path / "a.wav")) == 1_600


def test_every_unusual_published_recording_is_read(real_data):
    native = sorted((real_data / "native").rglob("*.wav"))
    assert len(native) >= 18
    for path in native:
        samples = audio.read(path)
        assert np.isfinite(samples).all() and 1.0 < len(samples) / 16_000 < 6.0


def test_the_demo_corpus_is_read():
    for path in corpora.load("demo_tess")["path"].iloc[::40]:
        assert len(audio.read(path)) > 8_000
