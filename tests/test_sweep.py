"""Sweeps by local processes: whatever is killed, every run has one result, with the same numbers."""

import os
import signal
import subprocess
import sys
import threading

import made_runs
import psutil
import pytest

from ser_core._utils.errors import SerError
from ser_core.experiments import store
from ser_core.experiments.spec import Spec
from ser_core.experiments.sweep import run_sweep


@pytest.fixture(scope="module")
def sequential(runs_folder):
    return made_runs.sequential(runs_folder)


def test_a_killed_worker_and_a_killed_sweep_lose_no_result(runs_folder, sequential, own_store, own_cache):
    words, environment = made_runs.command(runs_folder, "--workers=2"), made_runs.environment(runs_folder)
    first = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    made_runs.wait_for(lambda: list(own_store.glob("*.checkpoint/state.json")))
    victim, other = made_runs.trainers(first.pid)
    victim.kill()
    made_runs.wait_for(lambda: len(set(made_runs.trainers(first.pid)) - {victim}) == 2)
    assert other.is_running(), "the other run was stopped too"
    made_runs.wait_for(lambda: list(own_store.glob("*.json")))
    trainers = made_runs.trainers(first.pid)
    first.kill()
    first.wait()
    assert made_runs.ended(trainers), "they continue to train without the sweep"
    finished = made_runs.finished(own_store)
    second = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    assert len(second.stdout.splitlines()) == 4 and len(finished) < 4
    assert made_runs.finished(own_store).items() >= finished.items(), "finished runs were run again"
    assert made_runs.stored(own_store) == sequential


def heeds_ctrl_c():
    """Restore Ctrl-C, which processes in the background of a shell ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("phase", ["features", "training"])
def test_ctrl_c_ends_everything_with_one_line(phase, runs_folder, own_store, own_cache):
    words = made_runs.command(runs_folder, "--workers=2")
    if phase == "features":
        words = [sys.executable, "-m", "ser_core.cli", "sweep", "demo"]
    process = subprocess.Popen(
        words, env=made_runs.environment(runs_folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, preexec_fn=heeds_ctrl_c,
    )  # fmt: skip
    if phase == "features":
        made_runs.wait_for(lambda: len(list(own_cache.glob("features/*/*.npy"))) > 20)
    else:
        made_runs.wait_for(lambda: len(made_runs.trainers(process.pid)) == 2)
    children = psutil.Process(process.pid).children(recursive=True)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, output) == (130, "") and len(children) >= 2
    assert errors == "ser: stopped; run the same command again to resume\n"
    assert made_runs.ended(children)


def test_the_processes_that_compute_features_end_with_their_parent(own_store, own_cache):
    process = subprocess.Popen([sys.executable, "-m", "ser_core.cli", "sweep", "demo"], stderr=subprocess.DEVNULL)
    made_runs.wait_for(lambda: len(list(own_cache.glob("features/*/*.npy"))) > 20)
    children = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.wait()
    assert len(children) >= 2 and made_runs.ended(children)


def test_a_run_that_fails_or_kills_its_process_has_an_error_as_result(runs_folder, own_store, own_cache):
    failing, deadly = made_runs.failing(runs_folder)
    results = {result.spec["model"]: result for result in run_sweep([deadly, failing], workers=2, progress=False)}
    assert "fold 7" in results[failing.model].error and "killed 3 times" in results[deadly.model].error
    assert {path.suffix for path in made_runs.files(own_store)} == {".json"}


HOLD = """
import sys
from ser_core.experiments import store
with store.result_lock("name"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_never_work_on_one_run(own_store):
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
    assert not made_runs.files(own_store)


def test_importing_the_module_loads_neither_dask_nor_tensorflow():
    names = ("distributed", "dask", "tensorflow")
    code = f"import sys, ser_core.experiments.sweep; print([name for name in {names} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("workers", [0, -1])
def test_less_than_one_process_is_refused(workers):
    with pytest.raises(SerError, match=f"workers {workers}: at least one"):
        list(run_sweep([Spec(corpus="demo", model="svm")], workers=workers, progress=False))
