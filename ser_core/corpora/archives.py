"""Unpack the archives of corpora, and refuse those that are damaged or malicious."""

import os
import re
import shutil
import stat
import tempfile
import zipfile
from pathlib import Path

from ser_core._utils.errors import SerError
from ser_core.corpora.table import Corpus

MOST_BYTES = 4 << 30
"""Largest total size of the members of an archive, bytes."""
MOST_MEMBERS = 50_000
"""Largest number of members of an archive."""


def move_file(path: Path, target: Path) -> None:
    """Move a file, and make the folder of its target."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, target)


def check_name(name: str, source: str) -> None:
    """Refuse a file name that would leave its folder.

    Parameters
    ----------
    name : str
        File name with its folder.
    source : str
        Where the name was found, for the message.

    Raises
    ------
    SerError
        For a name that is absolute, has a drive, a backslash or a null byte, leads upwards, or is empty.

    Examples
    --------
    >>> check_name("Actor_01/a.wav", "the archive")
    >>> check_name("../a.wav", "the archive")
    Traceback (most recent call last):
        ...
    ser_core._utils.errors.SerError: the archive names '../a.wav', which would be written outside its folder: refused
    """
    parts = name.replace("\\", "/").split("/")
    absolute = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name)
    if absolute or "\\" in name or "\0" in name or ".." in parts or "" in parts[:-1] or not any(parts):
        raise SerError(f"{source} names {name!r}, which would be written outside its folder: refused")


def unpack(archive: Path, folder: Path, staging: Path, corpus: Corpus, limit: int = MOST_BYTES) -> None:
    """Unpack a zip archive into the corpus folder.

    Parameters
    ----------
    archive : Path
    folder : Path
        The corpus folder; files in it that the archive does not hold are left alone.
    staging : Path
        Folder on the same disk for the temporary tree.
    corpus : Corpus
        Its ``parse`` must recognise at least one member.
    limit : int, default :data:`MOST_BYTES`
        Largest total size of the members, bytes.

    Raises
    ------
    SerError
        For an archive that is damaged, encrypted, too large or of another corpus, or has a member that is not a plain
        file inside the folder. Nothing is written then.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = _check_members(source, archive.name, limit)
            if not any(corpus.parse(member.filename) for member in members):
                raise SerError(f"{archive.name} holds no {corpus.title} recordings: it is another archive")
            with tempfile.TemporaryDirectory(prefix="unpacked-", dir=staging) as temporary:
                tree = Path(temporary) / "tree"
                for member in members:
                    path = tree / member.filename
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with source.open(member) as packed, path.open("wb") as out:
                        shutil.copyfileobj(packed, out)
                _move_tree(tree, folder)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise SerError(f"{archive.name} is a damaged archive ({error}): fetch it again") from None


def _check_members(source: zipfile.ZipFile, name: str, limit: int) -> list[zipfile.ZipInfo]:
    """Return the plain files of an archive; refuse one with links, devices, encryption or unsafe names."""
    members: list[zipfile.ZipInfo] = []
    seen: set[str] = set()
    total = 0
    for member in source.infolist():
        check_name(member.orig_filename, name)
        kind = stat.S_IFMT(member.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise SerError(f"{name} holds {member.filename!r}, a link or device: refused")
        if member.flag_bits & 1:
            raise SerError(f"{name} holds {member.filename!r}, which is encrypted: refused")
        if member.is_dir():
            continue
        if member.filename.casefold() in seen:
            raise SerError(f"{name} holds {member.filename!r} twice: refused")
        seen.add(member.filename.casefold())
        total += member.file_size
        if total > limit or len(seen) > MOST_MEMBERS:
            raise SerError(f"{name} would unpack to more than {limit:,} bytes or {MOST_MEMBERS:,} files: refused")
        members.append(member)
    return members


def _move_tree(tree: Path, folder: Path) -> None:
    """Move an unpacked tree to the corpus folder: as a whole if the folder is new, else file by file."""
    if not folder.exists():
        os.replace(tree, folder)
        return
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            move_file(path, folder / path.relative_to(tree))
