"""The downloader: broken connections, wrong bytes, ranges, refusals. Every server is on 127.0.0.1."""

import os

import pytest
from made_server import BODY

from ser_core._utils.errors import SerError
from ser_core.corpora.download import download


def get(server, target, **options):
    """Download ``/file`` with short pauses."""
    return download(f"{server.url}/file", target, **{"pause": 0.001, "timeout": 5.0, "attempts": 3} | options)


def test_download(server, tmp_path):
    assert get(server, tmp_path / "deep" / "file", size=len(BODY)).read_bytes() == BODY
    assert os.listdir(tmp_path / "deep") == ["file"]
    assert server.asked == [("/file", None, None)]


def test_a_broken_download_resumes(server, tmp_path):
    server.break_after = [100_000, 50_000]
    counts = []
    assert get(server, tmp_path / "file", size=len(BODY), progress=counts.append).read_bytes() == BODY
    assert [asked[1] for asked in server.asked] == [None, "bytes=100000-", "bytes=150000-"]
    assert [asked[2] for asked in server.asked] == [None, '"v1"', '"v1"']
    assert sum(counts) == len(BODY)


def test_a_broken_download_of_unknown_size_resumes(server, tmp_path):
    server.break_after = [100_000]
    assert get(server, tmp_path / "file").read_bytes() == BODY


def test_a_later_call_resumes(server, tmp_path):
    server.break_after = [1000, 0, 0, 0, 0]
    with pytest.raises(
        SerError, match=r"made no progress in 3 attempts.*1000 bytes are kept: run the command again to resume"
    ):
        get(server, tmp_path / "file", size=len(BODY))
    assert not (tmp_path / "file").exists() and (tmp_path / "file.part").stat().st_size == 1000
    server.break_after, server.asked, counts = [], [], []
    assert get(server, tmp_path / "file", size=len(BODY), progress=counts.append).read_bytes() == BODY
    assert server.asked == [("/file", "bytes=1000-", '"v1"')]
    assert counts[0] == 1000 and sum(counts) == len(BODY)
    assert os.listdir(tmp_path) == ["file"]


def test_a_complete_part_needs_no_request(server, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY)
    assert get(server, tmp_path / "file", size=len(BODY)).read_bytes() == BODY
    assert server.asked == []


def test_a_complete_part_of_unknown_size_is_recognised(server, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY)
    assert get(server, tmp_path / "file").read_bytes() == BODY
    assert server.asked == [("/file", f"bytes={len(BODY)}-", None)]


def test_a_part_that_is_too_long_is_discarded(server, tmp_path):
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    counts = []
    assert get(server, tmp_path / "file", size=len(BODY), progress=counts.append).read_bytes() == BODY
    assert server.asked == [("/file", None, None)] and sum(counts) == len(BODY)
    (tmp_path / "file.part").write_bytes(BODY + b"more")
    assert get(server, tmp_path / "file").read_bytes() == BODY  # 416, then from the start


def test_without_range_support_it_starts_over(server, tmp_path):
    server.ranges = False
    server.break_after = [100_000]
    counts = []
    assert get(server, tmp_path / "file", size=len(BODY), progress=counts.append).read_bytes() == BODY
    assert server.asked[1][1] == "bytes=100000-" and sum(counts) == len(BODY)


def test_another_version_starts_over(server, tmp_path):
    server.break_after = [1000, 0, 0, 0, 0]
    with pytest.raises(SerError):
        get(server, tmp_path / "file")
    server.break_after, server.etag, server.files["/file"] = [], '"v2"', BODY[::-1]
    assert get(server, tmp_path / "file").read_bytes() == BODY[::-1]


def test_another_version_starts_over_even_where_if_range_is_ignored(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"old" * 100)
    (tmp_path / "file.part.tag").write_text('"v0"')
    answer = server.answer

    def ignores(handler):
        del handler.headers["If-Range"]
        answer(handler)

    server.answer = ignores
    assert get(server, tmp_path / "file", size=len(BODY)).read_bytes() == BODY
    assert [asked[1] for asked in server.asked] == ["bytes=300-", None]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_a_date_or_nothing_in_place_of_a_strong_etag(server, tmp_path, etag):
    server.etag, server.dated, server.break_after = etag, etag is None, [5000]
    assert get(server, tmp_path / "file", size=len(BODY)).read_bytes() == BODY
    date = "Mon, 01 Jan 2024 00:00:00 GMT" if etag is None else None
    assert server.asked[1] == ("/file", "bytes=5000-", date)


def test_the_wrong_range_is_discarded(server, tmp_path):
    server.break_after, server.shift = [5000], 7
    answer = server.answer

    def once(handler):
        answer(handler)
        if len(server.asked) == 2:
            server.shift = 0

    server.answer = once
    assert get(server, tmp_path / "file", size=len(BODY)).read_bytes() == BODY
    assert [asked[1] for asked in server.asked] == [None, "bytes=5000-", None]


def test_a_stalled_connection_is_closed_and_the_download_resumes(server, tmp_path):
    server.stall_after = [4096]
    assert get(server, tmp_path / "file", size=len(BODY), timeout=0.2).read_bytes() == BODY
    assert server.asked[1][1] == "bytes=4096-"


def test_a_body_without_a_length(server, tmp_path):
    server.lengths = False
    assert get(server, tmp_path / "file").read_bytes() == BODY
    server.break_after = [10]
    assert get(server, tmp_path / "again", size=len(BODY)).read_bytes() == BODY


def test_temporary_errors_are_retried(server, tmp_path):
    server.statuses = [503, 429]
    assert get(server, tmp_path / "file", size=len(BODY)).read_bytes() == BODY


def test_it_gives_up_after_the_last_attempt(server, tmp_path):
    server.statuses = [500] * 9
    with pytest.raises(SerError, match="no progress in 3 attempts .*500"):
        get(server, tmp_path / "file")
    assert len(server.asked) == 3


def test_refusals_are_final(server, tmp_path):
    with pytest.raises(SerError, match="404"):
        download(f"{server.url}/absent", tmp_path / "x", pause=0.001)
    assert len(server.asked) == 1 and os.listdir(tmp_path) == []


def test_another_size_is_refused_before_it_is_read(server, tmp_path):
    with pytest.raises(SerError, match=rf"has {len(BODY)} bytes, 99 are published"):
        get(server, tmp_path / "file", size=99)
    assert os.listdir(tmp_path) == []


def test_redirects_keep_the_range(server, tmp_path):
    server.redirects["/file"] = "/storage"
    server.files["/storage"] = BODY
    server.break_after = [1000]
    assert get(server, tmp_path / "file", size=len(BODY)).read_bytes() == BODY
    assert ("/storage", "bytes=1000-", '"v1"') in server.asked


def test_a_server_that_does_not_answer_gives_a_one_line_error(tmp_path):
    with pytest.raises(SerError, match="made no progress in 2 attempts") as error:
        download("http://127.0.0.1:9/x", tmp_path / "x", attempts=2, pause=0.001, timeout=1.0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/x", "x.zip", ""])
def test_only_http(tmp_path, url):
    with pytest.raises(SerError, match="not an http or https address"):
        download(url, tmp_path / "x")
