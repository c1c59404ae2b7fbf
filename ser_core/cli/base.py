"""What every command shares: errors as one line, JSON on one line, the options that make a Spec."""

import json
import os
import sys

import click

from ser_core._utils.errors import SerError


class Commands(click.Group):
    """A group that turns :class:`SerError` into one line, and Ctrl-C into one line too."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except SerError as error:
            click.echo(f"ser: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("ser: stopped; start the same command again to go on", err=True)
            sys.stdout.flush()
            os._exit(130)  # at once: a pool whose workers were stopped would be waited for
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(1)


class RenamedOption(click.Option):
    """An option that still answers to its earlier name, which the help no longer shows.

    ``click.option("--force", cls=RenamedOption, old="--fresh")``
    """

    def __init__(self, names, *, old: str, **settings):
        named = [name for name in names if not name.startswith("-")] or [names[0].lstrip("-").replace("-", "_")]
        super().__init__([*(name for name in names if name.startswith("-")), old, *named], **settings)
        self.old = old

    def get_help_record(self, ctx):
        shown = self.opts
        self.opts = [name for name in shown if name != self.old]
        try:
            return super().get_help_record(ctx)
        finally:
            self.opts = shown


force_option = click.option(
    "--force", "fresh", cls=RenamedOption, old="--fresh", is_flag=True, help="Recompute results that exist already."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on one line.")


def emit(value) -> None:
    """JSON on one line."""
    click.echo(json.dumps(value))


def spec_options(command):
    """The options that make a Spec; what is not given keeps the spec's default."""
    options = [
        click.option("--corpus", help="Corpus: ravdess, tess, ravtess, demo, folder:PATH, csv:PATH, ... [demo]"),
        click.option("--protocol", help="speaker, speaker-text, random, leaky or cross [speaker]"),
        click.option("--test-corpus", help="Test on this corpus, on the emotions that both have (protocol cross)."),
        click.option("--condition", help="What is done to the test audio, such as white:10, reverb:0.6 [clean]"),
        click.option("--model", help="One of `ser models`, or your package.module:function [cnn_bilstm_attention]"),
        click.option(
            "--features",
            cls=RenamedOption,
            old="--channels",
            help="13, 14, 39, 40, 42, wide or another input [what the model was made for]",
        ),
        click.option("--augment", help="Of noise,stretch,shift,pitch, or none [all four]"),
        click.option(
            "--augment-copies",
            "copies",
            cls=RenamedOption,
            old="--copies",
            type=int,
            help="Augmented copies per technique [1]",
        ),
        click.option("--epochs", type=int, help="At most so many [300]"),
        click.option("--patience", type=int, help="Epochs without a better validation loss [20]"),
        click.option(
            "--batch-size",
            "batch",
            cls=RenamedOption,
            old="--batch",
            type=int,
            help="Utterances per training step [32]",
        ),
        click.option("--optimizer", help="adam, rmsprop or sgd [what the model's source says; adam]"),
        click.option("--learning-rate", type=float, help="0.001 (II.D.5) or 0.0001 (III.A) [the source's; 0.001]"),
        click.option(
            "--precision", type=click.Choice(["float32", "mixed_bfloat16"]), help="Of the convolutions [float32]"
        ),
        click.option("--frames", type=int, help="Input length, for the paper's channels 10 ms each [400]"),
        click.option(
            "--padding", type=click.Choice(["zero", "masked"]), help="masked: frames after the end play no part [zero]"
        ),
        click.option(
            "--batch-norm",
            type=click.Choice(["moving", "precise"]),
            help="precise: judge by statistics without dropout [moving]",
        ),
        click.option("--adapt", help="To the test corpus without its labels: corpus, speaker or coral [none]"),
        click.option("--denoise", is_flag=True, default=None, help="Reduce noise first."),
        click.option("--no-znorm", "znorm", flag_value=False, default=None, type=bool, help="Leave out Eq. 4."),
        click.option("--no-normalise", "normalise", flag_value=False, default=None, type=bool, help="Keep the level."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def make_spec(choices: dict):
    """A Spec from the options that were given; another corpus to test on makes the protocol ``cross``."""
    from ser_core.experiments.spec import Spec

    sys.path.append(os.getcwd())  # a user's own builder may lie here
    given = {key: value for key, value in choices.items() if value is not None}
    return Spec(**({"protocol": "cross"} if "test_corpus" in given else {}) | given)


def numbers(text: str, name: str) -> list[int]:
    """``"0,2-4"`` to [0, 2, 3, 4]."""
    try:
        parts = [part.split("-") for part in text.split(",")]
        return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]
    except ValueError:
        raise SerError(f"--{name} {text!r}: give numbers such as 0,2 or 0-5") from None


def summary(result) -> str:
    """Format a RunResult as one line for people."""
    spec = result.spec
    where = (
        f"{spec['model']} on {spec['corpus']}{_told(spec)}, protocol {spec['protocol']}, fold {spec['fold']}, "
        f"seed {spec['seed']}"
    )
    if not result.ok:
        return f"{where}: error: {result.error}"
    interval = result.intervals.uar
    spread = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}] over {interval.unit}s" if interval else ""
    missing = result.completeness.missing
    fitted = f"chosen {result.chosen}"
    if result.epochs:
        fitted = f"{result.parameters:,} parameters, best of {result.epochs} epochs {result.best_epoch}"
    lacking = f"; {len(missing)} of {result.completeness.expected} utterances missing" if missing else ""
    return (
        f"{where}{' (demo)' if result.demo else ''}: accuracy {100 * result.scores['accuracy']:.1f} %, "
        f"UAR {100 * result.scores['uar']:.1f} %{spread}, {result.n_test} utterances, "
        f"{fitted}{lacking}{_originals(result)}"
    )


def _told(spec: dict) -> str:
    """What a cell tests on where that is not the corpus as it is."""
    target = f" to {spec['test_corpus']}" if spec.get("test_corpus") else ""
    return target + "".join(
        f", {name} {spec[name]}"
        for name, usual in (("condition", "clean"), ("padding", "zero"), ("adapt", "none"), ("batch_norm", "moving"))
        if spec.get(name, usual) != usual
    )


def _originals(result) -> str:
    """Scores on the original clips of a leaky test side, where it has them."""
    original = result.by_copy.get("original")
    return f"; leaky: {100 * original.scores['accuracy']:.1f} % on its original clips" if original else ""
