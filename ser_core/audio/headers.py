"""Compare the length that a header names with what the file holds: WAV, RF64, W64, AIFF, AU and CAF.

Recorders and pipes write lengths that are not true. The rule, the same for all six:

- **No length**: 0, or within 64 KiB below 2 GiB or 4 GiB, or beyond 2^50 bytes. Programs that write to a pipe and
  recorders that died leave such values. Everything up to the end of the file is the recording. (Not for a 0 that
  further chunks follow: such a file is empty.)
- **Too long** by at most 1 %, or by at most the length of the header: phone recorders count the header in, or lose a
  last byte. Everything up to the end of the file is the recording.
- **Too long** by more: the file is truncated, and refused.
- **Too short**, with neither a chunk nor a tag nor zeros alone behind the samples: everything up to the end of the
  file is the recording. A recorder that writes the length now and then leaves such files.

In the first, second and last case the length is corrected for the decoder, and a note says so.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ser_core._utils.errors import SerError
from ser_core.audio.sources import Source

TOLERANCE = 0.01
"""Share of the bytes that a header names which may be missing."""
_BLANK = 64 * 1024
"""How far below 2 GiB or 4 GiB a length still stands for none, bytes."""
_FARTHEST = 1_000
"""Chunks that are looked at in search of the samples."""
_TAGS = (b"ID3", b"TAG", b"APE", b"LYR")
_FOLLOWING = {b"RIFF": "another recording", b"FORM": "another recording"} | dict.fromkeys(
    (b"data", b"SSND"), "a second chunk of samples"
)
"""What may begin behind the samples, and has samples of its own."""
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_REST = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"


@dataclass(frozen=True)
class Field:
    """Hold the place of a length in a header."""

    at: int  # offset of the number, bytes
    form: str  # its format for struct
    value: int
    extra: int = 0  # bytes that it counts besides the samples


@dataclass(frozen=True)
class Samples:
    """Hold where a header says that the samples are."""

    first: int  # offset of the first sample, bytes
    field: Field  # their length in bytes
    frames: Field | None = None  # AIFF: their number
    frame_bytes: int = 0


@dataclass(frozen=True)
class Correction:
    """Hold what must be changed for the decoder, and the note about it."""

    patches: tuple[tuple[int, bytes], ...] = ()  # offset, and the bytes that stand there instead
    note: str = ""
    stop: int | None = None  # where the recording ends in the file, bytes; None at the file's end


def check_length(file: Source, size: int, name: str) -> Correction:
    """Judge the length that the header of a recording names.

    Parameters
    ----------
    file : Content or LargeFile
        any recording; other containers than the six have nothing to judge
    size : int
        its size, bytes
    name : str
        its name in the message

    Returns
    -------
    Correction

    Raises
    ------
    SerError
        for a truncated recording
    """
    samples = find_samples(file, size)
    if samples is None:
        return Correction()
    claimed, present = samples.field.value - samples.field.extra, size - samples.first
    if claimed == present:
        return Correction()
    if names_no_length(claimed):
        if present <= 0 or (claimed <= 0 and not _samples_follow(file, samples.first, size)):
            return Correction()
        return _corrected(samples, present, "its header gives no length; read to the end of the file")
    if claimed > present:
        if claimed - present > max(TOLERANCE * claimed, samples.first) or present <= 0:
            raise SerError(f"{name}: truncated ({max(0, present)} of {claimed} bytes present); copy it again")
        return _corrected(samples, present, _disagreement(claimed, present))
    if _samples_follow(file, samples.first + claimed, size):
        return _corrected(samples, present, _disagreement(claimed, present))
    end = samples.first + claimed + claimed % 2
    if what := _FOLLOWING.get(_read(file, end, 4)):
        return Correction(note=f"{what} follows in the file; only the first was read", stop=end)
    return Correction()


def _disagreement(claimed: int, present: int) -> str:
    return f"its header names {claimed} bytes of samples, {present} are there; all were read"


def names_no_length(claimed: int) -> bool:
    """Return whether a length stands for none.

    >>> [names_no_length(size) for size in (0, 0x7FFFF000, 0x80000000, 0xFFFFFFFF, -1, 192_000, 3_000_000_000)]
    [True, True, True, True, True, False, False]
    """
    return claimed <= 0 or claimed >= 2**50 or any(end - _BLANK <= claimed <= end for end in (2**31, 2**32))


def _samples_follow(file: Source, at: int, size: int) -> bool:
    """Return whether what stands behind the end of the samples is samples: no chunk, no tag, not zeros alone."""
    rest = size - at
    if rest < 2:
        return False
    for place in (at, at + at % 2):
        start = _read(file, place, 8)
        if start.startswith(_TAGS) or (len(start) == 8 and is_chunk(start, rest)):
            return False
    while at < size:
        block = _read(file, at, 1 << 20)
        if not block or block.strip(b"\0"):
            return bool(block)
        at += len(block)
    return False


def is_chunk(start: bytes, rest: int) -> bool:
    """Return whether 8 bytes are the beginning of a chunk that fits."""
    letters = start[:4]
    plain = all(0x30 <= c <= 0x39 or 0x41 <= c <= 0x5A or 0x61 <= c <= 0x7A or c in b" _-." for c in letters)
    return plain and min(struct.unpack("<I", start[4:])[0], struct.unpack(">I", start[4:])[0]) <= rest


def _corrected(samples: Samples, present: int, note: str) -> Correction:
    patches = [_patch(samples.field, present + samples.field.extra)]
    if samples.frames is not None and samples.frame_bytes:
        patches.append(_patch(samples.frames, present // samples.frame_bytes))
    return Correction(tuple(patches), note)


def _patch(field: Field, value: int) -> tuple[int, bytes]:
    largest = 256 ** struct.calcsize(field.form) - 1
    form = field.form.upper()
    return field.at, struct.pack(form, min(value, largest))


def _read(file: Source, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)


def find_samples(file: Source, size: int) -> Samples | None:
    """Find the samples of a WAV, RF64, W64, AIFF, AU or CAF file by its header.

    Parameters
    ----------
    file : Content or LargeFile
    size : int
        its size, bytes

    Returns
    -------
    Samples or None
        None for another container, and where the header has no place for the samples
    """
    start = _read(file, 0, 40)
    match start[:4]:
        case b"RIFF" | b"RIFX" if start[8:12] == b"WAVE":
            return _find_riff(file, size, "<" if start[3:4] == b"F" else ">")
        case b"RF64" | b"BW64" if start[8:12] == b"WAVE":
            return _find_rf64(file, size)
        case b"riff" if start[:16] == _W64_RIFF:
            return _find_w64(file, size)
        case b"FORM" if start[8:12] in (b"AIFF", b"AIFC"):
            return _find_aiff(file, size)
        case b"caff":
            return _find_caf(file, size)
        case b".snd" | b"dns.":
            order = ">" if start[:4] == b".snd" else "<"
            if len(start) < 24:
                return None
            first, length = struct.unpack(order + "II", start[4:12])
            return Samples(first, Field(8, order + "I", length)) if 24 <= first <= size else None
    return None


def _chunks(file: Source, at: int, size: int, form: str) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, offset and length of the chunks of a file; ``form`` is that of a chunk's head."""
    head = struct.calcsize(form)
    for _ in range(_FARTHEST):
        start = _read(file, at, head)
        if len(start) < head:
            return
        name, length = struct.unpack(form, start)
        yield name, at + head, length
        if length < 0:
            return
        at += head + length + length % 2
        if at >= size:
            return


def _find_riff(file: Source, size: int, order: str) -> Samples | None:
    for name, at, length in _chunks(file, 12, size, order + "4sI"):
        if name == b"data":
            return Samples(at, Field(at - 4, order + "I", length))
    return None


def _find_rf64(file: Source, size: int) -> Samples | None:
    """Find the samples of RF64; their length is in the chunk ds64 where the chunk data has 2^32 - 1."""
    large: Field | None = None
    for name, at, length in _chunks(file, 12, size, "<4sI"):
        if name == b"ds64" and length >= 16:
            value = _read(file, at + 8, 8)
            large = Field(at + 8, "<Q", struct.unpack("<Q", value)[0]) if len(value) == 8 else None
        if name == b"data":
            return Samples(at, large if large and length == 0xFFFFFFFF else Field(at - 4, "<I", length))
    return None


def _find_w64(file: Source, size: int) -> Samples | None:
    """Find the samples of W64; a length counts the 24 bytes of its chunk's head."""
    at = 40
    for _ in range(_FARTHEST):
        start = _read(file, at, 24)
        if len(start) < 24:
            return None
        length = struct.unpack("<Q", start[16:])[0]
        if start[:16] == b"data" + _W64_REST:
            return Samples(at + 24, Field(at + 16, "<Q", length, extra=24))
        if length < 24:
            return None
        at += -(-length // 8) * 8
    return None


def _find_aiff(file: Source, size: int) -> Samples | None:
    """Find the samples of AIFF; the chunk COMM has their number, too."""
    frames, frame_bytes = None, 0
    for name, at, length in _chunks(file, 12, size, ">4sI"):
        if name == b"COMM":
            common = _read(file, at, 22)
            if len(common) >= 18:
                channels, count, bits = struct.unpack(">HIH", common[:8])
                plain = length <= 18 or common[18:22] in (b"NONE", b"twos", b"sowt", b"fl32", b"fl64", b"FL32", b"FL64")
                frames, frame_bytes = Field(at + 2, ">I", count), channels * -(-bits // 8) if plain else 0
        if name == b"SSND":
            offset = _read(file, at, 4)
            if len(offset) < 4:
                return None
            skipped = 8 + struct.unpack(">I", offset)[0]
            return Samples(at + skipped, Field(at - 4, ">I", length, extra=skipped), frames, frame_bytes)
    return None


def _find_caf(file: Source, size: int) -> Samples | None:
    """Find the samples of CAF; 4 bytes stand before them, and a length of -1 is its own word for none."""
    for name, at, length in _chunks_unpadded(file, 8, size):
        if name == b"data":
            return Samples(at + 4, Field(at - 8, ">q", length, extra=4))
    return None


def _chunks_unpadded(file: Source, at: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(_FARTHEST):
        start = _read(file, at, 12)
        if len(start) < 12:
            return
        name, length = struct.unpack(">4sq", start)
        yield name, at + 12, length
        at += 12 + length
        if length < 0 or at >= size:
            return
