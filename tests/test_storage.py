"""A full disk, a read-only folder: one line, old files intact, nothing half-written, and the same command continues."""

import errno
import os
import resource
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import made_network
import made_runs
import pytest

from ser_core import corpora
from ser_core._utils import atomic
from ser_core._utils.errors import SerWarning, StorageError
from ser_core.experiments import run, store
from ser_core.features import FeatureSettings, cache
from ser_core.inference import export


@pytest.fixture(scope="module")
def sequential(runs_folder):
    return made_runs.sequential(runs_folder)


def full(name="a file"):
    return OSError(errno.ENOSPC, "No space left on device", name)


FAILURES = {
    "full": (full(), "no space left, .* MB are free; make room"),
    "quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), "no space left"),
    "read-only": (OSError(errno.EROFS, "Read-only file system"), "Read-only file system; choose another folder"),
    "permission": (PermissionError(errno.EACCES, "Permission denied"), "Permission denied; choose another folder"),
    "HDF5": (RuntimeError("Unable to write (errno = 28, error message = 'No space left on device')"), "no space left"),
}


@pytest.mark.parametrize(("error", "line"), FAILURES.values(), ids=FAILURES)
def test_a_disk_that_takes_no_more_is_one_line_and_the_old_file_stays(error, line, tmp_path):
    path = tmp_path / "result.json"
    path.write_text("old")
    with pytest.raises(StorageError, match=line) as caught, atomic.replace_atomically(path) as temporary:
        temporary.write_text("half")
        raise error
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["result.json"]


def test_the_line_says_how_much_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *paths: (_ for _ in ()).throw(full()))
    with pytest.raises(StorageError, match=r"3\.0 MB are needed"):
        atomic.write_atomically(tmp_path / "file", bytes(3_000_000))
    assert os.listdir(tmp_path) == []


def test_other_errors_are_not_taken_for_those_of_a_disk(tmp_path):
    with pytest.raises(ValueError, match="of ours"), atomic.replace_atomically(tmp_path / "file"):
        raise ValueError("of ours")


def test_what_a_killed_process_left_is_removed_and_the_rest_stays(tmp_path):
    for name in (".a.json.17", ".a.keras.17.keras", ".a.json.171", "b.17.json", ".hidden"):
        (tmp_path / name).write_text("")
    atomic.remove_temporaries(tmp_path, 17)
    assert sorted(os.listdir(tmp_path)) == [".a.json.171", ".hidden", "b.17.json"]


def test_an_export_onto_a_full_disk_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    network = made_network.keep(tmp_path / "network")
    target = tmp_path / "good.keras"
    target.write_bytes(b"good")

    def copy(source, destination):
        Path(destination).write_bytes(b"half")
        raise full(str(destination))

    monkeypatch.setattr(shutil, "copyfile", copy)
    with pytest.raises(StorageError, match="good.keras: no space left"):
        export.export(network, "keras", output=target)
    assert target.read_bytes() == b"good" and {path.name for path in tmp_path.iterdir()} == {"network", "good.keras"}


def limited(size):
    """Let a process and its children write files of ``size`` bytes at most: a disk that is soon full, for any user."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_sweep_whose_store_takes_no_network_ends_with_one_line_and_goes_on_later(
    runs_folder, sequential, own_store, own_cache
):
    list(map(corpora.load, {spec.corpus for spec in made_runs.specs(runs_folder)}))
    words, environment = made_runs.command(runs_folder, "--workers=2"), made_runs.environment(runs_folder)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    first = subprocess.run(words, preexec_fn=limited(20_000), **pipes)
    (line,) = first.stderr.splitlines()
    assert first.returncode == 1 and first.stdout == "" and line.startswith("ser: cannot write ") and ".keras" in line
    left = [path for path in own_store.rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert not [path for path in left if path.name.startswith(".")] and not list(own_store.glob("*.json"))
    second = subprocess.run([*words, "--workers=1"], **pipes)
    assert second.returncode == 0 and len(second.stdout.splitlines()) == 4, second.stderr
    assert made_runs.stored(own_store) == sequential


def test_a_store_that_cannot_be_written_still_gives_what_it_has(runs_folder, sequential, monkeypatch):
    monkeypatch.setenv("SER_RUNS", str(runs_folder / "runs"))
    monkeypatch.setenv("SER_CACHE", str(runs_folder / "cache"))

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, "Read-only file system")

    for module, name in ((Path, "mkdir"), (os, "replace"), (Path, "write_bytes")):
        monkeypatch.setattr(module, name, refuse)
    spec = made_runs.specs(runs_folder)[0]
    assert run.run_spec(spec, progress=False).ok
    assert len(store.load_rows(store.store_dir())) > 4
    with pytest.raises(StorageError, match="Read-only file system; choose another folder"):
        run.run_spec(replace(spec, seed=9), progress=False)


def test_a_cache_that_cannot_be_written_is_only_slower(tmp_path, monkeypatch):
    table = corpora.load("demo").iloc[:3]
    (tmp_path / "file").write_text("")
    expected = cache.feature_matrix(table, FeatureSettings(), progress=False)
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "file"))
    with pytest.warns(SerWarning, match="it cannot be written; going on without it"):
        assert (cache.feature_matrix(table, FeatureSettings(), progress=False) == expected).all()
