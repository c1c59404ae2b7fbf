"""Trained on one corpus, tested on another: the matrix, the padding cue and adaptation, from pooled rows of ``cross``.

A *system* is a network with its setting, apart from padding and adaptation, which its rows may differ in. Its plain
rows are those with zero padding and no adaptation, as the paper's network is.
"""

import numpy as np
import pandas as pd

from ser_core import corpora, models
from ser_core.metrics import uncertainty
from ser_core.results import comparison, tables
from ser_core.training import adaptation

PLAIN = {"padding": "zero", "adapt": "none"}
APART = ("corpus", "test_corpus", *PLAIN)


def cross_rows(pooled: list[dict]) -> list[dict]:
    """The rows of the protocol ``cross`` that were measured, on recordings as they are."""
    return [one for one in tables.clean_rows(pooled) if one["status"] == "ok" and one["spec"]["protocol"] == "cross"]


def rows_by_system(pooled: list[dict]) -> dict[str, list[dict]]:
    """Name of each system (network and setting) to its rows."""
    found: dict[str, list[dict]] = {}
    for one in cross_rows(pooled):
        spec = one["spec"]
        told = tables.format_setting(spec | PLAIN)
        title = models.MODELS[spec["model"]].title if spec["model"] in models.MODELS else spec["model"]
        found.setdefault(f"{title}, {told}" if told else title, []).append(one)
    return found


def other_pairs(rows: list[dict], specs) -> list[dict]:
    """Rows of ``cross`` between corpora that these specs do not pair: what a user has run besides."""
    pairs = {(spec.corpus, spec.test_corpus) for spec in specs}
    cross = [row for row in rows if row["status"] == "ok" and row["spec"].get("test_corpus")]
    return [row for row in cross if (row["spec"]["corpus"], row["spec"]["test_corpus"]) not in pairs]


def is_plain(one: dict) -> bool:
    """Zero padding, no adaptation."""
    return all(one["spec"][name] == usual for name, usual in PLAIN.items())


def short_title(corpus: str) -> str:
    """Title of a corpus, or the plain name of a demo corpus, whose title is long."""
    return corpus if corpora.is_demo(corpus) else corpora.corpus_title(corpus)


def direction(one: dict) -> str:
    """ "RAVDESS → TESS"."""
    return f"{short_title(one['spec']['corpus'])} → {short_title(one['spec']['test_corpus'])}"


def cross_matrix(some: list[dict], score: str = "uar") -> pd.DataFrame:
    """Rows: trained on; columns: tested on; cells: the score in percent with its interval, "–" where not measured.

    some : rows of one system; of those plain ones are shown
    """
    plain = [one for one in some if is_plain(one)]
    names = list(dict.fromkeys(one["spec"][side] for side in ("corpus", "test_corpus") for one in plain))
    cells = {(one["spec"]["corpus"], one["spec"]["test_corpus"]): comparison.format_score(one, score) for one in plain}
    lines = []
    for source in names:
        line = {"trained on": short_title(source)}
        line |= {f"tested on {short_title(name)}": cells.get((source, name), "–") for name in names}
        lines.append(line)
    return pd.DataFrame(lines)


def shared_emotions(some: list[dict]) -> pd.DataFrame:
    """What each direction is about: the emotions that both corpora have, those left out, chance, utterances, unit."""
    lines = []
    for one in some:
        if not is_plain(one):
            continue
        left = one["rows"][0].get("left_out", {})
        lost = [f"{emotion} ({count:,} of {short_title(name)})" for name, counts in left.items()
                for emotion, count in counts.items()]  # fmt: skip
        limits = one["intervals"]
        unit = limits["unit"]
        lines.append(
            {
                "direction": direction(one),
                "emotions in common": f"{len(one['labels'])}: {', '.join(one['labels'])}",
                "left out": ", ".join(lost) or "none",
                "chance %": tables.format_percent(1 / len(one["labels"])),
                "most frequent answer": most_frequent_answer(one),
                "test utterances": f"{one['n_test']:,}",
                "interval over": "–" if unit == "none" else f"{limits['n']} {unit}s",
                "folds": f"{len(one['folds'])} of {one['folds_total'] or '?'}",
            }
        )
    return pd.DataFrame(lines)


def most_frequent_answer(one: dict) -> str:
    """The emotion that a network answers most often, and how often: "fear, 98 %"; near 100 it no longer listens."""
    answers = np.array(one["confusion"]).sum(axis=0)
    return f"{one['labels'][int(answers.argmax())]}, {tables.format_percent(answers.max() / answers.sum(), 0)} %"


def adaptation_changes(some: list[dict], folder, field: str) -> list[dict]:
    """What masked padding, or each adaptation, changes against the plain row of the same direction.

    some : rows of one system; field : "padding" or "adapt"; folder : of their predictions

    Returns
    -------
    list of dict
        ``direction``, ``choice`` (the field's value), ``one`` (pooled row), ``change`` (``difference`` of the UAR as a
        fraction and its paired ``interval`` or None; None for the plain row), plain rows first in each direction
    """
    other = next(name for name in PLAIN if name != field)
    rows = [one for one in some if one["spec"][other] == PLAIN[other]]
    found = []
    for plain in filter(is_plain, rows):
        beside = [one for one in rows if direction(one) == direction(plain) and not is_plain(one)]
        if beside:
            found.append({"direction": direction(plain), "choice": PLAIN[field], "one": plain, "change": None})
        for one in sorted(beside, key=lambda one: _place(one["spec"][field])):
            paired = comparison.paired_difference(plain, one, folder)
            change = paired["uar"] if paired else None
            found.append({"direction": direction(one), "choice": one["spec"][field], "one": one, "change": change})
    return found


def _place(choice: str) -> int:
    return list(adaptation.KINDS).index(choice) if choice in adaptation.KINDS else 0


def changes_table(found: list[dict], field: str) -> pd.DataFrame:
    """The lines of :func:`changes` as text: UAR and accuracy with intervals, and the paired difference."""
    against = f"against {field} {PLAIN[field]}, UAR points [95 %]"
    return pd.DataFrame(
        {
            "direction": line["direction"],
            field: line["choice"] if field == "padding" else f"{line['choice']}: {adaptation.KINDS[line['choice']]}",
            "UAR % [95 %]": comparison.format_score(line["one"], "uar"),
            "accuracy % [95 %]": comparison.format_score(line["one"], "accuracy"),
            against: tables.format_difference(line["change"]) if line["change"] else "–",
            "most frequent answer": most_frequent_answer(line["one"]),
            "folds": f"{len(line['one']['folds'])} of {line['one']['folds_total'] or '?'}",
        }
        for line in found
    )


def significant_changes(found: list[dict]) -> list[dict]:
    """Those of :func:`changes` that are told from none at 5 %, after Holm over all of them."""
    tested = uncertainty.holm([(line["change"] or {}).get("p") for line in found])
    return [line for line, p in zip(found, tested, strict=True) if p is not None and p <= uncertainty.ALPHA]


def changes_sentence(found: list[dict], what: str) -> str:
    """One sentence on the changes: how many can be told from none, and which."""
    tested = [line for line in found if (line["change"] or {}).get("interval")]
    if not tested:
        return f"{what}: nothing was measured with which a difference could be told."
    named = [
        f"{line['choice']}, {line['direction']} ({tables.format_difference(line['change'])} points)"
        for line in significant_changes(found)
    ]
    return f"{what}: of {len(tested)} differences {len(named)} told from none at 5 % after Holm" + (
        f": {'; '.join(named)}." if named else "."
    )
