"""The matrix on a Dask cluster of two worker processes: the same rows as without, whatever is killed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import made_cells
import psutil
import pytest

from ser_core._utils.errors import SerError
from ser_core.experiments import cluster, store
from ser_core.experiments.sweep import cached_corpus_version, run_sweep

distributed = pytest.importorskip("distributed", reason="needs Dask: pip install .[cluster]")


@pytest.fixture(scope="module")
def dask(cells, tmp_path_factory):
    """(address, process that keeps the workers, their SER_RUNS): a scheduler and two workers with a store of theirs."""
    place = tmp_path_factory.mktemp("dask")
    folders = {"SER_RUNS": str(place / "runs"), "SER_CACHE": str(place / "cache")}
    common = {"env": made_cells.environment(cells) | folders, "stdout": subprocess.DEVNULL, "cwd": place}
    dask, quiet = [sys.executable, "-m", "dask"], ["--no-dashboard"]
    with (place / "log").open("w") as log:
        words = [*dask, "scheduler", "--host=127.0.0.1", "--port=0", "--scheduler-file=scheduler.json", *quiet]
        scheduler = subprocess.Popen(words, stderr=log, **common)
        words = [*dask, "worker", "--scheduler-file=scheduler.json", "--nworkers=2", "--nthreads=1", *quiet]
        workers = subprocess.Popen([*words, f"--local-directory={place}"], stderr=log, **common)
    try:
        file = place / "scheduler.json"
        address = json.loads(made_cells.wait_for(lambda: file.is_file() and file.read_text()))["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers.pid, folders["SER_RUNS"]
    finally:
        for process in (workers, scheduler):
            made_cells.end(process)


def test_a_cell_that_fails_or_kills_its_process_is_a_row(dask, cells, own_store, own_cache):
    failing, deadly = made_cells.failing(cells)
    found = run_sweep([deadly, failing], scheduler=dask[0], progress=False)
    rows = {row.spec["model"]: row for row in found}
    assert "fold 7" in rows[failing.model].error and "was killed" in rows[deadly.model].error
    assert {row.hash for row in rows.values()} == {path.stem for path in own_store.glob("*.json")}


def test_a_worker_with_other_data_or_code_does_not_run_the_cell(dask, cells, own_store, own_cache, monkeypatch):
    spec = made_cells.specs(cells)[0]
    how = {"fresh": False, "progress": False}
    (row,) = cluster.run_on_cluster([spec], dask[0], lambda corpus: "0123", **how)
    assert row.status == "error" and "but 0123 on the client" in row.error
    monkeypatch.setattr(cluster, "spec_hash", lambda spec, version: "another")
    (row,) = cluster.run_on_cluster([spec], dask[0], cached_corpus_version, **how)
    assert row.status == "error" and "another version" in row.error


def test_a_killed_sweep_and_a_killed_worker_cost_nothing_but_time(dask, cells, own_store, own_cache):
    """The first sweep shares its store with the workers, the second does not; the third finds all in the first's."""
    address, workers, runs = dask
    shutil.rmtree(runs, ignore_errors=True)  # what other tests left there
    shared, words = Path(runs) / "store", made_cells.command(cells, f"--scheduler={address}")
    apart = made_cells.environment(cells)
    together = apart | {"SER_RUNS": runs}

    process = subprocess.Popen(words, env=together, stdout=subprocess.DEVNULL)
    made_cells.wait_for(lambda: list(shared.glob("*.json")) and list(shared.glob("*.checkpoint/state.json")))
    trainers = made_cells.trainers(workers)
    process.kill()
    process.wait()
    made_cells.wait_for(lambda: not at_work(address))
    waiting = psutil.wait_procs(trainers, 10)[1]  # for a next cell, where theirs had ended before the sweep was killed
    assert trainers and len(waiting) <= len(list(shared.glob("*.json"))), "the cells go on with nobody waiting for them"
    finished = {path: path.stat().st_mtime_ns for path in shared.glob("*.json")}
    assert 0 < len(finished) < 4

    reached = made_cells.states(shared)
    process = subprocess.Popen(words, env=apart, stdout=subprocess.PIPE, text=True)
    made_cells.wait_for(lambda: made_cells.states(shared) - reached and len(made_cells.trainers(workers)) == 2)
    victim, other = made_cells.trainers(workers)
    victim.parent().kill()
    assert made_cells.ended([victim]) and other.is_running(), "it trains on without its worker"
    output, _ = process.communicate()
    assert process.returncode == 0
    assert sorted(output.splitlines()) == sorted(json.dumps(result.to_json()) for result in store.load_rows(own_store))
    assert made_cells.left(own_store) == made_cells.sequential(cells)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, "finished cells were run again"

    output = subprocess.run(words, env=together, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert len(output.splitlines()) == 4 and made_cells.left(shared) == made_cells.sequential(cells)


def at_work(address):
    """The cells that the workers of this scheduler are busy with."""
    with distributed.Client(address, set_as_default=False) as client:
        return [task for tasks in client.processing().values() for task in tasks]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1", "http://127.0.0.1:9"])
def test_no_scheduler_is_one_line(address, cells, own_store, own_cache, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1.0)
    with pytest.raises(SerError, match=f"scheduler {address}: no Dask scheduler") as error:
        list(run_sweep(made_cells.specs(cells), scheduler=address, progress=False))
    assert "\n" not in str(error.value)


def test_without_dask_one_line_says_what_to_install(cells, own_store, own_cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SerError, match=r"pip install \.\[cluster\]"):
        list(run_sweep(made_cells.specs(cells), scheduler="tcp://127.0.0.1:9", progress=False))
