"""Fetching a corpus: archives, records, licences. Every server is on 127.0.0.1."""

import hashlib
import io
import json
import os
import re
import zipfile
from dataclasses import replace

import pandas as pd
import pytest
from made_server import BODY
from made_trees import files_under

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.corpora import fetch as fetching
from ser_core.corpora import ravdess
from ser_core.corpora.fetch import fetch, fetch_corpus, notice, read_listing
from ser_core.corpora.table import Remote

# --- an archive: a small RAVDESS

NAMES = ("Actor_01/03-01-01-01-01-01-01.wav", "Actor_02/03-01-05-02-02-01-02.wav")


def packed(members: dict[str, bytes] | None = None) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in (members or {name: name.encode() * 50 for name in NAMES}).items():
            archive.writestr(name, data)
    return content.getvalue()


def small(server, archive: bytes, **changes):
    """Return a RAVDESS of two files and its file list."""
    server.files["/small.zip"] = archive
    remote = Remote("small.zip", f"{server.url}/small.zip", f"md5:{hashlib.md5(archive).hexdigest()}", len(archive))
    corpus = replace(ravdess.CORPUS, remotes=(replace(remote, **changes),), expected=2)
    rows = [(ravdess.parse(name)["id"], name, len(name) * 50) for name in NAMES]
    return corpus, pd.DataFrame(rows, columns=["id", "file", "bytes"])


def test_fetch_an_archive(server, tmp_path, capsys):
    corpus, listed = small(server, packed())
    result = fetch_corpus(corpus, tmp_path / "data", listed, accept=True)
    assert result == {
        "corpus": "ravdess",
        "folder": str(tmp_path / "data" / "ravdess"),
        "fetched": True,
        "expected": 2,
        "found": 2,
        "missing": [],
    }
    assert files_under(tmp_path) == [f"data/ravdess/{name}" for name in NAMES]  # no archive, no parts
    assert (tmp_path / "data" / "ravdess" / NAMES[0]).read_bytes() == NAMES[0].encode() * 50
    captured = capsys.readouterr()
    assert captured.out == "" and "CC BY-NC-SA 4.0" in captured.err and "small.zip" in captured.err


def test_a_second_call_does_nothing(server, tmp_path, capsys):
    corpus, listed = small(server, packed())
    fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)
    asked = len(server.asked)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()
    result = fetch_corpus(corpus, tmp_path, listed, accept=False)
    assert result["fetched"] is False and result["found"] == 2 and len(server.asked) == asked
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert capsys.readouterr().err == ""


def test_other_containers_count_as_complete(server, tmp_path):
    corpus, listed = small(server, packed())
    for name in NAMES:
        path = (tmp_path / "ravdess" / name).with_suffix(".flac")
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    assert fetch_corpus(corpus, tmp_path, listed)["fetched"] is False


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_an_incomplete_tree_is_completed_and_other_files_are_left_alone(server, tmp_path, damage):
    corpus, listed = small(server, packed())
    fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)
    (tmp_path / "ravdess" / "mine.txt").write_text("kept")
    broken = tmp_path / "ravdess" / NAMES[1]
    broken.unlink() if damage == "missing" else broken.write_bytes(b"cut")
    assert fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)["found"] == 2
    assert broken.read_bytes() == NAMES[1].encode() * 50
    assert files_under(tmp_path / "ravdess") == [*NAMES, "mine.txt"]


def test_force_fetches_again(server, tmp_path):
    corpus, listed = small(server, packed())
    fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)
    (tmp_path / "ravdess" / NAMES[0]).write_bytes(b"?" * (len(NAMES[0]) * 50))  # right size, wrong bytes
    assert fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)["fetched"] is False
    assert fetch_corpus(corpus, tmp_path, listed, accept=True, force=True, progress=False)["fetched"] is True
    assert (tmp_path / "ravdess" / NAMES[0]).read_bytes() == NAMES[0].encode() * 50


def test_a_broken_archive_download_resumes_in_the_next_call(server, tmp_path, monkeypatch):
    archive = packed({name: os.urandom(40_000) for name in NAMES})
    corpus, listed = small(server, archive)
    listed["bytes"] = 40_000
    original = fetching.download
    monkeypatch.setattr(fetching, "download", lambda *a, **o: original(*a, **o, pause=0.001, attempts=2))
    server.break_after = [30_000, 0, 0, 0]
    with pytest.raises(SerError, match="30000 bytes are kept"):
        fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)
    assert not (tmp_path / "ravdess").exists()
    server.break_after = []
    assert fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)["found"] == 2
    assert server.asked[-1][1] == "bytes=30000-"


def test_an_archive_with_a_wrong_checksum_is_deleted_and_not_unpacked(server, tmp_path):
    corpus, listed = small(server, packed(), checksum=f"md5:{'0' * 32}")
    with pytest.raises(SerError, match=r"small.zip has a wrong checksum and was deleted") as error:
        fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "ravdess").exists() and files_under(tmp_path) == []


def test_a_wrong_size_is_refused(server, tmp_path):
    corpus, listed = small(server, packed(), bytes=12345)
    with pytest.raises(SerError, match="12345 are published"):
        fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)


def test_a_full_disk_is_reported_before_the_download(server, tmp_path):
    corpus, listed = small(server, packed(), bytes=10**18)
    with pytest.raises(SerError, match="make room or set SER_DATA"):
        fetch_corpus(corpus, tmp_path, listed, accept=True, progress=False)
    assert server.asked == []


def test_a_folder_that_cannot_be_created(server, tmp_path):
    corpus, listed = small(server, packed())
    (tmp_path / "file").write_text("")
    with pytest.raises(SerError, match="cannot write .*file"):
        fetch_corpus(corpus, tmp_path / "file", listed, accept=True, progress=False)


def test_malicious_archives_are_refused_by_fetch_corpus(server, tmp_path):
    corpus, listed = small(server, packed({NAMES[0]: b"fine", "../../out.wav": b"harm"}))
    with pytest.raises(SerError, match="refused"):
        fetch_corpus(corpus, tmp_path / "a" / "data", listed, accept=True, progress=False)
    assert not list(tmp_path.rglob("out.wav")) and not (tmp_path / "a" / "data" / "ravdess").exists()


# --- the licence


def test_without_a_terminal_the_licence_is_shown_and_not_accepted(server, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))  # not a terminal: no answer is read from it
    corpus, listed = small(server, packed())
    with pytest.raises(SerError, match=r"licence of RAVDESS \(CC BY-NC-SA 4.0\) was not accepted.*--yes"):
        fetch_corpus(corpus, tmp_path, listed)
    assert server.asked == [] and os.listdir(tmp_path) == []
    error = capsys.readouterr().err
    assert "Licence:  CC BY-NC-SA 4.0" in error and "10.5281/zenodo.1188976" in error and "Livingstone" in error


@pytest.mark.parametrize(
    ("answer", "taken"), [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)]
)
def test_a_person_is_asked(server, tmp_path, monkeypatch, capsys, answer, taken):
    terminal = io.StringIO(answer)
    terminal.isatty = lambda: True
    monkeypatch.setattr("sys.stdin", terminal)
    corpus, listed = small(server, packed())
    if taken:
        assert fetch_corpus(corpus, tmp_path, listed, progress=False)["fetched"]
    else:
        with pytest.raises(SerError, match="not accepted"):
            fetch_corpus(corpus, tmp_path, listed)
        assert server.asked == []
    captured = capsys.readouterr()
    assert "under this licence? [y/N]" in captured.err and captured.out == ""


def test_the_notice_has_size_licence_and_citation_in_this_order():
    text = notice(corpora.CORPORA["tess"])
    assert text.index("2,800 utterances") < text.index("CC BY-NC-ND 4.0") < text.index("Pichora-Fuller")


# --- names of corpora


def test_a_mirror_of_ravdess_has_its_published_name_and_size(server, tmp_path, monkeypatch):
    remote = corpora.CORPORA["ravdess"].remotes[0]
    assert (remote.name, remote.bytes) == ("Audio_Speech_Actors_01-24.zip", 208_468_073)
    assert remote.checksum == "md5:bc696df654c87fed845eb13823edef8a" and "1188976" in remote.url
    server.files["/pub/Audio_Speech_Actors_01-24.zip"] = packed()
    with pytest.raises(SerError, match="208468073 are published"):
        fetch("ravdess", tmp_path, accept=True, mirror=f"{server.url}/pub/", progress=False)
    assert [asked[0] for asked in server.asked] == ["/pub/Audio_Speech_Actors_01-24.zip"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emodb", "cannot fetch emodb (only ravdess, tess): get EmoDB from http://emodb.bilderbar.info/"),
        ("demo", "demo comes with the suite"),
        ("demo_ravtess", "demo_ravtess comes with the suite"),
        ("ravdes", "no corpus named 'ravdes'"),
    ],
)
def test_corpora_that_cannot_be_fetched(tmp_path, name, message):
    with pytest.raises(SerError, match=re.escape(message)):
        fetch(name, tmp_path, accept=True)


# --- a Dataverse record: a small TESS


def record(server, contents: dict[str, bytes], **changes) -> None:
    """Serve these files (``folder/name``) with a listing in the format of the Dataverse native API."""
    files = []
    for number, (path, content) in enumerate(contents.items(), start=700):
        folder, _, name = path.rpartition("/")
        data = {
            "id": number,
            "filename": name,
            "contentType": "audio/x-wav",
            "filesize": len(content),
            "md5": hashlib.md5(content).hexdigest(),
            "checksum": {"type": "MD5", "value": hashlib.md5(content).hexdigest()},
        } | changes.get(path, {})
        entry = {"label": name, "restricted": False, "version": 1, "dataFile": data}
        files.append(entry | ({"directoryLabel": folder} if folder else {}))
        server.files[f"/api/access/datafile/{number}"] = content
    listing = {"status": "OK", "data": {"id": 1, "latestVersion": {"versionNumber": 1, "files": files}}}
    path = "/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF"
    server.files[path] = json.dumps(listing).encode()


TESS = {
    "OAF_back_sad.wav": b"1" * 1000,
    "YAF_pleasant_surprised/YAF_back_ps.wav": b"2" * 2000,
    "OA_bite_neutral.wav": b"3" * 3000,
    "README.txt": b"not audio",
}


def test_fetch_a_record(server, tmp_path, capsys):
    record(server, TESS)
    result = fetch("tess", tmp_path, accept=True, mirror=server.url)
    assert result["fetched"] and (result["found"], result["expected"]) == (3, 2800)
    assert len(result["missing"]) == 2797 and "OAF_bite_neutral" not in result["missing"]
    assert files_under(tmp_path) == [
        "tess/OAF_back_sad.wav",
        "tess/OA_bite_neutral.wav",
        "tess/YAF_pleasant_surprised/YAF_back_ps.wav",
    ]
    assert (tmp_path / "tess" / "OA_bite_neutral.wav").read_bytes() == b"3" * 3000
    order = [asked[0].rsplit("/", 1)[1] for asked in server.asked[1:]]
    assert order == ["700", "702", "701"]  # by name; README.txt (703) is left there
    assert "CC BY-NC-ND 4.0" in capsys.readouterr().err


def test_only_missing_and_changed_files_of_a_record_are_downloaded_again(server, tmp_path):
    record(server, TESS)
    fetch("tess", tmp_path, accept=True, mirror=server.url, progress=False)
    (tmp_path / "tess" / "OAF_back_sad.wav").unlink()
    (tmp_path / "tess" / "OA_bite_neutral.wav").write_bytes(b"4" * 3000)
    server.asked = []
    assert fetch("tess", tmp_path, accept=True, mirror=server.url, progress=False)["found"] == 3
    assert [asked[0].rsplit("/", 1)[1] for asked in server.asked[1:]] == ["700", "702"]
    assert (tmp_path / "tess" / "OA_bite_neutral.wav").read_bytes() == b"3" * 3000


def test_a_broken_download_of_a_record_file_resumes(server, tmp_path):
    record(server, {"OAF_back_sad.wav": BODY})
    listing = len(server.files["/api/datasets/:persistentId/?persistentId=doi:10.5683/SP2/E8H2MF"])
    server.break_after = [listing, 200_000]
    fetch("tess", tmp_path, accept=True, mirror=server.url, progress=False)
    assert (tmp_path / "tess" / "OAF_back_sad.wav").read_bytes() == BODY
    assert server.asked[-1][1] == "bytes=200000-"


def test_a_record_file_with_a_wrong_checksum_is_deleted(server, tmp_path):
    record(server, TESS, **{"OA_bite_neutral.wav": {"md5": "0" * 32}})
    with pytest.raises(SerError, match="OA_bite_neutral.wav has a wrong checksum"):
        fetch("tess", tmp_path, accept=True, mirror=server.url, progress=False)
    assert files_under(tmp_path / "tess") == ["OAF_back_sad.wav"]


def test_a_record_of_archives_is_unpacked(server, tmp_path):
    names = ("OAF_Sad/OAF_back_sad.wav", "OAF_Sad/OAF_dog_sad.wav")
    record(server, {"OAF.zip": packed({name: name.encode() for name in names}), "licence.pdf": b"x"})
    result = fetch("tess", tmp_path, accept=True, mirror=server.url, progress=False)
    assert result["found"] == 2 and files_under(tmp_path) == [f"tess/{name}" for name in names]


def test_a_record_with_files_outside_its_folder_is_refused(server, tmp_path):
    record(server, {"../../OAF_back_sad.wav": b"harm"})
    with pytest.raises(SerError, match="outside its folder: refused"):
        fetch("tess", tmp_path / "a" / "b", accept=True, mirror=server.url, progress=False)
    assert not list(tmp_path.rglob("*.wav"))


def test_a_record_without_recordings(server, tmp_path):
    record(server, {"README.txt": b"moved"})
    with pytest.raises(SerError, match="lists no TESS recordings"):
        fetch("tess", tmp_path, accept=True, mirror=server.url, progress=False)


@pytest.mark.parametrize(
    "content",
    [b"<html>", b"[]", b"{}", b'{"data": {"latestVersion": {"files": [{"label": "x"}]}}}', b'{"data": null}', b"\xff"],
)
def test_an_invalid_listing(content):
    with pytest.raises(SerError, match="not one of a Dataverse"):
        read_listing(content, "http://127.0.0.1")


def test_other_checksums_of_a_listing():
    data = {"id": 5, "filename": "OAF_back_sad.wav", "filesize": 3, "checksum": {"type": "SHA-256", "value": "AB"}}
    listing = json.dumps({"data": {"latestVersion": {"files": [{"dataFile": data}]}}}).encode()
    expected = [("OAF_back_sad.wav", "http://127.0.0.1/api/access/datafile/5", "sha256:ab", 3)]
    assert read_listing(listing, "http://127.0.0.1") == expected


def test_both_parts_of_a_composition(server, tmp_path):
    record(server, TESS)
    for name in corpora.manifest("ravdess")["file"]:
        path = (tmp_path / "ravdess" / name).with_suffix(".flac")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    result = fetch("ravtess", tmp_path, accept=True, mirror=server.url, progress=False)
    assert result["fetched"] and (result["corpus"], result["folder"]) == ("ravtess", str(tmp_path))
    assert (result["found"], result["expected"]) == (1251, 4048)
    assert len(result["missing"]) == 2797
