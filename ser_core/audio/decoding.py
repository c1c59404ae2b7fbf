"""Decode recordings block by block, to their end.

libsndfile says how many samples a recording has, but does not always know: a FLAC or MP3 file that was written to a
pipe does not name its length, and libsndfile estimates it; of several streams joined in one file it reads the first.
Here every stream is read to its end, and a promised length is checked afterwards (:mod:`ser_core.audio.io`).
"""

import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from ser_core._utils.console import silence_stderr
from ser_core._utils.errors import SerError
from ser_core.audio import containers, headers, mpeg, pcm
from ser_core.audio.sound import BLOCK, Sound, limit
from ser_core.audio.sources import Content, LargeFile, Source, cut, open_source

UNKNOWN = 2**55
"""Number of samples from which a header names none: libsndfile's largest numbers."""
_KNOWN_STARTS = (b"RIFF", b"RF64", b"fLaC", b"OggS", b"FORM")
_SEEK_EXACTLY = ("WAV", "WAVEX", "RF64", "FLAC", "AIFF")
"""Containers whose decoder finds a sample by its number; the others are read from the beginning."""
_MPEG = ("MP3", "MPEG")
_PRINTING = ("MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III")
_FORKS = ("._", ".AppleDouble")
"""Of the current folder: where libsndfile looks for the resource fork of a file without a name (MP3 in memory)."""
_STREAMS = {b"OggS": b"OggS\0\2", b"fLaC": b"fLaC\0\0\0\x22"}
"""The beginning of every stream, for containers in which streams can be joined."""


@contextlib.contextmanager
def open_sound(source: str | os.PathLike | bytes, name: str) -> Iterator[Sound]:
    """Open a recording for decoding.

    Parameters
    ----------
    source : path, or bytes of a file
    name : str
        name of the recording in messages

    Returns
    -------
    context manager of Sound

    Raises
    ------
    SerError
        for what cannot be read or is no audio, also while its blocks are read
    """
    import soundfile

    file, size = open_source(source, name)
    with contextlib.ExitStack() as stack:
        if isinstance(file, LargeFile):
            stack.callback(file.release)
        file.seek(0)
        start = file.read(10)
        if start[:3] == b"ID3":
            file, size = _without_tag(file, size, start)
            file.seek(0)
            start = file.read(4)
        start = start[:4]
        correction = headers.check_length(file, size, name)
        if correction.patches or correction.stop:
            size = correction.stop or size
            file = cut(file, 0, size, correction.patches)
        try:
            with _quiet(start not in _KNOWN_STARTS):
                sound = _open_streams(file, size, start, stack)
        except (soundfile.LibsndfileError, TypeError):
            sound = containers.open_container(file, name, stack)
        sound.notes += [correction.note] if correction.note else []
        try:
            yield sound
        except soundfile.LibsndfileError:
            raise SerError(f"{name}: damaged audio data, cannot be decoded; copy it again") from None
        finally:
            if file.error is not None:
                raise SerError(f"{name}: cannot be read ({file.error.strerror}); check the disk") from None


def _open_streams(file: Source, size: int, start: bytes, stack: contextlib.ExitStack) -> Sound:
    """Open a recording with libsndfile, as one stream or as several that are joined."""
    import soundfile

    places = _find_streams(file, size, _STREAMS[start]) if start in _STREAMS else []
    if len(places) > 1:
        return _join([(a, b) for a, b in zip(places, [*places[1:], size])], file, stack)
    if start == b"fLaC":
        return _flac(file, size, stack)
    if start == b"RIFF" and (plain := pcm.plain_sound(file, size)):
        return plain
    file.seek(0)
    try:
        opened = stack.enter_context(_forward(file))
    except soundfile.LibsndfileError:
        hidden = mpeg.find_hidden_frames(file)
        if hidden is None:
            raise
        note = "something else stands before the first frame"
        return _untagged_mp3(cut(file, hidden, size), size - hidden, note, stack)
    if opened.format in _MPEG:
        place = file.tell()
        begin, note = mpeg.unknown_from(file)
        file.seek(place)  # where the decoder left it
        if begin is not None:
            return _untagged_mp3(cut(file, begin, size), size - begin, note, stack)
    sound = _sound(opened)
    sound.at_once = pcm.straight_reader(opened, file, size) or sound.at_once
    return sound


def _without_tag(file: Source, size: int, start: bytes) -> tuple[Source, int]:
    """Return a recording that is no MP3 without the ID3 tag in front of it, which misleads its decoder."""
    length = mpeg.tag_size(start)
    file.seek(length)
    if file.read(4) in _KNOWN_STARTS:
        return cut(file, length, size), size - length
    return file, size


def _quiet(needed: bool) -> contextlib.AbstractContextManager[None]:
    """Return a context that hides what libmpg123 prints; it gets every file without a known beginning."""
    return silence_stderr() if needed else contextlib.nullcontext()


def _forward(file: Any, **settings: Any) -> Any:
    """Open a file that soundfile reads forwards."""
    import soundfile

    try:
        return _forward_class()(file, **settings)
    except soundfile.LibsndfileError:
        if not any(map(os.path.exists, _FORKS)):
            raise
        return _forward_by_path(file, **settings)


def _native(file: Source) -> Any:
    """Open a file forwards that libsndfile reads from the system, so that threads which decode do not wait for Python.

    Where the system has no files in memory, and where that fails, it is read as :func:`_forward` does.
    """
    import soundfile

    if isinstance(file, Content) and hasattr(os, "memfd_create"):
        with contextlib.suppress(OSError, soundfile.LibsndfileError):
            place = os.memfd_create("recording")
            with open(place, "wb", closefd=False) as copy:
                copy.write(file.getvalue())
            os.lseek(place, 0, os.SEEK_SET)
            return _forward_class()(place)  # closes it, also when it fails
    return _forward(file)


def _forward_by_path(file: Any, **settings: Any) -> Any:
    """Open a copy of a file by its path: in memory libsndfile takes :data:`_FORKS` for a part of it."""
    with tempfile.TemporaryDirectory(prefix="ser-", ignore_cleanup_errors=True) as folder:
        path = os.path.join(folder, "recording")
        file.seek(0)
        with open(path, "wb") as copy:
            shutil.copyfileobj(file, copy)
        file.seek(0)
        return _forward_class()(path, **settings)


@functools.cache
def _forward_class() -> type:
    """Return soundfile's class without seeking.

    soundfile seeks after each reading, which restarts the MP3 decoder, and reads nothing of files that cannot seek
    (GSM 6.10, G.721, NMS ADPCM) unless it is told how much.
    """
    import soundfile

    class Forward(soundfile.SoundFile):
        def seekable(self) -> bool:
            return False

    return Forward


def _sound(opened: Any) -> Sound:
    """Return the sound of an open file of libsndfile."""
    exact = opened.format in _SEEK_EXACTLY

    def position(first: int) -> int:
        """Seek where that is exact; return the number of samples that are to be read and left out."""
        if first and exact:
            opened.seek(first)
            return 0
        return first

    def at_once(first: int, count: int) -> np.ndarray:
        skipped = position(first)
        with _quiet(opened.subtype in _PRINTING):
            samples = opened.read(skipped + count, dtype="float32", always_2d=True)
        return samples[skipped:] if skipped else samples

    def blocks(first: int, count: int | None) -> Iterator[np.ndarray]:
        return limit(_blocks_of(opened), position(first), count)

    promised = opened.frames if 0 <= opened.frames < UNKNOWN else None
    sound = Sound(opened.samplerate, opened.channels, opened.format, opened.subtype, promised, blocks)
    sound.at_once = at_once if promised is not None else None
    return sound


def _blocks_of(opened: Any, count: int | None = None) -> Iterator[np.ndarray]:
    """Yield what is left of an open file of libsndfile, or the next ``count`` samples."""
    largest = max(1, BLOCK // opened.channels)
    while count is None or count > 0:
        size = largest if count is None else min(largest, count)
        with _quiet(opened.subtype in _PRINTING):
            block = opened.read(size, dtype="float32", always_2d=True)
        if not len(block):
            return
        count = None if count is None else count - len(block)
        yield block


def _find_streams(file: Source, size: int, mark: bytes) -> list[int]:
    """Return the offsets at which a stream begins; streams that run side by side (Ogg) begin as one."""
    if isinstance(file, Content) and file.getvalue().find(mark, 1) < 0:  # nearly always
        return [0]
    places, at, tail = [], 0, b""
    while at < size:
        file.seek(at)
        data = tail + file.read(1 << 22)
        base, found = at - len(tail), data.find(mark)
        if len(data) == len(tail):
            break
        while found >= 0:
            places.append(base + found)
            found = data.find(mark, found + 1)
        at, tail = base + len(data), data[-len(mark) + 1 :]
    return [place for k, place in enumerate(places) if not (k and _page_end(file, places[k - 1]) == place)]


def _page_end(file: Source, at: int) -> int:
    """Return the offset behind the Ogg page at an offset; -1 for what is no page."""
    file.seek(at)
    head = file.read(27 + 255)
    if head[:4] != b"OggS" or len(head) < 27:
        return -1
    segments = head[26]
    return at + 27 + segments + sum(head[27 : 27 + segments])


def _join(parts: list[tuple[int, int]], file: Source, stack: contextlib.ExitStack) -> Sound:
    """Return the sound of streams joined in one file, one after the other."""
    import soundfile

    first = stack.enter_context(_forward(cut(file, *parts[0])))
    whole = _sound(first)
    notes: list[str] = []

    def joined() -> Iterator[np.ndarray]:
        yield from _blocks_of(first)
        for number, part in enumerate(parts[1:], start=1):
            try:
                with _forward(cut(file, *part)) as opened:
                    if (opened.samplerate, opened.channels) == (whole.rate, whole.channels):
                        yield from _blocks_of(opened)
                        continue
            except (soundfile.LibsndfileError, TypeError):
                pass
            which = "the first was" if number == 1 else f"the first {number} were"
            notes.append(f"{len(parts)} streams are joined in the file; only {which} read, the next is of another kind")
            return
        notes.append(f"{len(parts)} streams are joined in the file; all were read")

    def blocks(first: int, count: int | None) -> Iterator[np.ndarray]:
        return limit(joined(), first, count)

    return Sound(whole.rate, whole.channels, whole.format, whole.subtype, None, blocks, notes=notes)


def _flac(file: Source, size: int, stack: contextlib.ExitStack) -> Sound:
    """Return the sound of a FLAC file; what its header names is hidden from the decoder, which would stop there."""
    import soundfile

    file.seek(21)
    named = file.read(5)
    promised = (int.from_bytes(named, "big") & (1 << 36) - 1) if len(named) == 5 else 0
    if not promised:
        file.seek(0)
        return _sound(stack.enter_context(_forward(file)))
    opened = stack.enter_context(_native(cut(file, 0, size, [(21, bytes([named[0] & 0xF0, 0, 0, 0, 0]))])))
    notes: list[str] = []

    def more(extra: int = 0) -> Iterator[np.ndarray]:
        """Yield what follows the samples that the header names; a tag there is no damage."""
        with contextlib.suppress(soundfile.LibsndfileError):
            for block in _blocks_of(opened):
                extra += len(block)
                yield block
        if extra:
            notes.append(f"its header names {promised} samples, {promised + extra} are there; all were read")

    def exactly(first: int, count: int) -> Any:
        """Return the file at a sample: for a part of it, opened as it is, since that is how the place is found."""
        if not first and count == promised:
            return opened
        file.seek(0)
        part = stack.enter_context(_forward(file))
        part.seek(first)
        return part

    def at_once(first: int, count: int) -> np.ndarray:
        source = exactly(first, count)
        if source is not opened:
            return source.read(count, dtype="float32", always_2d=True)
        try:
            samples = opened.read(count + 1, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:  # damage, or a tag behind the samples
            file.seek(0)
            return stack.enter_context(_forward(file)).read(count, dtype="float32", always_2d=True)
        if len(samples) <= count:
            return samples
        rest = list(more(1))
        return np.concatenate([samples, *rest]) if rest else samples

    def blocks(first: int, count: int | None) -> Iterator[np.ndarray]:
        source = exactly(first, promised if count is None else count)
        yield from limit(_blocks_of(source, promised if count is None else count), 0, None)
        if source is opened:
            yield from more()

    return Sound(opened.samplerate, opened.channels, "FLAC", opened.subtype, promised, blocks, at_once, notes)


def _untagged_mp3(file: Source, size: int, note: str, stack: contextlib.ExitStack) -> Sound:
    """Open an MP3 file whose length nothing names: with a tag in front that makes the decoder read to the end."""
    end, changes = mpeg.find_end(file, size)
    if changes:
        note = "rate or channels change within the file; only the beginning was read"
    file.seek(0)
    head = file.read(4)
    tag = mpeg.endless_tag(head) or b""
    opened = stack.enter_context(_forward(cut(file, 0, end, prefix=tag)))
    sound = _sound(opened)

    def blocks(first: int, count: int | None) -> Iterator[np.ndarray]:
        heard = _blocks_of(opened)
        if tag:  # layer III
            heard = mpeg.without_padding(limit(heard, mpeg.DELAY, None), mpeg.frame_samples(head))
        return limit(heard, first, count)

    return Sound(sound.rate, sound.channels, sound.format, sound.subtype, None, blocks, notes=[note] if note else [])
