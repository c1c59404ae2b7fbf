"""The overview: the claim and the measured accuracy under every protocol, for the best system of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ser_core import models
from ser_core.experiments.grids import A5
from ser_core.results.formatting import system_title
from ser_core.results.leaderboard import Leaderboard
from ser_core.results.pooling import select_clean
from ser_core.results.protocol_ladder import CLAIM, Rung, make_rung, setting_key
from ser_core.results.records import PooledResult

PROTOCOLS = (CLAIM, "leaky", "random", "speaker", "cross")
"""Rows of the overview: what the paper claims, and protocols from the easiest to the hardest."""
PAPER, CLASSICAL, SMALL, PRETRAINED = "the paper's network", "best classical", "best small network", "best pretrained"
KINDS = (PAPER, CLASSICAL, SMALL, PRETRAINED)
"""Columns of the overview."""

LEARNERS = ("ser_core.models.classical:", "ser_core.models.linear:")
"""Where the classical systems are defined; a network may be a learner, too."""


@dataclass(frozen=True, eq=False)
class OverviewColumn:
    """One kind of system.

    Attributes
    ----------
    kind : str
        one of :data:`KINDS`
    system : str
        title of the system of this kind with the best UAR on all folds; "" where none was measured. Of the paper's
        network it is the setting that was measured under most protocols
    claimed : float or None
        accuracy that the paper claims for it, a fraction
    measured : dict
        protocol to :class:`~ser_core.results.protocol_ladder.Rung`; protocols that were not measured are missing
    """

    kind: str
    system: str
    claimed: float | None
    measured: dict[str, Rung]


def kind_of(model: str) -> str:
    """Return the kind of a system.

    >>> kind_of("a1"), kind_of("voice_network"), kind_of("svm"), kind_of("whisper_base")
    ('best small network', 'best small network', 'best classical', 'best pretrained')
    """
    if model == A5:
        return PAPER
    if model not in models.MODELS:
        return SMALL
    known = models.MODELS[model]
    if known.build.startswith("ser_core.models.probes:") or known.features.startswith("whisper"):
        return PRETRAINED
    return CLASSICAL if known.build.startswith(LEARNERS) else SMALL


def overview(board: Leaderboard, pooled: list[PooledResult], folder: str | Path) -> list[OverviewColumn]:
    """Find the best system of each kind, and its results under the other protocols.

    Parameters
    ----------
    board : Leaderboard
        of the corpus, under ``speaker``
    pooled : list of PooledResult
        of any corpora and protocols
    folder : path
        of their predictions

    Returns
    -------
    list of OverviewColumn
        one per kind, in the order of :data:`KINDS`
    """
    columns = []
    for kind in KINDS:
        ranked = [result for result in board.ranked if kind_of(result.spec["model"]) == kind]
        if not ranked:
            columns.append(OverviewColumn(kind, "", None, {}))
            continue
        clean = [one for one in select_clean(pooled) if one.ok and one.spec["corpus"] == board.corpus]
        best = max(ranked, key=lambda one: len(_protocols_of(one, clean))) if kind == PAPER else ranked[0]
        alike = [one for one in clean if one.spec["model"] == best.spec["model"]]
        measured = {board.protocol: make_rung(best, folder)}
        for protocol in PROTOCOLS:
            found = [result for result in alike if result.spec["protocol"] == protocol]
            if found and protocol not in measured:
                key = setting_key(best)
                order = sorted(found, key=lambda result: (setting_key(result) != key, -len(result.folds)))
                measured[protocol] = make_rung(order[0], folder)
        columns.append(OverviewColumn(kind, system_title(best.spec["model"]), best.claimed_accuracy, measured))
    return columns


def _protocols_of(result: PooledResult, others: list[PooledResult]) -> set[str]:
    """Return the protocols of one corpus in the overview under which the setting of a result was measured."""
    key = setting_key(result)
    return {other.spec["protocol"] for other in others if setting_key(other) == key} & set(PROTOCOLS) - {"cross"}


def unmeasured_words(columns: list[OverviewColumn]) -> str:
    """Say which kinds were not measured on all folds, and which protocols only some have; "" where all were."""
    absent = [column.kind.removeprefix("best ") for column in columns if not column.system]
    parts = [f"no {name} system was measured on all folds" for name in absent]
    for column in columns:
        lacking = [name for name in PROTOCOLS[1:] if name not in column.measured]
        if column.system and lacking:
            parts.append(f"{column.system} was not measured under {', '.join(lacking)}")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""
