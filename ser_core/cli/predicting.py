"""``ser predict``, ``ser listen`` and ``ser export``: what is done with a network that is trained."""

import csv
import io
import json
import os
import sys
from pathlib import Path

import click

from ser_core._utils.errors import SerError
from ser_core.cli.base import as_json, emit

model_option = click.option(
    "--model", help="An exported .onnx file, a .keras file, or the hash of a result of `ser run` [the shipped one]"
)


def recordings(names: tuple[str, ...]) -> list[tuple[str, object]]:
    """(name, source) of every recording that is meant: files, the recordings of folders, ``-`` for standard input.

    A folder gives the files below it whose names end like a recording's, sorted; hidden ones are left out.
    """
    from ser_core.audio import SUFFIXES

    found: list[tuple[str, object]] = []
    for name in names:
        path = Path(name)
        if name == "-":
            found.append(("-", None))
        elif os.path.isdir(name):  # never raises, whatever the name
            inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES]
            inside = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
            found += [(str(p), p) for p in inside] or [(name, path)]
        else:
            found.append((name, path))
    return found


def _sources(names: tuple[str, ...]):
    for name, source in recordings(names):
        yield name, sys.stdin.buffer.read() if source is None else source


@click.command()
@click.argument("files", nargs=-1, required=True)
@model_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row a file.")
@as_json
@click.pass_context
def predict(ctx, files: tuple[str, ...], model: str | None, as_csv: bool, as_json: bool) -> None:
    """The emotion of recordings: files, folders, or - for a file on standard input.

    A file that cannot be used is one line; the others go on, and the exit code is 1.
    """
    from ser_core.inference.predict import Predictor, UnusableRecording

    predictor = Predictor(model)
    rows, several = [], as_json or as_csv
    for found in predictor.predict_many(_sources(files)):
        if isinstance(found, UnusableRecording):
            rows.append({"file": found.file, "error": str(found)})
            click.echo(f"ser: {found}", err=True)
            continue
        rows.append(found.record())
        if not several:
            click.echo(line(found))
    if as_json:
        emit(rows)
    elif as_csv:
        click.echo(table(rows, predictor.labels), nl=False)
    ctx.exit(1 if any("error" in row for row in rows) else 0)


def line(found) -> str:
    """A prediction as one line for people."""
    second = sorted(found.probabilities, key=found.probabilities.get)[-2]
    unsure = "" if found.sure else f", not sure (then {second}, {100 * found.probabilities[second]:.0f} %)"
    notes = f" ({'; '.join(found.notes)})" if found.notes else ""
    return f"{found.file}: {found.emotion}, {100 * found.confidence:.0f} %{unsure}, {found.seconds:.2f} s{notes}"


def table(rows: list[dict], labels: tuple[str, ...]) -> str:
    """Records as CSV: file, emotion, confidence, a column a label, seconds, sure, notes, error."""
    text = io.StringIO()
    columns = ["file", "emotion", "confidence", *labels, "seconds", "sure", "notes", "error"]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | row.get("probabilities", {}) | {"notes": "; ".join(row.get("notes", ()))})
    return text.getvalue()


@click.command()
@click.argument("source", default="microphone")
@model_option
@click.option("--rate", type=int, default=16_000, show_default=True, help="Hz, of raw samples on standard input.")
@click.option("--channels", type=click.IntRange(1), default=1, show_default=True, help="Of raw samples.")
@click.option("--hop", type=float, default=0.5, show_default=True, help="Seconds between two predictions.")
@click.option("--seconds", type=float, help="Stop after so many seconds of sound [at the end, or Ctrl-C]")
@click.option("--json-lines", is_flag=True, help="Print each prediction as it comes, one JSON a line.")
def listen(source, model, rate, channels, hop, seconds, json_lines) -> None:
    """Predict live: from the microphone, or with - from a WAV file or raw 16-bit samples on standard input.

    Every prediction is over the last four seconds. Ctrl-C ends it.
    """
    from ser_core.audio import streaming
    from ser_core.inference.predict import Predictor

    if source not in ("microphone", "-"):
        raise SerError(f"{source}: listen to the microphone, or to - (standard input); `ser predict` reads files")
    stream = Predictor(model).stream(hop)
    chunks = streaming.read_pipe(sys.stdin.buffer, rate, channels) if source == "-" else streaming.read_microphone()
    live = sys.stdout.isatty() and not json_lines
    try:
        for found in streaming.stream_predictions(stream, chunks, seconds):
            if json_lines:
                click.echo(json.dumps(found.record() | {"end": found.windows[-1].end}))
            else:
                click.echo(f"\r{heard(found)}" if live else heard(found), nl=not live)
    except KeyboardInterrupt:  # the way to end it
        pass
    finally:
        if live:
            click.echo()


def heard(found) -> str:
    """A prediction of a stream as one line of fixed width: when, a bar, the emotion."""
    bar = "#" * round(20 * found.confidence)
    emotion = "(silence)" if "silent" in found.notes else found.emotion if found.sure else f"{found.emotion}?"
    return f"{found.windows[-1].end:7.1f} s  {bar:20}  {100 * found.confidence:3.0f} %  {emotion:12}"


@click.command()
@click.argument("model")
@click.option("--format", "form", type=click.Choice(["onnx", "tflite", "keras"]), default="onnx", show_default=True)
@click.option("--int8", is_flag=True, help="TFLite with weights in 8 bits (dynamic range).")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write [named by the model, here]")
@as_json
def export(model: str, form: str, int8: bool, output: Path | None, as_json: bool) -> None:
    """Write a trained network (MODEL: hash of a result, or a .keras file) as ONNX, TFLite or Keras, and check it.

    The check compares it with the Keras network on up to 100 utterances and shows size and latency.
    """
    from ser_core.inference import export as exporting

    found = exporting.export(model, form, int8=int8, output=output)
    if as_json:
        return emit(found)
    click.echo(f"{found['file']}: written and compared with Keras on {found['utterances']} utterances")
    click.echo(f"({found['utterances_of']})")
    click.echo(f"{'':14}{'bytes':>12}{'ms':>10}{'accuracy':>12}{'difference':>14}{'same emotion':>16}")
    for name, end in (("keras float32", "_keras"), (found["format"], "")):
        right = f"{100 * found['accuracy' + end]:.1f} %" if "accuracy" in found else "–"
        compared = "" if end else f"{found['largest_difference']:>14.1e}{found['same_emotion']:>16}"
        click.echo(f"{name:14}{found['bytes' + end]:>12,}{found['milliseconds' + end]:>10.2f}{right:>12}{compared}")
