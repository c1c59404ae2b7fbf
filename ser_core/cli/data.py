"""The commands ``ser data`` and ``ser inspect``: corpora and recordings."""

from pathlib import Path
from typing import Any

import click

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.cli.base import RenamedOption, as_json, emit, one_form

LEFT_OUT = ("missing", "unlabelled", "extra")
"""What a listing may name that is not among the utterances: counted by ``show``, named by ``verify``."""


def _first(names: list[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")


@click.group()
def data() -> None:
    """List, download and verify corpora."""


@data.command("list")
@as_json
def data_list(as_json: bool) -> None:
    """List every corpus with the number of utterances found and its licence."""
    from ser_core import corpora

    rows = []
    for name, corpus in corpora.CORPORA.items():
        try:
            found = len(corpora.load(name))
        except SerError:
            found = 0
        rows.append({"name": name, "title": corpus.title, "expected": corpus.expected, "found": found,
                     "emotions": list(corpus.labels), "licence": corpus.licence, "demo": corpus.demo})  # fmt: skip
    if as_json:
        return emit(rows)
    for row in rows:
        click.echo(f"{row['name']:26} {row['found']:>5} of {row['expected']:>5}  {row['licence']}")


@data.command("show")
@click.argument("name")
@click.option("--csv", "as_csv", is_flag=True, help="The whole utterance table.")
@as_json
def data_show(name: str, as_csv: bool, as_json: bool) -> None:
    """Show the utterances, speakers and emotions of a corpus.

    NAME is a known corpus or KIND:PATH. The hash identifies the utterance table.
    """
    from ser_core import corpora
    from ser_core.corpora import formats
    from ser_core.protocols import speakers

    one_form("data show", as_csv, as_json)
    table = corpora.load(name)
    if as_csv:
        return click.echo(table.to_csv(index=False, lineterminator="\n"), nl=False)
    facts = formats.describe(table)
    notes = [line for line in (speakers.coincidence(table), *speakers.describe_alike(table)) if line]
    facts |= {"notes": notes} if notes else {}
    if as_json:
        return emit(facts)
    emotions = ", ".join(f"{emotion} {count:,}" for emotion, count in facts["emotions"].items())
    click.echo(
        f"{name}: {counted(facts['utterances'], 'utterance')} of "
        f"{counted(facts['speakers'], 'speaker')}, hash {facts['hash']}"
    )
    click.echo(f"  emotions: {emotions}")
    for key in ("segments", "folds", *LEFT_OUT):
        if facts[key]:
            shown = f"  ({_first(list(table.attrs[key]))})" if key in LEFT_OUT else ""
            click.echo(f"  {key + ':':11} {facts[key]:,}{shown}")
    if facts["continuous"]:
        click.echo(f"  continuous labels: {', '.join(facts['continuous'])}, {facts['scale'] or 'scale unknown'}")
    for note in notes:
        click.echo(f"  note:       {note}")
    more = "all of these, and " if any(facts[key] for key in LEFT_OUT) else ""
    click.echo(f"  `ser data verify {name}` names {more}the recordings that cannot be used, with the reason")


@data.command("fetch")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Accept the licence without being asked.")
@click.option("--from", "mirror", help="Download from this address instead of the published one.")
@click.option("--force", is_flag=True, help="Download even if the corpus seems complete.")
@as_json
def data_fetch(name: str, yes: bool, mirror: str | None, force: bool, as_json: bool) -> None:
    """Download RAVDESS or TESS from its published DOI into SER_DATA.

    NAME is ravdess, tess or ravtess. An interrupted download is resumed.
    """
    from ser_core.corpora import fetch

    result = fetch.fetch(name, accept=yes, mirror=mirror, force=force)
    if as_json:
        return emit(result)
    state = "downloaded" if result["fetched"] else "already complete"
    count = f"{result['found']} of {result['expected']} utterances"
    click.echo(f"{result['corpus']}: {state}, {count} in {result['folder']}")


@data.command("verify")
@click.argument("name")
@as_json
@click.pass_context
def data_verify(ctx: click.Context, name: str, as_json: bool) -> None:
    """Verify that the files of a corpus are the published ones and can be used.

    Of your own recordings (KIND:PATH), which have no checksums, the second alone. The exit code is 1 only if a file has
    changed.
    """
    from ser_core import corpora
    from ser_core.corpora import formats, verify
    from ser_core.features import usable

    table = corpora.load(name)
    result = usable.describe_corpus(table, name)
    if not formats.is_path(name):
        result = verify.verify(name, progress=not as_json)
    result["unlabelled"] = list(table.attrs.get("unlabelled", ()))
    result["unusable"] = usable.find_unusable(table)
    if as_json:
        emit(result)
    else:
        click.echo(f"{name}: {result['found']} of {result['expected']} utterances in {result['folder']}")
        for kind in ("missing", "changed", "duplicates", "extra", "unverifiable", "unlabelled"):
            names = result[kind]
            shown = _first(names) + (" (--json lists all)" if len(names) > 3 else "")
            click.echo(f"  {kind:13} {len(names):>5}  {shown}".rstrip())
        click.echo(f"  {'unusable':13} {len(result['unusable']):>5}")
        for key, reason in result["unusable"].items():
            click.echo(f"    {key}: {reason}")
        if "note" in result:
            click.echo(f"  note: {result['note']}")
        if result["unverifiable"]:
            click.echo("  (unverifiable: in another container than the published one, or without a published checksum)")
    ctx.exit(1 if result["changed"] else 0)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--features",
    cls=RenamedOption,
    old="--channels",
    default="42",
    show_default=True,
    help="Feature set: 13, 14, 39, 40, 42 or wide.",
)
@as_json
@click.pass_context
def inspect(ctx: click.Context, files: tuple[Path, ...], features: str, as_json: bool) -> None:
    """Describe recordings and the features they give.

    It prints length, rate, channels, level, frames and feature shape. A file that cannot be used gives a one-line error
    and exit code 1; the others are still described.
    """
    from ser_core.features import channel_names, describe_recording

    channel_names(features)
    rows: list[dict[str, Any]] = []
    for path in files:
        try:
            rows.append({"file": str(path)} | describe_recording(path, features=features))
        except SerError as error:
            rows.append({"file": str(path), "error": str(error)})
            click.echo(f"ser: {error}", err=True)
    if as_json:
        emit(rows)
    else:
        for row in (row for row in rows if "error" not in row):
            channels_word = "channel" if row["channels"] == 1 else "channels"
            shape = "x".join(map(str, row["feature_shape"]))
            cut = f", cut to {row['feature_shape'][0]}" if row["frames"] > row["feature_shape"][0] else ""
            click.echo(
                f"{row['file']}: {row['seconds']:.2f} s, {row['rate']} Hz, {row['channels']} {channels_word}, "
                f"{row['format']} {row['subtype']}, peak {row['peak_dbfs']:.1f} dBFS, RMS {row['rms_dbfs']:.1f} dBFS, "
                f"{counted(row['frames'], 'frame')}{cut}, features {shape}"
            )
    ctx.exit(1 if any("error" in row for row in rows) else 0)
