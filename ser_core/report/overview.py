"""Lay out the overview of the index: the claim and every protocol for the best system of each kind."""

from __future__ import annotations

from ser_core.results import overview, protocol_ladder
from ser_core.results.formatting import format_folds, format_interval
from ser_core.results.overview import OverviewColumn


def overview_content(columns: list[OverviewColumn], corpus: str) -> dict:
    """Return what the template shows of an overview: its columns, and a row for the claim and each protocol.

    Parameters
    ----------
    columns : list of OverviewColumn
        Made by :func:`ser_core.results.overview.overview`.
    corpus : str
        Title of the corpus.
    """
    rows = []
    for protocol in overview.PROTOCOLS:
        cells = [
            _claim_cell(column.claimed) if protocol == overview.CLAIM else _measured_cell(column, protocol)
            for column in columns
        ]
        if any(cells):
            rows.append({"protocol": protocol, "meaning": protocol_ladder.ALLOWED[protocol], "cells": cells})
    shown = [column for column in columns if column.system]
    return {
        "title": f"Accuracy on {corpus}",
        "columns": [(column.kind, column.system) for column in columns],
        "rows": rows,
        "unmeasured": overview.unmeasured_words(columns) if shown else "",
    }


def _claim_cell(claimed: float | None) -> dict | None:
    if claimed is None:
        return None
    text = f"{100 * claimed:.2f}"
    return {"percent": text, "limits": "", "width": text, "chance": "", "note": "", "about": "printed in the paper"}


def _measured_cell(column: OverviewColumn, protocol: str) -> dict | None:
    """Return what the template shows of a result under one protocol; its setting where it is not that of the column."""
    rung = column.measured.get(protocol)
    if rung is None:
        return None
    notes = [rung.setting] if rung.key != next(iter(column.measured.values())).key else []
    notes += [f"original clips; {100 * rung.all_clips:.1f} over all"] if rung.all_clips is not None else []
    folds = format_folds(len(rung.folds), rung.folds_total)
    return {
        "percent": f"{100 * rung.accuracy:.1f}",
        "limits": format_interval(rung.interval) if rung.interval else "",
        "width": f"{100 * rung.accuracy:.1f}",
        "chance": f"{100 * rung.chance:.1f}" if rung.chance else "",
        "note": "; ".join(notes),
        "about": f"{rung.name}: {rung.setting}, folds {folds}, {rung.n_test:,} utterances",
    }
