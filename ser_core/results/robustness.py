"""How a score falls when the test recordings are not a studio's, made from pooled rows that differ in ``condition``.

A *family* is one system under its conditions, ``clean`` first: condition -> pooled row of
:func:`ser_core.results.tables.pool_results`, all on the same folds. Differences from clean are paired: the same network, the same
utterances.
"""

from collections import Counter

import numpy as np
import pandas as pd

from ser_core import corpora
from ser_core.audio import degradation
from ser_core.metrics import calibration
from ser_core.results import calibration_tables, comparison, tables

CLEAN = "clean"
UNITS = {"white": "dB", "babble": "dB", "reverb": "s"}
"""Kinds of condition with a number on a scale -> its unit."""


def group_by_system(rows, folder) -> list[dict[str, dict]]:
    """Systems whose rows stand under ``clean`` and another condition, each on the folds that most conditions have.

    rows : result rows, those of clean test audio among them; folder : of their predictions

    A condition without all of these folds, or a system without clean rows, is left out: nothing could be paired.
    """
    groups: dict[str, dict[str, dict]] = {}
    for one in tables.pool_results([row for row in rows if row["status"] == "ok"], folder):
        alike = {name: value for name, value in one["spec"].items() if name != "condition"}
        groups.setdefault(repr(sorted(alike.items(), key=str)), {})[one["spec"]["condition"]] = one
    found = []
    for group in groups.values():
        if CLEAN not in group or len(group) < 2:
            continue
        counts = Counter(tuple(one["folds"]) for name, one in group.items() if name != CLEAN)
        folds = max(counts, key=lambda some: (counts[some], len(some), some))
        family = {}
        for name in sort_conditions(group):
            if set(folds) <= set(group[name]["folds"]):
                (family[name],) = tables.pool_results(group[name]["rows"], folder, folds=folds)
        if CLEAN in family and len(family) > 1:
            found.append(family)
    return found


def sort_conditions(names) -> list[str]:
    """Conditions as ``conditions.STANDARD`` has them, ``clean`` first, others last."""
    known = (CLEAN, *degradation.STANDARD)
    return sorted(names, key=lambda name: (known.index(name) if name in known else len(known), name))


def noise_curve(family: dict[str, dict], kind: str) -> pd.DataFrame:
    """UAR against the number in the names of one kind of condition.

    kind : a key of :data:`UNITS`

    Returns one line a condition, by falling SNR or rising reverberation time: ``value`` (dB or s), ``uar``, ``low`` and
    ``high`` (fractions; the 95 % interval, NaN where there is none).
    """
    lines = []
    for name, one in family.items():
        if name.split(":")[0] == kind:
            low, high = one["intervals"].get("uar") or (np.nan, np.nan)
            value = float(name.split(":")[1])
            lines.append({"value": value, "uar": one["scores"]["uar"], "low": low, "high": high})
    frame = pd.DataFrame(lines, columns=["value", "uar", "low", "high"])
    return frame.sort_values("value", ascending=kind == "reverb", ignore_index=True)


def differences_from_clean(family: dict[str, dict], folder) -> dict[str, dict]:
    """Condition -> ``difference`` of UAR from clean (fraction) and its paired ``interval`` over speakers or None."""
    clean = family[CLEAN]
    return {
        name: comparison.paired_difference(clean, one, folder)["uar"] for name, one in family.items() if name != CLEAN
    }


def retained_performance(family: dict[str, dict]) -> dict[str, float]:
    """Condition -> what is left of the UAR above chance: 1 as under clean, 0 at chance; below it, negative."""
    chance = 1.0 / len(family[CLEAN]["labels"])
    whole = family[CLEAN]["scores"]["uar"] - chance
    return {
        name: (one["scores"]["uar"] - chance) / whole if whole > 0 else float("nan")
        for name, one in family.items()
        if name != CLEAN
    }


def half_performance_snr(family: dict[str, dict], kind: str) -> float | None:
    """The SNR in dB at which half of the UAR above chance is left, between the measured ones by a straight line.

    kind : "white" or "babble". None where the curve does not cross the half.
    """
    chance = 1.0 / len(family[CLEAN]["labels"])
    half = chance + (family[CLEAN]["scores"]["uar"] - chance) / 2.0
    frame = noise_curve(family, kind)
    values, scores = frame["value"].to_numpy(), frame["uar"].to_numpy()
    for i in range(len(values) - 1):
        if scores[i] >= half > scores[i + 1]:
            part = (scores[i] - half) / (scores[i] - scores[i + 1])
            return float(values[i] + part * (values[i + 1] - values[i]))
    return None


def robustness_table(family: dict[str, dict], folder) -> pd.DataFrame:
    """One line a condition: UAR and accuracy with intervals, the paired difference, and what confidence does.

    Overconfidence is that of :func:`ser_core.metrics.calibration.overconfidence` in points, after the temperature that was
    fitted on clean validation utterances.
    """
    found, left = differences_from_clean(family, folder), retained_performance(family)
    lines = []
    for name, one in family.items():
        answers = calibration_tables.calibrated_answers(one["rows"], folder)
        lines.append(
            {
                "condition": name,
                "UAR % [95 %]": comparison.format_score(one, "uar"),
                "accuracy % [95 %]": comparison.format_score(one, "accuracy"),
                "against clean, UAR points [95 %]": tables.format_difference(found[name]) if name in found else "–",
                "left of UAR above chance %": tables.format_percent(left.get(name), 0),
                "overconfidence, points": f"{100 * calibration.overconfidence(answers.after, answers.truth):+.1f}",
            }
        )
    return pd.DataFrame(lines)


def robustness_title(family: dict[str, dict]) -> str:
    """ "RAVDESS, cnn_bilstm_attention, protocol `speaker`, 6 of 6 folds, seed 0" for titles."""
    one = family[CLEAN]
    spec = one["spec"]
    cut = tables.format_setting(spec)
    parts = [corpora.corpus_title(spec["corpus"]), spec["model"], *([cut] if cut else [])]
    seeds = f"seed{'s' if len(one['seeds']) > 1 else ''} {', '.join(map(str, one['seeds']))}"
    folds = f"{len(one['folds'])} of {one['folds_total'] or '?'} folds"
    return ", ".join([*parts, f"protocol {spec['protocol']}", folds, seeds])


def half_performance_text(family: dict[str, dict], kind: str) -> str:
    """Where half of the UAR above chance is lost: "white at 12 dB", "white at 20 dB already", "" where nowhere."""
    crossing = half_performance_snr(family, kind)
    if crossing is not None:
        return f"{kind} at {crossing:.0f} dB"
    weakest = noise_curve(family, kind).head(1)
    chance = 1.0 / len(family[CLEAN]["labels"])
    half = chance + (family[CLEAN]["scores"]["uar"] - chance) / 2.0
    return "".join(f"{kind} at {line.value:.0f} dB already" for line in weakest.itertuples() if line.uar < half)


def robustness_sentence(family: dict[str, dict]) -> str:
    """One sentence: the condition that costs most, and the noise that costs half."""
    left = retained_performance(family)
    worst = min(left, key=lambda name: left[name])
    told = [words for kind in ("white", "babble") if (words := half_performance_text(family, kind))]
    return (
        f"{robustness_title(family)}: {worst} leaves {tables.format_percent(left[worst], 0)} % of the UAR above chance; half of it is "
        f"lost under {' and '.join(told) or 'no noise that was measured'}."
    )
