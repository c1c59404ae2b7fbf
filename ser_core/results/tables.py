"""Tables made from result rows, and from nothing else.

A row is what :func:`ser_core.experiments.run.run_spec` returns: one fold and one seed. :func:`pool` joins the rows that differ in
fold and seed only; every table is made of such pooled rows. Scores are fractions until they are printed, as percent.
A table holds one protocol: figures of different protocols answer different questions.
"""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from ser_core import metrics, models
from ser_core._utils.errors import SerError
from ser_core.claims import paper
from ser_core.corpora import CORPORA, corpus_title, is_demo, load, manifest
from ser_core.experiments.spec import Spec
from ser_core.experiments.store import claimed, load_predictions
from ser_core.metrics import uncertainty
from ser_core.protocols import splits

OPEN, CLOSE = "<!-- results -->", "<!-- /results -->"


def system_title(model: str) -> str:
    """Title of a system; the name of one of somebody else's."""
    return models.MODELS[model].title if model in models.MODELS else model


def tested_on(spec: dict) -> str:
    """Title of the corpus of a spec, with that of the other corpus where one is tested on: "RAVDESS → TESS"."""
    return " → ".join(corpus_title(name) for name in (spec["corpus"], spec.get("test_corpus")) if name)


def format_percent(value: float | None, digits: int = 1) -> str:
    """A fraction as percent without the sign, "–" for ``None`` and NaN."""
    return "–" if value is None or not np.isfinite(value) else f"{100 * value:.{digits}f}"


def format_range(numbers) -> str:
    """The range of some whole numbers: "7", or "5 to 9"."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def format_interval(limits, digits: int = 1) -> str:
    """Two fractions as "[lo, hi]" in percent, "–" when there are none."""
    if not limits or any(limit is None or not np.isfinite(limit) for limit in limits):
        return "–"
    return f"[{format_percent(limits[0], digits)}, {format_percent(limits[1], digits)}]"


def format_difference(change: dict) -> str:
    """ "+1.2 [-0.4, +2.8]" in percentage points."""
    low_high = change["interval"]
    text = f"{100 * change['difference']:+.1f}"
    if low_high:
        text += f" [{100 * low_high[0]:+.1f}, {100 * low_high[1]:+.1f}]"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def format_p_value(p: float) -> str:
    """A p value with two digits that tell: "<0.001", "0.012", "0.34"."""
    return "<0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def pool_results(rows, folder, *, folds=None) -> list[dict]:
    """Pool the folds and average the seeds of rows that are alike but for fold and seed.

    rows : iterable of result rows, of any specs; rows with status "error" are counted and left out
    folder : where the rows' predictions (``<hash>.parquet``) lie
    folds : only these folds, for a comparison with rows that have no others

    Returns one dict per spec, in the order of first appearance: ``spec`` (without fold and seed), ``status``,
    ``labels``, ``scores`` (test utterances of all folds together, per seed, then the mean over seeds), ``intervals``
    (over speakers or words, all seeds together), ``spread`` (of seeds, and of speakers or words), ``per_class``,
    ``confusion`` (rows = truth, summed over folds and seeds), ``parts`` (scores per source corpus where there are
    several), ``calm_is_neutral`` (RAVDESS: scores with the two counted as one), ``folds``, ``folds_total``, ``seeds``,
    ``n_test`` (distinct utterances), ``parameters``, ``claimed``, ``completeness``, ``errors`` (messages) and ``rows``
    (those pooled). Seeds that lack some of the folds that the fullest seed has are left out and named in
    ``seeds_left_out``.
    """
    groups: dict[str, list[dict]] = {}
    for row in rows:
        alike = {key: value for key, value in row["spec"].items() if key not in ("fold", "seed")}
        if folds is None or row["spec"]["fold"] in folds:
            groups.setdefault(json.dumps(alike, sort_keys=True), []).append(row)
    return [_pooled(json.loads(key), group, Path(folder)) for key, group in groups.items()]


def _pooled(spec: dict, group: list[dict], folder: Path) -> dict:
    good = [row for row in group if row["status"] == "ok"]
    pooled = {
        "spec": spec,
        "status": "ok" if good else "error",
        "errors": [row["error"] for row in group if row["status"] != "ok"],
        "folds_total": folds_total(spec["corpus"], spec["protocol"]),
        "claimed": claimed(spec),
        "folds": [],
        "seeds": [],
        "rows": [],
    }
    if not good:
        return pooled
    by_seed: dict[int, dict[int, dict]] = {}
    for row in good:
        by_seed.setdefault(row["spec"]["seed"], {})[row["spec"]["fold"]] = row
    sets = Counter(frozenset(rows) for rows in by_seed.values())
    folds = max(sets, key=lambda found: (len(found), sets[found], sorted(found)))
    seeds = sorted(seed for seed, rows in by_seed.items() if folds <= set(rows))
    used = [by_seed[seed][fold] for seed in seeds for fold in sorted(folds)]
    frames = [
        pd.concat([subset_predictions(by_seed[seed][fold], folder) for fold in sorted(folds)], ignore_index=True)
        for seed in seeds
    ]
    labels = used[0]["labels"]
    pooled |= {
        "labels": labels,
        "folds": sorted(folds),
        "seeds": seeds,
        "seeds_left_out": sorted(set(by_seed) - set(seeds)),
        "n_test": _tested(frames[0]),
        "parameters": used[0].get("parameters"),
        "completeness": _completeness(used),
        "rows": used,
        **_judged(frames, labels),
    }
    everything = pd.concat(frames, ignore_index=True)
    answers = everything["truth"], everything["prediction"], labels
    pooled["confusion"] = metrics.confusion(*answers).tolist()
    pooled["per_class"] = metrics.per_class(*answers)
    times = len(seeds) * (len(folds) if spec["protocol"] == "cross" else 1)  # each fold tests the whole other corpus
    for scores in pooled["per_class"].values():
        scores["support"] = round(scores["support"] / times)
    corpora = sorted(everything["corpus"].unique())
    pooled["parts"] = {
        corpus: _judged([frame[frame["corpus"] == corpus] for frame in frames], labels)
        for corpus in corpora
        if len(corpora) > 1
    }
    pooled |= _by_copy(frames, labels)
    if _as_listeners(spec, labels):
        merged = [_calm_is_neutral(frame) for frame in frames]
        pooled["calm_is_neutral"] = _judged(merged, [label for label in labels if label != "calm"])
    return pooled


def _as_listeners(spec: dict, labels: list[str]) -> bool:
    """Whether a row answers what the listeners were asked: clean RAVDESS recordings, all eight emotions."""
    tested = spec.get("test_corpus") or spec["corpus"], spec.get("condition", "clean"), len(labels)
    return tested == (paper.LISTENERS["corpus"], "clean", paper.LISTENERS["classes"])


def _by_copy(frames: list[pd.DataFrame], labels: list[str]) -> dict:
    """``leaky``: the original and the augmented test clips judged apart; nothing under other protocols."""
    if any("copy" not in frame for frame in frames):
        return {}
    kinds = {"original": lambda frame: frame["copy"] == "", "augmented": lambda frame: frame["copy"] != ""}
    return {"by_copy": {name: _judged([frame[of(frame)] for frame in frames], labels) for name, of in kinds.items()}}


def clean_rows(pooled: list[dict]) -> list[dict]:
    """The rows that were tested on recordings as they are: those of other conditions are shown by themselves."""
    return [one for one in pooled if one["spec"].get("condition", "clean") == "clean"]


def _judged(frames: list[pd.DataFrame], labels: list[str]) -> dict:
    """Mean scores over seeds (one frame each) and intervals over the units of all frames together."""
    each = [metrics.scores(frame["truth"], frame["prediction"], labels) for frame in frames]
    return {
        "scores": {name: float(np.mean([scores[name] for scores in each])) for name in each[0]},
        "intervals": uncertainty.intervals(pd.concat(frames, ignore_index=True), labels),
        "spread": uncertainty.spread(frames, labels),
        "n_test": _tested(frames[0]),
    }


def _tested(frame: pd.DataFrame) -> int:
    """Number of utterances that were tested, each counted once however many folds test it."""
    return int(frame[["corpus", "id"]].drop_duplicates().shape[0])


def folds_total(corpus: str, protocol: str) -> int | None:
    """Number of folds that a protocol has on a corpus; None where neither its file list nor its recordings are here."""
    try:
        table = manifest(corpus) if corpus in CORPORA else load(corpus)
        return splits.fold_count(table, protocol)
    except SerError:
        return None


def _completeness(rows: list[dict]) -> dict:
    found = [row["completeness"] for row in rows if row.get("completeness")]
    if not found:
        return {"expected": None, "found": None, "missing": []}
    return found[0] | {"missing": sorted({name for one in found for name in one["missing"]})}


def _calm_is_neutral(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with calm counted as neutral in truth and answer."""
    return frame.assign(**{side: frame[side].replace("calm", "neutral") for side in ("truth", "prediction")})


def subset_predictions(row: dict, folder, side: str = "test") -> pd.DataFrame:
    """Predictions of one side ("test" or "validation") of one row, one line an utterance.

    The columns of the row's Parquet file, and ``prediction``, the most probable label.
    """
    frame = load_predictions(row, Path(folder))
    return frame[frame["side"] == side].reset_index(drop=True)


def by_protocol(pooled: list[dict]) -> dict[str, list[dict]]:
    """Pooled rows apart by protocol, in the order of ``splits.PROTOCOLS`` (``speaker`` first)."""
    apart: dict[str, list[dict]] = {name: [] for name in splits.PROTOCOLS}
    for one in pooled:
        apart.setdefault(one["spec"]["protocol"], []).append(one)
    return {name: rows for name, rows in apart.items() if rows}


def results_table(pooled: list[dict]) -> pd.DataFrame:
    """The paper's claim beside ours, one line a spec (and one a part where the test side mixes corpora).

    Scores are strings in percent, intervals "[lo, hi]" at 95 %. Raises SerError when rows of several protocols are
    given: use :func:`by_protocol` first.
    """
    protocols = sorted(by_protocol(pooled))
    if len(protocols) > 1:
        raise SerError(f"a table cannot mix the protocols {', '.join(protocols)}: make one table each")
    lines = []
    for one in pooled:
        title = tested_on(one["spec"])
        claimed = one.get("claimed") or {}
        lines.append(_line(title, one, one, format_percent(claimed.get("accuracy"), 2)))
        for corpus, part in one.get("parts", {}).items():
            lines.append(_line(f"of which {corpus_title(corpus)}", one, part, "–"))
        for kind, part in one.get("by_copy", {}).items():
            lines.append(_line(f"of which {kind} clips", one, part, "–"))
        if "calm_is_neutral" in one:
            lines.append(_line("the same, calm counted as neutral", one, one["calm_is_neutral"], "–"))
    return pd.DataFrame(lines)


def table_records(pooled: list[dict]) -> list[dict]:
    """The lines of the tables of every protocol as dicts, for machines; each names its protocol."""
    return [line for rows in by_protocol(pooled).values() for line in results_table(rows).to_dict("records")]


def compact_table(table: pd.DataFrame) -> pd.DataFrame:
    """A results table for reading: scores with their intervals, what it was tested on, and only columns that tell.

    Blanks inside a figure are no-break spaces.
    """
    apart = ["protocol", "95 % interval", "95 % interval of UAR", "over", "test utterances"]
    silent = ["SD over units", "SD over seeds"] if set(table["SD over seeds"]) == {"–"} else []
    short = table.drop(columns=[*apart, *silent])
    for score, limits in (("ours: accuracy %", "95 % interval"), ("UAR %", "95 % interval of UAR")):
        short[score] = table[score] + (" " + table[limits]).where(table[limits] != "–", "")
    if set(short["setting"]) <= {"as the paper", "default"}:
        short = short.drop(columns="setting")
    counts = short["corpus complete"].str.split(" of ")
    if all(len(count) < 2 or count[0] == count[1] for count in counts):
        short = short.drop(columns="corpus complete")
    tested = table["test utterances"].map("{:,}".format)
    short["tested on"] = tested + ("; " + table["over"]).where(table["over"] != "–", "")
    short["folds"] = table["folds"].str.replace(" ", "\N{NO-BREAK SPACE}") + "; seed " + table["seeds"]
    short = short.drop(columns="seeds")
    for column in ("ours: accuracy %", "UAR %"):
        short[column] = short[column].str.replace(" ", "\N{NO-BREAK SPACE}")
    return short.rename(columns={"ours: accuracy %": "ours: accuracy % [95 %]", "UAR %": "UAR % [95 %]"})


def _line(title: str, one: dict, judged: dict, claimed: str) -> dict:
    spec = one["spec"]
    failed = one["status"] != "ok"
    limits = judged.get("intervals", {})
    score = {} if failed else judged["scores"]
    unit = limits.get("unit", "none")
    moves = judged.get("spread", {}).get("accuracy", {})
    return {
        "corpus": title,
        "protocol": spec["protocol"],
        "network": spec["model"],
        "setting": format_setting(spec) or ("as the paper" if paper.is_proposed(spec["model"]) else "default"),
        "paper: accuracy %": claimed,
        "ours: accuracy %": "failed" if failed else format_percent(score["accuracy"]),
        "95 % interval": format_interval(limits.get("accuracy")),
        "UAR %": format_percent(score.get("uar")),
        "95 % interval of UAR": format_interval(limits.get("uar")),
        "macro F1 %": format_percent(score.get("f1")),
        "over": "–" if unit == "none" else f"{limits['n']} {unit}s",
        "SD over units": format_percent(moves.get("units")),
        "SD over seeds": format_percent(moves.get("seeds")),
        "folds": f"{len(one['folds'])} of {one['folds_total'] or '?'}",
        "seeds": ", ".join(map(str, one["seeds"])) or "–",
        "test utterances": judged.get("n_test", 0),
        "corpus complete": _complete(one),
    }


def _complete(one: dict) -> str:
    counts = one.get("completeness") or {}
    if not counts.get("expected"):
        return "–"
    return f"{counts['found']:,} of {counts['expected']:,}"


def format_setting(spec: dict) -> str:
    """The fields of a spec that differ from the defaults, apart from those with a column of their own."""
    own = {"corpus", "test_corpus", "protocol", "fold", "model", "seed"}
    try:  # length and rate follow the input
        usual = asdict(Spec(corpus=spec["corpus"], model=spec["model"], features=spec["features"]))
        usual["features"] = models.get_model(spec["model"]).features
    except SerError:  # a corpus or a network of somebody else's
        usual = asdict(Spec())
    differing = {key: value for key, value in spec.items() if key not in own and usual.get(key) != value}
    differing |= {} if spec.get("augment", True) else {"augment": ""}  # said also of what never is augmented
    differing |= {"patience": None} if differing.get("patience", 0) >= spec.get("epochs", 1) else {}
    return ", ".join(format_field(name, value) for name, value in differing.items())


def format_field(name: str, value) -> str:
    """A field of a spec in words: "learning rate 0.0001", "no augmentation", "bfloat16"."""
    words = {
        ("augment", ""): "no augmentation",
        ("precision", "mixed_bfloat16"): "bfloat16",
        ("patience", None): "no early stopping",
        ("batch_norm", "precise"): "batch statistics without dropout",
        ("denoise", True): "noise reduction",
        ("znorm", False): "no z-norm",
    }
    return words.get((name, value), f"{name.replace('_', ' ')} {'none' if value == '' else value}")


def per_class_table(one: dict) -> pd.DataFrame:
    """Table III of the paper beside one pooled row: precision, recall and F1 in percent per emotion, and support."""
    printed = {row["emotion"]: row for row in paper.table("III")}
    names = {"precision": "precision %", "recall": "recall %", "f1": "F1 %"}
    lines = []
    for label in one["labels"]:
        line = {"emotion": label}
        for score, name in names.items():
            claimed = printed.get(label, {}).get(score)
            line[f"{name}, paper"] = "–" if claimed is None else f"{claimed:.2f}"
            line[f"{name}, ours"] = format_percent(one["per_class"][label][score])
        lines.append(line | {"test utterances": one["per_class"][label]["support"]})
    return pd.DataFrame(lines)


def to_markdown(frame: pd.DataFrame) -> str:
    """A frame as a Markdown table: text left, figures right; bars in cells are escaped."""
    cell = lambda value: str(value).replace("|", "\\|").replace("\n", " ")  # noqa: E731

    def figures(column) -> bool:
        return all(str(value)[:1] in "0123456789[–-" for value in frame[column])

    head = [cell(column) for column in frame.columns]
    rule = ["---:" if len(frame) and figures(column) else "---" for column in frame.columns]
    body = [[cell(value) for value in line] for line in frame.itertuples(index=False)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, rule, *body]) + "\n"


def results_markdown(pooled: list[dict]) -> str:
    """One Markdown table a protocol, each under a line that says what the protocol means."""
    blocks = []
    for protocol, rows in by_protocol(clean_rows(pooled)).items():
        table = compact_table(results_table(rows))
        demo = any(is_demo(one["spec"]["corpus"]) for one in rows)
        note = " Demo: synthetic speech, which neither confirms nor refutes a claim." if demo else ""
        blocks.append(
            f"**Protocol `{protocol}`**: {splits.PROTOCOLS.get(protocol, protocol)}.{note}\n\n{to_markdown(table)}"
        )
    return "\n".join(blocks)


def update_readme(readme_path, markdown: str) -> bool:
    """Replace what stands between ``<!-- results -->`` and ``<!-- /results -->`` by some Markdown.

    Returns whether the file changed. Raises SerError when the file lacks the two marks.
    """
    path = Path(readme_path)
    text = path.read_text(encoding="utf-8")
    if text.count(OPEN) != 1 or text.count(CLOSE) != 1 or text.index(OPEN) > text.index(CLOSE):
        raise SerError(f"{path}: put one line {OPEN} and, below it, one line {CLOSE} where the results belong")
    before, after = text.split(OPEN)[0], text.split(CLOSE)[1]
    new = f"{before}{OPEN}\n\n{markdown}\n{CLOSE}{after}"
    if new != text:
        path.write_text(new, encoding="utf-8")
    return new != text
