"""Run Voila for the prediction page: at most a given number of kernels, which end with their pages.

``python -m ser_core.widgets.page_server`` takes Voila's options. Each open page has a kernel of some 280 MB; one more
is kept ready. A kernel ends when its page is closed, also where the browser does not say so, and when the page was idle
for an hour. While all are in use, a visitor gets a plain page that says so.
"""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from ser_core.widgets.app import KERNELS, SETTINGS

RECONNECT = 3.0
"""Seconds after which a page without connection is gone."""
FIRST_CONNECTION = 60.0
"""Seconds that a browser has from the request of the page to the connection with its kernel."""
IDLE = 3600.0
"""Seconds after which the kernel of an open page ends if nothing was done."""
EVERY = 1.0
"""Seconds between two looks at the kernels."""
FULL = Path(__file__).with_name("page_full.html")
_request: ContextVar[object] = ContextVar("_request", default=None)
"""The request under way; Voila starts or takes its kernel within it."""


class KernelKeeper:
    """Count the pages of a kernel manager, end the kernels of those that are gone, and keep one ready.

    Parameters
    ----------
    manager : jupyter_server.services.kernels.kernelmanager.AsyncMappingKernelManager
        As Voila makes it, with a pool.
    most : int
        Maximum number of kernels.
    clock : callable, default time.monotonic
        Returns seconds.
    """

    def __init__(self, manager: Any, most: int, clock: Callable[[], float] = time.monotonic):
        self.manager, self.most, self.clock = manager, max(1, most), clock
        self.arriving: set[object] = set()  # requests that have no kernel yet
        self.since: dict[str, float] = {}  # kernel of a page to the time since which it has no connection
        self.ending: set[str] = set()
        self._begin, self._take, self._fill = (
            manager.start_kernel,
            manager.get_rendered_notebook,
            manager.fill_if_needed,
        )
        manager.start_kernel = self._start_kernel
        manager.get_rendered_notebook = self._get_rendered_notebook
        manager.fill_if_needed = self._fill_if_room

    @property
    def pages(self) -> int:
        """Return how many pages have a kernel or wait for one."""
        return len(self.arriving) + len(self.since)

    @contextmanager
    def admit(self) -> Iterator[bool]:
        """Count a request until it has its kernel or has ended; False where all kernels are in use."""
        if self.pages >= self.most:
            yield False
            return
        request = object()
        self.arriving.add(request)
        token = _request.set(request)
        try:
            yield True
        finally:
            _request.reset(token)
            self.arriving.discard(request)

    def _given(self, kernel: str) -> None:
        self.arriving.discard(_request.get())
        self.since[kernel] = self.clock() + FIRST_CONNECTION - RECONNECT

    async def _start_kernel(self, **options: Any) -> str:
        """Start a kernel for a page while none is ready."""
        kernel = await self._begin(**options)
        self._given(kernel)
        return kernel

    async def _get_rendered_notebook(self, **options: Any) -> tuple:
        """Give the kernel that is ready to a page."""
        rendered = await self._take(**options)
        self._given(rendered[-1])
        return rendered

    def _fill_if_room(self, **options: Any) -> None:
        """Start the kernel that is kept ready, unless the pages have them all; one that failed is replaced."""
        for pool in self.manager._pools.values():
            pool[:] = [start for start in pool if not start.done() or self._is_ready(start)]
        if self.pages < self.most:
            self._fill(**options)

    def _is_ready(self, start: Any) -> bool:
        """Return whether the start of a kernel succeeded, and the kernel is still there."""
        return not start.cancelled() and start.exception() is None and start.result()["kernel_id"] in self.manager

    async def end_gone(self) -> None:
        """End the kernels of pages that are gone or idle, and keep one ready."""
        now, ended = self.clock(), []
        for kernel, since in list(self.since.items()):
            if self.manager._kernel_connections.get(kernel, 0):
                self.since[kernel] = now
                gone = self._idle(kernel) > IDLE
            else:
                gone = now - since > RECONNECT
            if gone or kernel not in self.manager:
                ended.append(self.end(kernel))
        await asyncio.gather(*ended)
        self._fill_if_room(delay=0, notebook_name=self.manager.notebook_path)

    async def end(self, kernel: str) -> None:
        """End one kernel; it counts until its process has ended."""
        if kernel in self.ending:
            return
        self.ending.add(kernel)
        try:
            if kernel in self.manager:
                await self.manager.shutdown_kernel(kernel)
        finally:
            self.since.pop(kernel, None)
            self.ending.discard(kernel)

    def _idle(self, kernel: str) -> float:
        """Return for how many seconds a kernel has done nothing."""
        from jupyter_server._tz import utcnow

        known = self.manager._kernels.get(kernel)
        if known is None or getattr(known, "execution_state", "") == "busy" or not hasattr(known, "last_activity"):
            return 0.0
        return (utcnow() - known.last_activity).total_seconds()


def full_page(most: int) -> str:
    """Return the page for a visitor while all kernels are in use."""
    return FULL.read_text(encoding="utf-8").replace("MOST", html.escape(str(most)))


def server_class() -> Any:
    """Return the server: Voila with a :class:`KernelKeeper`."""
    from tornado.ioloop import PeriodicCallback
    from traitlets import Int
    from voila.app import Voila
    from voila.shutdown_kernel_handler import VoilaShutdownKernelHandler
    from voila.tornado.handler import TornadoVoilaHandler

    class PageHandler(TornadoVoilaHandler):
        """Give a page its kernel, or the page that says that there is none."""

        async def get(self, path=None):
            if not self.current_user:
                return await super().get(path)  # leads to the question for the token
            with self.settings["keeper"].admit() as admitted:
                if admitted:
                    return await super().get(path)
            self.set_status(503)
            self.set_header("Retry-After", "60")
            return self.finish(full_page(self.settings["keeper"].most))

    class LeaveHandler(VoilaShutdownKernelHandler):
        """End the kernel of a page that is being left."""

        def check_xsrf_cookie(self):
            """Accept the browser's last message, which has no header: who knows the kernel's id has its page."""

        async def post(self, kernel_id):
            if self.current_user:
                await self.settings["keeper"].end(kernel_id)
            self.set_status(204)

    class PageServer(Voila):
        """Voila for one notebook with a limit on its kernels."""

        kernels = Int(KERNELS, config=True, help="Maximum number of kernels.")

        def init_settings(self):
            settings = super().init_settings()
            settings["keeper"] = KernelKeeper(self.kernel_manager, self.kernels)
            self.look = PeriodicCallback(settings["keeper"].end_gone, 1000 * EVERY)
            self.look.start()
            return settings

        def init_handlers(self):
            ours = {VoilaShutdownKernelHandler: LeaveHandler, TornadoVoilaHandler: PageHandler}
            return [(route, ours.get(kind, kind), *rest) for route, kind, *rest in super().init_handlers()]

        def stop(self):
            self.look.stop()
            super().stop()

    return PageServer


def configuration() -> Any:
    """Return Voila's settings that are no options, as traitlets takes them."""
    from traitlets.config import Config

    return Config({"Voila": {"tornado_settings": SETTINGS}})


if __name__ == "__main__":
    server_class().launch_instance(config=configuration())
