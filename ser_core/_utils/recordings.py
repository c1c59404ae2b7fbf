"""Recognise recordings by their name, and what has the place of a file; nothing is decoded here."""

import os

SUFFIXES = (
    # What libsndfile reads; the first six in order of preference among copies of one utterance.
    *(".wav", ".flac", ".aif", ".aiff", ".ogg", ".mp3"),
    *(".opus", ".oga", ".wave", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64", ".sph", ".nist", ".voc", ".mp2"),
    # What the extra `containers` (PyAV) reads, video files too.
    *(".m4a", ".aac", ".amr", ".wma", ".mka", ".webm", ".weba", ".mp4", ".m4v", ".mov", ".mkv", ".avi", ".3gp", ".m4b"),
    *(".flv", ".mpg", ".mpeg", ".ac3"),
)
"""Suffixes of recordings, in order of preference (case is ignored): the one list for folders, tables and corpora."""

_POINTER = b"version https://git-lfs.github.com/spec/"


def is_pointer(start: bytes) -> bool:
    """Return whether a file that begins so is a Git LFS pointer: a text of three lines in the place of a file.

    Examples
    --------
    >>> is_pointer(b"version https://git-lfs.github.com/spec/v1\\noid sha256:4d7a2146")
    True
    """
    return start.startswith(_POINTER)


def is_pointer_file(path: str | os.PathLike) -> bool:
    """Return whether a file is a Git LFS pointer; False for one that cannot be read."""
    try:
        if os.path.getsize(path) > 1024:
            return False
        with open(path, "rb") as file:
            return is_pointer(file.read(len(_POINTER)))
    except (OSError, ValueError):
        return False


def printable(name: object) -> str:
    r"""Return a name so that it can stand in a message: one line, no control characters, no bytes that are no text.

    Examples
    --------
    >>> print(printable("new\nline.wav"), printable(os.fsdecode(b"Gr\xfc\xdfe.wav")), printable("Grüße.wav"))
    new\nline.wav Gr\xfc\xdfe.wav Grüße.wav
    """
    text = name if isinstance(name, str) else os.fsdecode(name) if isinstance(name, bytes) else str(name)
    if text.isprintable():
        return text
    return "".join(_escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    if letter.isprintable():
        return letter
    if "\udc80" <= letter <= "\udcff":  # a byte that is no UTF-8, as os.fsdecode gives it
        return f"\\x{ord(letter) - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode()
