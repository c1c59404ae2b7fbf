"""Tell MP3 files whose number of samples is known from those where libsndfile estimates it.

A tag (Xing, Info or VBRI) in the first frame names the number of frames. It is optional: what an encoder writes to a
pipe has none, and then libsndfile 1.2.2 estimates the length from the first frames, and reads no further. It reads to
the end if a tag says that there is much more, so such a tag is put in front (:func:`endless_tag`).

A tag also names the silence that the encoder has put before and behind the recording to fill its frames. Without a tag
the usual delay is left out, as ``lame --decode`` does, and at the end what is suddenly silent
(:func:`without_padding`).
"""

import struct
from collections.abc import Iterator

import numpy as np

from ser_core.audio.sources import Source

_AREA = 8192
"""Bytes after the tags in front in which the first frame is looked for."""
_RATES = (
    (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),  # version 1, layer I
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),  # version 1, layer II
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),  # version 1, layer III
    (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),  # version 2, layer I
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),  # version 2, layers II and III
)
"""Bit rates of ISO 11172-3 and 13818-3, kbit/s."""
DELAY = 576
"""Samples that encoders of layer III put in front; those that decoding adds are taken away by the decoder."""
DROP = 0.02
"""Peak of the padding behind a recording, of that of the recording's end."""


def frame_size(head: bytes) -> int:
    """Return the size of the MPEG audio frame that begins with four bytes; 0 for what is no frame.

    Examples
    --------
    >>> frame_size(bytes.fromhex("fffb9064")), frame_size(b"RIFF")
    (417, 0)
    """
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)  # version 3: MPEG 1, 2: MPEG 2, 0: MPEG 2.5
    step, sampling, padded = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer == 4 or step in (0, 15) or sampling == 3:
        return 0
    rate = (44_100, 48_000, 32_000)[sampling] >> {3: 0, 2: 1, 0: 2}[version]
    bits = 1000 * _RATES[layer - 1 if version == 3 else min(layer, 2) + 2][step]
    if layer == 1:
        return (12 * bits // rate + padded) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // rate + padded


def frame_samples(head: bytes) -> int:
    """Return the number of samples of a frame of layer III that begins with four bytes.

    >>> frame_samples(bytes.fromhex("fffb9064")), frame_samples(bytes.fromhex("fff388c4"))
    (1152, 576)
    """
    return 1152 if head[1] >> 3 & 3 == 3 else 576


def without_padding(blocks: Iterator[np.ndarray], frame: int) -> Iterator[np.ndarray]:
    """Leave out the silence with which an encoder has filled the last frame.

    It is what is below :data:`DROP` of the peak of the frame before, at the end of the recording: at most one frame
    and 47 samples. A recording that is itself quiet at its end has no such drop, and is kept.

    Parameters
    ----------
    blocks : iterator of float [samples, channels]
    frame : int
        samples of a frame

    Yields
    ------
    float [samples, channels]
    """
    longest, held = frame + 47, None  # LAME pads its last frame by 576 samples at least, of which decoding needs 529
    for block in blocks:
        held = block if held is None else np.concatenate([held, block])
        if len(held) > 2 * longest:
            yield held[: -2 * longest]
            held = held[-2 * longest :]
    if held is None:
        return
    peaks = np.abs(held).max(axis=1)
    loud = np.flatnonzero(peaks >= DROP * peaks[:-longest].max(initial=0.0))
    yield held[: max(len(held) - longest, loud[-1] + 1 if len(loud) else 0)]


def is_mpeg(data: bytes) -> bool:
    """Return whether data begin with two frames of MPEG audio, one after the other."""
    size = frame_size(data[:4])
    return bool(size) and bool(frame_size(data[size : size + 4]))


def is_adts(data: bytes) -> bool:
    """Return whether data begin with two frames of AAC (ADTS), one after the other."""

    def size(head: bytes) -> int:
        sound = len(head) >= 6 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0
        return (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5 if sound else 0

    first = size(data[:6])
    return first > 6 and size(data[first : first + 6]) > 6


def find_first_frame(file: Source) -> int | None:
    """Return the offset of the first frame, after an ID3 tag."""
    file.seek(0)
    start, at = file.read(10), 0
    if start[:3] == b"ID3" and len(start) == 10:
        at = tag_size(start)
    file.seek(at)
    area = file.read(_AREA)
    return next((at + i for i in range(len(area) - 3) if area[i] == 0xFF and frame_size(area[i : i + 4])), None)


def endless_tag(head: bytes) -> bytes | None:
    """Return a frame with a tag that names more frames than any recording has: the decoder then reads to the end.

    Parameters
    ----------
    head : bytes
        the first four of the recording's first frame

    Returns
    -------
    bytes or None
        None for layers I and II, which have no such tag, and are written at one bit rate
    """
    if not frame_size(head) or head[1] >> 1 & 3 != 1:
        return None
    head = bytes([head[0], head[1] | 1, 0x80 | head[2] & 0x0C, head[3]])  # no check sum, 64 or 112 kbit/s, no padding
    newest, mono = head[1] >> 3 & 3 == 3, head[3] >> 6 == 3
    between = (17 if mono else 32) if newest else (9 if mono else 17)
    tag = head + bytes(between) + b"Info" + struct.pack(">II", 1, 0x00FFFFFF)
    return tag + bytes(frame_size(head) - len(tag))


def find_end(file: Source, size: int) -> tuple[int, bool]:
    """Find the end of the frames that are alike and whole.

    Parameters
    ----------
    file : Content or LargeFile
        beginning with a frame
    size : int
        its size, bytes

    Returns
    -------
    end : int
        offset of the last frame, where it is cut; else the size
    changes : bool
        whether the rate or the number of channels changes, where the decoder stops
    """
    first = None
    for at, length, head in _walk(file, 0, size):
        kind = head[1] >> 3 & 3, head[2] >> 2 & 3, head[3] >> 6 == 3
        first = first or kind
        if kind != first:
            return size, True
        if at + length > size:
            return at, False
    return size, False


def _walk(file: Source, at: int, size: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield offset, size and head of each frame from an offset on, over tags, up to what is neither.

    It ends at an unknown tag or at damage. The decoder continues after these; this function does not.
    """
    base, data = 0, b""
    while at < size:
        if at - base + 10 > len(data):
            file.seek(at)
            base, data = at, file.read(1 << 20)
        head = data[at - base : at - base + 10]
        if head[:3] == b"ID3" and len(head) == 10:
            at += tag_size(head)
            continue
        length = frame_size(head)
        if not length:
            return
        yield at, length, head
        at += length


def find_hidden_frames(file: Source) -> int | None:
    """Return the offset of the first of four frames in a row, which something else stands before; None without."""
    file.seek(0)
    area = file.read(2 * _AREA)
    for at in range(min(_AREA, len(area))):
        if area[at] != 0xFF:
            continue
        place = at
        kinds: list[tuple[int, int]] = []
        while len(kinds) < 4 and (size := frame_size(area[place : place + 4])):
            kinds.append((area[place + 1] & 0xFE, area[place + 2] & 0x0C))
            place += size
        if len(kinds) == 4 and len(set(kinds)) == 1:
            return at
    return None


def tag_size(tag: bytes) -> int:
    """Return the size of an ID3 tag from its first 10 bytes."""
    return 10 + sum((byte & 0x7F) << shift for byte, shift in zip(tag[6:10], (21, 14, 7, 0)))


def unknown_from(file: Source) -> tuple[int | None, str]:
    """Return where an MP3 file of unknown length begins, and a note; None where a tag names its number of frames.

    Several files that are joined have the tag of the first, which says nothing of the others: it is left out.

    Parameters
    ----------
    file : Content or LargeFile

    Returns
    -------
    offset : int or None
        bytes
    note : str
    """
    first = find_first_frame(file)
    if first is None:
        return 0, ""
    file.seek(first)
    head = file.read(200)
    place = next((at for at in (head.find(name, 4, 48) for name in (b"Xing", b"Info", b"VBRI")) if at >= 0), -1)
    if place < 0:
        return first, ""
    tag, frame = head[place:], frame_size(head[:4])
    if tag[:4] == b"VBRI":
        named = int.from_bytes(tag[14:18], "big")
    else:
        named = int.from_bytes(tag[8:12], "big") if tag[7:8] and tag[7] & 1 else 0
    if not named:
        return first + frame, ""
    file.seek(0, 2)
    if sum(1 for _ in _walk(file, first + frame, file.tell())) > named + 1:  # some encoders count the tag's own
        return first + frame, "its tag describes the beginning of the file only; all was read"
    return None, ""
