"""Sweeps on a Dask cluster of two worker processes: the same results as without it, whatever is killed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import made_runs
import psutil
import pytest

from ser_core._utils.errors import SerError
from ser_core.experiments import cluster, store
from ser_core.experiments.sweep import cached_corpus_version, run_sweep

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install .[cluster]")


@pytest.fixture(scope="module")
def dask(runs_folder, tmp_path_factory):
    """Start a scheduler and two workers with their own store; return (address, process id of the nanny, SER_RUNS)."""
    place = tmp_path_factory.mktemp("dask")
    folders = {"SER_RUNS": str(place / "runs"), "SER_CACHE": str(place / "cache")}
    common = {"env": made_runs.environment(runs_folder) | folders, "stdout": subprocess.DEVNULL, "cwd": place}
    dask, quiet = [sys.executable, "-m", "dask"], ["--no-dashboard"]
    with (place / "log").open("w") as log:
        words = [*dask, "scheduler", "--host=127.0.0.1", "--port=0", "--scheduler-file=scheduler.json", *quiet]
        scheduler = subprocess.Popen(words, stderr=log, **common)
        words = [*dask, "worker", "--scheduler-file=scheduler.json", "--nworkers=2", "--nthreads=1", *quiet]
        workers = subprocess.Popen([*words, f"--local-directory={place}"], stderr=log, **common)
    try:
        file = place / "scheduler.json"
        address = json.loads(made_runs.wait_for(lambda: file.is_file() and file.read_text()))["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers.pid, folders["SER_RUNS"]
    finally:
        for process in (workers, scheduler):
            made_runs.end(process)


def test_a_run_that_fails_or_kills_its_process_has_an_error_as_result(dask, runs_folder, own_store, own_cache):
    failing, deadly = made_runs.failing(runs_folder)
    sweep = run_sweep([deadly, failing], scheduler=dask[0], progress=False)
    results = {result.spec["model"]: result for result in sweep}
    assert "fold 7" in results[failing.model].error and "was killed" in results[deadly.model].error
    assert {result.hash for result in results.values()} == {path.stem for path in own_store.glob("*.json")}


def test_a_worker_with_other_data_or_code_does_not_train(dask, runs_folder, own_store, own_cache, monkeypatch):
    spec = made_runs.specs(runs_folder)[0]
    options = {"fresh": False, "progress": False}
    (result,) = cluster.run_on_cluster([spec], dask[0], lambda corpus: "0123", **options)
    assert result.status == "error" and "but 0123 on the client" in result.error
    monkeypatch.setattr(cluster, "spec_hash", lambda spec, version: "another")
    (result,) = cluster.run_on_cluster([spec], dask[0], cached_corpus_version, **options)
    assert result.status == "error" and "another version" in result.error


def test_a_killed_sweep_and_a_killed_worker_lose_no_result(dask, runs_folder, own_store, own_cache):
    """The first sweep shares its store with the workers, the second does not; the third uses the first store."""
    address, workers, runs = dask
    shutil.rmtree(runs, ignore_errors=True)  # files of other tests
    shared, words = Path(runs) / "store", made_runs.command(runs_folder, f"--scheduler={address}")
    apart = made_runs.environment(runs_folder)
    together = apart | {"SER_RUNS": runs}

    process = subprocess.Popen(words, env=together, stdout=subprocess.DEVNULL)
    made_runs.wait_for(lambda: list(shared.glob("*.json")) and list(shared.glob("*.checkpoint/state.json")))
    trainers = made_runs.trainers(workers)
    process.kill()
    process.wait()
    made_runs.wait_for(lambda: not at_work(address))
    waiting = psutil.wait_procs(trainers, 10)[1]  # idle: their runs had ended before the sweep was killed
    finished = made_runs.finished(shared)
    assert trainers and len(waiting) <= len(finished), "runs continue that no client waits for"
    assert 0 < len(finished) < 4

    reached = made_runs.states(shared)
    process = subprocess.Popen(words, env=apart, stdout=subprocess.PIPE, text=True)
    made_runs.wait_for(lambda: made_runs.states(shared) - reached and len(made_runs.trainers(workers)) == 2)
    victim, other = made_runs.trainers(workers)
    victim.parent().kill()
    assert made_runs.ended([victim]) and other.is_running(), "it continues to train without its worker"
    output, _ = process.communicate()
    assert process.returncode == 0
    assert sorted(output.splitlines()) == sorted(json.dumps(result.to_json()) for result in store.load_rows(own_store))
    assert made_runs.stored(own_store) == made_runs.sequential(runs_folder)
    assert made_runs.finished(shared).items() >= finished.items(), "finished runs were run again"

    output = subprocess.run(words, env=together, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert len(output.splitlines()) == 4 and made_runs.stored(shared) == made_runs.sequential(runs_folder)


def at_work(address):
    """Return the tasks that the workers of a scheduler compute."""
    with distributed.Client(address, set_as_default=False) as client:
        return [task for tasks in client.processing().values() for task in tasks]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1", "http://127.0.0.1:9"])
def test_a_missing_scheduler_is_a_one_line_error(address, runs_folder, own_store, own_cache, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(SerError, match=f"scheduler {address}: no Dask scheduler") as error:
        list(run_sweep(made_runs.specs(runs_folder), scheduler=address, progress=False))
    assert "\n" not in str(error.value)


def test_without_dask_the_error_says_what_to_install(runs_folder, own_store, own_cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SerError, match=r"pip install \.\[cluster\]"):
        list(run_sweep(made_runs.specs(runs_folder), scheduler="tcp://127.0.0.1:9", progress=False))
