"""``ser leaks``, ``ser folds`` and ``ser score``: splits audited, folds given, anyone's predictions judged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import RenamedOption, as_json, emit, numbers

if TYPE_CHECKING:
    from ser_core.metrics.uncertainty import Scored
    from ser_core.results.submissions import BaselineComparison, Submission


@click.command()
@click.option("--corpus", help="A corpus whose folds are audited.")
@click.option("--protocol", default="speaker", show_default=True, help="How it is split.")
@click.option("--fold", type=int, help="From 0 [all]")
@click.option("--test-corpus", help="What the protocol cross tests on.")
@click.option(
    "--split", type=click.Path(), help="A split of your own: CSV with path, emotion, speaker, side (and text)."
)
@as_json
@click.pass_context
def leaks(ctx, corpus, protocol, fold, test_corpus, split, as_json) -> None:
    """Audit a split before anything is trained: speakers, sentences and copies on two sides, telling cues.

    Exit code 1 on a leak (a speaker or a recording both in test and elsewhere); sentences alone are a warning.
    """
    from ser_core.protocols import leakage as meter

    if bool(corpus) == bool(split):
        raise SerError("leaks: give either --corpus, with --protocol, or --split")
    if split:
        found = meter.audit_split_file(split, progress=not as_json)
    else:
        found = meter.audit_protocol(corpus, protocol, fold, test_corpus=test_corpus, progress=not as_json)
    if as_json:
        emit(found)
    else:
        what = found.get("split") or f"{found['corpus']}, protocol {found['protocol']} ({found['promise']})"
        click.echo(f"{what}: {found['utterances']:,} utterances, {found['recordings']:,} recordings examined")
        for kind, name in (("leaks", "LEAK"), ("warnings", "warning"), ("notes", "note")):
            for line in found[kind]:
                click.echo(f"  {name + ':':9} {line}")
        click.echo(
            "  no leak" if found["ok"] else f"  {len(found['leaks'])} leak{'s' if len(found['leaks']) > 1 else ''}"
        )
    ctx.exit(0 if found["ok"] else 1)


@click.command()
@click.argument("corpus")
@click.argument("protocol")
@click.option("--test-corpus", help="What the protocol cross tests on.")
@click.option("--csv", "as_csv", is_flag=True, help="One line an utterance: its side in every fold.")
@as_json
def folds(corpus: str, protocol: str, test_corpus: str | None, as_csv: bool, as_json: bool) -> None:
    """The folds of CORPUS under PROTOCOL: the side of every utterance in every fold. No recording is needed."""

    from ser_core.protocols import assignment

    frame = assignment.utterance_sides(corpus, protocol, test_corpus)
    numbers = [column for column in frame if column.isdigit()]
    if as_csv:
        return click.echo(frame.to_csv(index=False, lineterminator="\n"), nl=False)
    if as_json:
        return emit({"corpus": corpus, "protocol": protocol, "folds": len(numbers),
                     "utterances": frame.to_dict("records")})  # fmt: skip
    click.echo(f"{corpus}, protocol {protocol}: {len(numbers)} folds of {len(frame):,} utterances")
    for number in numbers:
        counts = frame[number].value_counts()
        tested = sorted(frame.loc[frame[number] == "test", "speaker"].unique())
        told = ", ".join(f"{side} {counts.get(side, 0):,}" for side in ("train", "validation", "test"))
        click.echo(f"  fold {number}: {told}; {len(tested)} test speakers: {', '.join(tested)}")


@click.command()
@click.option("--predictions", required=True, type=click.Path(), help="CSV or Parquet: id, a probability an emotion.")
@click.option("--corpus", required=True, help="The corpus that was tested.")
@click.option("--protocol", default="speaker", show_default=True, help="The protocol whose folds were used.")
@click.option("--test-corpus", help="What the protocol cross tests on.")
@click.option("--folds", help="Such as 0,2 or 0-5 [those whose test utterances are in the file]")
@click.option(
    "--baseline",
    "against",
    cls=RenamedOption,
    old="--against",
    multiple=True,
    help="Compare with published results: a hash, the name of a model, or all; may be repeated.",
)
@as_json
def score(predictions, corpus, protocol, test_corpus, folds, against, as_json) -> None:
    """Judge anyone's predictions: scores, intervals over speakers, paired tests against published rows."""
    from ser_core.results import submissions

    chosen = numbers(folds, "folds") if folds else None
    found = submissions.score_submission(
        predictions, corpus, protocol, folds=chosen, against=against, test_corpus=test_corpus
    )
    emit(found.to_json()) if as_json else click.echo("\n".join(_told(found)))


def _told(submission: Submission) -> list[str]:
    """Format a scored submission for people."""
    demo = " (demo)" if submission.demo else ""
    target = f" to {submission.test_corpus}" if submission.test_corpus else ""
    lines = [
        f"{submission.corpus}{target}{demo}, protocol {submission.protocol}, {len(submission.folds)} of "
        f"{submission.folds_total} folds, {submission.scored.n_test:,} utterances: {_scored(submission.scored)}"
    ]
    for name, part in submission.parts.items():
        lines.append(f"  of which {name}, {part.n_test:,} utterances: {_scored(part)}")
    if submission.calm_is_neutral:
        lines.append(f"  calm counted as neutral (human listeners 62.4 %): {_scored(submission.calm_is_neutral)}")
    if submission.absent:
        lines.append(f"  not asked for, since the corpus lacks them: {', '.join(submission.absent)}")
    return lines + [_compared(one) for one in submission.against]


def _compared(one: BaselineComparison) -> str:
    change, name = one.differences.uar, f"  against {one.model} ({one.setting})"
    if change.difference is None:
        return f"{name}: no utterance in common, or other emotions"
    spread = f" [{100 * change.interval.low:+.1f}, {100 * change.interval.high:+.1f}]" if change.interval else ""
    p = "untested, too few speakers"
    if change.p is not None:
        p = f"p {change.p:.3f}, {one.p_holm['uar']:.3f} after Holm"
    effect = change.minimum_detectable
    least = f"; {100 * effect:.1f} points would be found with 80 %" if effect else ""
    return (
        f"{name}, {one.utterances:,} utterances, {one.differences.n} {one.differences.unit}s: UAR "
        f"{100 * change.difference:+.1f} points{spread}, {p}{least}"
    )


def _scored(scored: Scored) -> str:
    told = []
    for name, score in (("accuracy", "accuracy"), ("UAR", "uar")):
        interval = scored.intervals.get(score)
        spread = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]" if interval else ""
        told.append(f"{name} {100 * scored.scores[score]:.1f} %{spread}")
    unit = scored.intervals.unit
    return ", ".join(told) + (f" over {scored.intervals.n} {unit}s" if unit != "none" else "")
