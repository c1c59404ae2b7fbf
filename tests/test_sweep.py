"""Many cells by local processes: whatever is killed, every cell is there once and with the same numbers."""

import os
import signal
import subprocess
import sys
import threading

import made_cells
import psutil
import pytest

from ser_core.experiments import store
from ser_core.experiments.sweep import run_sweep


@pytest.fixture(scope="module")
def sequential(cells):
    return made_cells.sequential(cells)


def test_a_killed_worker_and_a_killed_sweep_cost_nothing_but_time(cells, sequential, own_store, own_cache):
    words, environment = made_cells.command(cells, "--workers=2"), made_cells.environment(cells)
    first = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    made_cells.wait_for(lambda: list(own_store.glob("*.checkpoint/state.json")))
    victim, other = made_cells.trainers(first.pid)
    victim.kill()
    made_cells.wait_for(lambda: len(set(made_cells.trainers(first.pid)) - {victim}) == 2)
    assert other.is_running(), "the cell beside it was stopped too"
    made_cells.wait_for(lambda: list(own_store.glob("*.json")))
    trainers = made_cells.trainers(first.pid)
    first.kill()
    first.wait()
    assert made_cells.ended(trainers), "they train on without the sweep"
    finished = {path: path.stat().st_mtime_ns for path in own_store.glob("*.json")}
    second = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert len(second.stdout.splitlines()) == 4 and len(finished) < 4
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "finished cells were run again"
    assert made_cells.left(own_store) == sequential


def heeds_ctrl_c():
    """A shell lets what it runs in the background ignore Ctrl-C, and these tests with it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("phase", ["features", "training"])
def test_ctrl_c_ends_everything_with_one_line(phase, cells, own_store, own_cache):
    words = made_cells.command(cells, "--workers=2")
    if phase == "features":
        words = [sys.executable, "-m", "ser_core.cli", "sweep", "demo"]
    process = subprocess.Popen(
        words, env=made_cells.environment(cells), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=heeds_ctrl_c,
    )  # fmt: skip
    if phase == "features":
        made_cells.wait_for(lambda: len(list(own_cache.glob("features/*/*.npy"))) > 20)
    else:
        made_cells.wait_for(lambda: len(made_cells.trainers(process.pid)) == 2)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "") and len(children) >= 2
    assert errors == "ser: stopped; start the same command again to go on\n"
    assert made_cells.ended(children)


def test_the_processes_that_compute_features_end_with_their_parent(own_store, own_cache):
    process = subprocess.Popen([sys.executable, "-m", "ser_core.cli", "sweep", "demo"], stderr=subprocess.DEVNULL)
    made_cells.wait_for(lambda: len(list(own_cache.glob("features/*/*.npy"))) > 20)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(children) >= 2 and made_cells.ended(children)


def test_a_cell_that_fails_or_kills_its_process_is_a_row(cells, own_store, own_cache):
    failing, deadly = made_cells.failing(cells)
    rows = {row.spec["model"]: row for row in run_sweep([deadly, failing], workers=2, progress=False)}
    assert "fold 7" in rows[failing.model].error and "killed 3 times" in rows[deadly.model].error
    assert {path.suffix for path in own_store.iterdir()} <= {".json", ".lock"}


HOLD = """
import sys
from ser_core.experiments import store
with store.result_lock("name"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_work_on_one_cell(own_store):
    holder = subprocess.Popen([sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"held\n"
    entered = threading.Event()

    def enter():
        with store.result_lock("name"):
            entered.set()

    thread = threading.Thread(target=enter)
    thread.start()
    assert not entered.wait(0.5)
    holder.kill()
    assert entered.wait(10)
    thread.join()
    holder.communicate()
    assert not list(own_store.iterdir())


def test_nothing_heavy_is_imported():
    heavy = "('distributed', 'dask', 'tensorflow')"
    code = f"import sys, ser_core.experiments.sweep; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
