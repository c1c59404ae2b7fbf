"""Download RAVDESS and TESS from their publishers (``ser data fetch``).

RAVDESS is one archive (Zenodo), TESS a Dataverse record with a listing of its files. pooch manages the list of files
and verifies their checksums. The download can be resumed (:mod:`ser_core.corpora.download`), and archives that would
write outside their folder are refused. The licence is shown and must be accepted before the download. Size and checksum
are verified before an archive is unpacked. A complete corpus is not downloaded again; an interrupted download resumes.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ser_core._utils.errors import SerError
from ser_core._utils.paths import data_dir, expand
from ser_core.corpora import CORPORA, get_corpus, load, manifest
from ser_core.corpora.archives import check_name, move_file, unpack
from ser_core.corpora.download import check_address, download
from ser_core.corpora.table import Corpus, Remote, build, named_folder

if TYPE_CHECKING:
    import pandas as pd

Entry = tuple[str, str, str, int]
"""A file to download: name (with its folder), address, checksum, size in bytes."""


def notice(corpus: Corpus) -> str:
    """Return what a person must know before the download: size, licence, citation and DOI."""
    return "\n".join(
        (
            f"{corpus.title}: {corpus.expected:,} utterances, {corpus.speakers} speakers",
            f"  Licence:  {corpus.licence}",
            f"  Cite:     {corpus.citation}",
            f"  DOI:      {corpus.doi}",
        )
    )


def fetch(
    name: str,
    root: str | os.PathLike | None = None,
    *,
    accept: bool = False,
    mirror: str | None = None,
    force: bool = False,
    progress: bool = True,
) -> dict:
    """Download a corpus into a folder.

    The licence is printed on standard error. Without ``accept``, a person at a terminal is asked; without a terminal
    nothing is downloaded.

    Parameters
    ----------
    name : str
        ``ravdess``, ``tess``, or a composition of them.
    root : path, optional
        Folder that holds the corpora; by default ``SER_DATA``.
    accept : bool, default False
        Accept the licence.
    mirror : str, optional
        Address to download from instead of the published one: a folder with the archive of RAVDESS, or a Dataverse
        server with the record of TESS.
    force : bool, default False
        Download even if the corpus seems complete.
    progress : bool, default True
        Show a progress bar on standard error.

    Returns
    -------
    dict
        ``corpus``, ``folder``, ``fetched`` (whether anything was downloaded), ``expected`` and ``found`` (numbers of
        utterances), ``missing`` (ids).

    Raises
    ------
    SerError
        For an unknown corpus, a licence that is not accepted, a failed download, a wrong checksum, an unsafe archive
        or a full disk.
    """
    corpus = get_corpus(name)
    mirror = check_address(mirror) if mirror is not None else None  # before a licence is asked for
    if corpus.demo:
        raise SerError(f"{name} comes with the suite and needs no download: use it with `--corpus {name}`")
    if corpus.parts:
        fetched = [
            fetch(part, root, accept=accept, mirror=mirror, force=force, progress=progress)["fetched"]
            for part in corpus.parts
        ]
        return _result(corpus, _base(root), load(name, root), any(fetched))
    if not corpus.remotes:
        known = ", ".join(key for key, value in CORPORA.items() if value.remotes)
        source = f"get {corpus.title} from {corpus.url}" if corpus.url else "these are your own recordings"
        raise SerError(f"cannot fetch {name} (only {known}): {source}")
    return fetch_corpus(
        corpus, _base(root), manifest(corpus.name), accept=accept, mirror=mirror, force=force, progress=progress
    )


def _base(root: str | os.PathLike | None) -> Path:
    return expand(root) if root is not None else data_dir()


def fetch_corpus(
    corpus: Corpus,
    base: Path,
    files: pd.DataFrame,
    *,
    accept: bool = False,
    mirror: str | None = None,
    force: bool = False,
    progress: bool = True,
) -> dict:
    """Download one corpus, given its file list; otherwise as :func:`fetch`.

    Parameters
    ----------
    corpus : Corpus
    base : Path
        Folder that holds the corpora.
    files : DataFrame
        Published files: ``id``, ``file``, ``bytes``.
    accept, mirror, force, progress
        As in :func:`fetch`.

    Returns
    -------
    dict
        As :func:`fetch`.
    """
    folder = named_folder(base, corpus.folder) or base / corpus.folder
    if not force and _complete(corpus, folder, files):
        return _result(corpus, folder, build(corpus, folder, files["id"]), fetched=False)
    _ask_licence(corpus, accept)
    staging = base / ".fetch" / corpus.name
    try:
        staging.mkdir(parents=True, exist_ok=True)
        for remote in corpus.remotes:
            if remote.checksum:
                url = f"{mirror.rstrip('/')}/{remote.name}" if mirror else remote.url
                _check_space(base, remote.bytes + int(files["bytes"].sum()))
                _fetch_archives([(remote.name, url, remote.checksum, remote.bytes)], corpus, folder, staging, progress)
            else:
                _fetch_record(remote, mirror, corpus, folder, staging, progress)
        shutil.rmtree(staging)
        if not any(staging.parent.iterdir()):
            staging.parent.rmdir()
    except OSError as error:
        raise SerError(f"cannot write {error.filename or folder}: {error.strerror or error}") from None
    return _result(corpus, folder, build(corpus, folder, files["id"]), fetched=True)


def _result(corpus: Corpus, folder: Path, table: pd.DataFrame, fetched: bool) -> dict:
    """Return the answer of :func:`fetch`."""
    return {
        "corpus": corpus.name,
        "folder": str(folder),
        "fetched": fetched,
        "expected": corpus.expected,
        "found": len(table),
        "missing": table.attrs["missing"],
    }


def _complete(corpus: Corpus, folder: Path, files: pd.DataFrame) -> bool:
    """Return whether no utterance is missing, nor truncated (checked for files in the published container)."""
    if not folder.is_dir():
        return False
    table = build(corpus, folder, files["id"])
    published = {i: (PurePosixPath(file).suffix, size) for i, file, size in files[["id", "file", "bytes"]].to_numpy()}
    for utterance, path in zip(table["id"], table["path"], strict=True):
        suffix, size = published[utterance]
        if path.lower().endswith(suffix) and os.path.getsize(path) != size:
            return False
    return not table.attrs["missing"]


def _ask_licence(corpus: Corpus, accept: bool) -> None:
    """Show the licence, and raise SerError unless it is accepted."""
    print(notice(corpus), file=sys.stderr)
    if accept:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        print(f"Download {corpus.title} under this licence? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise SerError(
        f"the licence of {corpus.title} ({corpus.licence}) was not accepted, nothing downloaded: accept it with --yes"
    )


def _check_space(base: Path, size: int) -> None:
    """Raise SerError if the disk has fewer than ``size`` bytes free."""
    free = shutil.disk_usage(base).free
    if free < size:
        raise SerError(
            f"{base} has {free / 1e6:,.0f} MB left, {size / 1e6:,.0f} MB are needed: make room or set SER_DATA"
        )


def _fetch_record(
    remote: Remote, mirror: str | None, corpus: Corpus, folder: Path, staging: Path, progress: bool
) -> None:
    """Download a Dataverse record: its listing, then its utterances, then archives if utterances are missing."""
    address = urlsplit(remote.url)
    server = mirror.rstrip("/") if mirror else f"{address.scheme}://{address.netloc}"
    source = download(f"{server}{address.path}?{address.query}", staging / "listing.json")
    entries = read_listing(source.read_bytes(), server)
    utterances = [entry for entry in entries if corpus.parse(entry[0])]
    archives = [entry for entry in entries if entry[0].lower().endswith(".zip")]
    if not utterances and not archives:
        raise SerError(f"the record at {server} lists no {corpus.title} recordings: try again later or name a mirror")
    _check_space(folder.parent, sum(size for *_, size in utterances + archives))
    outdated = [entry for entry in utterances if not _has_checksum(folder / entry[0], entry[2])]
    for path in _download_verified(outdated, staging, progress):
        move_file(path, folder / path.relative_to(staging))
    if archives and len(utterances) < corpus.expected:
        _fetch_archives(archives, corpus, folder, staging, progress)


def read_listing(content: bytes, server: str) -> list[Entry]:
    """Read the listing of a Dataverse record.

    The format is that of ``/api/datasets/:persistentId/`` (Dataverse guides, native API): ``data``, ``latestVersion``,
    ``files``, each with ``dataFile`` and optionally ``directoryLabel``.

    Parameters
    ----------
    content : bytes
        JSON of the listing.
    server : str
        Address of the server, without a slash at the end.

    Returns
    -------
    list of tuple
        Name (with its folder), address, checksum and size in bytes of each file, sorted by name.

    Raises
    ------
    SerError
        For another format, or a file name that would leave its folder.
    """
    try:
        files = json.loads(content)["data"]["latestVersion"]["files"]
        entries = []
        for file in files:
            data = file["dataFile"]
            name = "/".join(part for part in (file.get("directoryLabel", ""), data["filename"]) if part)
            kind, value = "md5", data.get("md5")
            if value is None:
                kind, value = data["checksum"]["type"].lower().replace("-", ""), data["checksum"]["value"]
            url = f"{server}/api/access/datafile/{int(data['id'])}"
            entries.append((name, url, f"{kind}:{value}".lower(), int(data["filesize"])))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerError(
            f"the listing from {server} is not one of a Dataverse ({type(error).__name__}: {error}): try a mirror"
        ) from None
    for name, *_ in entries:
        check_name(name, f"the listing from {server}")
    return sorted(entries)


def _fetch_archives(entries: list[Entry], corpus: Corpus, folder: Path, staging: Path, progress: bool) -> None:
    """Download archives, verify them, unpack them into the corpus folder and delete them."""
    for archive in _download_verified(entries, staging, progress):
        unpack(archive, folder, staging, corpus)
        archive.unlink()


def _has_checksum(path: Path, checksum: str) -> bool:
    """Return whether a file exists and has this checksum."""
    import pooch

    kind, value = checksum.split(":")
    return path.is_file() and pooch.file_hash(str(path), alg=kind) == value


def _download_verified(entries: list[Entry], staging: Path, progress: bool) -> Iterator[Path]:
    """Download files into ``staging``, and yield each when its checksum is verified."""
    import pooch
    from tqdm import tqdm

    if not entries:
        return
    store = pooch.create(
        path=staging,
        base_url="",
        registry={name: checksum for name, _, checksum, _ in entries},
        urls={name: url for name, url, _, _ in entries},
    )
    total = sum(size for *_, size in entries)
    with (
        _quiet(pooch.get_logger()),
        tqdm(total=total, unit="B", unit_scale=True, file=sys.stderr, disable=not progress, desc=entries[0][0]) as bar,
    ):
        done = 0
        for name, _, _, size in entries:
            bar.set_description(name, refresh=False)

            def resumed(url: str, output: str, _pooch, name: str = name, size: int = size) -> None:
                part = download(url, staging / name, size=size, progress=bar.update)
                os.replace(part, output)

            try:
                path = store.fetch(name, downloader=resumed)
            except ValueError as error:
                raise SerError(f"{name} has a wrong checksum and was deleted: fetch it again ({error})") from None
            done += size
            bar.update(done - bar.n)
            yield Path(path)


@contextmanager
def _quiet(logger) -> Iterator[None]:
    """Silence pooch's line per file: the progress bar shows the same."""
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)
