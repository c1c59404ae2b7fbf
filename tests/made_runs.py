"""Make runs that take seconds, for tests of sweeps: 24 short tones, a small network, and the expected results."""

import contextlib
import json
import os
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest
import soundfile
from filelock import FileLock

from ser_core.experiments import store as store_module
from ser_core.experiments.spec import Spec
from ser_core.experiments.sweep import expand, run_sweep
from ser_core.training.selection import ORACLE

NETWORKS = '''
"""User-defined networks: one that works, and one that kills only the process that trains it."""

import os
import sys


def small(shape, classes):
    from keras import Input, Sequential, layers

    return Sequential(
        [Input(shape), layers.Flatten(), layers.Dense(8, "relu"), layers.Dropout(0.3), layers.Dense(classes, "softmax")]
    )


def __getattr__(name):
    if name == "deadly" and any("ser_core.experiments.worker" in word for word in sys.orig_argv):
        os._exit(9)
    return small
'''
FIELDS = {"model": "tiny_networks:small", "epochs": 4, "patience": 4, "augment": "none", "frames": 40}


def make_folder(tmp_path_factory):
    """Make the folder with the corpus and the networks, once for all processes; it must be on the import path."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made_runs"
    with FileLock(f"{folder}.lock"):
        return folder if (folder / "tiny_networks.py").is_file() else _made(folder)


def _made(folder):
    """Write the corpus and the networks."""
    random = np.random.default_rng(0)
    for pitch, emotion in ((200, "sad"), (350, "angry")):
        (folder / "corpus" / emotion).mkdir(parents=True)
        for speaker in range(3):
            for take in range(4):
                tone = np.sin(2 * np.pi * (pitch + 20 * speaker) * np.arange(6400) / 16_000)
                path = folder / "corpus" / emotion / f"s{speaker}_{take}.wav"
                soundfile.write(path, 0.3 * tone + random.normal(0, 0.05, len(tone)), 16_000)
    (folder / "tiny_networks.py").write_text(NETWORKS)
    return folder


def specs(folder):
    """Return the specs of two folds by two seeds."""
    return list(expand(Spec(corpus=f"folder:{folder / 'corpus'}", **FIELDS), fold=(0, 1), seed=(0, 1)))


def failing(folder):
    """Return the specs of an impossible run, and of one that kills the process that trains it."""
    return replace(specs(folder)[0], fold=7), replace(specs(folder)[0], model="tiny_networks:deadly")


def command(folder, *more):
    """Return the shell command for :func:`specs`."""
    options = [f"--{name}={value}" for name, value in FIELDS.items()]
    words = [sys.executable, "-m", "ser_core.cli", "sweep", f"--corpus=folder:{folder / 'corpus'}", *options]
    return [*words, "--folds=0-1", "--seeds=0-1", "--json-lines", *more]


def environment(folder):
    """Return the environment of processes that need the networks."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def sequential(folder):
    """Return :func:`stored` after a sweep of :func:`specs` by one process; trained once for all processes."""
    with pytest.MonkeyPatch.context() as patch, FileLock(folder / "sequential.lock"):
        patch.setenv("SER_RUNS", str(folder / "runs"))
        patch.setenv("SER_CACHE", str(folder / "cache"))
        list(run_sweep(specs(folder), progress=False))
        return stored(store_module.store_dir())


def files(store):
    """Return the files of a store without its locks."""
    return [path for path in store.iterdir() if path.name != "locks"]


def finished(store):
    """Return the JSON files of finished specs, and when they were written.

    A training also gives the results of the other rules that keep an epoch; they are left out.
    """
    results = [result for result in store_module.load_rows(store) if result.spec["keep"] == Spec.keep]
    return {result.path: result.path.stat().st_mtime_ns for result in results}


def stored(store):
    """Return scores, history and probabilities of :func:`specs` by fold and seed; other files are an error."""
    results = store_module.load_rows(store)
    names = {f"{result.hash}{suffix}" for result in results for suffix in (".json", ".parquet")}
    names |= {f"{result.hash}.keras" for result in results if result.spec["keep"] != ORACLE}
    assert {path.name for path in files(store)} == names
    contents = {}
    for result in results:
        assert result.status == "ok" and result.epochs == FIELDS["epochs"]
        if result.spec["keep"] != Spec.keep:
            continue
        frame = store_module.load_predictions(result, store)
        key = result.spec["fold"], result.spec["seed"]
        assert key not in contents
        contents[key] = json.dumps([result.scores, result.history, frame.to_dict("list")])
    assert len(contents) == 4
    return contents


def states(store):
    """Return the checkpoints of unfinished runs: (path, time of writing)."""
    checkpoints = set()
    for path in store.glob("*.checkpoint/state.json"):
        with contextlib.suppress(FileNotFoundError):  # its run has just ended
            checkpoints.add((path, path.stat().st_mtime_ns))
    return checkpoints


def trainers(pid):
    """Return the descendants of a process that train."""
    training = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "ser_core.experiments.worker" in " ".join(process.cmdline()):
                training.append(process)
        except psutil.Error:  # it has just ended
            continue
    return training


def ended(processes, seconds=10):
    """Return whether processes end within a number of seconds."""
    return not psutil.wait_procs(processes, seconds)[1]


def end(process):
    """End a process and its descendants."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    for survivor in psutil.wait_procs(family, 15)[1]:
        survivor.kill()
    process.wait()


def wait_for(condition, seconds=120):
    """Wait until a function returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"not true within {seconds} s")
