"""The protocol ladder as text: formatted tables, sentences and Markdown."""

from __future__ import annotations

import pandas as pd

from ser_core import corpora, models
from ser_core.experiments.grids import A5
from ser_core.metrics import significance
from ser_core.results.formatting import (
    ALIKE,
    DASH,
    format_difference,
    format_folds_and_seeds,
    format_p_value,
    format_percent,
    format_score,
    format_signed,
    format_test,
    is_missing,
    no_break,
    text_frame,
    to_markdown,
)
from ser_core.results.protocol_ladder import (
    ALLOWED,
    CLAIM,
    ORDER,
    LadderStep,
    Rung,
    corrected_steps,
    ladder_corpora,
    ladder_rows,
    ladder_table,
    unmeasured_protocols,
)
from ser_core.results.records import PooledResult

LADDER_LEGEND = (
    "*Step: the difference from the row above. Where both tested the same utterances, its interval has the differences "
    "that a sign-flip test over speakers does not reject: it need not be symmetric, and it is wide where few speakers "
    "have most of the utterances, as the two actresses of TESS in RavTess. p: of that test, after Holm. "
    f"{ALIKE}: not significant at 5 %. A step from the paper's figure, or to other utterances, has neither. A score "
    "has no interval below four speakers, or where all of them (TESS: words) have the same score, as where every "
    "answer is the same.*"
)
"""What the columns of a ladder mean, for below it."""


def format_step(step: LadderStep) -> str:
    """Format a step with its interval, and its two accuracies where they are not those of the rungs."""
    return format_difference(step.change) + step.levels


def format_ladder(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`~ser_core.results.protocol_ladder.ladder_table` as text."""
    rows = []
    for row in table.itertuples():
        claim = row.protocol == CLAIM
        accuracy = format_percent(row.accuracy, 2) if claim else format_score(
            row.accuracy, row.accuracy_low, row.accuracy_high
        )  # fmt: skip
        folds = format_folds_and_seeds(row.folds, row.folds_total, row.seeds)
        rows.append(
            {
                "protocol": "the paper" if claim else f"`{row.protocol}`{row.name.removeprefix(row.protocol)}",
                "training data": ALLOWED[row.protocol],
                "accuracy % [95 %]": accuracy,
                "step, points [95 %]": format_signed(row.step, row.step_low, row.step_high) + row.levels,
                "p of the step": format_test(row.p),
                "tested on": DASH if claim else _format_tested(row),
                "setting": DASH if claim else row.setting,
                "folds": DASH if claim else no_break(folds),
            }
        )
    right = ("accuracy % [95 %]", "step, points [95 %]", "p of the step", "tested on", "folds")
    return text_frame(rows, right=right)


def _format_tested(row) -> str:
    units = "" if row.unit == "none" else f"; {row.units} {row.unit}s"
    clips = "" if is_missing(row.all_clips) else f"; {format_percent(row.all_clips)} % with the augmented clips"
    return f"{row.n_test:,}{units}{clips}"


def format_power(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`~ser_core.results.protocol_ladder.power_table` as text."""
    smallest = "minimum detectable difference at 80 % power, points"
    rows = [
        {
            "step to": f"`{row.protocol}`",
            "points [95 %]": format_signed(row.step, row.step_low, row.step_high) + row.levels,
            "p after Holm": format_p_value(row.p),
            "significant at 5 %": "yes" if row.p <= significance.ALPHA else f"no {ALIKE}",
            smallest: "none" if row.minimum_detectable > 1 else format_percent(row.minimum_detectable),
            "over": f"{row.units} {row.unit}s",
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("points [95 %]", "p after Holm", smallest, "over"))


def power_sentence(ladder: list[Rung], corpus: str) -> str:
    """Describe in one sentence how many steps are significant, and the smallest detectable step."""
    steps = [rung.step for rung in ladder if rung.step and rung.step.change.p is not None]
    title = corpora.corpus_title(corpus)
    if not steps:
        return f"{title}: no two protocols share six or more test speakers, so no step is tested."
    apart = sum(p is not None and p <= significance.ALPHA for p in corrected_steps(ladder))
    text = f"{title}: {apart} of {len(steps)} paired step{'s are' if len(steps) > 1 else ' is'} significant"
    least, step = min(
        ((step.change.minimum_detectable, step) for step in steps if step.change.minimum_detectable),
        key=lambda pair: pair[0],
        default=(None, None),
    )
    if step is not None and least is not None and least <= 1:
        value = f"{format_percent(least)} points"
        text += f"; the smallest step that any of these tests detects with 80 % power is {value}"
        text += f" (over {step.n} {step.unit}s)"
    return f"{text}."


def ladder_sentence(ladder: list[Rung], corpus: str) -> str:
    """Describe the result of the ladder in one sentence."""
    title = corpora.corpus_title(corpus)
    by = {rung.protocol: rung for rung in ladder}
    measured = [name for name in ORDER if name in by and name != "cross"]
    settings = {by[name].setting for name in measured}
    own = lambda name: f" ({by[name].setting})" if len(settings) > 1 else ""  # noqa: E731
    figures = [f"{format_percent(by[name].accuracy)} % under `{name}`{own(name)}" for name in measured]
    common = f" ({settings.pop()})" if len(settings) == 1 and settings != {"default"} else ""
    start = f"On {title} the same network{common} reaches {', '.join(figures)}"
    start += f" (chance {format_percent(by[measured[0]].chance)} %)"
    if "cross" in by:
        start += f" and {format_percent(by['cross'].accuracy)} % on another corpus"
    if CLAIM in by and not by[CLAIM].demo:
        start += f"; the paper claims {format_percent(by[CLAIM].accuracy, 2)} %"
    drops = {name: step for name in measured[1:] if (step := by[name].step) is not None}
    largest = min(drops, key=lambda name: drops[name].change.difference or 0.0, default=None)
    if largest is None or (drops[largest].change.difference or 0.0) >= 0:
        return start + "."
    above, step = measured[measured.index(largest) - 1], drops[largest]
    points = f"{format_difference(step.change)} points{step.levels}"
    return f"{start}; the largest step is from `{above}` to `{largest}`, {points}."


def ladder_markdown(pooled: list[PooledResult], folder) -> list[str]:
    """Format the ladder of every corpus that has a ladder, as blocks of Markdown."""
    blocks = []
    for corpus in ladder_corpora(pooled):
        ladder = ladder_rows(pooled, folder, corpus)
        if ladder:
            missing = ", ".join(f"`{name}`" for name in unmeasured_protocols(ladder))
            note = f" Not measured yet: {missing}." if missing else ""
            title = f"**Protocol ladder: {models.MODELS[A5].title}, {corpora.corpus_title(corpus)}**"
            text = to_markdown(format_ladder(ladder_table(ladder)))
            blocks.append(f"{title}\n\n{text}\n{ladder_sentence(ladder, corpus)}{note}\n")
    return [*blocks, f"{LADDER_LEGEND}\n"] if blocks else []
