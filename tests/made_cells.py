"""Cells that cost next to nothing, for tests of sweeps: 24 short tones, a small network, and what must be left."""

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

from ser_core.experiments import store as store_module
from ser_core.experiments.spec import Spec
from ser_core.experiments.sweep import expand, run_sweep

NETWORKS = '''
"""Networks of a user's own: one that works, and one that kills the process that trains it and no other."""

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


def home(tmp_path_factory):
    """A folder with the corpus and the networks, made once a session; it must be on the import path."""
    folder = tmp_path_factory.getbasetemp() / "cells"
    if not folder.is_dir():
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
    """Two folds by two seeds."""
    return list(expand(Spec(corpus=f"folder:{folder / 'corpus'}", **FIELDS), fold=(0, 1), seed=(0, 1)))


def failing(folder):
    """A cell that cannot be run, and one that kills the process that trains it."""
    return replace(specs(folder)[0], fold=7), replace(specs(folder)[0], model="tiny_networks:deadly")


def command(folder, *more):
    """The shell command for :func:`specs`."""
    options = [f"--{name}={value}" for name, value in FIELDS.items()]
    words = [sys.executable, "-m", "ser_core.cli", "sweep", f"--corpus=folder:{folder / 'corpus'}", *options]
    return [*words, "--folds=0-1", "--seeds=0-1", "--json-lines", *more]


def environment(folder):
    """That of processes which need the networks."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def sequential(folder):
    """What a sweep by one process leaves of :func:`specs`; run once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SER_RUNS", str(folder / "runs"))
        patch.setenv("SER_CACHE", str(folder / "cache"))
        list(run_sweep(specs(folder), progress=False))
        return left(store_module.store_dir())


def left(store):
    """What sweeps left in a store: scores, history and probabilities by fold and seed; nothing else may be there."""
    rows = store_module.load_rows(store)
    names = {f"{row.hash}{suffix}" for row in rows for suffix in (".json", ".parquet", ".keras")}
    assert {path.name for path in store.iterdir()} == names
    found = {}
    for row in rows:
        assert row.status == "ok" and row.epochs == FIELDS["epochs"]
        frame = store_module.load_predictions(row, store)
        cell = row.spec["fold"], row.spec["seed"]
        assert cell not in found
        found[cell] = json.dumps([row.scores, row.history, frame.to_dict("list")])
    assert len(found) == 4
    return found


def states(store):
    """(checkpoint, when it was written) of each cell that is on its way."""
    found = set()
    for path in store.glob("*.checkpoint/state.json"):
        with contextlib.suppress(FileNotFoundError):  # its cell has just ended
            found.add((path, path.stat().st_mtime_ns))
    return found


def trainers(pid):
    """The processes below this one that train."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            if "ser_core.experiments.worker" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:  # it has just ended
            continue
    return found


def ended(processes, seconds=10):
    """Whether these processes end within some seconds."""
    return not psutil.wait_procs(processes, seconds)[1]


def end(process):
    """End a process, and what it does not take with it."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    process.terminate()
    for one in psutil.wait_procs(family, 15)[1]:
        one.kill()
    process.wait()


def wait_for(condition, seconds=120):
    """Wait until the condition gives something, and give that."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")
