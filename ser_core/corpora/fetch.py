"""``ser data fetch``: RAVDESS and TESS from where they are published.

RAVDESS is one archive (Zenodo), TESS a Dataverse record with a listing of its files. pooch keeps the list of files and
checksums and looks at them; the download (resumed, ``download.py``) and the unpacking (refusing what would write
elsewhere) are ours. Nothing is downloaded before the licence was shown and accepted, nothing unpacked before size and
checksum are right. A second call with everything there does nothing; one after a broken call goes on.
"""

import json
import os
import re
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from ser_core._utils.errors import SerError
from ser_core._utils.paths import data_dir
from ser_core.corpora import CORPORA, get_corpus, load, manifest
from ser_core.corpora.download import download
from ser_core.corpora.table import Corpus, Remote, build, named_folder

MOST_BYTES = 4 << 30
MOST_MEMBERS = 50_000
"""An archive that unpacks to more than this is refused."""


def notice(corpus: Corpus) -> str:
    """What a person must know before the download: the licence, whom to cite, where it comes from."""
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
    """Download a corpus and put it under ``root``.

    The licence is printed on standard error. Without ``accept`` a person at a terminal is asked; without a terminal
    nothing is downloaded.

    Args:
        name: "ravdess", "tess", or a composition of them.
        root: folder that holds the corpora. Default: ``SER_DATA``.
        accept: the licence is accepted.
        mirror: address to download from instead of the published one: of a folder with the archive of RAVDESS, of a
            Dataverse server with the record of TESS.
        force: download even when everything seems to be there.
        progress: show a progress bar on standard error.

    Returns:
        dict: ``corpus``, ``folder``, ``fetched`` (whether anything was downloaded), ``expected``, ``found`` (numbers of
        utterances), ``missing`` (ids).

    Raises:
        SerError: no such corpus, licence not accepted, download failed, wrong checksum, unsafe archive, disk full.
    """
    corpus = get_corpus(name)
    if corpus.parts and not corpus.demo:
        options = {"accept": accept, "mirror": mirror, "force": force, "progress": progress}
        fetched = [fetch(part, root, **options)["fetched"] for part in corpus.parts]
        return _result(corpus, _base(root), load(name, root), any(fetched))
    if corpus.demo:
        raise SerError(f"{name} comes with the suite: there is nothing to fetch")
    if not corpus.remotes:
        known = ", ".join(key for key, value in CORPORA.items() if value.remotes)
        place = f"get {corpus.title} from {corpus.url}" if corpus.url else "these are your own recordings"
        raise SerError(f"cannot fetch {name} (only {known}): {place}")
    return fetch_corpus(
        corpus, _base(root), manifest(corpus.name), accept=accept, mirror=mirror, force=force, progress=progress
    )


def _base(root: str | os.PathLike | None) -> Path:
    return Path(os.path.abspath(Path(root).expanduser())) if root is not None else data_dir()


def fetch_corpus(corpus: Corpus, base: Path, files, *, accept=False, mirror=None, force=False, progress=True) -> dict:
    """:func:`fetch` for one corpus into ``base``, given its file list (``id``, ``file``, ``bytes``)."""
    folder = named_folder(base, corpus.folder) or base / corpus.folder
    if not force and _complete(corpus, folder, files):
        return _result(corpus, folder, build(corpus, folder, files["id"]), fetched=False)
    _agree(corpus, accept)
    staging = base / ".fetch" / corpus.name
    try:
        staging.mkdir(parents=True, exist_ok=True)
        for remote in corpus.remotes:
            if remote.checksum:
                url = f"{mirror.rstrip('/')}/{remote.name}" if mirror else remote.url
                _need(base, remote.bytes + int(files["bytes"].sum()))
                _fetch_archives([(remote.name, url, remote.checksum, remote.bytes)], corpus, folder, staging, progress)
            else:
                _fetch_record(remote, mirror, corpus, folder, staging, progress)
        shutil.rmtree(staging)
        if not any(staging.parent.iterdir()):
            staging.parent.rmdir()
    except OSError as error:
        raise SerError(f"cannot write {error.filename or folder}: {error.strerror or error}") from None
    return _result(corpus, folder, build(corpus, folder, files["id"]), fetched=True)


def _result(corpus: Corpus, folder: Path, table, fetched: bool) -> dict:
    return {
        "corpus": corpus.name,
        "folder": str(folder),
        "fetched": fetched,
        "expected": corpus.expected,
        "found": len(table),
        "missing": table.attrs["missing"],
    }


def _complete(corpus: Corpus, folder: Path, files) -> bool:
    """Whether every utterance is there, and in full where it has the published container."""
    if not folder.is_dir():
        return False
    table = build(corpus, folder, files["id"])
    published = {i: (PurePosixPath(file).suffix, size) for i, file, size in files[["id", "file", "bytes"]].to_numpy()}
    for utterance, path in zip(table["id"], table["path"], strict=True):
        suffix, size = published[utterance]
        if path.lower().endswith(suffix) and os.path.getsize(path) != size:
            return False
    return not table.attrs["missing"]


def _agree(corpus: Corpus, accept: bool) -> None:
    """Show the licence; go on only when it is accepted."""
    print(notice(corpus), file=sys.stderr)
    if accept:
        return
    if sys.stdin is not None and sys.stdin.isatty():
        print(f"Download {corpus.title} under this licence? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise SerError(
        f"the licence of {corpus.title} ({corpus.licence}) was not accepted: nothing fetched (--yes accepts it)"
    )


def _need(base: Path, size: int) -> None:
    """Refuse to start what the disk cannot hold."""
    free = shutil.disk_usage(base).free
    if free < size:
        raise SerError(
            f"{base} has {free / 1e6:,.0f} MB left, {size / 1e6:,.0f} MB are needed: make room or set SER_DATA"
        )


def _fetch_record(remote: Remote, mirror, corpus: Corpus, folder: Path, staging: Path, progress: bool) -> None:
    """The files of a Dataverse record: its listing, then every utterance in it (and archives, when it has those)."""
    address = urlsplit(remote.url)
    server = mirror.rstrip("/") if mirror else f"{address.scheme}://{address.netloc}"
    source = download(f"{server}{address.path}?{address.query}", staging / "listing.json")
    entries = read_listing(source.read_bytes(), server)
    utterances = [entry for entry in entries if corpus.parse(entry[0])]
    archives = [entry for entry in entries if entry[0].lower().endswith(".zip")]
    if not utterances and not archives:
        raise SerError(f"the record at {server} lists no {corpus.title} recordings: try again later or name a mirror")
    _need(folder.parent, sum(size for *_, size in utterances + archives))
    for path in _pooched([one for one in utterances if not _right(folder / one[0], one[2])], staging, progress):
        _put(path, folder / path.relative_to(staging))
    if archives and len(utterances) < corpus.expected:
        _fetch_archives(archives, corpus, folder, staging, progress)


def read_listing(content: bytes, server: str) -> list[tuple[str, str, str, int]]:
    """Files of a Dataverse record: name (with its folder), address, checksum, size, in the order of their names.

    The format is that of ``/api/datasets/:persistentId/`` (Dataverse guides, native API): ``data``, ``latestVersion``,
    ``files``, each with ``dataFile`` and perhaps ``directoryLabel``.
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
            f"the listing from {server} is not one of a Dataverse ({type(error).__name__}: {error})"
        ) from None
    for name, *_ in entries:
        check_name(name, f"the listing from {server}")
    return sorted(entries)


def _fetch_archives(entries: list, corpus: Corpus, folder: Path, staging: Path, progress: bool) -> None:
    """Download archives, check them, unpack them into the corpus folder and delete them."""
    for archive in _pooched(entries, staging, progress):
        unpack(archive, folder, staging, corpus)
        archive.unlink()


def _right(path: Path, checksum: str) -> bool:
    import pooch

    kind, value = checksum.split(":")
    return path.is_file() and pooch.file_hash(str(path), alg=kind) == value


def _put(path: Path, there: Path) -> None:
    there.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(path, there)


def _pooched(entries: list, staging: Path, progress: bool) -> Iterator[Path]:
    """Download (name, address, checksum, size) entries into ``staging``; each comes when its checksum is right."""
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
                raise SerError(
                    f"{name} came with a wrong checksum and was thrown away: fetch it again ({error})"
                ) from None
            done += size
            bar.update(done - bar.n)
            yield Path(path)


@contextmanager
def _quiet(logger) -> Iterator[None]:
    """pooch names every file; the bar does that."""
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


def check_name(name: str, source: str) -> None:
    """Refuse a file name that would leave its folder: absolute, with a drive, upwards, or no name at all.

    Raises:
        SerError: with the name and where it stands (``source``).
    """
    parts = name.replace("\\", "/").split("/")
    absolute = name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name)
    if absolute or "\\" in name or "\0" in name or ".." in parts or "" in parts[:-1] or not any(parts):
        raise SerError(f"{source} names {name!r}, which would be written outside its folder: refused")


def unpack(archive: Path, folder: Path, staging: Path, corpus: Corpus, limit: int = MOST_BYTES) -> None:
    """Unpack a zip archive into ``folder`` by way of a temporary folder in ``staging``.

    Raises:
        SerError: damaged, encrypted, more than ``limit`` bytes, without an utterance of ``corpus``, or with a member
            that would be written outside the folder or is no plain file. Nothing is written then.
    """
    try:
        with zipfile.ZipFile(archive) as source:
            members = _check_members(source, archive.name, limit)
            if not any(corpus.parse(member.filename) for member in members):
                raise SerError(f"{archive.name} holds no {corpus.title} recordings: it is another archive")
            with tempfile.TemporaryDirectory(prefix="unpacked-", dir=staging) as beside:
                fresh = Path(beside) / "tree"
                for member in members:
                    path = fresh / member.filename
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with source.open(member) as packed, path.open("wb") as out:
                        shutil.copyfileobj(packed, out)
                _settle(fresh, folder)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, EOFError) as error:
        raise SerError(f"{archive.name} is a damaged archive ({error}): fetch it again") from None


def _check_members(source: zipfile.ZipFile, name: str, limit: int) -> list[zipfile.ZipInfo]:
    """The plain files of an archive; refuses one with anything else than files and folders of its own."""
    members, seen, total = [], set(), 0
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


def _settle(fresh: Path, folder: Path) -> None:
    """Move an unpacked tree to its place: as a whole when nothing is there, else file by file over what is there."""
    if not folder.exists():
        os.replace(fresh, folder)
        return
    for path in sorted(fresh.rglob("*")):
        if path.is_file():
            _put(path, folder / path.relative_to(fresh))
