"""Download a file, and resume a download that was interrupted.

The bytes received so far are kept in a ``.part`` file, with the server's validator of that version (ETag or date) in a
``.tag`` file. The next attempt, in this call or a later one, requests the rest by HTTP Range (RFC 9110, section 14),
on condition (If-Range) that the file is unchanged. If the server does not support ranges, or the file has changed, the
download starts over. Checksums are verified by :mod:`ser_core.corpora.fetch`, before anything is used.
"""

import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from ser_core._utils.errors import SerError

CHUNK = 1 << 16
"""Bytes read at a time."""
RETRIED = (408, 425, 429, 500, 502, 503, 504)
"""HTTP status codes after which another attempt is made."""

Progress = Callable[[int], object]
"""Called with the number of new bytes; negative when received bytes are discarded."""


def download(
    url: str,
    target: str | os.PathLike,
    *,
    size: int = 0,
    progress: Progress = lambda count: None,
    attempts: int = 5,
    pause: float = 1.0,
    timeout: float = 30.0,
) -> Path:
    """Download a file, which appears under its name only when it is complete.

    Parameters
    ----------
    url : str
        http or https address.
    target : path
        File to write; ``<target>.part`` holds the bytes received so far.
    size : int, default 0
        Published size, bytes; 0 if unknown. Another size is refused before the body is read.
    progress : callable (int) -> object, optional
        Called with the number of new bytes; negative when received bytes are discarded.
    attempts : int, default 5
        Maximum number of consecutive attempts without a new byte.
    pause : float, default 1
        Pause before the second attempt, s; doubled after each attempt without a new byte.
    timeout : float, default 30
        Time without a byte after which a connection counts as broken, s.

    Returns
    -------
    Path
        The target.

    Raises
    ------
    SerError
        For an address that is not http, a refusal by the server, another size, or no progress in ``attempts`` attempts.
    """
    url = check_address(url)
    target = Path(target)
    part = target.with_name(target.name + ".part")
    part.parent.mkdir(parents=True, exist_ok=True)
    best = _length(part)
    progress(best)
    failures = 0
    while True:
        try:
            if _resume(url, part, size, progress, timeout):
                break
            problem = "the connection broke"
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
            problem = str(getattr(error, "reason", error)) or type(error).__name__
        length = _length(part)
        failures = 0 if length > best else failures + 1
        best = max(best, length)
        if failures >= attempts:
            raise SerError(
                f"download of {url} made no progress in {attempts} attempts ({problem}); "
                f"{length} bytes are kept: run the command again to resume"
            )
        time.sleep(min(pause * 2**failures, 30.0))
    os.replace(part, target)
    _tag(part).unlink(missing_ok=True)
    return target


def check_address(url: str) -> str:
    """Return an address as it can be asked for: letters beyond ASCII in its path are encoded.

    Parameters
    ----------
    url : str
        http or https address

    Returns
    -------
    str

    Raises
    ------
    SerError
        for another scheme, a host or a port that cannot be, and for spaces or control characters

    Examples
    --------
    >>> check_address("https://example.org/Aufnahme 1/ä.zip")
    'https://example.org/Aufnahme%201/%C3%A4.zip'
    """
    shown = ascii(url)[1:-1][:200]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
        if any(not letter.isprintable() for letter in url) or " " in parts.netloc:
            raise ValueError("it holds a space or a control character")
        if parts.scheme not in ("http", "https"):
            raise ValueError("not an http or https address")
        if not host.strip("."):
            raise ValueError("it names no host")
        if port == 0:
            raise ValueError("port 0")
        if parts.username is not None:
            raise ValueError("it holds a user name; leave that out")
        path, query = (quote(part, safe="/%:;=@!$&'()*+,~?") for part in (parts.path, parts.query))
    except (ValueError, UnicodeError) as error:
        raise SerError(f"cannot download {shown}: {' '.join(str(error).split())[:120]}; check the address") from None
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


def _resume(url: str, part: Path, size: int, progress: Progress, timeout: float) -> bool:
    """Make one attempt; return whether ``part`` is complete afterwards."""
    offset = _length(part)
    if size and offset == size:
        return True
    if size and offset > size:
        offset = _start_over(part, offset, progress)
    tag = _tag(part).read_text() if offset and _tag(part).is_file() else ""
    try:
        response = urllib.request.urlopen(_request(url, offset, tag), timeout=timeout)
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
    complete = size or total
    if complete and offset > complete:
        _start_over(part, offset, progress)
        return False
    return offset == complete if complete else True


def _request(url: str, offset: int, tag: str) -> urllib.request.Request:
    """Return the request for a file from ``offset`` on, on condition that its validator is still ``tag``."""
    headers = {"User-Agent": "ser-core", "Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if tag:
            headers["If-Range"] = tag
    return urllib.request.Request(url, headers=headers)


def _read(response: HTTPResponse) -> bytes:
    """Read the next bytes; a network error counts as a broken connection (a full disk does not)."""
    try:
        return response.read1(CHUNK)
    except OSError as error:
        raise ConnectionError(str(error) or type(error).__name__) from error


def _refused(error: urllib.error.HTTPError, url: str, part: Path, offset: int, progress: Progress) -> bool:
    """Handle an HTTP error: start over without a range, try again later, or raise SerError."""
    if error.code == 416 and offset:
        total = re.fullmatch(r"bytes \*/(\d+)", error.headers.get("Content-Range", ""))
        if total and int(total[1]) == offset:
            return True
        _start_over(part, offset, progress)
        return False
    if error.code in RETRIED:
        wait = error.headers.get("Retry-After", "")
        time.sleep(min(int(wait), 60) if wait.isdigit() else 0)
        raise HTTPException(f"the server answered {error.code} {error.reason}")
    raise SerError(f"cannot download {url}: the server answered {error.code} {error.reason}")


def _offer(response: HTTPResponse) -> tuple[int, int]:
    """Return the first byte and the total size that the server offers (size 0 if unknown)."""
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            raise HTTPException("the server sent a part without a valid Content-Range")
        return int(match[1]), int(match[2]) if match[2] != "*" else 0
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else 0


def _validator(response: HTTPResponse) -> str:
    """Return what identifies this version of the file: a strong ETag, else the date of change, else ""."""
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified", "")


def _start_over(part: Path, offset: int, progress: Progress) -> int:
    """Discard the bytes received so far; return the new offset, 0."""
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)
    progress(-offset)
    return 0


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _length(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
