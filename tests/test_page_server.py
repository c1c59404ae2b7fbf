"""Kernels of the prediction page: how many there may be, and when they end. In a browser: test_browser.py."""

import asyncio
from datetime import timedelta
from types import SimpleNamespace

import pytest

from ser_core.widgets import page_server

utcnow = pytest.importorskip("jupyter_server._tz").utcnow


class Manager:
    """What the keeper uses of Voila's manager: a pool of one kernel, and kernels by their name."""

    notebook_path = "page.ipynb"
    _pools: dict[str, list] = {}

    def __init__(self):
        self._kernels, self._kernel_connections, self.pool, self.count = {}, {}, [], 0
        self.fill_if_needed(delay=0, notebook_name="")

    def __contains__(self, kernel):
        return kernel in self._kernels

    def _add(self):
        self.count += 1
        name = f"k{self.count}"
        self._kernels[name] = SimpleNamespace(execution_state="idle", last_activity=utcnow())
        return name

    def fill_if_needed(self, delay=None, notebook_name=None):
        if not self.pool:
            self.pool.append(self._add())

    async def start_kernel(self):
        return self._add()

    async def get_rendered_notebook(self):
        kernel = self.pool.pop()
        await asyncio.sleep(0)
        self.fill_if_needed()
        return None, [], kernel

    async def shutdown_kernel(self, kernel):
        del self._kernels[kernel]


@pytest.fixture
def kept():
    manager, time = Manager(), SimpleNamespace(now=0.0)
    return page_server.KernelKeeper(manager, 3, clock=lambda: time.now), manager, time


async def visit(keeper, manager):
    """Ask for a page; return its kernel, or None where the page says that all are in use."""
    with keeper.admit() as admitted:
        if not admitted:
            return None
        if manager.pool:
            return (await manager.get_rendered_notebook())[-1]
        return await manager.start_kernel()


def test_a_page_more_than_allowed_is_refused_and_no_kernel_more_is_started(kept):
    keeper, manager, _ = kept

    async def visits():
        return await asyncio.gather(*(visit(keeper, manager) for _ in range(6)))

    kernels = asyncio.run(visits())
    assert len({kernel for kernel in kernels if kernel}) == 3 and kernels.count(None) == 3
    assert len(manager._kernels) == 3 and not keeper.arriving and manager.pool == []


def test_a_kernel_ends_when_its_page_is_gone_and_one_is_kept_ready(kept):
    keeper, manager, time = kept
    first, second, third = (asyncio.run(visit(keeper, manager)) for _ in range(3))
    manager._kernel_connections |= {first: 1, second: 1, third: 1}
    asyncio.run(keeper.end_gone())
    manager._kernel_connections[first] = 0
    time.now = page_server.RECONNECT - 0.1
    asyncio.run(keeper.end_gone())
    assert first in manager and third in manager  # it may be connecting again
    time.now += 2 * page_server.RECONNECT
    asyncio.run(keeper.end_gone())
    assert first not in manager and second in manager and len(manager.pool) == 1 and len(manager._kernels) == 3


def test_a_page_that_never_connects_loses_its_kernel(kept):
    keeper, manager, time = kept
    kernel = asyncio.run(visit(keeper, manager))
    time.now = page_server.FIRST_CONNECTION - 1
    asyncio.run(keeper.end_gone())
    assert kernel in manager
    time.now += 2
    asyncio.run(keeper.end_gone())
    assert kernel not in manager and keeper.pages == 0


def test_the_kernel_of_an_idle_page_ends_but_not_one_at_work_or_the_one_kept_ready(kept):
    keeper, manager, _ = kept
    idle, busy = (asyncio.run(visit(keeper, manager)) for _ in range(2))
    manager._kernel_connections |= {idle: 1, busy: 1}
    for kernel in manager._kernels.values():
        kernel.last_activity = utcnow() - timedelta(seconds=page_server.IDLE + 1)
    manager._kernels[busy].execution_state = "busy"
    (ready,) = manager.pool
    asyncio.run(keeper.end_gone())
    assert idle not in manager and busy in manager and ready in manager


def test_a_start_that_failed_leaves_the_pool(kept):
    keeper, manager, _ = kept
    (ready,) = manager.pool

    async def start(kernel):
        if kernel is None:
            raise OSError("no more processes")
        return {"kernel_id": kernel}

    async def look():
        starts = [asyncio.ensure_future(start(kernel)) for kernel in (ready, None, "of a process that ended")]
        waiting = asyncio.ensure_future(asyncio.sleep(60))
        await asyncio.wait(starts)
        manager._pools = {"page.ipynb": [*starts, waiting]}
        await keeper.end_gone()
        waiting.cancel()
        return manager._pools["page.ipynb"] == [starts[0], waiting]

    assert asyncio.run(look())


def test_a_request_that_fails_is_no_page(kept):
    keeper, _, _ = kept
    with pytest.raises(OSError), keeper.admit():
        raise OSError
    assert keeper.pages == 0


def test_the_page_that_refuses_names_the_number_and_loads_nothing():
    text = page_server.full_page(8)
    assert "At most 8 prediction pages" in text and "MOST" not in text
    assert "src=" not in text and "//" not in text.replace("<!DOCTYPE", "")
