"""Decoding to the end: lengths that headers and decoders name, joined streams, telephone codecs, memory, containers."""

import contextlib
import io
import os
import struct
import subprocess
import sys

import made_recordings
import numpy as np
import pytest
import soundfile

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core._utils.segments import Segment
from ser_core.audio import io as reading
from ser_core.audio import mono, mpeg, sources, streaming

ODD = made_recordings.odd()
LOSSLESS = ("wav", "w64", "aiff", "au", "caf", "rf64", "flac")


@pytest.mark.parametrize("odd", ODD, ids=[odd.name for odd in ODD])
def test_every_odd_recording_has_its_true_length_or_a_refusal(odd, tmp_path):
    (tmp_path / odd.name).write_bytes(odd.data)
    if odd.seconds is None:
        with pytest.raises(SerError) as caught:
            audio.decode(tmp_path / odd.name)
        message = str(caught.value)
        assert message.startswith(f"{tmp_path / odd.name}: ") and odd.word in message and "\n" not in message
        return
    samples, rate, container = audio.decode(tmp_path / odd.name)
    assert len(samples) / rate == pytest.approx(odd.seconds, abs=odd.slack + 1e-9)
    notes = container.get("notes", [])
    assert any(odd.word in note for note in notes) if odd.word else not notes
    assert np.abs(samples).max() < 1.1 and np.ptp(samples[-rate // 10 :]) > 0.05  # sound to the end


@pytest.mark.parametrize("odd", [odd for odd in ODD if odd.seconds and odd.name.endswith(LOSSLESS) and not odd.slack])
def test_a_lossless_recording_has_the_samples_that_were_written(odd):
    samples, rate, _ = audio.decode(odd.data)
    truth = np.tile(made_recordings.voice(rate)[:, 0], round(odd.seconds / made_recordings.SECONDS))
    assert np.abs(samples[:, 0] - truth).max() < 1e-4


def test_the_samples_do_not_depend_on_how_they_are_read(monkeypatch):
    for data in (
        made_recordings.written("WAV", channels=3),
        made_recordings.written("FLAC", rate=44_100, channels=2),
        made_recordings.written("OGG", "VORBIS"),
        made_recordings.untagged_mp3("VARIABLE"),
    ):
        whole, rate, _ = audio.decode(data)
        at_once = audio.read(data)
        with monkeypatch.context() as patch:
            patch.setattr(reading, "AT_ONCE", 1_000)
            blocks = [block for block, _ in audio.decode_blocks(data)]
            assert np.array_equal(np.concatenate(blocks), whole) and np.array_equal(audio.decode(data)[0], whole)
            assert np.array_equal(audio.read(data), at_once)
            patch.setattr(mono, "KEPT", 0.5)
            heard = audio.hear(data)
            assert isinstance(heard.samples, audio.LongSignal) and heard.seconds == len(whole) / rate
            assert np.array_equal(audio.read(data), at_once) and len(heard.samples) == len(at_once)
            for start in (0, 100, 9_000, 20_000, 50):  # forwards, and back to the beginning
                assert np.array_equal(heard.samples[start : start + 8_000], at_once[start : start + 8_000])


def test_segments_of_what_names_no_length_are_those_of_the_whole(tmp_path):
    for name, data in (
        ("a.flac", made_recordings.flac_of_length(0)),
        ("b.mp3", made_recordings.untagged_mp3("VARIABLE")),
    ):
        (tmp_path / name).write_bytes(data)
        whole, rate, _ = audio.decode(tmp_path / name)
        part, _, _ = audio.decode(Segment(str(tmp_path / name), 0.5, 1.25))
        assert np.array_equal(part, whole[rate // 2 : rate * 5 // 4])
        with pytest.raises(SerError, match="after its recording"):
            audio.decode(Segment(str(tmp_path / name), 0.5, 9.0))


def test_a_large_file_is_read_in_pieces_with_its_header_corrected(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "IN_MEMORY", 1_000)
    for odd in ODD:
        (tmp_path / odd.name).write_bytes(odd.data)
        if odd.seconds is None:
            with pytest.raises(SerError):
                audio.decode(tmp_path / odd.name)
        else:
            assert np.array_equal(audio.decode(tmp_path / odd.name)[0], audio.decode(odd.data)[0])


@pytest.mark.parametrize("share", [0.5, 0.9, 0.98, 0.995, 0.9999])
def test_one_percent_of_what_a_header_promises_may_be_missing(share):
    data = made_recordings.written("WAV")
    data = data[: 44 + int(share * (len(data) - 44))]
    if share < 0.99:
        with pytest.raises(SerError, match="truncated"):
            audio.decode(data)
    else:
        samples, rate, container = audio.decode(data)
        assert len(samples) == (len(data) - 44) // 2 and "header names" in container["notes"][0]


@pytest.mark.parametrize("fork", ["._", ".AppleDouble"])
def test_a_resource_fork_in_the_current_folder_changes_nothing(fork, tmp_path, monkeypatch):
    tagged, untagged = made_recordings.written("MP3"), made_recordings.untagged_mp3("VARIABLE")
    wanted = [audio.decode(data)[0] for data in (tagged, untagged)]
    (tmp_path / "._").touch() if fork == "._" else (tmp_path / fork).mkdir()
    monkeypatch.chdir(tmp_path)
    for data, samples in zip((tagged, untagged), wanted, strict=True):
        assert np.array_equal(audio.decode(data)[0], samples)
    with pytest.raises(SerError, match="not audio"):
        audio.decode(b"<html></html>" * 100)


def test_frame_sizes_are_those_of_the_standard():
    # ISO 11172-3, 2.4.3.1: 144 x bit rate / sampling rate (+ 1), layer I 4 x (12 x bit rate / sampling rate + padding)
    assert mpeg.frame_size(bytes([0xFF, 0xFB, 0x90, 0])) == 144 * 128_000 // 44_100 == 417
    assert mpeg.frame_size(bytes([0xFF, 0xFB, 0x92, 0])) == 418
    assert mpeg.frame_size(bytes([0xFF, 0xF3, 0x88, 0])) == 72 * 64_000 // 16_000
    assert mpeg.frame_size(bytes([0xFF, 0xFF, 0x14, 0])) == 4 * (12 * 32_000 // 48_000)
    data, at, frames = made_recordings.written("MP3"), 0, 0
    while size := mpeg.frame_size(data[at : at + 4]):
        at, frames = at + size, frames + 1
    assert at == len(data) and frames > 50  # every frame is followed by the next


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs Linux's count of memory")
def test_an_hour_of_eight_channels_takes_little_memory(tmp_path):
    """A small file that holds an hour: blocks of silence, and a click now and then."""
    block = np.zeros((120_000, 8), dtype=np.int16)
    with soundfile.SoundFile(tmp_path / "hour.flac", "w", 2_000, 8, subtype="PCM_16") as file:
        for _ in range(59):
            block[0] = 9_000
            file.write(block)
    code = (
        "import re, sys; from pathlib import Path; from ser_core import audio; audio.read(sys.argv[1], rate=2000);"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', Path('/proc/self/status').read_text())[1]) / 1024)"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "hour.flac")], capture_output=True, text=True, check=True
    )
    assert float(shown.stdout) < 170  # MB; the samples of eight channels alone are 227 MB


def test_names_that_are_no_text_are_one_line(tmp_path):
    for name in (b"Gr\xfc\xdfe.wav", "line\u2028separator.wav".encode(), b"esc\x1b[31m.wav", b"tab\tnew\nline.wav"):
        path = os.path.join(os.fsencode(tmp_path), name)
        with open(path, "wb") as file:
            file.write(b"no sound")
        for source in (os.fsdecode(path), path):
            with pytest.raises(SerError) as caught:
                audio.decode(source if isinstance(source, str) else os.fsdecode(source))
            assert len(str(caught.value).splitlines()) == 1 and str(caught.value).isprintable()
            str(caught.value).encode()
    for source in ("nul\0.wav", "\ud800.wav", "x" * 5_000):
        with pytest.raises(SerError) as caught:
            audio.decode(source)
        assert str(caught.value).isprintable()


def test_an_unreadable_disk_is_one_line_and_no_noise(monkeypatch, tmp_path, capfd):
    (tmp_path / "a.wav").write_bytes(made_recordings.written())
    monkeypatch.setattr(sources, "IN_MEMORY", 10)

    class Broken(io.FileIO):
        def readinto(self, buffer):
            if self.tell() > 20_000:
                raise OSError(5, "Input/output error")
            return super().readinto(buffer)

    monkeypatch.setattr(sources, "_open_file", lambda source, name: (Broken(source), os.path.getsize(source)))
    with pytest.raises(SerError, match="Input/output error; check the disk|Input/output error\\)"):
        audio.decode(tmp_path / "a.wav")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("samples", "rate", "word"),
    [
        (np.zeros((100, 0)), 16_000, "0 channels"),
        (np.zeros((2, 16_000)), 16_000, r"\[samples, channels\]"),
        ([[1.0, 2.0], [1.0]], 16_000, "must be numbers"),
        (np.ma.masked_array(np.ones(16_000), np.arange(16_000) < 5), 16_000, "masked"),
        (np.ones(16_000, bool), 16_000, "must be numbers"),
        (np.ones(16_000, complex), 16_000, "must be numbers"),
        (np.array([None] * 16_000), 16_000, "must be numbers"),
        (np.full(16_000, 1e300), 16_000, "infinite"),
        (np.float32(0.5), 16_000, "must be numbers"),
        (np.ones(16_000), 0, "0 Hz"),
        (np.ones(16_000), -16_000, "-16000 Hz"),
        (np.ones(16_000), float("nan"), "whole number"),
        (np.ones(16_000), float("inf"), "whole number"),
        (np.ones(16_000), 16_000.5, "whole number"),
        (np.ones(16_000), "16000", "whole number"),
        (np.ones(16_000), None, "whole number"),
    ],
)
def test_odd_arrays_and_rates_are_one_line(samples, rate, word):
    with pytest.raises(SerError, match=word) as caught:
        audio.check_samples(samples, rate)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.m4a", "a.webm", "a.mp4", "a.mka", "a.aac"])
def test_containers_are_decoded_with_pyav(name, tmp_path):
    av = pytest.importorskip("av")
    voice = made_recordings.voice(48_000, channels=2).astype(np.float32)
    codec, form = ("libopus", "flt") if name.endswith(("webm", "mka")) else ("aac", "fltp")
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="stereo")
        layout = voice.T if form == "fltp" else voice.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(layout), format=form, layout="stereo")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(stream.codec_context.format, "stereo", 48_000, stream.codec_context.frame_size)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    samples, rate, _ = audio.decode(tmp_path / name)
    assert rate == 48_000 and samples.shape[1] == 2
    assert len(samples) / rate == pytest.approx(made_recordings.SECONDS, abs=0.06)
    both = [np.abs(np.fft.rfft(part[:90_000, 0])) for part in (samples, voice)]
    assert np.corrcoef(*both)[0, 1] > 0.99
    with pytest.raises(SerError):
        audio.decode((tmp_path / name).read_bytes()[:200])


def test_without_pyav_a_container_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(SerError, match=r"pip install '.\[containers\]'"):
        audio.decode(b"\x00\x00\x00\x20ftypM4A " + bytes(100), "a.m4a")
    with pytest.raises(SerError, match="not audio"):
        audio.decode(b"Once upon a time" * 20, "a.wav")


def test_a_playlist_opens_no_other_file(tmp_path):
    (tmp_path / "secret.wav").write_bytes(made_recordings.written())
    (tmp_path / "list.wav").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{tmp_path}/secret.wav\n")
    (tmp_path / "concat.wav").write_text(f"ffconcat version 1.0\nfile {tmp_path}/secret.wav\n")
    for name in ("list.wav", "concat.wav"):
        with pytest.raises(SerError, match="not audio"):
            audio.decode(tmp_path / name)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list open files")
def test_flac_files_leave_no_file_open():
    """libsndfile reads them from files in memory, which it closes, also where it cannot open them."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.random.default_rng(0).normal(0, 0.1, 4_000), 16_000, format="FLAC")
    before = set(os.listdir("/proc/self/fd"))
    for content in (buffer.getvalue(), buffer.getvalue()[:60], buffer.getvalue()[:30] + bytes(200)):
        for _ in range(5):
            with contextlib.suppress(SerError):
                audio.decode(content)
    assert len(os.listdir("/proc/self/fd")) <= len(before)


@pytest.mark.parametrize("valid", [24, 32])
def test_24_valid_bits_in_32_are_integers_from_a_file_and_from_a_pipe(valid):
    """FFmpeg takes such a file for floats (findings/ffmpeg_24_bits_in_32.sh), so libsndfile comes first."""
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16_000) / 16_000)
    samples = (tone * (2**23 - 1)).astype("<i4") << 8
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    head = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16_000, 64_000, 4, 32, 22, valid, 4) + pcm
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", samples.nbytes)
    content = b"RIFF" + struct.pack("<I", len(body) + samples.nbytes) + body + samples.tobytes()
    assert np.abs(audio.decode(content)[0][:, 0] - tone).max() < 1e-6
    piped = np.concatenate([chunk for chunk, _ in streaming.read_pipe(io.BytesIO(content), 16_000, 1)])
    assert np.abs(piped[:, 0] - tone).max() < 1e-6
