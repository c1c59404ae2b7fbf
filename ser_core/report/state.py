"""Say what a profile has in the store, and whether an executed notebook is up to date."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from ser_core._utils.atomic import reported_storage, write_atomically
from ser_core._utils.words import counted

if TYPE_CHECKING:
    from ser_core.experiments.result import RunResult

WITHOUT_RESULTS = ("01_corpora", "02_signal_and_features", "13_your_corpus")
"""Notebooks that show no published result: a changed one does not execute them again."""


def failed_runs(plan) -> list[RunResult]:
    """Return the failed results of a profile that no later run replaced."""
    return [] if plan.published else [result for result in profile_rows(plan) if not result.ok]


def profile_rows(plan) -> list[RunResult]:
    """Return the results that a profile shows, in the order of its specs.

    Of each spec this is the newest successful result, else a failed one.
    """
    from ser_core.experiments import store

    if plan.published:
        return store.load_rows(store.published_dir())
    wanted: dict[str, RunResult | None] = {_spec_key(asdict(spec)): None for spec in plan.specs}
    results = store.load_rows(store.store_dir())
    for result in sorted(results, key=lambda result: (result.ok, _changed(result))):
        key = _spec_key(result.spec)
        if key in wanted:
            wanted[key] = result
    return [result for result in wanted.values() if result]


def _spec_key(spec: dict) -> str:
    return json.dumps(spec, sort_keys=True)


def _changed(result: RunResult) -> int:
    """Return when a result's file last changed, in nanoseconds; 0 where it is missing."""
    from ser_core.experiments import store

    try:
        return (store.store_dir() / f"{result.hash}.json").stat().st_mtime_ns
    except OSError:
        return 0


def progress_text(plan, since: float) -> str:
    """Return how many results a profile has, and which epoch training is in."""
    if plan.published:
        return ""
    from ser_core.experiments import store

    stored = f", {len(store_state(plan))} of {counted(len(plan.specs), 'result')} in the store"
    return stored + store.epochs_in_training(since)


def store_state(plan) -> dict[str, int | str]:
    """Return the results that a profile has: name to the time of the last change of its file, in nanoseconds.

    Of published results it is the hash of the file, which a new clone has too.
    """
    from ser_core.experiments import store
    from ser_core.features.digests import file_digest

    if plan.published:
        return {str(path): file_digest(path) for path in store.result_files(store.published_dir())}
    return {result.hash: _changed(result) for result in profile_rows(plan)}


def is_current(stamp: Path, key: str, plan) -> bool:
    """Return whether an executed notebook is up to date.

    Its stamp must hold the same key, and no result of then may have changed or be missing. New results do not matter,
    unless published ones are shown; those do not matter for :data:`WITHOUT_RESULTS`.

    Parameters
    ----------
    stamp : Path
        File that :func:`run_notebooks` wrote.
    key : str
        Hash by :func:`notebook_key`.
    plan : ser_core.experiments.presets.Profile
        The profile.
    """
    try:
        made = json.loads(stamp.read_text(encoding="utf-8"))
        if plan.published and stamp.name.removesuffix(".stamp.json") in WITHOUT_RESULTS:
            return made["key"] == key
        rows, now = made["rows"], store_state(plan)
        return made["key"] == key and (rows == now if plan.published else rows.items() <= now.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return False


def make_ignored_folder(folder: Path) -> None:
    """Make a folder that git ignores (``runs/published/`` itself is committed)."""
    with reported_storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if not (folder / ".gitignore").is_file():
        write_atomically(folder / ".gitignore", b"*\n")
