"""Tables of pooled results: numeric data frames, formatted last.

A table is made of pooled results (:func:`ser_core.results.pooling.pool_results`) and holds one protocol:
scores of different protocols are not comparable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_core._utils.marks import replace_between
from ser_core.claims import paper
from ser_core.corpora import corpus_title, is_demo
from ser_core.metrics.uncertainty import Scored
from ser_core.protocols import splits
from ser_core.results.formatting import (
    DASH,
    fold_columns,
    format_count,
    format_folds,
    format_limits,
    format_percent,
    format_score,
    format_units,
    is_missing,
    limit_columns,
    no_break,
    numeric_frame,
    settings_words,
    system_title,
    tested_on,
    text_frame,
    to_markdown,
)
from ser_core.results.pooling import by_protocol, check_one_protocol, select_clean
from ser_core.results.records import PooledResult

SPREAD_LEGEND = (
    "*SD over units: standard deviation of the accuracies of the single speakers (TESS: words), in points. SD over "
    "seeds: of the accuracies of whole runs that differ in the seed alone.*"
)
"""What the two columns of standard deviations mean."""
OPEN, CLOSE = "<!-- results -->", "<!-- /results -->"


def results_table(pooled: list[PooledResult], *, calm_is_neutral: bool = True) -> pd.DataFrame:
    """Tabulate the paper's claims and our scores, one row per spec and per part of a composed corpus.

    Parameters
    ----------
    pooled : list of PooledResult
        of one protocol
    calm_is_neutral : bool, default True
        add the scores with calm counted as neutral, where there are any

    Returns
    -------
    DataFrame
        numeric: ``claimed``, ``accuracy`` and ``uar`` (each with ``_low`` and ``_high``), ``f1``, ``sd_units``,
        ``sd_seeds`` (fractions, NaN where missing), ``units``, ``folds``, ``folds_total``, ``n_test``, ``found``,
        ``expected``; text: ``corpus``, ``protocol``, ``network`` (title), ``model`` (name), ``setting``,
        ``status``, ``unit``; ``seeds`` (tuple)

    Raises
    ------
    SerError
        for several protocols: use :func:`ser_core.results.pooling.by_protocol` first
    """
    check_one_protocol(pooled)
    rows = []
    for result, setting in zip(pooled, settings_words([result.spec for result in pooled]), strict=True):
        lines = [(tested_on(result.spec), result.scored)]
        lines += [(f"of which {corpus_title(corpus)}", part) for corpus, part in result.parts.items()]
        lines += [(f"of which {kind} clips", part) for kind, part in result.by_copy.items()]
        if result.calm_is_neutral and calm_is_neutral:
            lines.append(("the same, calm counted as neutral", result.calm_is_neutral))
        for title, scored in lines:
            claimed = result.claimed_accuracy if scored is lines[0][1] else None
            rows.append(_results_row(title, result, ", ".join(setting), scored, claimed))
    return numeric_frame(rows, ("units", "folds", "folds_total", "n_test", "found", "expected"))


def _results_row(
    title: str, result: PooledResult, setting: str, scored: Scored | None, claimed: float | None
) -> dict[str, Any]:
    intervals = scored.intervals if scored else None
    scores = scored.scores if scored else {}
    spread = scored.spread.get("accuracy") if scored else None
    row: dict[str, Any] = {
        "corpus": title,
        "protocol": result.spec["protocol"],
        "network": system_title(result.spec["model"]),
        "model": result.spec["model"],
        "setting": setting or ("as the paper" if paper.is_proposed(result.spec["model"]) else "default"),
        "status": result.status,
        "claimed": np.nan if claimed is None else claimed,
    }
    for score in ("accuracy", "uar"):
        row |= limit_columns(score, scores.get(score), intervals.get(score) if intervals else None)
    return row | {
        "f1": scores.get("f1", np.nan),
        "unit": intervals.unit if intervals else "none",
        "units": intervals.n if intervals else 0,
        "sd_units": np.nan if spread is None or spread.units is None else spread.units,
        "sd_seeds": np.nan if spread is None or spread.seeds is None else spread.seeds,
        **fold_columns(result),
        "n_test": scored.n_test if scored else 0,
        "found": result.completeness.found,
        "expected": result.completeness.expected,
    }


def format_results(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`results_table` as text with one column per number, in percent; intervals are at 95 %."""
    rows = [
        {
            "corpus": row.corpus,
            "protocol": row.protocol,
            "network": row.network,
            "setting": row.setting,
            "paper: accuracy %": format_percent(row.claimed, 2),
            "ours: accuracy %": format_percent(row.accuracy) if row.status == "ok" else "failed",
            "95 % interval": format_limits(row.accuracy_low, row.accuracy_high),
            "UAR %": format_percent(row.uar),
            "95 % interval of UAR": format_limits(row.uar_low, row.uar_high),
            "macro F1 %": format_percent(row.f1),
            "over": format_units(row.units, row.unit),
            "SD over units": format_percent(row.sd_units),
            "SD over seeds": format_percent(row.sd_seeds),
            "folds": format_folds(row.folds, row.folds_total),
            "seeds": ", ".join(map(str, row.seeds)) or DASH,
            "test utterances": int(row.n_test),
            "corpus complete": _format_complete(row),
        }
        for row in table.itertuples()
    ]
    text = {"corpus", "protocol", "network", "setting"}
    return text_frame(rows, right=set(rows[0]) - text if rows else ())


def _format_complete(row) -> str:
    if is_missing(row.expected) or not row.expected:
        return DASH
    return f"{format_count(row.found)} of {format_count(row.expected)}"


def table_records(pooled: list[PooledResult]) -> list[dict]:
    """Return the rows of the tables of every protocol as dicts for JSON: each number and its text.

    Missing numbers are None.
    """
    records = []
    for group in by_protocol(pooled).values():
        table = results_table(group)
        for text, numbers in zip(
            format_results(table).to_dict("records"), table.astype("object").to_dict("records"), strict=True
        ):
            records.append(text | {f"{name}": _plain(value) for name, value in numbers.items() if name not in text})
    return records


def _plain(value: Any) -> Any:
    if isinstance(value, str | tuple):
        return value if isinstance(value, str) else list(value)
    return None if is_missing(value) else value


def compact_results(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`results_table` for reading: scores with their intervals, without columns that have no information.

    Spaces inside a number and its interval are no-break spaces.
    """
    rows = []
    for row in table.itertuples():
        over = format_units(row.units, row.unit)
        accuracy = format_score(row.accuracy, row.accuracy_low, row.accuracy_high)
        rows.append(
            {
                "corpus": row.corpus,
                "network": row.network,
                "setting": row.setting,
                "paper: accuracy %": format_percent(row.claimed, 2),
                "ours: accuracy % [95 %]": accuracy if row.status == "ok" else "failed",
                "UAR % [95 %]": format_score(row.uar, row.uar_low, row.uar_high),
                "macro F1 %": format_percent(row.f1),
                "SD over units": format_percent(row.sd_units),
                "SD over seeds": format_percent(row.sd_seeds),
                "folds": f"{no_break(format_folds(row.folds, row.folds_total))}; seed "
                f"{', '.join(map(str, row.seeds)) or DASH}",
                "corpus complete": _format_complete(row),
                "tested on": format_count(row.n_test) + ("" if over == DASH else f"; {over}"),
            }
        )
    hidden = set()
    if table["sd_seeds"].isna().all():
        hidden |= {"SD over units", "SD over seeds"}
    if set(table["setting"]) <= {"as the paper", "default"}:
        hidden.add("setting")
    if (table["expected"].isna() | (table["expected"] == 0) | (table["found"] == table["expected"])).all():
        hidden.add("corpus complete")
    rows = [{name: value for name, value in row.items() if name not in hidden} for row in rows]
    return text_frame(rows, right=set(rows[0]) - {"corpus", "network", "setting"} if rows else ())


def per_class_table(result: PooledResult) -> pd.DataFrame:
    """Tabulate Table III of the paper and one pooled result: precision, recall and F1 per emotion, and support.

    Returns
    -------
    DataFrame
        numeric: ``precision``, ``recall``, ``f1`` and, with ``_paper``, those printed (fractions, NaN where missing);
        ``support``; and ``emotion``
    """
    printed = {row["emotion"]: row for row in paper.table("III")}
    rows = []
    for label in result.labels:
        row: dict[str, Any] = {"emotion": label}
        for score in ("precision", "recall", "f1"):
            claimed = printed.get(label, {}).get(score)
            row[f"{score}_paper"] = np.nan if claimed is None else claimed / 100
            row[score] = getattr(result.per_class[label], score)
        rows.append(row | {"support": result.per_class[label].support})
    return pd.DataFrame(rows)


def format_per_class(table: pd.DataFrame) -> pd.DataFrame:
    """Format :func:`per_class_table` as text, in percent."""
    names = {"precision": "precision %", "recall": "recall %", "f1": "F1 %"}
    rows = []
    for row in table.to_dict("records"):
        line = {"emotion": row["emotion"]}
        for score, name in names.items():
            line[f"{name}, paper"] = format_percent(row[f"{score}_paper"], 2)
            line[f"{name}, ours"] = format_percent(row[score])
        rows.append(line | {"test utterances": row["support"]})
    return text_frame(rows, right=set(rows[0]) - {"emotion"} if rows else ())


def results_markdown(pooled: list[PooledResult]) -> str:
    """Format one Markdown table per protocol, each below a line that explains the protocol."""
    blocks = []
    for protocol, group in by_protocol(select_clean(pooled)).items():
        demo = any(is_demo(result.spec["corpus"]) for result in group)
        note = " Demo: synthetic speech, which neither confirms nor refutes a claim." if demo else ""
        frame = compact_results(results_table(group))
        legend = f"\n{SPREAD_LEGEND}\n" if "SD over units" in frame else ""
        blocks.append(
            f"**Protocol `{protocol}`**: {splits.PROTOCOLS.get(protocol, protocol)}.{note}\n\n"
            f"{to_markdown(frame)}{legend}"
        )
    return "\n".join(blocks)


def update_readme(readme_path: str | Path, markdown: str) -> bool:
    """Replace the text between ``<!-- results -->`` and ``<!-- /results -->`` by Markdown.

    Returns
    -------
    bool
        whether the file changed

    Raises
    ------
    SerError
        for a file without the two marks
    """
    return replace_between(readme_path, OPEN, CLOSE, markdown, "the results")
