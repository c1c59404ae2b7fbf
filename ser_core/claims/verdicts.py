"""Verdicts on claims, and the finding of a check."""

from __future__ import annotations

from dataclasses import dataclass

HOLDS, CONTRADICTED, IMPOSSIBLE, OPEN = VERDICTS = ("holds", "contradicted", "impossible", "cannot be checked")
"""The verdicts on a claim.

holds
    the figures agree
contradicted
    a computation from the text, or another printed value, disagrees
impossible
    no data of the stated kind give the printed figure
cannot be checked
    the paper lacks what a check needs
"""


@dataclass(frozen=True)
class Finding:
    """Hold what a check found: printed and computed value as text, verdict, reason and bare number.

    Parameters
    ----------
    printed, computed : str
        values with the decimals that the paper prints
    verdict : str
        one of :data:`VERDICTS`
    why : str
        one sentence
    value : float, optional
        the computed value as a number
    """

    printed: str
    computed: str
    verdict: str
    why: str
    value: float | None = None
