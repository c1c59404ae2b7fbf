"""Write pooled results for other tools: CSV, LaTeX, and the ``model-index`` of a Hugging Face model card.

Every form is made of :func:`pooled_table`, so that they hold the same numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.metrics.uncertainty import SCORES
from ser_core.protocols import splits
from ser_core.results.formatting import format_setting, is_missing, numeric_frame, score_columns
from ser_core.results.pooling import by_protocol, select_clean
from ser_core.results.records import PooledResult
from ser_core.results.tables import compact_results, results_table

METRICS = {
    "accuracy": ("accuracy", "Accuracy"),
    "uar": ("recall", "UAR (unweighted average recall)"),
    "precision": ("precision", "Macro precision"),
    "recall": ("recall", "Macro recall"),
    "f1": ("f1", "Macro F1"),
}
"""Score to the type of metric of the Hugging Face hub, and its name in a card."""
CARD_SCORES = ("accuracy", "uar", "f1")
"""Scores of a card; the recall is the UAR."""
PAGE = 40
"""Most rows of a table that stands on one page."""
COUNTS = ("units", "folds", "folds_total", "n_test", "parameters", "found", "expected")


def pooled_table(pooled: Sequence[PooledResult]) -> pd.DataFrame:
    """Tabulate pooled results, one row per system, setting, corpus and protocol.

    Parameters
    ----------
    pooled : sequence of PooledResult
        of any protocols, which must not be compared with each other

    Returns
    -------
    DataFrame
        ``corpus``, ``test_corpus``, ``protocol``, ``condition``, ``model``, ``setting``, ``status``; the five scores,
        each with ``_low`` and ``_high`` (fractions, NaN where missing); ``claimed_accuracy``; ``unit`` and ``units`` of
        the intervals; ``folds``, ``folds_total``, ``seeds`` (such as "0 1"), ``n_test``, ``parameters``, ``found`` and
        ``expected`` (utterances of the corpus)
    """
    rows = []
    for result in pooled:
        spec = result.spec
        row = {name: spec.get(name) or "" for name in ("corpus", "test_corpus", "protocol", "condition", "model")}
        row |= {"setting": format_setting(spec), "status": result.status, **score_columns(result, *SCORES)}
        rows.append(
            row
            | {
                "claimed_accuracy": float("nan") if result.claimed_accuracy is None else result.claimed_accuracy,
                "unit": result.intervals.unit if result.intervals else "none",
                "units": result.intervals.n if result.intervals else None,
                "folds": len(result.folds),
                "folds_total": result.folds_total,
                "seeds": " ".join(map(str, result.seeds)),
                "n_test": result.n_test,
                "parameters": result.parameters,
                "found": result.completeness.found,
                "expected": result.completeness.expected,
            }
        )
    return numeric_frame(rows, COUNTS)


def to_csv(pooled: Sequence[PooledResult]) -> str:
    """Format :func:`pooled_table` as CSV: scores are fractions, missing values empty."""
    return pooled_table(pooled).to_csv(index=False, lineterminator="\n")


# --- LaTeX

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"$<$", ">": r"$>$", "–": "--", "→": r"$\rightarrow$",
    "≈": r"$\approx$", "±": r"$\pm$", "\N{NO-BREAK SPACE}": "~", "\n": " ",
}  # fmt: skip
"""Character to its LaTeX."""


def latex_text(text: Any) -> str:
    r"""Escape text for LaTeX.

    >>> latex_text("cnn_lstm, 42 % → TESS")
    'cnn\\_lstm, 42 \\% $\\rightarrow$ TESS'
    """
    return "".join(_LATEX.get(character, character) for character in str(text))


def frame_latex(frame: pd.DataFrame, caption: str = "", label: str = "") -> str:
    """Format a data frame of text as a LaTeX table in the style of ``booktabs``; a long one as a ``longtable``.

    Parameters
    ----------
    frame : DataFrame
        columns noted by :func:`ser_core.results.formatting.text_frame` are aligned to the right
    caption, label : str, optional
        the label is used as it is
    """
    right = frame.attrs.get("right", [])
    line = lambda cells: " & ".join(map(latex_text, cells)) + r" \\"  # noqa: E731
    columns = "".join("r" if name in right else "l" for name in frame)
    named = [rf"\caption{{{latex_text(caption)}}}"] if caption else []
    named += [rf"\label{{{label}}}"] if label else []
    head = [r"\toprule", line(frame.columns), r"\midrule"]
    body = [*(line(cells) for cells in frame.itertuples(index=False)), r"\bottomrule"]
    if len(frame) > PAGE:
        title = ["".join(named) + r" \\"] if named else []
        inner = [rf"\begin{{longtable}}{{{columns}}}", *title, *head, r"\endhead", *body, r"\end{longtable}"]
        return "\n".join(inner) + "\n"
    table = [rf"\begin{{tabular}}{{{columns}}}", *head, *body, r"\end{tabular}"]
    return "\n".join([r"\begin{table}", r"\centering", *named, *table, r"\end{table}"]) + "\n"


def to_latex(pooled: Sequence[PooledResult]) -> str:
    r"""Format one LaTeX table per protocol; needs ``\usepackage{booktabs,longtable}``."""
    parts = [r"% \usepackage{booktabs,longtable}" + "\n"]
    for protocol, group in by_protocol(select_clean(list(pooled))).items():
        caption = f"Protocol {protocol}: {splits.PROTOCOLS.get(protocol, protocol)}."
        demo = any(corpora.is_demo(result.spec["corpus"]) for result in group)
        caption += " Demo: synthetic speech, which neither confirms nor refutes a claim." if demo else ""
        parts.append(frame_latex(compact_results(results_table(group)), caption, f"tab:{protocol}"))
    return "\n".join(parts)


# --- model cards


def model_index(pooled: Sequence[PooledResult]) -> list[dict[str, Any]]:
    """List results as the field ``model-index`` of a model card.

    Results under ``leaky``, which a reader of a card would take for honest, and runs that failed are left out. Each
    result has a configuration of its own (protocol and setting), by which the hub tells results on one corpus apart.

    Parameters
    ----------
    pooled : sequence of PooledResult

    Returns
    -------
    list of dict
        one per system: ``name`` and ``results``, each with ``task``, ``dataset`` and ``metrics`` (values are fractions)
    """
    by_model: dict[str, list[dict[str, Any]]] = {}
    for result in pooled:
        if result.ok and result.spec["protocol"] != "leaky":
            by_model.setdefault(result.spec["model"], []).append(_card_result(result))
    return [{"name": name, "results": results} for name, results in by_model.items()]


def _card_result(result: PooledResult) -> dict[str, Any]:
    """Return one result as a card holds it."""
    spec = result.spec
    tested = spec.get("test_corpus") or spec["corpus"]
    words = [f"protocol {spec['protocol']}", format_setting(spec)]
    words += [f"trained on {spec['corpus']}"] if spec.get("test_corpus") else []
    total = "?" if is_missing(result.folds_total) else result.folds_total
    facts: dict[str, Any] = {
        "protocol": spec["protocol"], "folds": f"{len(result.folds)} of {total}",
        "seeds": list(result.seeds), "utterances": result.n_test,
    }  # fmt: skip
    metrics = []
    for score in CARD_SCORES:
        kind, title = METRICS[score]
        metric: dict[str, Any] = {"type": kind, "name": title, "value": round(result.scores[score], 6)}
        interval = result.intervals.get(score) if result.intervals else None
        if interval and result.intervals:
            limits = [round(limit, 6) for limit in interval.limits]
            metric["args"] = {"interval": limits, "level": interval.level, "over": f"{interval.n} {interval.unit}s"}
        metrics.append(metric)
    return {
        "task": {"type": "audio-classification", "name": "Speech Emotion Recognition"},
        "dataset": {
            "type": tested, "name": corpora.corpus_title(tested), "config": ", ".join(filter(None, words)),
            "split": "test", "args": facts,
        },
        "metrics": metrics,
    }  # fmt: skip


def hub_licence(licence: str) -> str:
    """Return a Creative Commons licence as the hub names it, any other as ``other``.

    >>> hub_licence("CC BY-NC-SA 4.0"), hub_licence("free for research")
    ('cc-by-nc-sa-4.0', 'other')
    """
    match = re.fullmatch(r"CC (BY(?:-[A-Z]{2})*) ([0-9.]+)", licence)
    return f"cc-{match[1]}-{match[2]}".lower() if match else "other"


def to_model_index(pooled: Sequence[PooledResult]) -> str:
    """Format results as the YAML header of a Hugging Face model card.

    Raises
    ------
    SerError
        where no result is left, or where there are several systems: the hub's own library reads a card as of one, and
        gives it the results of all (``findings/huggingface_card_results.sh``)
    """
    listed = model_index(pooled)
    if not listed:
        raise SerError("model-index: no successful result that a card may name; those under leaky are left out")
    if len(listed) > 1:
        raise SerError(f"model-index: {len(listed)} systems; a card is of one, choose it with --model")
    trained = {result.spec["corpus"] for result in pooled if result.ok and result.spec["protocol"] != "leaky"}
    licences = {corpora.get_corpus(name).licence for name in trained if name in corpora.CORPORA}
    header: dict[str, Any] = {
        "library_name": "keras", "pipeline_tag": "audio-classification",
        "tags": ["speech-emotion-recognition", "audio-classification"],
        "license": hub_licence(licences.pop()) if len(licences) == 1 else "other", "datasets": sorted(trained),
        "model-index": listed,
    }  # fmt: skip
    return f"---\n{yaml_text(header)}---\n"


def yaml_text(value: Any, indent: int = 0) -> str:
    """Format dicts, lists, strings, numbers and None as YAML in block style; strings are quoted as in JSON.

    >>> print(yaml_text({"a": [1, {"b": "x: y"}], "c": []}), end="")
    a:
    - 1
    - b: "x: y"
    c: []
    """
    space, lines = "  " * indent, []
    if isinstance(value, Mapping):
        for key, part in value.items():
            if isinstance(part, Mapping | list) and part:
                deeper = indent + isinstance(part, Mapping)
                lines.append(f"{space}{key}:\n{yaml_text(part, deeper)}")
            else:
                lines.append(f"{space}{key}: {json.dumps(part, ensure_ascii=False)}\n")
    else:
        for part in value:
            if isinstance(part, Mapping):
                lines.append(f"{space}- {yaml_text(part, indent + 1)[len(space) + 2 :]}")
            else:
                lines.append(f"{space}- {json.dumps(part, ensure_ascii=False)}\n")
    return "".join(lines)


FORMATS: dict[str, Callable[[Sequence[PooledResult]], str]] = {
    "csv": to_csv,
    "latex": to_latex,
    "model-index": to_model_index,
}
"""Names of ``ser tables --format`` besides md and json, and the function that writes each."""
