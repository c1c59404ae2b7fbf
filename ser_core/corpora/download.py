"""Download a file, and go on where a broken download stopped.

What has come so far is kept in a ``.part`` file with the server's mark of that version (ETag or date) beside it. The
next attempt, in this call or in a later one, asks for the rest by HTTP Range (RFC 9110, section 14) under the condition
(If-Range) that the file is still the same; a server that knows no ranges, or has another file now, is read from the
start. Checksums are not looked at here: ``fetch.py`` does that before anything is used.
"""

import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from ser_core._utils.errors import SerError

CHUNK = 1 << 16
RETRIED = (408, 425, 429, 500, 502, 503, 504)
"""HTTP answers that may be better a moment later."""


def download(
    url: str,
    target: str | os.PathLike,
    *,
    size: int = 0,
    progress: Callable[[int], object] = lambda count: None,
    attempts: int = 5,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """Download ``url`` to ``target``, which appears only when it is whole.

    Args:
        url: http or https.
        target: file to write; ``<target>.part`` holds what has come so far.
        size: published size in bytes; 0 when unknown. An offer of another size is refused before it is read.
        progress: called with the number of bytes that came (negative when a start-over throws some away).
        attempts: how many attempts in a row may bring nothing new.
        pause: seconds before the second attempt, doubled after each that brings nothing.
        timeout: seconds without a byte after which a connection counts as broken.

    Returns:
        The target.

    Raises:
        SerError: not an http address, refused by the server, another size, or no progress in ``attempts`` attempts.
    """
    if not re.match(r"https?://", url):
        raise SerError(f"cannot download {url}: not an http or https address")
    target = Path(target)
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    best = _length(part)
    progress(best)
    failures = 0
    while True:
        try:
            if _go_on(url, part, size, progress, timeout):
                break
            problem = "the connection broke"
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        length = _length(part)
        failures = 0 if length > best else failures + 1
        best = max(best, length)
        if failures >= attempts:
            raise SerError(
                f"download of {url} got no further in {attempts} attempts ({problem}); "
                f"{length} bytes are kept: run the command again to go on"
            )
        time.sleep(min(pause * 2**failures, 30.0))
    os.replace(part, target)
    _tag(part).unlink(missing_ok=True)
    return target


def _go_on(url: str, part: Path, size: int, progress: Callable[[int], object], timeout: float) -> bool:
    """One attempt; whether ``part`` is whole afterwards."""
    offset = _length(part)
    if size and offset == size:
        return True
    if size and offset > size:
        offset = _start_over(part, offset, progress)
    headers = {"User-Agent": "ser-core", "Accept-Encoding": "identity"}
    tag = _tag(part).read_text() if offset and _tag(part).is_file() else ""
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if tag:
            headers["If-Range"] = tag
    try:
        response = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            return _refused(error, url, part, offset, progress)
    with response:
        new_tag = _validator(response)
        first, total = _offer(response)
        if first and (first != offset or (tag and new_tag and new_tag != tag)):
            _start_over(part, offset, progress)
            return False
        if size and total and total != size:
            raise SerError(
                f"{url} has {total} bytes, {size} are published: try again later or name a mirror with --from"
            )
        if not first and offset:
            offset = _start_over(part, offset, progress)
        if not offset and new_tag:
            _tag(part).write_text(new_tag)
        with part.open("ab") as out:
            while chunk := _read(response):
                out.write(chunk)
                offset += len(chunk)
                progress(len(chunk))
                if total and offset > total:
                    break
    wanted = size or total
    if wanted and offset > wanted:
        _start_over(part, offset, progress)
        return False
    return offset == wanted if wanted else True


def _read(response: HTTPResponse) -> bytes:
    """The next bytes; whatever goes wrong on the line is a broken connection (and a full disk is not)."""
    try:
        return response.read1(CHUNK)
    except OSError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


def _refused(
    error: urllib.error.HTTPError, url: str, part: Path, offset: int, progress: Callable[[int], object]
) -> bool:
    """What an HTTP error means: a range that cannot be had is started over, some are worth a second attempt."""
    if error.code == 416 and offset:
        whole = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if whole and int(whole[1]) == offset:
            return True
        _start_over(part, offset, progress)
        return False
    if error.code in RETRIED:
        wait = error.headers.get("Retry-After", "")
        time.sleep(min(int(wait), 60) if wait.isdigit() else 0)
        raise HTTPException(f"the server answered {error.code} {error.reason}")
    raise SerError(f"cannot download {url}: the server answered {error.code} {error.reason}")


def _offer(response: HTTPResponse) -> tuple[int, int]:
    """First byte and total size that the server offers (0 for the start, 0 for an unknown size)."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            raise HTTPException("the server sent a part without saying which")
        return int(match[1]), int(match[2]) if match[2] != "*" else 0
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else 0


def _validator(response: HTTPResponse) -> str:
    """What names this version of the file: a strong ETag, else the date of change, else nothing."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _start_over(part: Path, offset: int, progress: Callable[[int], object]) -> int:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
    progress(-offset)
    return 0


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
