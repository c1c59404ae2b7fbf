"""Find subsets of a split that have speakers of one sex, or that lack an emotion.

Folds of alternating speakers (``GroupKFold`` with an even number of folds on RAVDESS) test one sex at a time: their
scores are those of women or of men, and their deviation that between the sexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ser_core.protocols import splits

if TYPE_CHECKING:
    import pandas as pd


def one_sex(table: pd.DataFrame) -> dict[str, str]:
    """Return the subsets whose speakers all have one sex, while the others have both.

    Parameters
    ----------
    table : DataFrame
        ``side`` and, where known, ``sex``

    Returns
    -------
    dict
        subset to sex; empty for a corpus of one sex, or with speakers of unknown sex
    """
    if "sex" not in table or len(set(table["sex"])) < 2 or not set(table["sex"]) <= {"female", "male"}:
        return {}
    found = {side: sorted(set(table.loc[table["side"] == side, "sex"])) for side in splits.SIDES}
    return {side: sexes[0] for side, sexes in found.items() if len(sexes) == 1}


def lacking_emotions(table: pd.DataFrame) -> dict[str, list[str]]:
    """Return the emotions that a subset lacks and others have; empty subsets are left out.

    Parameters
    ----------
    table : DataFrame
        ``side``, ``emotion``
    """
    every = set(table["emotion"])
    found = {side: set(table.loc[table["side"] == side, "emotion"]) for side in splits.SIDES}
    return {side: sorted(every - emotions) for side, emotions in found.items() if emotions and every - emotions}


def sentences(folds: list[dict[str, Any]]) -> list[str]:
    """Return what was found in all folds as sentences, one per subset and finding.

    Parameters
    ----------
    folds : list of dict
        per fold ``fold``, ``one_sex`` and ``lacking``

    Examples
    --------
    >>> sentences([{"fold": n, "one_sex": {"test": sex}, "lacking": {}} for n, sex in enumerate(["male", "female"])])
    ['the test subset has speakers of one sex (fold 0 male, 1 female)']
    """
    lines = []
    for side in splits.SIDES:
        sexes = [f"{fold['fold']} {fold['one_sex'][side]}" for fold in folds if side in fold["one_sex"]]
        lacking = [f"{fold['fold']} {', '.join(fold['lacking'][side])}" for fold in folds if side in fold["lacking"]]
        lines += [f"the {side} subset has speakers of one sex (fold {', '.join(sexes)})"] if sexes else []
        lines += [f"the {side} subset lacks emotions (fold {'; '.join(lacking)})"] if lacking else []
    return lines
