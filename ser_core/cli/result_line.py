"""Say a result in one line: its scores, which epoch was kept, and what a classical system has chosen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ser_core._utils.words import counted

if TYPE_CHECKING:
    from ser_core.experiments.result import RunResult


def summary(result: RunResult) -> str:
    """Return a result as one line for people."""
    from ser_core.results.readings import RULE_TITLES

    spec = result.spec
    where = (
        f"{spec['model']} on {spec['corpus']}{_test_setting(spec)}, protocol {spec['protocol']}, fold {spec['fold']}, "
        f"seed {spec['seed']}"
    )
    if not result.ok or result.intervals is None or result.completeness is None:
        return f"{where}: error: {result.error}"
    interval = result.intervals.uar
    spread = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}] over {interval.unit}s" if interval else ""
    missing = result.completeness.missing
    fitted = f", chosen: {_settings_text(result.chosen)}" if result.chosen else ""
    if result.epochs:
        parameters = counted(result.parameters or 0, "parameter")
        fitted = f", {parameters}, {RULE_TITLES[spec['keep']]}: epoch {result.best_epoch} of {result.epochs}"
    incomplete = (
        f"; {len(missing)} of {counted(result.completeness.expected or 0, 'utterance')} missing" if missing else ""
    )
    return (
        f"{where}{' (demo)' if result.demo else ''}: accuracy {100 * result.scores['accuracy']:.1f} %, "
        f"UAR {100 * result.scores['uar']:.1f} %{spread}, {counted(result.n_test or 0, 'utterance')}"
        f"{fitted}{incomplete}{_original_clips(result)}; result {result.hash}"
    )


def _settings_text(chosen: Mapping[str, Any]) -> str:
    """Return what a learner has chosen as text.

    >>> _settings_text({"C": 0.01, "class_weight": None, "inner_uar": 0.512})
    'C 0.01, class weight none, UAR of the inner folds 51.2 %'
    """
    known = {name: value for name, value in chosen.items() if name != "inner_uar"}
    text = [f"{name.replace('_', ' ')} {'none' if value is None else value}" for name, value in known.items()]
    inner = [f"UAR of the inner folds {100 * chosen['inner_uar']:.1f} %"] if "inner_uar" in chosen else []
    return ", ".join(text + inner)


def _test_setting(spec: Mapping[str, Any]) -> str:
    """Return the test corpus and the settings that are not the default, as text."""
    target = f" to {spec['test_corpus']}" if spec.get("test_corpus") else ""
    return target + "".join(
        f", {name} {spec[name]}"
        for name, default in (("condition", "clean"), ("padding", "zero"), ("adapt", "none"), ("batch_norm", "moving"))
        if spec.get(name, default) != default
    )


def _original_clips(result: RunResult) -> str:
    """Return the accuracy on the original clips of a leaky test subset, as text."""
    original = result.by_copy.get("original")
    return f"; leaky: {100 * original.scores['accuracy']:.1f} % on its original clips" if original else ""
