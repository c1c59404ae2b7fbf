"""A server on 127.0.0.1 that can fail in many ways."""

import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 1200  # 307,200 bytes


class Server:
    """Serve files by path, and fail on demand; ``asked`` has (path, Range, If-Range) of every request."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.asked: list[tuple[str, str | None, str | None]] = []
        self.ranges = True
        self.etag: str | None = '"v1"'
        self.dated = False
        self.break_after: list[int] = []  # bytes after which the next responses break off
        self.stall_after: list[int] = []
        self.statuses: list[int] = []  # HTTP errors of the next responses
        self.lengths = True
        self.redirects: dict[str, str] = {}
        self.shift = 0  # offset of the part sent from the part requested

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        wanted, condition = handler.headers["Range"], handler.headers["If-Range"]
        self.asked.append((handler.path, wanted, condition))
        if handler.path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[handler.path])
            handler.end_headers()
            return
        if self.statuses:
            handler.send_response(self.statuses.pop(0))
            handler.send_header("Retry-After", "0")
            handler.end_headers()
            return
        body = self.files.get(handler.path)
        if body is None:
            handler.send_error(404)
            return
        first = 0
        current = self.etag or ("Mon, 01 Jan 2024 00:00:00 GMT" if self.dated else None)
        if self.ranges and wanted and (condition is None or condition == current):
            first = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
            if first >= len(body):
                handler.send_response(416)
                handler.send_header("Content-Range", f"bytes */{len(body)}")
                handler.end_headers()
                return
            first += self.shift
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        if self.etag:
            handler.send_header("ETag", self.etag)
        if self.dated:
            handler.send_header("Last-Modified", "Mon, 01 Jan 2024 00:00:00 GMT")
        rest = body[first:]
        if self.lengths:
            handler.send_header("Content-Length", str(len(rest)))
        handler.end_headers()
        if self.stall_after:
            handler.wfile.write(rest[: self.stall_after.pop(0)])
            handler.wfile.flush()
            time.sleep(1.0)
        elif self.break_after:
            handler.wfile.write(rest[: self.break_after.pop(0)])
        else:
            handler.wfile.write(rest)


@contextmanager
def serving():
    """Run a :class:`Server` with ``BODY`` as ``/file``; its address is ``url``."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            state.answer(self)

        def log_message(self, *arguments):
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.daemon_threads = True
    thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    state.url = f"http://127.0.0.1:{running.server_port}"
    state.files["/file"] = BODY
    yield state
    running.shutdown()
    thread.join()
    running.server_close()
