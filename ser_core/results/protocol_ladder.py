"""The ladder: one network under every protocol, and what each step takes away.

From the paper's claim down: ``leaky`` (copies of test utterances in training), ``random`` (no copy, but the voices of
the test), ``speaker`` (no voice), ``speaker-text`` (no voice, no sentence), ``cross`` (another corpus). Each rung names
its protocol. A step is the difference on the utterances that both rungs test, paired over speakers; ``leaky`` is
scored on original clips there, as the rungs below it are.
"""

import numpy as np
import pandas as pd

from ser_core import corpora, models
from ser_core.experiments.grids import A5
from ser_core.metrics import uncertainty
from ser_core.results import tables

ORDER = ("leaky", "random", "speaker", "speaker-text", "cross")
CLAIM = "claim"
ALLOWED = {
    CLAIM: "as printed in the paper",
    "leaky": "copies of test utterances train",
    "random": "no copy; the same voices train",
    "speaker": "no voice of the test trains",
    "speaker-text": "no voice, no sentence of it trains",
    "cross": "another corpus trains",
}
FREE = {"corpus", "test_corpus", "protocol", "fold", "seed", "epochs", "patience"}
"""Fields in which the rungs of one ladder may differ."""


def ladder_rows(pooled: list[dict], folder, corpus: str, model: str = A5) -> list[dict]:
    """The rungs of one network on one corpus, the claim first.

    Of several settings that with ``leaky`` is taken, else that with most protocols; a protocol that was measured under
    another setting alone stands with that. A step compares like with like: the rung above under the setting of the
    lower one, where it was measured so.

    pooled : rows of any protocols from :func:`ser_core.results.tables.pool_results`; folder : of their predictions

    Returns
    -------
    list of dict
        ``protocol`` (or "claim"), ``name``, ``accuracy`` (fraction), ``interval``, ``chance``, ``unit``, ``n``
        (speakers or words), ``n_test``, ``folds``, ``folds_total``, ``seeds``, ``step`` (None, or
        ``difference``, ``interval``, ``p`` against the rung above, ``utterances`` of both, the two levels ``above`` and
        ``below`` on these, and ``apart``, the words for them where they are not those of the rungs),
        ``like_listeners`` (accuracy with calm counted as neutral, where listeners were asked the same), ``all_clips``
        (``leaky``: accuracy with the augmented test clips), ``demo``. Empty where fewer than two protocols were
        measured.
    """
    rows = [one for one in pooled if one["status"] == "ok" and one["spec"]["model"] == model]
    rows = [one for one in rows if one["spec"]["corpus"] == corpus and one["spec"].get("condition", "clean") == "clean"]
    groups: dict[str, dict[str, dict]] = {}  # setting to protocol to row, the row of most folds
    for one in sorted(rows, key=lambda one: -len(one["folds"])):
        groups.setdefault(_setting(one), {}).setdefault(one["spec"]["protocol"], one)
    main = max(groups.values(), key=lambda some: (len(some) > 1 and "leaky" in some, len(some)), default={})
    best = dict(main)
    for some in sorted(groups.values(), key=len, reverse=True):
        best = some | best
    chosen = [best[protocol] for protocol in ORDER if protocol in best]
    if len(chosen) < 2:
        return []
    found = [_rung(one, folder) for one in chosen]
    claimed = next((one["claimed"]["accuracy"] for one in chosen if (one.get("claimed") or {}).get("accuracy")), None)
    if claimed:
        top = {"protocol": CLAIM, "name": "claim", "accuracy": claimed, "interval": None, "step": None, "n_test": None}
        found.insert(0, top | {"demo": found[0]["demo"], "like_listeners": None, "all_clips": None})
    for above, below in zip(found, found[1:], strict=False):
        like = groups[below["key"]].get(above["protocol"])  # the rung above under the lower one's setting
        other = like is not None and like is not best[above["protocol"]]
        step = _step(_rung(like, folder) if other else above, below)
        below["step"] = step | {"apart": _apart(step, above, below, other)}
    return found


def _setting(one: dict) -> str:
    return str(sorted((name, value) for name, value in one["spec"].items() if name not in FREE))


def _rung(one: dict, folder) -> dict:
    """One protocol's rung with its test predictions, one line an utterance and seed."""
    spec, labels = one["spec"], one["labels"]
    frame = pd.concat([tables.subset_predictions(row, folder) for row in one["rows"]], ignore_index=True)
    everything = None
    if "copy" in frame:
        everything = float(np.mean(frame["truth"] == frame["prediction"]))
        frame = frame[frame["copy"] == ""]
    accuracy = float(np.mean(frame["truth"] == frame["prediction"]))
    limits = uncertainty.intervals(frame, labels)
    target = f" to {corpora.corpus_title(spec['test_corpus'])}" if spec.get("test_corpus") else ""
    merged = one.get("calm_is_neutral")
    return {
        "protocol": spec["protocol"],
        "name": spec["protocol"] + target,
        "key": _setting(one),
        "setting": tables.format_setting(spec) or "default",
        "accuracy": accuracy,
        "interval": limits["accuracy"],
        "chance": 1 / len(labels),
        "unit": limits["unit"],
        "n": limits["n"],
        "n_test": frame["id"].nunique(),
        "folds": one["folds"],
        "folds_total": one["folds_total"],
        "seeds": one["seeds"],
        "like_listeners": _like_listeners(frame) if merged else None,
        "all_clips": everything,
        "step": None,
        "demo": corpora.is_demo(spec["corpus"]),
        "labels": labels,
        "frame": frame,
    }


def _like_listeners(frame) -> float:
    """Accuracy with calm counted as neutral."""
    truth, answer = (frame[side].replace("calm", "neutral") for side in ("truth", "prediction"))
    return float(np.mean(truth == answer))


def _step(above: dict, below: dict) -> dict:
    """What the lower rung takes away; with an interval and p where both test the same utterances."""
    levels = {"above": above["accuracy"], "below": below["accuracy"]}
    plain = levels | {"difference": below["accuracy"] - above["accuracy"], "interval": None, "p": None, "utterances": 0}
    if above["protocol"] == CLAIM or above["labels"] != below["labels"]:
        return plain
    shared = set(above["frame"]["id"]) & set(below["frame"]["id"])
    if not shared:
        return plain
    frames = [one["frame"][one["frame"]["id"].isin(shared)] for one in (above, below)]
    levels = [float(np.mean(frame["truth"] == frame["prediction"])) for frame in frames]
    found = uncertainty.paired(*frames, above["labels"])
    told = {
        "above": levels[0],
        "below": levels[1],
        "utterances": len(shared),
        "units": f"{found['n']} {found['unit']}s",
    }
    return found["accuracy"] | told


def _apart(step: dict, above: dict, below: dict, other: bool) -> str:
    """Why a step is not the difference of the two rungs shown: "" or " (94.2 to 39.0 on 1,072 utterances of both)"."""
    fewer = 0 < step["utterances"] < max(below["n_test"], above["n_test"] or 0)
    if not (fewer or other):
        return ""
    told = f" ({tables.format_percent(step['above'])} to {tables.format_percent(step['below'])}"
    told += f" on {step['utterances']:,} utterances of both" if fewer else ""
    return told + (f", {below['setting']})" if other else ")")


def format_step(one: dict) -> str:
    """A step with its interval, and its two levels where they are not those of the rungs shown."""
    return tables.format_difference(one["step"]) + one["step"]["apart"]


def ladder_table(found: list[dict]) -> pd.DataFrame:
    """The rungs as lines; each names its protocol."""
    tested = uncertainty.holm([one["step"]["p"] if one["step"] else None for one in found])
    lines = []
    for one, p in zip(found, tested, strict=True):
        limits = tables.format_interval(one["interval"])
        claim = one["protocol"] == CLAIM
        text = tables.format_percent(one["accuracy"], 2 if claim else 1) + ("" if limits == "–" else f" {limits}")
        folds = "–" if claim else f"{len(one['folds'])} of {one['folds_total'] or '?'}; seed {_seeds(one)}"
        alike = "" if p is None or p <= uncertainty.ALPHA else " ≈"
        lines.append(
            {
                "protocol": "the paper" if claim else f"`{one['protocol']}`" + one["name"][len(one["protocol"]) :],
                "what it allows": ALLOWED[one["protocol"]],
                "accuracy % [95 %]": _fixed(text),
                "step, points [95 %]": format_step(one) if one["step"] else "–",
                "p of the step": "–" if p is None else _fixed(tables.format_p_value(p) + alike),
                "tested on": "–" if claim else _tested(one),
                "setting": "–" if claim else one["setting"],
                "folds": _fixed(folds),
            }
        )
    return pd.DataFrame(lines)


def power_table(found: list[dict]) -> pd.DataFrame:
    """The steps that are paired: what was found, and the least true difference that such a test finds with 80 %."""
    steps = [one for one in found if one["step"] and one["step"]["p"] is not None]
    tested = uncertainty.holm([one["step"]["p"] for one in steps])
    return pd.DataFrame(
        {
            "step to": f"`{one['protocol']}`",
            "points [95 %]": format_step(one),
            "p after Holm": tables.format_p_value(p),
            "told apart at 5 %": "yes" if p <= uncertainty.ALPHA else "no ≈",
            "found with 80 %: points or more": _findable(one["step"]["found"]),
            "over": one["step"]["units"],
        }
        for one, p in zip(steps, tested, strict=True)
    )


def power_sentence(found: list[dict], corpus: str) -> str:
    """How many of the steps are told apart, and the least step that such a test would not miss, in one sentence."""
    steps = [one["step"] for one in found if one["step"] and one["step"]["p"] is not None]
    title = corpora.corpus_title(corpus)
    if not steps:
        return f"{title}: no two rungs share six speakers or more, so nothing can be told apart."
    apart = sum(p <= uncertainty.ALPHA for p in uncertainty.holm([step["p"] for step in steps]))
    told = f"{title}: {apart} of {len(steps)} paired step{'s are' if len(steps) > 1 else ' is'} told apart"
    least = min((step for step in steps if step["found"]), key=lambda step: step["found"], default=None)
    if least and least["found"] <= 1:
        value = f"{tables.format_percent(least['found'])} points"
        told += f"; a step below {value} would be missed more than once in five even by the sharpest of these tests"
        told += f" (over {least['units']})"
    return f"{told}."


def _findable(least: float | None) -> str:
    """The least difference that is found, in points; none where even 100 would be missed too often."""
    return "none" if least is not None and least > 1 else tables.format_percent(least)


def _seeds(one: dict) -> str:
    return ", ".join(map(str, one["seeds"]))


def _tested(one: dict) -> str:
    units = "" if one["unit"] == "none" else f"; {one['n']} {one['unit']}s"
    clips = (
        f"; {tables.format_percent(one['all_clips'])} % on copies and originals" if one["all_clips"] is not None else ""
    )
    return f"{one['n_test']:,}{units}{clips}"


def _fixed(text: str) -> str:
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def ladder_sentence(found: list[dict], corpus: str) -> str:
    """What the ladder says, in one sentence."""
    title = corpora.corpus_title(corpus)
    by = {one["protocol"]: one for one in found}
    measured = [name for name in ORDER if name in by and name != "cross"]
    settings = {by[name]["setting"] for name in measured}
    own = lambda name: f" ({by[name]['setting']})" if len(settings) > 1 else ""  # noqa: E731
    said = [f"{tables.format_percent(by[name]['accuracy'])} % under `{name}`{own(name)}" for name in measured]
    drops = {name: by[name]["step"]["difference"] for name in measured[1:]}
    common = f" ({settings.pop()})" if len(settings) == 1 and settings != {"default"} else ""
    start = f"On {title} the same network{common} reaches {', '.join(said)}"
    start += f" (chance {tables.format_percent(by[measured[0]]['chance'])} %)"
    if "cross" in by:
        start += f" and {tables.format_percent(by['cross']['accuracy'])} % on another corpus"
    if CLAIM in by and not by[CLAIM]["demo"]:
        start += f"; claimed are {tables.format_percent(by[CLAIM]['accuracy'], 2)} %"
    largest = min(drops, key=drops.get, default=None)
    if largest is None or drops[largest] >= 0:
        return start + "."
    above, step = measured[measured.index(largest) - 1], by[largest]["step"]
    told = f"{tables.format_difference(step)} points{step['apart']}"
    return f"{start}; the largest step is from `{above}` to `{largest}`, {told}."


def ladder_corpora(pooled: list[dict]) -> list[str]:
    """The corpora on which the paper's network was measured under two protocols or more."""
    protocols: dict[str, set[str]] = {}
    for one in pooled:
        if one["status"] == "ok" and one["spec"]["model"] == A5:
            protocols.setdefault(one["spec"]["corpus"], set()).add(one["spec"]["protocol"])
    return [name for name, some in protocols.items() if len(some) > 1]


def unmeasured_protocols(found: list[dict]) -> list[str]:
    """The protocols that a ladder lacks."""
    there = {one["protocol"] for one in found}
    return [name for name in ORDER if name not in there]


def ladder_markdown(pooled: list[dict], folder) -> list[str]:
    """The ladder of every corpus that has one, as blocks of Markdown."""
    blocks = []
    for corpus in ladder_corpora(pooled):
        found = ladder_rows(pooled, folder, corpus)
        if found:
            lacking = ", ".join(f"`{name}`" for name in unmeasured_protocols(found))
            note = f" Not measured yet: {lacking}." if lacking else ""
            title = f"**The ladder: {models.MODELS[A5].title}, {corpora.corpus_title(corpus)}, protocol by protocol**"
            blocks.append(
                f"{title}\n\n{tables.to_markdown(ladder_table(found))}\n{ladder_sentence(found, corpus)}{note}\n"
            )
    return blocks
