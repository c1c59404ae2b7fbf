"""Check the claims of a paper by computation: from a claim file to a verdict on each claim (``ser audit``)."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ser_core._utils.words import counted
from ser_core.claims import claim_file
from ser_core.claims.checks import CHECKS, VERDICTS
from ser_core.claims.claim_file import Claim, Claims

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CheckedClaim:
    """Hold a checked claim.

    Parameters
    ----------
    id, group, where, claim, check : str
        fields of the claim; ``claim`` is its text
    printed, computed : str
        values with the decimals that the paper prints
    verdict : str
        one of :data:`ser_core.claims.verdicts.VERDICTS`
    why : str
        one sentence
    value : float or None
        the computed value as a number
    """

    id: str
    group: str
    where: str
    claim: str
    check: str
    printed: str
    computed: str
    verdict: str
    why: str
    value: float | None


def check_claim(claim: Claim) -> CheckedClaim:
    """Check one claim.

    Parameters
    ----------
    claim : Claim
        claim of a file (:func:`ser_core.claims.claim_file.load_claims`)

    Returns
    -------
    CheckedClaim

    Raises
    ------
    SerError
        for an unknown check, or a field that is missing, invalid or not used by the check
    """
    if claim.check not in CHECKS:
        raise claim.wrong(f"check {claim.check!r}: not known; choose among {', '.join(CHECKS)}")
    try:
        finding = CHECKS[claim.check](claim)
    except (ArithmeticError, OverflowError) as error:
        raise claim.wrong(f"cannot be computed: {type(error).__name__}") from error
    if claim.unused():
        raise claim.wrong(f"{', '.join(claim.unused())}: not used by the check {claim.check}")
    return CheckedClaim(
        id=claim.id,
        group=claim.group,
        where=claim.where,
        claim=claim.text,
        check=claim.check,
        printed=finding.printed,
        computed=finding.computed,
        verdict=finding.verdict,
        why=finding.why,
        value=finding.value,
    )


def check_claims(path: str | os.PathLike | None = None) -> tuple[Claims, list[CheckedClaim]]:
    """Check all claims of a file.

    Parameters
    ----------
    path : path-like, optional
        claim file; by default that of the paper that this suite examines

    Returns
    -------
    claims : Claims
        the file as read
    results : list of CheckedClaim
        in the order of the file

    Raises
    ------
    SerError
        for a claim file that cannot be used

    Examples
    --------
    >>> claims, results = check_claims(claim_file.CONSTRUCTED)
    >>> verdict_sentence(results)
    '22 claims checked; holds: 15, contradicted: 3, impossible: 4, cannot be checked: 0.'
    """
    claims = claim_file.load_claims(path)
    return claims, [check_claim(claim) for claim in claims.claims]


def group_results(results: Sequence[CheckedClaim]) -> dict[str, list[CheckedClaim]]:
    """Return checked claims by group, in the order of the file."""
    groups: dict[str, list[CheckedClaim]] = {}
    for result in results:
        groups.setdefault(result.group, []).append(result)
    return groups


def count_verdicts(results: Sequence[CheckedClaim]) -> dict[str, int]:
    """Return the number of claims per verdict, including verdicts without claims."""
    counts = Counter(result.verdict for result in results)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def verdict_sentence(results: Sequence[CheckedClaim]) -> str:
    """Format the number of claims per verdict as a sentence."""
    counts = ", ".join(f"{verdict}: {count}" for verdict, count in count_verdicts(results).items())
    return f"{counted(len(results), 'claim')} checked; {counts}."


def results_frame(results: Sequence[CheckedClaim]) -> pd.DataFrame:
    """Return checked claims as a table: ``where``, ``claim``, ``printed``, ``computed``, ``verdict``, ``why``."""
    import pandas as pd

    return pd.DataFrame(
        [(r.where, r.claim, r.printed, r.computed, r.verdict, r.why) for r in results],
        columns=["where", "claim", "printed", "computed", "verdict", "why"],
    )


def format_results(claims: Claims, results: Sequence[CheckedClaim]) -> str:
    """Format checked claims for a terminal.

    Parameters
    ----------
    claims : Claims
        the file as read
    results : sequence of CheckedClaim
        its checked claims

    Returns
    -------
    str
        two lines per claim, by group, and a last line with the number of claims per verdict
    """
    kind = " (constructed: no real paper)" if claims.constructed else ""
    lines = [f"{claims.title}{kind}", claims.source]
    for group, members in group_results(results).items():
        lines += ["", f"{group}:"]
        for result in members:
            lines += [
                f"  {result.verdict:17} {result.where}: {result.claim}",
                f"  {'':17} printed {result.printed}; computed {result.computed}. {result.why}",
            ]
    return "\n".join([*lines, "", verdict_sentence(results)])
