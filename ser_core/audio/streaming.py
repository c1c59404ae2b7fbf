"""Stream live audio from a microphone or a pipe, in chunks of samples and their sampling rate."""

import io
from collections.abc import Iterable, Iterator

import numpy as np

from ser_core._utils.errors import SerError

CHUNK_SECONDS = 0.1
"""Length of a chunk, seconds."""
HEADER = 64 * 1024
"""Largest accepted header of a piped WAV file, bytes."""

Chunk = tuple[np.ndarray, int]
"""Samples float32 [samples] or [samples, channels], and their sampling rate, Hz."""


def stream_predictions(stream, chunks: Iterable[Chunk], seconds: float | None = None) -> Iterator:
    """Yield the predictions of a stream as they become due.

    Parameters
    ----------
    stream : ser_core.inference.predict.Stream
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
    kind, rest = np.dtype("<i2"), start
    if start[:4] == b"RIFF" and start[8:] == b"WAVE":
        rate, channels, kind = _wav_header(pipe)
        rest = b""
    size = kind.itemsize * channels
    chunk_size = max(1, round(CHUNK_SECONDS * rate)) * size
    while True:
        data = rest + _read(pipe, chunk_size - len(rest))
        whole = len(data) // size * size
        if not whole:
            return
        samples = np.frombuffer(data[:whole], kind).reshape(-1, channels)
        yield (samples / -float(np.iinfo(kind).min) if kind.kind == "i" else samples).astype(np.float32), rate
        rest = data[whole:]


def _read(pipe, count: int) -> bytes:
    """Read ``count`` bytes, fewer only at the end."""
    parts = io.BytesIO()
    while parts.tell() < count:
        part = pipe.read(count - parts.tell())
        if not part:
            break
        parts.write(part)
    return parts.getvalue()


def _wav_header(pipe) -> tuple[int, int, np.dtype]:
    """Return the rate, channels and sample type of a WAV stream, and leave the pipe at its first sample."""
    sample_format, seen = None, 12
    while seen < HEADER:
        head = _read(pipe, 8)
        if len(head) < 8:
            break
        name, size = head[:4], int.from_bytes(head[4:], "little")
        if name == b"data":
            if sample_format is None:
                break
            return sample_format
        if size > HEADER - seen:
            break
        body = _read(pipe, size + size % 2)
        seen += 8 + len(body)
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
