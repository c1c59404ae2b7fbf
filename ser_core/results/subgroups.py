"""For whom a system works: its scores by sex, by intensity and by speaker, made from pooled rows.

``one`` is a pooled row of :func:`ser_core.results.tables.pool_results`, ``folder`` where the predictions of its rows lie. Scores are
fractions, the mean over seeds; intervals are at 95 % and over speakers. Sexes are different speakers, so they are
compared between speakers; intensities are the same speakers, so they are compared within them.
"""

import numpy as np
import pandas as pd

from ser_core import corpora, metrics
from ser_core.metrics import uncertainty
from ser_core.results import tables

UNKNOWN = {"", "unknown"}
COLUMNS = ("sex", "intensity")


def test_predictions(one: dict, folder) -> list[pd.DataFrame]:
    """Test predictions of all folds below one another, one frame a seed."""
    return [
        pd.concat(
            [tables.subset_predictions(row, folder) for row in one["rows"] if row["spec"]["seed"] == seed],
            ignore_index=True,
        )
        for seed in one["seeds"]
    ]


def scores_by_group(one: dict, folder, column: str) -> list[dict]:
    """Scores of each group of utterances.

    column : "sex" or "intensity"; empty where all utterances are alike or unknown

    Returns one dict a group: ``group``, ``speakers`` and ``n_test`` (distinct), ``scores``, ``intervals`` (as
    :func:`ser_core.metrics.uncertainty.intervals` gives them; over words where there are fewer than four speakers) and
    ``classes``. UAR is the mean over the emotions that the group has: RAVDESS has no strong neutral.
    """
    every = test_predictions(one, folder)
    names = sorted(set(every[0][column]) - UNKNOWN)
    found = []
    for name in names if len(names) > 1 else ():
        parts = [frame[frame[column] == name] for frame in every]
        each = [metrics.scores(part["truth"], part["prediction"], one["labels"]) for part in parts]
        found.append(
            {
                "group": name,
                "speakers": int(parts[0]["speaker"].nunique()),
                "n_test": len(parts[0]),
                "classes": int(parts[0]["truth"].nunique()),
                "scores": {score: float(np.mean([scores[score] for scores in each])) for score in each[0]},
                "intervals": uncertainty.intervals(pd.concat(parts, ignore_index=True), one["labels"]),
            }
        )
    return found


def scores_by_speaker(one: dict, folder) -> pd.DataFrame:
    """One line a test speaker, the worst first: ``speaker``, ``sex``, ``n_test``, ``accuracy`` and ``uar``.

    A single speaker has no interval over speakers.
    """
    lines = []
    for frame in test_predictions(one, folder):
        for speaker, part in frame.groupby("speaker"):
            scores = metrics.scores(part["truth"], part["prediction"], one["labels"])
            kept = {name: scores[name] for name in ("accuracy", "uar")}
            lines.append({"speaker": speaker, "sex": part["sex"].iloc[0], "n_test": len(part), **kept})
    table = pd.DataFrame(lines).groupby(["speaker", "sex"], as_index=False).mean()
    table["n_test"] = table["n_test"].astype(int)
    return table.sort_values(["uar", "speaker"], ignore_index=True)


def speaker_spread(table: pd.DataFrame) -> dict[str, float]:
    """Standard deviation of the speakers' accuracies, and what it would be were all equally easy.

    table : from :func:`speakers`, two of them or more. ``expected`` is that of binomial draws with the accuracy of all
    speakers together.
    """
    share = np.average(table["accuracy"], weights=table["n_test"])
    return {
        "observed": float(table["accuracy"].std(ddof=1)),
        "expected": float(np.sqrt(np.mean(share * (1 - share) / table["n_test"]))),
    }


def between_sexes(one: dict, folder, score: str = "uar", level: float = uncertainty.LEVEL) -> dict | None:
    """Mean of the male speakers' scores minus that of the female ones, with Welch's t interval (Welch 1947).

    Every speaker counts once, so that utterances of one speaker are not taken for independent. None below four speakers
    or where a sex has fewer than two.

    Returns ``groups``, ``difference``, ``interval``, ``n`` (speakers of each sex) and ``method``.
    """
    from scipy.stats import ttest_ind

    table = scores_by_speaker(one, folder)
    male, female = (table.loc[table["sex"] == sex, score].to_numpy() for sex in ("male", "female"))
    if min(len(male), len(female)) < 2 or len(male) + len(female) < uncertainty.FEWEST_UNITS:
        return None
    difference = float(male.mean() - female.mean())
    limits = None
    if max(np.ptp(male), np.ptp(female)) > uncertainty.SPREAD:
        low, high = ttest_ind(male, female, equal_var=False).confidence_interval(level)
        limits = [float(low), float(high)]
    return {
        "groups": ("male", "female"),
        "difference": difference,
        "interval": limits,
        "n": (len(male), len(female)),
        "method": "between speakers, Welch's t",
    }


def between_intensities(one: dict, folder, score: str = "uar", level: float = uncertainty.LEVEL) -> dict | None:
    """Strong minus normal intensity on the emotions that have both, by the jackknife over the same speakers.

    None below four speakers or where the corpus knows no two intensities.

    Returns as :func:`between_sexes` with one number of speakers, and ``classes``, the emotions compared.
    """
    every = pd.concat(test_predictions(one, folder), ignore_index=True)
    parts = [every[every["intensity"] == name] for name in ("strong", "normal")]
    classes = sorted(set(parts[0]["truth"]) & set(parts[1]["truth"]))
    names = sorted(every["speaker"].unique())
    if not classes or len(names) < uncertainty.FEWEST_UNITS:
        return None
    whole, without = [], []
    for part in parts:
        part = part[part["truth"].isin(classes)]
        each = [part[part["speaker"] == name] for name in names]
        matrices = np.stack([metrics.confusion(p["truth"], p["prediction"], one["labels"]) for p in each])
        whole.append(metrics.scores_from_confusion(matrices.sum(axis=0))[score])
        without.append(metrics.scores_from_confusion(matrices.sum(axis=0) - matrices)[score])
    low, high = uncertainty.jackknife(without[0] - without[1], whole[0] - whole[1], level)
    return {
        "groups": ("strong", "normal"),
        "difference": whole[0] - whole[1],
        "interval": [low, high] if high - low > uncertainty.SPREAD else None,
        "n": (len(names),),
        "classes": classes,
        "method": f"within speakers, jackknife; {len(classes)} emotions that have both",
    }


def differences(one: dict, folder) -> list[dict]:
    """The comparisons that the rows allow: of sexes and of intensities, in UAR."""
    return [found for found in (between_sexes(one, folder), between_intensities(one, folder)) if found]


def group_table(one: dict, folder) -> pd.DataFrame:
    """One line a group: speakers, test utterances, emotions, UAR and accuracy in percent with 95 % intervals."""
    lines = []
    for column in COLUMNS:
        for group in scores_by_group(one, folder, column):
            unit = group["intervals"]["unit"]
            lines.append(
                {
                    "group": f"{column}: {group['group']}",
                    "UAR % [95 %]": _scored(group, "uar"),
                    "accuracy % [95 %]": _scored(group, "accuracy"),
                    "emotions": group["classes"],
                    "tested on": f"{group['n_test']:,}; {_speakers(group['speakers'])}",
                    "over": "–" if unit == "none" else f"{unit}s",
                }
            )
    return pd.DataFrame(lines)


def _scored(group: dict, score: str) -> str:
    text, limits = tables.format_percent(group["scores"][score]), tables.format_interval(group["intervals"].get(score))
    return (text if limits == "–" else f"{text} {limits}").replace(" ", "\N{NO-BREAK SPACE}")


def difference_table(one: dict, folder) -> pd.DataFrame:
    """One line a comparison: the difference of UAR in percentage points with its 95 % interval, and the method."""
    lines = []
    for found in differences(one, folder):
        first, second = found["groups"]
        limits = found["interval"]
        told = f" [{100 * limits[0]:+.1f}, {100 * limits[1]:+.1f}]" if limits else ""
        lines.append(
            {
                "comparison": f"{first} minus {second}",
                "UAR points [95 %]": f"{100 * found['difference']:+.1f}{told}".replace(" ", "\N{NO-BREAK SPACE}"),
                "told apart": "yes" if limits and (limits[0] > 0 or limits[1] < 0) else "no",
                "speakers": " and ".join(map(str, found["n"])),
                "method": found["method"],
            }
        )
    return pd.DataFrame(lines)


def speaker_table(one: dict, folder, *, shown: int = 3) -> pd.DataFrame:
    """The worst and the best speakers by UAR, named by id; all of them where there are few."""
    table = scores_by_speaker(one, folder)
    if len(table) > 2 * shown:
        table = pd.concat([table.head(shown), table.tail(shown)])
    return pd.DataFrame(
        {
            "speaker": table["speaker"],
            "sex": table["sex"],
            "UAR %": table["uar"].map(tables.format_percent),
            "accuracy %": table["accuracy"].map(tables.format_percent),
            "test utterances": table["n_test"],
        }
    ).reset_index(drop=True)


def subgroup_sentence(one: dict, folder) -> str:
    """One sentence: the worst speaker, the spread of the speakers beside that of chance, the groups told apart."""
    each, title = scores_by_speaker(one, folder), corpora.corpus_title(one["spec"]["corpus"])
    worst = f"{each['speaker'].iloc[0]} with a UAR of {tables.format_percent(each['uar'].iloc[0])} %"
    if len(each) < uncertainty.FEWEST_UNITS:
        return f"{title}: {_speakers(len(each))}, too few to compare; the worst is {worst}."
    found = speaker_spread(each)
    apart = [
        f"{' minus '.join(change['groups'])}, {100 * change['difference']:+.1f} points of UAR"
        for change in differences(one, folder)
        if change["interval"] and change["interval"][0] * change["interval"][1] > 0
    ]
    return (
        f"{title}: the worst of {_speakers(len(each))} is {worst}; the standard deviation of the speakers' accuracies "
        f"is {100 * found['observed']:.1f} points, where chance alone gives {100 * found['expected']:.1f}; "
        f"groups told apart: {'; '.join(apart) or 'none'}."
    )


def _speakers(count: int) -> str:
    return f"{count} speaker{'' if count == 1 else 's'}"
