"""The commands ``ser leaks``, ``ser folds`` and ``ser score``: check splits, print folds, score predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.cli.base import PROTOCOL_HELP, RenamedOption, as_json, emit, numbers, one_form

test_corpus_option = click.option("--test-corpus", help="Test corpus of the protocol cross.")

if TYPE_CHECKING:
    from ser_core.metrics.uncertainty import Scored
    from ser_core.results.submissions import BaselineComparison, Submission


@click.command()
@click.option("--corpus", help="Corpus whose folds are checked.")
@click.option("--protocol", default="speaker", show_default=True, help=PROTOCOL_HELP)
@click.option("--fold", type=int, help="Number of the fold, from 0 [all]")
@test_corpus_option
@click.option("--split", type=click.Path(), help="Your own split: CSV with path, emotion, speaker, side (and text).")
@as_json
@click.pass_context
def leaks(
    ctx: click.Context,
    corpus: str | None,
    protocol: str,
    fold: int | None,
    test_corpus: str | None,
    split: str | None,
    as_json: bool,
) -> None:
    """Check a split for leakage before training.

    It looks for speakers, sentences and copies that two subsets share, and for acoustic cues that predict the emotion.
    The exit code is 1 after a leak: a speaker or a recording both in test and elsewhere. Shared sentences alone are a
    warning.
    """
    from ser_core.protocols import leakage

    if split and not corpus:
        report = leakage.audit_split_file(split, progress=not as_json)
    elif corpus and not split:
        report = leakage.audit_protocol(corpus, protocol, fold, test_corpus=test_corpus, progress=not as_json)
    else:
        raise SerError("leaks: give either --corpus, with --protocol, or --split")
    if as_json:
        emit(report)
    else:
        what = report.get("split") or f"{report['corpus']}, protocol {report['protocol']} ({report['promise']})"
        click.echo(
            f"{what}: {counted(report['utterances'], 'utterance')}, "
            f"{counted(report['recordings'], 'recording')} examined"
        )
        for kind, name in (("leaks", "LEAK"), ("warnings", "warning"), ("notes", "note")):
            for line in report[kind]:
                click.echo(f"  {name + ':':9} {line}")
        count = len(report["leaks"])
        click.echo("  no leak" if report["ok"] else f"  {count} leak{'s' if count > 1 else ''}")
    ctx.exit(0 if report["ok"] else 1)


@click.command()
@click.argument("corpus")
@click.argument("protocol")
@test_corpus_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per utterance: its subset in every fold.")
@click.option("--format", "form", type=click.Choice(["csv", "emobox", "audformat"]), help="Write the folds for a tool.")
@click.option("--output", type=click.Path(), help="File (csv) or folder to write to [csv: standard output]")
@as_json
def folds(
    corpus: str,
    protocol: str,
    test_corpus: str | None,
    as_csv: bool,
    form: str | None,
    output: str | None,
    as_json: bool,
) -> None:
    """Print the folds of a corpus under a protocol.

    They are the training, validation and test utterances. PROTOCOL is speaker (or speaker-independent), speaker-text,
    random, leaky, reslstm-5, official or cross (or cross-corpus). No recordings are needed. With --format the folds
    are written for another tool: as CSV, as EmoBox's JSON Lines or as an audformat database.
    """
    from ser_core.protocols import assignment, splits

    one_form("folds", as_csv or form == "csv", as_json)
    if form and (form != "csv" or output):
        return _write_folds(corpus, protocol, test_corpus, form, output, as_json)
    protocol = splits.canonical_protocol(protocol)
    frame = assignment.utterance_sides(corpus, protocol, test_corpus)
    fold_columns = [column for column in frame if column.isdigit()]
    if as_csv or form == "csv":
        return click.echo(frame.to_csv(index=False, lineterminator="\n"), nl=False)
    if as_json:
        return emit({"corpus": corpus, "protocol": protocol, "folds": len(fold_columns),
                     "utterances": frame.to_dict("records")})  # fmt: skip
    click.echo(
        f"{corpus}, protocol {protocol}: {counted(len(fold_columns), 'fold')} of {counted(len(frame), 'utterance')}"
    )
    for fold in fold_columns:
        counts = frame[fold].value_counts()
        speakers = sorted(frame.loc[frame[fold] == "test", "speaker"].unique())
        sizes = ", ".join(f"{subset} {counts.get(subset, 0):,}" for subset in ("train", "validation", "test"))
        click.echo(f"  fold {fold}: {sizes}; {counted(len(speakers), 'test speaker')}: {', '.join(speakers)}")
    for line in assignment.describe_balance(frame, corpus, test_corpus):
        click.echo(f"  note: {line}")


def _write_folds(
    corpus: str, protocol: str, test_corpus: str | None, form: str, output: str | None, as_json: bool
) -> None:
    """Write folds for another tool and say where they are."""
    from ser_core.protocols import export

    if not output:
        raise SerError(f"folds --format {form}: name a folder with --output")
    report = export.export_folds(corpus, protocol, form, output, test_corpus)
    if as_json:
        return emit(report)
    click.echo(
        f"{counted(report['folds'], 'fold')} of {counted(report['utterances'], 'utterance')} written to {output}"
    )


@click.command()
@click.option(
    "--predictions",
    required=True,
    type=click.Path(),
    help="CSV or Parquet: id, one probability per emotion. Also audformat tables and EmoBox's JSON Lines.",
)
@click.option("--corpus", required=True, help="Corpus of the predictions.")
@click.option("--protocol", default="speaker", show_default=True, help=PROTOCOL_HELP)
@test_corpus_option
@click.option("--folds", help="Folds, such as 0,2 or 0-5 [those whose test utterances are in the file]")
@click.option(
    "--baseline",
    "against",
    cls=RenamedOption,
    old="--against",
    multiple=True,
    help="Compare with published results: a model (its default setting, clean), a hash, or all; may be repeated.",
)
@as_json
def score(
    predictions: str,
    corpus: str,
    protocol: str,
    test_corpus: str | None,
    folds: str | None,
    against: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score the predictions of any system.

    It reports accuracy and UAR with confidence intervals over speakers, and paired tests against published results.
    """
    from ser_core.results import submissions

    fold_numbers = numbers(folds, "folds") if folds else None
    result = submissions.score_submission(
        predictions, corpus, protocol, folds=fold_numbers, against=against, test_corpus=test_corpus
    )
    emit(result.to_json()) if as_json else click.echo("\n".join(_result_lines(result)))


def _result_lines(submission: Submission) -> list[str]:
    """Return the result of ``ser score`` as lines for people."""
    demo = " (demo)" if submission.demo else ""
    target = f" to {submission.test_corpus}" if submission.test_corpus else ""
    lines = [
        f"{submission.corpus}{target}{demo}, protocol {submission.protocol}, {len(submission.folds)} of "
        f"{counted(submission.folds_total, 'fold')}, {counted(submission.scored.n_test, 'utterance')}: "
        f"{_scores_text(submission.scored)}"
    ]
    for name, part in submission.parts.items():
        lines.append(f"  of which {name}, {counted(part.n_test, 'utterance')}: {_scores_text(part)}")
    if submission.calm_is_neutral:
        lines.append(f"  calm counted as neutral (human listeners 62.4 %): {_scores_text(submission.calm_is_neutral)}")
    if submission.absent:
        lines.append(f"  not required, since the corpus lacks them: {', '.join(submission.absent)}")
    by_difference = sorted(submission.against, key=lambda each: -(each.differences.uar.difference or 0.0))
    return lines + [_comparison_line(comparison) for comparison in by_difference]


def _comparison_line(comparison: BaselineComparison) -> str:
    """Return the paired comparison with one published result as a line for people."""
    from ser_core.results.formatting import format_p_value

    change, name = comparison.differences.uar, f"  against {comparison.model} ({comparison.setting})"
    if change.difference is None:
        return f"{name}: no common utterances, or other emotions"
    limits = change.interval
    interval = f" [{100 * limits.low:+.1f}, {100 * limits.high:+.1f}]" if limits else ""
    p = "not tested, too few speakers"
    corrected = comparison.p_holm["uar"]
    if change.p is not None and corrected is not None:
        p = f"p {format_p_value(change.p)}, {format_p_value(corrected)} after Holm"
    unit = comparison.differences.unit if comparison.differences.unit != "none" else "speaker"
    effect = change.minimum_detectable
    power = f"; minimum detectable {100 * effect:.1f} points (power 80 %)" if effect else ""
    return (
        f"{name}, {counted(comparison.utterances, 'utterance')}, "
        f"{counted(comparison.differences.n, unit)}: UAR "
        f"{100 * change.difference:+.1f} points{interval}, {p}{power}"
    )


def _scores_text(scored: Scored) -> str:
    """Return accuracy and UAR with their intervals as text."""
    texts = []
    for name, score in (("accuracy", "accuracy"), ("UAR", "uar")):
        limits = scored.intervals.get(score)
        interval = f" [{100 * limits.low:.1f}, {100 * limits.high:.1f}]" if limits else ""
        texts.append(f"{name} {100 * scored.scores[score]:.1f} %{interval}")
    unit = scored.intervals.unit
    return ", ".join(texts) + (f" over {scored.intervals.n} {unit}s" if unit != "none" else "")
