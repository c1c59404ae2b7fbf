"""Scores by sex, by intensity and by speaker, from pooled results.

Scores are fractions, averaged over seeds; intervals are at 95 % and over speakers. Sexes are compared between speakers,
intensities within speakers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser_core import corpora, metrics
from ser_core.metrics import uncertainty
from ser_core.metrics.uncertainty import Interval, Scored
from ser_core.results.formatting import (
    DASH,
    format_percent,
    format_points,
    format_score,
    format_signed,
    limit_columns,
    text_frame,
)
from ser_core.results.pooling import join_predictions
from ser_core.results.records import PooledResult

UNKNOWN = {"", "unknown"}
COLUMNS = ("sex", "intensity")


@dataclass(frozen=True)
class GroupScores:
    """Scores of one group of utterances, such as those of female speakers."""

    column: str  # "sex" or "intensity"
    group: str
    speakers: int
    classes: int  # emotions that the group has
    scored: Scored


@dataclass(frozen=True)
class GroupDifference:
    """Difference of a score between two groups, the first minus the second."""

    groups: tuple[str, str]
    difference: float  # fraction
    interval: Interval | None
    n: tuple[int, ...]  # speakers, per group where the groups have different speakers
    method: str
    classes: tuple[str, ...] = ()  # the compared emotions, where not all

    @property
    def significant(self) -> bool:
        """Whether the interval excludes zero."""
        return self.interval is not None and not self.interval.contains(0.0)


def test_predictions(result: PooledResult, folder) -> list[pd.DataFrame]:
    """Load the test predictions of all folds, one frame per seed."""
    return [
        join_predictions([run for run in result.results if run.spec["seed"] == seed], folder) for seed in result.seeds
    ]


def scores_by_group(result: PooledResult, folder, column: str) -> list[GroupScores]:
    """Score each group of utterances.

    Parameters
    ----------
    result : PooledResult
    folder : path
        of its predictions
    column : str
        "sex" or "intensity"

    Returns
    -------
    list of GroupScores
        empty where all utterances are in the same group or unknown. Intervals are over words where there are fewer
        than four speakers. UAR is the mean over the emotions of the group: RAVDESS has no strong neutral.
    """
    every = test_predictions(result, folder)
    names = sorted(set(every[0][column]) - UNKNOWN)
    groups = []
    for name in names if len(names) > 1 else ():
        parts = [frame[frame[column] == name] for frame in every]
        each = [metrics.scores(part["truth"], part["prediction"], result.labels) for part in parts]
        scored = Scored(
            n_test=len(parts[0]),
            scores={score: float(np.mean([scores[score] for scores in each])) for score in each[0]},
            intervals=uncertainty.intervals(pd.concat(parts, ignore_index=True), result.labels),
            spread={},
            per_class={},
            confusion=[],
        )
        speakers, classes = int(parts[0]["speaker"].nunique()), int(parts[0]["truth"].nunique())
        groups.append(GroupScores(column, name, speakers, classes, scored))
    return groups


def scores_by_speaker(result: PooledResult, folder) -> pd.DataFrame:
    """Tabulate the test speakers, the lowest UAR first: ``speaker``, ``sex``, ``n_test``, ``accuracy``, ``uar``.

    A single speaker has no interval over speakers.
    """
    rows = []
    for frame in test_predictions(result, folder):
        for speaker, part in frame.groupby("speaker"):
            scores = metrics.scores(part["truth"], part["prediction"], result.labels)
            shown = {name: scores[name] for name in ("accuracy", "uar")}
            rows.append({"speaker": speaker, "sex": part["sex"].iloc[0], "n_test": len(part), **shown})
    table = pd.DataFrame(rows).groupby(["speaker", "sex"], as_index=False).mean()
    table["n_test"] = table["n_test"].astype(int)
    return table.sort_values(["uar", "speaker"], ignore_index=True)


@dataclass(frozen=True)
class SpeakerSpread:
    """Standard deviation of the speakers' accuracies: observed, and expected from chance alone."""

    observed: float
    expected: float


def speaker_spread(table: pd.DataFrame) -> SpeakerSpread:
    """Compute the standard deviation of the speakers' accuracies, and that of binomial draws with the same mean.

    Parameters
    ----------
    table : DataFrame
        from :func:`scores_by_speaker`, two speakers or more
    """
    share = np.average(table["accuracy"], weights=table["n_test"])
    return SpeakerSpread(
        observed=float(table["accuracy"].std(ddof=1)),
        expected=float(np.sqrt(np.mean(share * (1 - share) / table["n_test"]))),
    )


def between_sexes(
    result: PooledResult, folder, score: str = "uar", level: float = uncertainty.LEVEL
) -> GroupDifference | None:
    """Compare the mean scores of male and female speakers by Welch's t interval (Welch 1947).

    Every speaker counts once, because utterances of one speaker are not independent.

    Returns
    -------
    GroupDifference or None
        None below four speakers or where a sex has fewer than two
    """
    from scipy.stats import ttest_ind

    table = scores_by_speaker(result, folder)
    male, female = (table.loc[table["sex"] == sex, score].to_numpy() for sex in ("male", "female"))
    if min(len(male), len(female)) < 2 or len(male) + len(female) < uncertainty.FEWEST_UNITS:
        return None
    interval = None
    if max(np.ptp(male), np.ptp(female)) > uncertainty.SPREAD:
        low, high = ttest_ind(male, female, equal_var=False).confidence_interval(level)
        interval = Interval(float(low), float(high), level, "speaker", len(male) + len(female))
    return GroupDifference(
        groups=("male", "female"),
        difference=float(male.mean() - female.mean()),
        interval=interval,
        n=(len(male), len(female)),
        method="between speakers, Welch's t",
    )


def between_intensities(
    result: PooledResult, folder, score: str = "uar", level: float = uncertainty.LEVEL
) -> GroupDifference | None:
    """Compare strong with normal intensity on the emotions that have both, by the jackknife over speakers.

    Returns
    -------
    GroupDifference or None
        None below four speakers or for a corpus without two intensities
    """
    every = pd.concat(test_predictions(result, folder), ignore_index=True)
    parts = [every[every["intensity"] == name] for name in ("strong", "normal")]
    classes = sorted(set(parts[0]["truth"]) & set(parts[1]["truth"]))
    names = sorted(every["speaker"].unique())
    if not classes or len(names) < uncertainty.FEWEST_UNITS:
        return None
    whole, without = [], []
    for part in parts:
        part = part[part["truth"].isin(classes)]
        each = [part[part["speaker"] == name] for name in names]
        matrices = np.stack([metrics.confusion(p["truth"], p["prediction"], result.labels) for p in each])
        whole.append(metrics.scores_from_confusion(matrices.sum(axis=0))[score])
        without.append(metrics.scores_from_confusion(matrices.sum(axis=0) - matrices)[score])
    low, high = uncertainty.jackknife(without[0] - without[1], whole[0] - whole[1], level)
    return GroupDifference(
        groups=("strong", "normal"),
        difference=whole[0] - whole[1],
        interval=Interval(low, high, level, "speaker", len(names)) if high - low > uncertainty.SPREAD else None,
        n=(len(names),),
        method=f"within speakers, jackknife; {len(classes)} emotions that have both",
        classes=tuple(classes),
    )


def differences(result: PooledResult, folder) -> list[GroupDifference]:
    """Compare sexes and intensities in UAR, as far as the results allow."""
    return [change for change in (between_sexes(result, folder), between_intensities(result, folder)) if change]


def group_table(result: PooledResult, folder) -> pd.DataFrame:
    """Tabulate the scores of all groups.

    Returns
    -------
    DataFrame
        numeric: ``uar`` and ``accuracy`` with ``_low`` and ``_high`` (fractions), ``emotions``, ``n_test``,
        ``speakers``; text: ``column``, ``group``, ``unit``
    """
    rows = []
    for column in COLUMNS:
        for group in scores_by_group(result, folder, column):
            row: dict[str, Any] = {"column": column, "group": group.group}
            for score in ("uar", "accuracy"):
                row |= limit_columns(score, group.scored.scores[score], group.scored.intervals.get(score))
            row |= {"emotions": group.classes, "n_test": group.scored.n_test, "speakers": group.speakers}
            rows.append(row | {"unit": group.scored.intervals.unit})
    return pd.DataFrame(rows)


def format_groups(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`group_table` as text."""
    rows = [
        {
            "group": f"{row.column}: {row.group}",
            "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
            "accuracy % [95 %]": format_score(row.accuracy, row.accuracy_low, row.accuracy_high),
            "emotions": row.emotions,
            "tested on": f"{row.n_test:,}; {_speakers(row.speakers)}",
            "over": DASH if row.unit == "none" else f"{row.unit}s",
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("UAR % [95 %]", "accuracy % [95 %]", "emotions", "tested on"))


def difference_table(result: PooledResult, folder) -> pd.DataFrame:
    """Tabulate the comparisons of groups.

    Returns
    -------
    DataFrame
        ``first``, ``second``, ``difference`` of UAR with ``_low`` and ``_high`` (fractions), ``significant`` (bool),
        ``speakers`` (tuple), ``method``
    """
    rows = []
    for change in differences(result, folder):
        first, second = change.groups
        rows.append(
            {
                "first": first,
                "second": second,
                **limit_columns("difference", change.difference, change.interval),
                "significant": change.significant,
                "speakers": change.n,
                "method": change.method,
            }
        )
    return pd.DataFrame(rows)


def format_differences(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`difference_table` as text, in percentage points."""
    rows = [
        {
            "comparison": f"{row.first} minus {row.second}",
            "UAR points [95 %]": format_signed(row.difference, row.difference_low, row.difference_high),
            "significant at 5 %": "yes" if row.significant else "no",
            "speakers": " and ".join(map(str, row.speakers)),
            "method": row.method,
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("UAR points [95 %]", "speakers"))


def speaker_table(result: PooledResult, folder, *, shown: int = 3) -> pd.DataFrame:
    """Tabulate the speakers with the lowest and the highest UAR; all speakers where there are few."""
    table = scores_by_speaker(result, folder)
    if len(table) > 2 * shown:
        table = pd.concat([table.head(shown), table.tail(shown)], ignore_index=True)
    return table


def format_speakers(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`speaker_table` or :func:`scores_by_speaker` as text."""
    rows = [
        {
            "speaker": row.speaker,
            "sex": row.sex,
            "UAR %": format_percent(row.uar),
            "accuracy %": format_percent(row.accuracy),
            "test utterances": row.n_test,
        }
        for row in table.itertuples()
    ]
    return text_frame(rows, right=("UAR %", "accuracy %", "test utterances"))


def subgroup_sentence(result: PooledResult, folder) -> str:
    """Describe in one sentence the lowest speaker, the spread of the speakers, and significant group differences."""
    each, title = scores_by_speaker(result, folder), corpora.corpus_title(result.spec["corpus"])
    lowest = f"{format_percent(each['uar'].iloc[0])} % (speaker {each['speaker'].iloc[0]})"
    if len(each) < uncertainty.FEWEST_UNITS:
        return f"{title}: {_speakers(len(each))}, too few to compare; the lowest UAR is {lowest}."
    spread = speaker_spread(each)
    apart = [
        f"{' minus '.join(change.groups)}, {format_points(change.difference)} points of UAR"
        for change in differences(result, folder)
        if change.significant
    ]
    return (
        f"{title}: the lowest UAR of {_speakers(len(each))} is {lowest}; the standard deviation of the speakers' "
        f"accuracies is {100 * spread.observed:.1f} points, where chance alone gives {100 * spread.expected:.1f}; "
        f"significant differences between groups: {'; '.join(apart) or 'none'}."
    )


def _speakers(count: int) -> str:
    return f"{count} speaker{'' if count == 1 else 's'}"
