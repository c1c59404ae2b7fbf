"""Stream live audio from a microphone or a pipe, in chunks of samples and their sampling rate."""

import io
from collections.abc import Iterable, Iterator

import numpy as np

from ser_core._utils.errors import SerError
from ser_core._utils.recordings import is_pointer
from ser_core.audio import headers, mpeg
from ser_core.audio.containers import needs_pyav
from ser_core.audio.io import MOST_CHANNELS, check_rate

CHUNK_SECONDS = 0.1
"""Length of a chunk, seconds."""
HEADER = 64 * 1024
"""Largest accepted header of a piped WAV file, bytes."""

_OTHERS = {
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"FORM": "AIFF",
    b"caff": "CAF",
    b".snd": "AU",
    b"riff": "W64",
    b"RIFX": "big-endian WAV",
    b"NIST": "NIST SPHERE",
    b"ID3": "MP3",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"%PDF": "a document",
    b"PK\x03\x04": "an archive",
    b"\x1f\x8b\x08": "compressed data",
    b"<!DOCTYPE": "a web page",
    b"<html": "a web page",
}
"""Beginnings of what is no raw samples."""

Chunk = tuple[np.ndarray, int]
"""Samples float32 [samples] or [samples, channels], and their sampling rate, Hz."""


def stream_predictions(stream, chunks: Iterable[Chunk], seconds: float | None = None) -> Iterator:
    """Yield the predictions of a stream as they become due.

    Parameters
    ----------
    stream : ser_core.inference.streams.Stream
    chunks : iterable of (samples, rate)
        such as :func:`read_microphone` or :func:`read_pipe`
    seconds : float, optional
        stop after this much audio; by default when the chunks end

    Yields
    ------
    prediction of ``stream.feed``
    """
    elapsed = 0.0
    for samples, rate in chunks:
        if seconds is not None:
            samples = samples[: max(0, round((seconds - elapsed) * rate))]
        elapsed += len(samples) / rate
        yield from stream.feed(samples, rate)
        if seconds is not None and elapsed >= seconds:
            return


def read_microphone() -> Iterator[Chunk]:
    """Record from the default microphone, mono at its own rate, until the generator is closed.

    Yields
    ------
    samples : ndarray of float32 [samples]
    rate : int
        sampling rate, Hz

    Raises
    ------
    SerError
        where sounddevice or a microphone is missing
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        need = "PortAudio is missing" if isinstance(error, OSError) else "pip install '.[microphone]'"
        raise SerError(f"microphone: needs sounddevice ({need}); or pipe sound in: ser listen -") from None
    try:
        rate = int(sounddevice.query_devices(kind="input")["default_samplerate"])
        source = sounddevice.InputStream(samplerate=rate, channels=1, dtype="float32")
        source.start()
    except Exception as error:
        message = " ".join(str(error).split())
        raise SerError(f"microphone: none that can be used ({message}); or pipe sound in: ser listen -") from None
    with source:
        while True:
            samples, _ = source.read(round(CHUNK_SECONDS * rate))
            yield samples[:, 0], rate


def read_pipe(pipe, rate: int, channels: int) -> Iterator[Chunk]:
    """Read a WAV file (16-bit PCM or 32-bit float) or raw 16-bit samples from a pipe.

    Parameters
    ----------
    pipe : binary file
    rate : int
        sampling rate of raw samples, Hz; a WAV file gives its own
    channels : int
        interleaved channels of raw samples; a WAV file gives its own

    Yields
    ------
    samples : ndarray of float32 [samples, channels]
    rate : int
        sampling rate, Hz

    Raises
    ------
    SerError
        for empty input, or a WAV header that cannot be used

    Examples
    --------
    >>> chunks = list(read_pipe(io.BytesIO(bytes(3200)), rate=16_000, channels=1))
    >>> [samples.shape for samples, rate in chunks]
    [(1600, 1)]
    """
    start = _read(pipe, 12)
    if not start:
        raise SerError("-: nothing on standard input; pipe a WAV file or raw 16-bit samples in")
    kind, left, rest = np.dtype("<i2"), None, start
    if start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE":
        rate, channels, kind, left, rest = _wav_header(pipe)
    else:
        rest = _raw_start(pipe, start)
    rate = check_rate(rate, "-")
    if not 1 <= channels <= MOST_CHANNELS:
        raise SerError(f"-: {channels} channels; 1 to {MOST_CHANNELS} can be used")
    size = kind.itemsize * channels
    chunk_size = max(1, round(CHUNK_SECONDS * rate)) * size
    while True:
        data = rest + _read(pipe, chunk_size - len(rest))
        data = data if left is None else data[:left]
        whole = len(data) // size * size
        if not whole:
            return
        samples = np.frombuffer(data[:whole], kind).reshape(-1, channels)
        values = samples.astype(np.float32)
        yield (values * np.float32(2.0 ** (1 - 8 * kind.itemsize)) if kind.kind == "i" else values), rate
        rest = data[whole:]
        left = None if left is None else left - whole


def _raw_start(pipe, start: bytes) -> bytes:
    """Return the beginning of raw samples; refuse the beginning of anything else that is known."""
    if start[:1] == b"\xff":
        start += _read(pipe, 4096)
    found = next((what for mark, what in _OTHERS.items() if start.startswith(mark)), "")
    found = found or ("MP3" if mpeg.is_mpeg(start) else "AAC" if mpeg.is_adts(start) else "")
    if not found and start[:1] != b"\xff" and needs_pyav(start):
        found = "a container such as m4a or webm"
    if is_pointer(start + _read(pipe, 64) if start.startswith(b"version http") else start):
        found = "a Git LFS pointer"
    if found:
        raise SerError(
            f"-: {found} on standard input, wanted a WAV file or raw 16-bit samples; `ser predict -` reads recordings, "
            "and `ffmpeg -i - -f wav -` converts them"
        )
    return start


def _read(pipe, count: int) -> bytes:
    """Read ``count`` bytes, fewer only at the end."""
    parts = io.BytesIO()
    while parts.tell() < count:
        part = pipe.read(count - parts.tell())
        if not part:
            break
        parts.write(part)
    return parts.getvalue()


def _wav_header(pipe) -> tuple[int, int, np.dtype, int | None, bytes]:
    """Read the header of a WAV stream: rate, channels, type and size of its samples (None: to the end), first bytes."""
    sample_format, seen, large = None, 12, None
    while seen < HEADER:
        head = _read(pipe, 8)
        if len(head) < 8:
            break
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if sample_format is None:
                break
            size = large if large is not None and size == 0xFFFFFFFF else size
            return *sample_format, *_samples_left(pipe, size)
        if size > HEADER - seen:
            break
        body = _read(pipe, size + size % 2)
        seen += 8 + len(body)
        if name == b"ds64" and len(body) >= 16:
            large = int.from_bytes(body[8:16], "little")
        if name == b"fmt " and len(body) >= 16:
            code, channels = (int.from_bytes(body[i : i + 2], "little") for i in (0, 2))
            rate, bits = int.from_bytes(body[4:8], "little"), int.from_bytes(body[14:16], "little")
            if code == 0xFFFE and len(body) >= 26:  # extensible: the true code follows later
                code = int.from_bytes(body[24:26], "little")
            kind = {(1, 16): "<i2", (1, 32): "<i4", (3, 32): "<f4"}.get((code, bits))
            if kind is None or not channels:
                raise SerError(f"-: WAV of {bits} bits and code {code}; pipe 16-bit PCM or 32-bit float in")
            sample_format = rate, channels, np.dtype(kind)
    raise SerError("-: damaged WAV header on standard input; pipe a WAV file or raw 16-bit samples in")


def _samples_left(pipe, size: int) -> tuple[int | None, bytes]:
    """Return the number of bytes of samples that a header names, None where it names none, and the first of them."""
    if not headers.names_no_length(size):
        return size, b""
    start = _read(pipe, 8)
    empty = size == 0 and len(start) == 8 and headers.is_chunk(start, 1 << 20)
    return (0 if empty else None), start
