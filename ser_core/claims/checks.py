"""The checks of ``ser audit``: name of a check in a claim file to the function that computes it.

Each takes a claim and computes what the paper's own figures allow. The functions are in
:mod:`ser_core.claims.score_checks`, :mod:`ser_core.claims.system_checks` and :mod:`ser_core.claims.corpus_checks`.
"""

from collections.abc import Callable

from ser_core.claims import corpus_checks, score_checks, system_checks
from ser_core.claims.claim_file import Claim
from ser_core.claims.verdicts import CONTRADICTED, HOLDS, IMPOSSIBLE, OPEN, VERDICTS, Finding

__all__ = ["CHECKS", "CONTRADICTED", "HOLDS", "IMPOSSIBLE", "OPEN", "VERDICTS", "Finding"]

CHECKS: dict[str, Callable[[Claim], Finding]] = {
    check.__name__: check
    for check in (
        system_checks.parameters,
        system_checks.smallest,
        score_checks.f1,
        score_checks.f1_between,
        score_checks.column_mean,
        score_checks.fraction,
        score_checks.smallest_support,
        score_checks.least_accuracy,
        score_checks.one_against_rest,
        score_checks.rank,
        score_checks.step,
        system_checks.rtf,
        system_checks.implied_length,
        system_checks.throughput,
        system_checks.same_column,
        system_checks.attention_bounds,
        corpus_checks.labels,
        corpus_checks.speakers,
        corpus_checks.truncation,
        corpus_checks.count,
        system_checks.level,
        corpus_checks.twice,
        corpus_checks.no_figure,
    )
}
"""Name of a check to its function; claim files use these names."""
