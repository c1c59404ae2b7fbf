"""The commands ``ser predict``, ``ser listen`` and ``ser export``: use a trained network."""

from __future__ import annotations

import csv
import io
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ser_core._utils.errors import SerError
from ser_core._utils.words import counted
from ser_core.cli.base import as_json, emit, one_form

if TYPE_CHECKING:
    from ser_core.inference.predict import Prediction

model_option = click.option(
    "--model", help="An exported .onnx file, a .keras file, or the hash of a result of `ser run` [the shipped network]"
)


def recordings(names: Sequence[str]) -> list[tuple[str, Path | None]]:
    """List the recordings that the arguments of ``ser predict`` name.

    Parameters
    ----------
    names : sequence of str
        Files, folders, or ``-`` for standard input. A folder gives its audio files, sorted, without hidden ones.

    Returns
    -------
    list of (str, Path or None)
        Name and path of each recording; the path is None for standard input. What else is in a folder is counted on
        standard error.
    """
    from ser_core._utils.recordings import SUFFIXES, printable

    sources: list[tuple[str, Path | None]] = []
    for name in names:
        path = Path(name)
        if name == "-":
            sources.append(("-", None))
        elif os.path.isdir(name):  # never raises, whatever the name
            visible = [
                p
                for p in sorted(path.rglob("*"))
                if not any(part.startswith(".") for part in p.relative_to(path).parts)
            ]
            inside = [p for p in visible if p.suffix.lower() in SUFFIXES]
            others = [
                p.suffix.lower() or "no suffix" for p in visible if p.suffix.lower() not in SUFFIXES and p.is_file()
            ]
            if others:
                kinds = ", ".join(f"{others.count(kind)} {kind}" for kind in sorted(set(others))[:8])
                click.echo(
                    f"ser: {printable(name)}: passed over {counted(len(others), 'other file')} ({printable(kinds)})",
                    err=True,
                )
            sources += [(str(p), p) for p in inside] or [(name, path)]
        else:
            sources.append((name, path))
    return sources


def _read_sources(names: Sequence[str]) -> Iterator[tuple[str, Path | bytes]]:
    """Yield the recordings; standard input is read when its turn comes."""
    for name, source in recordings(names):
        yield name, sys.stdin.buffer.read() if source is None else source


@click.command()
@click.argument("files", nargs=-1, required=True)
@model_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row per file.")
@as_json
@click.pass_context
def predict(ctx: click.Context, files: tuple[str, ...], model: str | None, as_csv: bool, as_json: bool) -> None:
    """Predict the emotion of recordings.

    FILES are files, folders, or - for a file on standard input. A file that cannot be used gives a one-line error and
    exit code 1; the others are still predicted.
    """
    from ser_core.inference.predict import Predictor, UnusableRecording

    one_form("predict", as_csv, as_json)
    predictor = Predictor(model)
    rows: list[dict[str, Any]] = []
    for answer in predictor.predict_many(_read_sources(files)):
        if isinstance(answer, UnusableRecording):
            rows.append({"file": answer.file, "error": str(answer)})
            click.echo(f"ser: {answer}", err=True)
            continue
        rows.append(answer.record())
        if not (as_json or as_csv):
            click.echo(line(answer))
    if as_json:
        emit(rows)
    elif as_csv:
        click.echo(table(rows, predictor.labels), nl=False)
    ctx.exit(1 if any("error" in row for row in rows) else 0)


def line(prediction: Prediction) -> str:
    """Return a prediction as one line for people; an uncertain one also names the second emotion."""
    from ser_core._utils.recordings import printable

    probabilities = prediction.probabilities
    second = sorted(probabilities, key=lambda label: probabilities[label])[-2]
    doubt = "" if prediction.sure else f", uncertain (next {second}, {100 * probabilities[second]:.0f} %)"
    notes = f" ({'; '.join(prediction.notes)})" if prediction.notes else ""
    confidence = f"{100 * prediction.confidence:.0f} %"
    return f"{printable(prediction.file)}: {prediction.emotion}, {confidence}{doubt}, {prediction.seconds:.2f} s{notes}"


def table(rows: Sequence[dict[str, Any]], labels: Sequence[str]) -> str:
    """Return predictions as CSV.

    Parameters
    ----------
    rows : sequence of dict
        Records of predictions, or ``file`` and ``error``.
    labels : sequence of str
        Emotions; each has a column.

    Returns
    -------
    str
        Columns file, emotion, confidence, one per label, seconds, sure, unlike_training, distance, notes, error.
    """
    text = io.StringIO()
    columns = [
        "file",
        "emotion",
        "confidence",
        *labels,
        "seconds",
        "sure",
        "unlike_training",
        "distance",
        "notes",
        "error",
    ]
    writer = csv.DictWriter(text, columns, extrasaction="ignore", restval="", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(row | row.get("probabilities", {}) | {"notes": "; ".join(row.get("notes", ()))})
    return text.getvalue().encode("utf-8", "backslashreplace").decode("utf-8")  # names of files may be no text


@click.command()
@click.argument("source", default="microphone")
@model_option
@click.option("--rate", type=int, default=16_000, show_default=True, help="Sampling rate of raw samples, Hz.")
@click.option("--channels", type=click.IntRange(1, 1024), default=1, show_default=True, help="Channels of raw samples.")
@click.option("--hop", type=float, default=0.5, show_default=True, help="Seconds between two predictions.")
@click.option("--seconds", type=float, help="Stop after this many seconds of audio [at its end, or Ctrl-C]")
@click.option("--json-lines", is_flag=True, help="Print one line of JSON per prediction.")
def listen(
    source: str, model: str | None, rate: int, channels: int, hop: float, seconds: float | None, json_lines: bool
) -> None:
    """Predict live from the microphone or from standard input.

    SOURCE is microphone, or - for a WAV file or raw 16-bit samples on standard input. Each prediction covers the last
    four or five seconds. Ctrl-C stops it.
    """
    from ser_core import audio
    from ser_core.audio import streaming
    from ser_core.inference.predict import Predictor

    audio.check_rate(rate, "--rate")
    if seconds is not None and not seconds > 0:
        raise SerError(f"--seconds {seconds}: must be above 0")
    if source not in ("microphone", "-"):
        raise SerError(f"{source}: must be microphone or - (standard input); `ser predict` reads files")
    stream = Predictor(model).stream(hop)
    chunks = streaming.read_pipe(sys.stdin.buffer, rate, channels) if source == "-" else streaming.read_microphone()
    live = sys.stdout.isatty() and not json_lines
    answered = False
    try:
        for prediction in streaming.stream_predictions(stream, chunks, seconds):
            answered = True
            if json_lines:
                emit(prediction.record() | {"end": prediction.windows[-1].end})
            else:
                text = stream_line(prediction)
                click.echo(f"\r{text}" if live else text, nl=not live)
    except KeyboardInterrupt:  # the usual way to stop
        answered = True
    finally:
        if live:
            click.echo()
    if not answered:
        have = stream.count / stream.predictor.rate
        raise SerError(f"{source}: {have:.2f} s of sound, too little for an answer; one comes every {hop:g} s (--hop)")


def stream_line(prediction: Prediction) -> str:
    """Return a prediction of a stream as one line of fixed width: time, a bar, the emotion."""
    bar = "#" * round(20 * prediction.confidence)
    emotion = prediction.emotion if prediction.sure else f"{prediction.emotion}?"
    if "silent" in prediction.notes:
        emotion = "(silence)"
    return f"{prediction.windows[-1].end:7.1f} s  {bar:20}  {100 * prediction.confidence:3.0f} %  {emotion:12}"


@click.command()
@click.argument("network", metavar="[MODEL]", required=False)
@click.option("--model", hidden=True, help="The same as MODEL.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["onnx", "tflite", "keras", "html"]),
    default="onnx",
    show_default=True,
    help="File format.",
)
@click.option("--int8", is_flag=True, help="TFLite with 8-bit weights (dynamic range).")
@click.option("--half", is_flag=True, help="ONNX with 16-bit weights, which halves the file.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path),
    help="File to write, or a folder [named after the model; html: voice.html]",
)  # fmt: skip
@click.option("--runtime", type=click.Path(path_type=Path), help="HTML: onnxruntime-web, as `npm pack` wrote it.")
@click.option("--registry", help="HTML: address of the npm registry [npm_config_registry]")
@as_json
def export(
    network: str | None, model: str | None, form: str, int8: bool, half: bool, output: Path | None,
    runtime: Path | None, registry: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Export a trained network and check the exported file.

    MODEL is the hash of a result or a .keras file; the format is ONNX, TFLite or Keras. The check compares the file
    with the Keras network on up to 100 utterances, and reports size and latency. A config.json beside names its labels,
    sampling rate, features and licence.

    HTML is one page that answers in a browser, without a server. MODEL may then also be an exported .onnx file; without
    MODEL the page holds the shipped network. -o names the page.
    """
    from ser_core.inference import export as exporting

    if form == "html" and network and output is None and network.lower().endswith((".html", ".htm")):
        output, network = Path(network), None
    if network and model:
        raise SerError("MODEL and --model: two networks; give one, as MODEL")
    if form == "html":
        if int8 or half:
            raise SerError("--int8 and --half: not for --format html; a page holds the network as it was exported")
        return _export_page(network or model, output, runtime, registry, as_json)
    if runtime or registry:
        raise SerError("--runtime and --registry: only for --format html")
    if not (network or model):
        raise SerError("MODEL: give the hash of a result or a .keras file")
    report = exporting.export(network or model or "", form, int8=int8, half=half, output=output)
    if as_json:
        return emit(report)
    click.echo(f"{report['file']}: written and compared with Keras on {counted(report['utterances'], 'utterance')}")
    click.echo(f"({report['utterances_of']})")
    if not report["config"]:
        click.echo("config.json: not written, the one that is there is not of this network; export into another folder")
    click.echo(f"{'':14}{'bytes':>12}{'ms':>10}{'accuracy':>12}{'difference':>14}{'same emotion':>16}")
    for name, suffix in (("keras float32", "_keras"), (report["format"], "")):
        size, latency = report["bytes" + suffix], report["milliseconds" + suffix]
        accuracy = f"{100 * report['accuracy' + suffix]:.1f} %" if "accuracy" in report else "–"
        compared = "" if suffix else f"{report['largest_difference']:>14.1e}{report['same_emotion']:>16}"
        click.echo(f"{name:14}{size:>12,}{latency:>10.2f}{accuracy:>12}{compared}")


def _export_page(
    model: str | None, output: Path | None, runtime: Path | None, registry: str | None, as_json: bool
) -> None:
    """Write the page of ``ser export --format html``, and say what it holds."""
    from ser_core.inference.web_page import write_page

    report = write_page(model, output, runtime=runtime, registry=registry)
    if as_json:
        return emit(report)
    click.echo(f"{report['file']}: {report['bytes'] / 1e6:.1f} MB, {report['network']}, {report['runtime']}")
    click.echo("Open it in a browser, from the disk or a mail attachment; it needs no server and no connection.")
