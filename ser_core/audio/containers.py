"""Decode what libsndfile does not read with PyAV (FFmpeg), where the extra ``containers`` is installed.

m4a, aac, webm, mka, amr, wma, and the sound of video files; also WAV and Ogg with a codec that libsndfile lacks. Only
containers on a fixed list are opened: FFmpeg also follows playlists, which name other files and addresses.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ser_core._utils.errors import SerError
from ser_core.audio.sound import Sound, limit
from ser_core.audio.sources import Source

FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,asf,avi,flv,aac,amr,ogg,wav,w64,mpegts,mpeg,caf,aiff,au,mp3,flac,ac3"
"""Containers of FFmpeg that are opened."""
_STARTS = (
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (4, b"ftyp"),  # MP4, M4A, 3GP, QuickTime
    (4, b"moov"),
    (4, b"mdat"),
    (0, b"#!AMR"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),  # WMA
    (8, b"AVI "),
    (0, b"FLV\x01"),
    (0, b"\x00\x00\x01\xba"),  # MPEG
    (0, b"\x0b\x77"),  # AC-3
    (0, b"\xff\xf1"),  # AAC
    (0, b"\xff\xf9"),
)
"""Offsets and beginnings of containers that need PyAV."""


def needs_pyav(start: bytes) -> bool:
    """Return whether a file that begins so is of a container that PyAV reads and libsndfile does not.

    Examples
    --------
    >>> needs_pyav(b"\\x00\\x00\\x00\\x20ftypM4A "), needs_pyav(b"Once upon a time")
    (True, False)
    """
    return any(start[at : at + len(mark)] == mark for at, mark in _STARTS)


def open_container(file: Source, name: str, stack: contextlib.ExitStack) -> Sound:
    """Open the first sound of a container with PyAV.

    Parameters
    ----------
    file : Content or LargeFile
        from :func:`ser_core.audio.sources.open_source`
    name : str
        name of the recording in messages
    stack : ExitStack
        closes the container

    Raises
    ------
    SerError
        for what is no audio, and where PyAV is needed and missing
    """
    file.seek(0)
    known = needs_pyav(file.read(32))
    unusable = SerError(f"{name}: not audio that can be read; give wav, flac, ogg, mp3 or aiff")
    try:
        import av
    except ImportError:
        if known:
            raise SerError(
                f"{name}: needs PyAV to be read; pip install '.[containers]', or convert it to wav"
            ) from None
        raise unusable from None
    av.logging.set_level(None)
    file.seek(0)
    try:
        opened = stack.enter_context(av.open(file, mode="r", options={"format_whitelist": FORMATS}))
        stream: Any = next(iter(opened.streams.audio), None)
    except (av.FFmpegError, ValueError, OSError):
        raise unusable from None
    if stream is None:
        raise SerError(f"{name}: holds no sound that can be read; give a recording")
    codec = stream.codec_context
    if codec is None or codec.sample_rate <= 0 or codec.layout.nb_channels <= 0:
        raise unusable
    notes: list[str] = []
    if len(opened.streams.audio) > 1:
        notes.append(f"{len(opened.streams.audio)} sound tracks; only the first was read")

    def blocks(first: int, count: int | None) -> Iterator[np.ndarray]:
        return limit(_blocks_of(opened, stream, name, notes), first, count)

    container = opened.format.name.split(",")[0].upper()
    return Sound(codec.sample_rate, codec.layout.nb_channels, container, codec.name.upper(), None, blocks, notes=notes)


def _blocks_of(opened: Any, stream: Any, name: str, notes: list[str]) -> Iterator[np.ndarray]:
    """Yield the frames of a stream as float32 [samples, channels]."""
    import av

    rate, channels = stream.codec_context.sample_rate, stream.codec_context.layout.nb_channels
    heard = 0
    try:
        for frame in opened.decode(stream):
            if (frame.sample_rate, frame.layout.nb_channels) != (rate, channels):
                notes.append(f"rate or channels change after {heard / rate:.1f} s; only the beginning was read")
                return
            samples = _as_float(frame.to_ndarray(), frame.format.is_planar, channels)
            heard += len(samples)
            yield samples
    except (av.FFmpegError, OSError, ValueError):  # ValueError: samples of a kind that NumPy does not get
        raise SerError(f"{name}: damaged audio data, cannot be decoded; copy it again") from None


def _as_float(values: np.ndarray, planar: bool, channels: int) -> np.ndarray:
    """Convert the values of a frame to float32 [samples, channels] with full scale 1."""
    samples = values.T if planar else values.reshape(-1, channels)
    if samples.dtype.kind == "f":
        return np.ascontiguousarray(samples, dtype=np.float32)
    if samples.dtype.kind == "u":
        return ((samples.astype(np.float32)) - 128.0) / 128.0
    return (samples / -float(np.iinfo(samples.dtype).min)).astype(np.float32)
