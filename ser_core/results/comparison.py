"""Tables II, IV, V and VI: what the paper prints beside what was measured, made from pooled rows.

Rows with fewer folds than another are not ranked against it: beside each stands what the paper's network scores on the
very folds of that row. Differences are tested by sign-flip over speakers, and the tests of a table are corrected
together (Holm); what they do not tell apart is marked.
"""

import pandas as pd

from ser_core import corpora, models
from ser_core.claims import paper
from ser_core.experiments.grids import A5, LITE, TABLES
from ser_core.experiments.spec import Spec
from ser_core.metrics import uncertainty
from ser_core.results import protocol_ladder, tables
from ser_core.results.tables import format_difference, format_p_value

STEPS = {"a1": None, "a2": "a1", "a3": "a2", "a4": "a3", A5: "a4"}
"""Tables V and VI: each configuration and the one before it."""
ALIKE = "≈"
LEGEND = (
    f"*p: sign-flip test over speakers on the same test utterances, after Holm over the tests of the table; {ALIKE}: "
    "not distinguishable at 5 %; below six speakers nothing could be, and nothing is tested. Intervals are of each "
    "figure alone.*"
)
EARLY_EPOCHS = 2
"""A network kept after so few epochs has hardly learnt."""
AGAINST, STEP_P = "against A5 (UAR), p", "p of the step"


def systems_table(pooled: list[dict], folder) -> pd.DataFrame:
    """One line a system, those with most folds first, then by UAR: claim, ours, A5 on the same folds, sizes, minutes.

    pooled : rows of one corpus and protocol from :func:`ser_core.results.tables.pool_results`; folder : of their predictions
    """
    tables.results_table(pooled)  # refuses a mixture of protocols
    pooled = sort_rows(pooled)
    changes = [_against(one, pooled, folder) if one["status"] == "ok" else None for one in pooled]
    tested = corrected_p_values(changes, "uar", [one.get("intervals", {}).get("n", 0) for one in pooled])
    lines = []
    for one, p in zip(pooled, tested, strict=True):
        spec, ok = one["spec"], one["status"] == "ok"
        model = models.MODELS.get(spec["model"])
        claimed = one.get("claimed") or {}
        minutes = [row["seconds"]["training"] / 60 for row in one["rows"]]
        count = one.get("parameters")
        lines.append(
            {
                "system": tables.system_title(spec["model"]),
                "standing": model.fidelity if model else "own",
                "setting": tables.format_setting(spec) or "default",
                "paper: accuracy %": tables.format_percent(claimed.get("accuracy"), 2),
                "ours: accuracy % [95 %]": format_score(one, "accuracy") if ok else format_unavailable(one),
                "UAR % [95 %]": format_score(one, "uar") if ok else "–",
                "A5 on these folds: UAR %": _reference(one, pooled, folder) if ok else "–",
                AGAINST: p,
                "parameters": f"{count:,}" if count else "–",
                "claimed": f"{model.claimed:,}" if model and model.claimed else "–",
                "minutes a fold": _minutes(minutes),
                "folds": format_folds(one) if ok else "–",
            }
        )
    return _without_constant_columns(pd.DataFrame(lines))


def sort_rows(pooled: list[dict]) -> list[dict]:
    """Rows with most folds first, then by UAR."""
    return sorted(pooled, key=lambda one: (-len(one["folds"]), -one.get("scores", {}).get("uar", 0.0)))


def significant_differences(pooled: list[dict], folder) -> list[str]:
    """The systems of :func:`systems_table` that differ from the paper's network at 5 %, with by how much in UAR."""
    good = [one for one in pooled if one["status"] == "ok"]
    changes = [_against(one, pooled, folder) for one in good]
    values = uncertainty.holm([change["uar"]["p"] if change else None for change in changes])
    return [
        f"{name} {format_difference(change['uar'])}"
        for name, change, p in zip(system_names(good), changes, values, strict=True)
        if p is not None and p <= uncertainty.ALPHA
    ]


def system_names(pooled: list[dict]) -> list[str]:
    """The system of each row for people; of several alike with what sets each apart: "CNN-LSTM (epochs 40)"."""
    titles = [tables.system_title(one["spec"]["model"]) for one in pooled]
    settings = [set(filter(None, tables.format_setting(one["spec"]).split(", "))) for one in pooled]
    told = []
    for title, own in zip(titles, settings, strict=True):
        alike = [other for other, name in zip(settings, titles, strict=True) if name == title]
        apart = sorted(own - set.intersection(*alike))
        told.append(f"{title} ({', '.join(apart)})" if apart else title)
    return told


def early_stopped_sentence(pooled: list[dict]) -> str:
    """The networks of which early stopping kept one of the first :data:`HARDLY` epochs, in one sentence, or ""."""
    told = []
    for one, name in zip(pooled, system_names(pooled), strict=True):
        kept = []
        for row in one["rows"]:
            if row.get("best_epoch") and row["best_epoch"] <= EARLY_EPOCHS < row["epochs"]:
                seed = f", seed {row['spec']['seed']}" if len(one["seeds"]) > 1 else ""
                rose = _rise((row.get("history") or {}).get("val_accuracy"), row["best_epoch"])
                kept.append(f"fold {row['spec']['fold']}{seed}: {row['best_epoch']} of {row['epochs']}{rose}")
        if kept:
            told.append(f"{name} ({'; '.join(kept)})")
    if not told:
        return ""
    return f"The validation loss was lowest after {EARLY_EPOCHS} epochs or fewer, which is what was kept: {', '.join(told)}."


def unmeasured_sentence(pooled: list[dict], table: str) -> str:
    """The systems of a table of the paper that have no row, in one sentence, or ""."""
    there = {one["spec"]["model"] for one in pooled}
    lacking = [tables.system_title(name) for name in TABLES[table][1] if name not in there]
    return f"Not measured yet: {', '.join(lacking)}." if lacking else ""


def _rise(accuracy: list[float] | None, kept: int) -> str:
    """What keeping another epoch would have changed: validation accuracy then, and at its highest; "" if unknown."""
    if not accuracy:
        return ""
    then, highest = tables.format_percent(accuracy[kept - 1]), tables.format_percent(max(accuracy))
    return f", validation accuracy {then} %, at its highest {highest} %"


def _minutes(each: list[float]) -> str:
    mean = sum(each) / len(each) if each else None
    return "–" if mean is None else "<0.1" if mean < 0.1 else f"{mean:.1f}"


def format_score(one: dict, score: str) -> str:
    """ "42.7 [38.0, 47.4]" of a pooled row, with no-break spaces."""
    limits = tables.format_interval(one["intervals"].get(score))
    text = tables.format_percent(one["scores"][score]) + ("" if limits == "–" else f" {limits}")
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def format_unavailable(one: dict) -> str:
    """What stands in place of a figure that could not be measured."""
    return "not measured here" if any("not measured here" in error for error in one["errors"]) else "failed"


def format_folds(one: dict) -> str:
    """ "2 of 6; seed 0, 1" of a pooled row."""
    seeds = ", ".join(map(str, one["seeds"]))
    return f"{len(one['folds'])} of {one['folds_total'] or '?'}; seed {seeds}"


def _a5_rows(one: dict, pooled: list[dict]) -> list[dict]:
    """Rows of the paper's network under the same training data as another system's."""
    if one["spec"]["model"] == A5:
        return []
    return [
        row
        for other in pooled
        if other["spec"]["model"] == A5 and other["spec"]["augment"] == one["spec"]["augment"]
        for row in other["rows"]
        if is_default_setting(other["spec"])
    ]


def _reference(one: dict, pooled: list[dict], folder) -> str:
    """UAR of the paper's network under the same training data, on the folds of another row."""
    alike = tables.pool_results(_a5_rows(one, pooled), folder, folds=one["folds"])
    same = [found for found in alike if found["folds"] == one["folds"]]
    return tables.format_percent(same[0]["scores"]["uar"]) if same else "–"


def _against(one: dict, pooled: list[dict], folder) -> dict | None:
    """The paired difference of a system from the paper's network, on the folds that both have; None without any."""
    alike = tables.pool_results(_a5_rows(one, pooled), folder, folds=one["folds"])
    return paired_difference(max(alike, key=lambda other: len(other["folds"])), one, folder) if alike else None


def corrected_p_values(changes: list[dict | None], score: str, speakers: list[int] | None = None) -> list[str]:
    """The p value of each paired difference of a table, after Holm over all: "0.003", "0.41 ≈", "– (4 speakers)".

    speakers : what each line was tested on; where the difference rests on fewer, their number is told
    """
    values = uncertainty.holm([change[score]["p"] if change else None for change in changes])
    told = []
    for place, (change, p) in enumerate(zip(changes, values, strict=True)):
        text = "–" if p is None else format_p_value(p) + (f" {ALIKE}" if p > uncertainty.ALPHA else "")
        if change and (p is None or (speakers and change["n"] < speakers[place])):
            text += f" ({change['n']} {change['unit']}s)"
        told.append(text.replace(" ", "\N{NO-BREAK SPACE}"))
    return told


CUT = {"augment", "precision", "epochs", "batch_norm"}
"""Fields in which a row may differ from the defaults and still stand for its system: how it was cut."""


def is_default_setting(spec: dict) -> bool:
    """Whether a spec differs from the defaults in nothing but how it was cut: all augmented copies or none."""
    default = Spec(corpus=spec["corpus"], model=spec["model"])
    if spec["augment"] not in ("", default.augment):
        return False
    own = {"corpus", "protocol", "test_corpus", "fold", "seed", "model"}
    if spec["features"] == "mel_small":
        own |= {"features", "frames", "rate"}
    return {name for name, value in spec.items() if name not in own and value != getattr(default, name)} <= CUT


def _without_constant_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Without the columns that say the same of every line, or nothing."""
    silent = [column for column in ("setting", "claimed", "A5 on these folds: UAR %", AGAINST) if column in frame]
    return frame.drop(columns=[column for column in silent if set(frame[column]) <= {"–", "default"}])


def ablation_table(pooled: list[dict], folder, number: str) -> pd.DataFrame:
    """Table V or VI: one line a configuration, ours beside the paper's, and what each step adds with its interval.

    number : "V" or "VI". Steps are paired: both configurations on the same test utterances, interval over speakers.
    """
    by_model = {one["spec"]["model"]: one for one in pooled if one["status"] == "ok"}
    printed = {row["configuration"]: row for row in paper.table(number)}
    names = paper.ABLATIONS | {A5: "A5"}
    changes = {model: _change(by_model.get(STEPS[model]), by_model.get(model), folder) for model in STEPS}
    tested = dict(zip(changes, corrected_p_values(list(changes.values()), "accuracy"), strict=True))
    lines, before = [], None
    for model in TABLES["table5"][1]:
        row = printed[names[model]]
        one, change = by_model.get(model), changes[model]
        gain = None if before is None else row["accuracy"] - before
        before = row["accuracy"]
        lines.append(
            {
                "configuration": f"{names[model]}: {row['features']}, {row['temporal']}"
                + (", attention" if row["attention"] else ""),
                "paper: accuracy %": f"{row['accuracy']:.2f}",
                "paper: step": "–" if gain is None else f"{gain:+.2f}",
                "ours: accuracy % [95 %]": format_score(one, "accuracy") if one else "not measured here",
                "UAR % [95 %]": format_score(one, "uar") if one else "–",
                "our step, accuracy points [95 %]": format_difference(change["accuracy"]) if change else "–",
                STEP_P: tested[model],
                "parameters": f"{one['parameters']:,}" if one else "–",
                "folds": format_folds(one) if one else "–",
            }
        )
    return pd.DataFrame(lines)


def _change(first: dict | None, second: dict | None, folder) -> dict | None:
    return paired_difference(first, second, folder) if first and second else None


def paired_difference(first: dict, second: dict, folder) -> dict | None:
    """:func:`ser_core.metrics.uncertainty.paired` of two pooled rows on the folds that both have; None where they share none."""
    folds = sorted(set(first["folds"]) & set(second["folds"]))
    if not folds or first["labels"] != second["labels"]:
        return None
    frames = []
    for one in (first, second):
        used = [row for row in one["rows"] if row["spec"]["fold"] in folds]
        frames.append(pd.concat([tables.subset_predictions(row, folder) for row in used], ignore_index=True))
    return uncertainty.paired(*frames, first["labels"]) | {"folds": folds}


def ablation_rows(pooled: list[dict]) -> dict[str, list[dict]]:
    """The pooled rows of Tables V ("V", RAVDESS) and VI ("VI", RavTess): of several settings the fullest."""
    groups: dict[tuple, list[dict]] = {}
    for one in pooled:
        spec = one["spec"]
        number = "VI" if paper.paper_corpus(spec["corpus"]) == "ravtess" else "V"
        if spec["model"] in STEPS and is_default_setting(spec) and spec["corpus"] != "ravtess_calm_merged":
            groups.setdefault((number, spec["corpus"], spec["protocol"], spec["augment"]), []).append(one)
    found: dict[str, list[dict]] = {}
    for (number, *_), some in groups.items():
        if len(some) > len(found.get(number, [])):
            found[number] = some
    return dict(sorted(found.items()))


def ablation_steps(pooled: list[dict], folder, number: str) -> list[dict]:
    """What each part adds: name, the paper's step and ours in points of accuracy, ours with its interval or None, and
    its p after Holm over the table, None where untested."""
    by_model = {one["spec"]["model"]: one for one in pooled if one["status"] == "ok"}
    printed = {row["configuration"]: row["accuracy"] for row in paper.table(number)}
    names = paper.ABLATIONS | {A5: "A5"}
    lines = []
    for model, before in STEPS.items():
        found = (
            paired_difference(by_model[before], by_model[model], folder) if {model, before} <= set(by_model) else None
        )
        if found:
            change = found["accuracy"]
            lines.append(
                {
                    "name": f"{names[before]} to {names[model]}",
                    "paper": printed[names[model]] - printed[names[before]],
                    "ours": 100 * change["difference"],
                    "interval": change["interval"] and [100 * limit for limit in change["interval"]],
                    "p": change["p"],
                }
            )
    tested = uncertainty.holm([line["p"] for line in lines])
    return [line | {"p": p} for line, p in zip(lines, tested, strict=True)]


def ablation_sentence(pooled: list[dict], folder, number: str) -> str:
    """Which steps of Table V or VI can be told from none, in one sentence."""
    corpus = corpora.corpus_title(pooled[0]["spec"]["corpus"])
    tested = [step for step in ablation_steps(pooled, folder, number) if step["p"] is not None]
    if not tested:
        return f"{corpus}: no two neighbouring configurations were measured on the same six or more speakers."
    clear = [f"{step['name']} ({step['ours']:+.1f})" for step in tested if step["p"] <= uncertainty.ALPHA] or ["none"]
    counted = f"of {len(tested)} steps that can be tested" if len(tested) > 1 else "one step can be tested; of it"
    return f"{corpus}: {counted}, told from no difference at 5 % after Holm: {'; '.join(clear)}."


def all_systems_markdown(pooled: list[dict], folder) -> str:
    """Every system of some rows, whosever they are: a table for each corpus, protocol and condition, as Markdown."""
    groups: dict[str, list[dict]] = {}
    for one in pooled:
        spec = one["spec"]
        title = f"{tables.tested_on(spec)}, protocol `{spec['protocol']}`"
        condition = spec.get("condition", "clean")  # which an old row of a network that is not here may lack
        title += "" if condition == "clean" else f", condition `{condition}`"
        groups.setdefault(title, []).append(one)
    return "\n".join(_block(f"**{title}**", some, folder) for title, some in groups.items())


def _block(title: str, pooled: list[dict], folder, *notes: str) -> str:
    """A table of systems with its title above and what is to be said of it below."""
    frame = systems_table(pooled, folder)
    told = filter(None, (LEGEND if AGAINST in frame else "", early_stopped_sentence(pooled), *notes))
    return "\n".join([f"{title}\n\n{tables.to_markdown(frame)}", *(f"{note}\n" for note in told)])


def published_markdown(pooled: list[dict], folder) -> str:
    """All that was published, as Markdown: the ladder, the paper's network by protocol, Tables II, IV, V and VI."""
    done = [one for one in pooled if one["status"] == "ok" and models.MODELS.get(one["spec"]["model"])]
    done = [one for one in done if is_default_setting(one["spec"])]
    blocks = [*protocol_ladder.ladder_markdown(pooled, folder)]
    blocks.append(tables.results_markdown([one for one in done if one["spec"]["model"] == A5]))
    for number, corpus in (("II", "ravdess"), ("IV", "ravtess")):
        some = [one for one in done if one["spec"]["corpus"] == corpus and one["spec"]["protocol"] == "speaker"]
        some = [
            one for one in some if one["spec"]["model"] in (A5, LITE) or not paper.is_proposed(one["spec"]["model"])
        ]
        if len(some) > 1:
            title = f"**Table {number} and further systems, {corpora.corpus_title(corpus)}, protocol `speaker`**"
            blocks.append(_block(title, some, folder, unmeasured_sentence(some, f"table{2 if number == 'II' else 4}")))
    for number, some in ablation_rows([one for one in done if one["spec"]["protocol"] == "speaker"]).items():
        if len(some) > 1:
            title = f"**Table {number}, {corpora.corpus_title(some[0]['spec']['corpus'])}, protocol `speaker`**"
            cut = tables.format_setting(some[0]["spec"])
            told = f" (setting: {cut})" if cut else ""
            frame = tables.to_markdown(ablation_table(some, folder, number))
            blocks.append(f"{title}{told}\n\n{frame}\n{LEGEND}\n\n{ablation_sentence(some, folder, number)}\n")
    return "\n".join(blocks)
