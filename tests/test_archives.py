"""Unpacking archives: damaged, foreign and malicious ones are refused, and nothing is written."""

import os
import stat
import zipfile
from pathlib import Path

import pytest
from made_trees import files_under

from ser_core._utils.errors import SerError
from ser_core.corpora import archives, ravdess
from ser_core.corpora.archives import unpack

NAMES = ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_02/03-01-05-02-02-01-02.wav")


def test_an_archive_is_unpacked_over_existing_files(tmp_path):
    (tmp_path / "ravdess").mkdir()
    (tmp_path / "ravdess" / "mine.txt").write_text("kept")
    unpack(archive_with(tmp_path), tmp_path / "ravdess", tmp_path, ravdess.CORPUS)
    assert files_under(tmp_path / "ravdess") == [NAMES[0], "mine.txt"]
    assert (tmp_path / "ravdess" / NAMES[0]).read_bytes() == b"fine"


def link(name: str) -> zipfile.ZipInfo:
    """Return a member that is a symbolic link."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def archive_with(tmp_path, *members) -> Path:
    """Write an archive of one recording and these members."""
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(NAMES[0], b"fine")
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "name",
    [
        "../out.wav",
        "Actor_01/../../out.wav",
        "/tmp/out.wav",
        "C:/out.wav",
        "c:out.wav",
        "..\\out.wav",
        "Actor_01\\..\\out.wav",
        "\\\\host\\share\\out.wav",
        "..",
        "a//b.wav",
    ],
)
def test_members_that_would_leave_the_folder_are_refused(tmp_path, name):
    archive = archive_with(tmp_path, (name, b"harm"))
    before = files_under(tmp_path)
    with pytest.raises(SerError, match="outside its folder: refused"):
        unpack(archive, tmp_path / "ravdess", tmp_path, ravdess.CORPUS)
    assert files_under(tmp_path) == before and not (tmp_path / "ravdess").exists()


def test_a_null_byte_in_a_name_is_refused(tmp_path):
    archive = archive_with(tmp_path, ("nul@name.wav", b"harm"))
    archive.write_bytes(archive.read_bytes().replace(b"nul@name", b"nul\0name"))
    with pytest.raises(SerError, match="refused"):
        unpack(archive, tmp_path / "ravdess", tmp_path, ravdess.CORPUS)


def test_links_are_refused(tmp_path):
    archive = archive_with(tmp_path, (link("Actor_01/link"), b"/etc"), ("Actor_01/link/passwd", b"harm"))
    with pytest.raises(SerError, match="a link or device: refused"):
        unpack(archive, tmp_path / "ravdess", tmp_path, ravdess.CORPUS)
    assert not (tmp_path / "ravdess").exists()


def test_zip_bombs_are_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAMES[0], bytes(10_000_000))
        archive.writestr(NAMES[1], bytes(10_000_000))
    assert path.stat().st_size < 50_000
    with pytest.raises(SerError, match="would unpack to more than 15,000,000 bytes"):
        unpack(path, tmp_path / "ravdess", tmp_path, ravdess.CORPUS, limit=15_000_000)
    assert not (tmp_path / "ravdess").exists()


def test_a_zip_bomb_with_a_false_size_is_refused(tmp_path):
    path = tmp_path / "liar.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(NAMES[0], bytes(10_000_000))
    size = (10_000_000).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, (100).to_bytes(4, "little")))
    with pytest.raises(SerError, match="damaged"):
        unpack(path, tmp_path / "ravdess", tmp_path, ravdess.CORPUS, limit=1_000_000)
    assert not (tmp_path / "ravdess").exists()


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    with pytest.raises(SerError, match="or 2 files"):
        unpack(archive_with(tmp_path, ("a", b""), ("b", b"")), tmp_path / "ravdess", tmp_path, ravdess.CORPUS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(tmp_path):
    with pytest.raises(SerError, match="twice"):
        unpack(archive_with(tmp_path, (NAMES[0].upper(), b"other")), tmp_path / "ravdess", tmp_path, ravdess.CORPUS)


def test_damaged_or_foreign_archives(tmp_path):
    (tmp_path / "text.zip").write_text("<html>not found</html>")
    with pytest.raises(SerError, match="damaged archive"):
        unpack(tmp_path / "text.zip", tmp_path / "ravdess", tmp_path, ravdess.CORPUS)
    cut = archive_with(tmp_path, ("pad.bin", os.urandom(5000)))
    content = bytearray(cut.read_bytes())
    content[60:70] = b"corruption"
    cut.write_bytes(content)
    with pytest.raises(SerError, match="damaged archive"):
        unpack(cut, tmp_path / "ravdess", tmp_path, ravdess.CORPUS)
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("photos/1.jpg", b"x")
    with pytest.raises(SerError, match="holds no RAVDESS recordings"):
        unpack(tmp_path / "other.zip", tmp_path / "ravdess", tmp_path, ravdess.CORPUS)
    assert not (tmp_path / "ravdess").exists()
