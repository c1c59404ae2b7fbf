"""Check the claims of a paper by computation: a file of claims in, a verdict on each out (``ser audit``)."""

import os
from collections import Counter
from dataclasses import asdict, dataclass

from ser_core.claims import claim_file
from ser_core.claims.checks import CHECKS, VERDICTS
from ser_core.claims.claim_file import Claim, Claims


@dataclass(frozen=True)
class CheckedClaim:
    """One checked claim. ``printed`` and ``computed`` carry the printed decimals; ``value`` is the bare number."""

    id: str
    group: str
    where: str
    claim: str
    check: str
    printed: str
    computed: str
    verdict: str  # one of checks.VERDICTS
    why: str
    value: float | None


def check_claim(claim: Claim) -> CheckedClaim:
    """One claim, checked.

    Raises
    ------
    SerError
        for an unknown check, or a field that is missing, wrong or not used by the check
    """
    if claim.check not in CHECKS:
        raise claim.wrong(f"check {claim.check!r}: not known; choose among {', '.join(CHECKS)}")
    try:
        found = CHECKS[claim.check](claim)
    except (ArithmeticError, OverflowError) as error:
        raise claim.wrong(f"cannot be computed: {type(error).__name__}") from error
    if claim.unused():
        raise claim.wrong(f"{', '.join(claim.unused())}: not used by the check {claim.check}")
    common = {"id": claim.id, "group": claim.group, "where": claim.where, "claim": claim.text, "check": claim.check}
    return CheckedClaim(**common, **asdict(found))


def check_claims(path: str | os.PathLike | None = None) -> tuple[Claims, list[CheckedClaim]]:
    """All claims of a file (None: those of the paper that this suite is about), in its order.

    Raises
    ------
    SerError
        for a file of claims that cannot be used
    """
    claims = claim_file.load_claims(path)
    return claims, [check_claim(claim) for claim in claims.claims]


def group_results(results: list[CheckedClaim]) -> dict[str, list[CheckedClaim]]:
    """Results by group, in the order of the file."""
    found: dict[str, list[CheckedClaim]] = {}
    for result in results:
        found.setdefault(result.group, []).append(result)
    return found


def count_verdicts(results: list[CheckedClaim]) -> dict[str, int]:
    """How many claims have each verdict, all verdicts named."""
    counts = Counter(result.verdict for result in results)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def verdict_sentence(results: list[CheckedClaim]) -> str:
    """The tally as a sentence."""
    counts = ", ".join(f"{verdict}: {count}" for verdict, count in count_verdicts(results).items())
    return f"{len(results)} claims checked; {counts}."


def results_frame(results: list[CheckedClaim]):
    """Results as a table for people: DataFrame with place, claim, printed, computed, verdict, why."""
    import pandas as pd

    return pd.DataFrame(
        [(r.where, r.claim, r.printed, r.computed, r.verdict, r.why) for r in results],
        columns=["where", "claim", "printed", "computed", "verdict", "why"],
    )


def format_results(claims: Claims, results: list[CheckedClaim]) -> str:
    """Results as lines for a terminal."""
    kind = " (constructed: no real paper)" if claims.constructed else ""
    lines = [f"{claims.title}{kind}", claims.source]
    for group, some in group_results(results).items():
        lines += ["", f"{group}:"]
        for r in some:
            lines += [
                f"  {r.verdict:17} {r.where}: {r.claim}",
                f"  {'':17} printed {r.printed}; computed {r.computed}. {r.why}",
            ]
    return "\n".join([*lines, "", verdict_sentence(results)])
