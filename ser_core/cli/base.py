"""Shared parts of the commands: one-line errors, JSON output, and the options that make a Spec."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from ser_core._utils import console
from ser_core._utils.atomic import STORAGE
from ser_core._utils.errors import SerError, SerWarning

if TYPE_CHECKING:
    from ser_core.experiments.spec import Spec


TRAINING_PACKAGES = ("keras", "librosa", "matplotlib", "pandas", "scipy", "seaborn", "sklearn", "tensorflow", "tqdm")
"""Packages that the base install lacks: it predicts, and does not train."""


class Commands(click.Group):
    """Group commands, and print :class:`SerError`, errors of the system, a missing package and Ctrl-C as one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; exit code 1 after an error, 130 after Ctrl-C."""
        for stream in (sys.stdout, sys.stderr):  # a name that is no UTF-8 is printed with escapes
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        with console.plain_messages():
            return self._invoke(ctx)

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SerError as error:
            click.echo(f"ser: {error}", err=True)
            ctx.exit(1)
        except ModuleNotFoundError as error:
            if not error.name or error.name.split(".")[0] not in TRAINING_PACKAGES:
                raise
            click.echo(f"ser: {error.name}: not installed; this command needs pip install '.[training]'", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("ser: stopped; run the same command again to resume", err=True)
            sys.stdout.flush()
            os._exit(130)  # at once: Python would wait for a pool whose workers were stopped
        except BrokenPipeError:
            sys.stderr.close()
            ctx.exit(1)
        except OSError as error:
            click.echo(f"ser: {describe_os_error(error)}", err=True)
            with contextlib.suppress(OSError, ValueError):  # what standard output did not take is not tried again
                sys.stdout.flush()
                ctx.exit(1)
            os._exit(1)


def describe_os_error(error: OSError) -> str:
    """Describe an error of the operating system in one line: what was refused, and why.

    >>> describe_os_error(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'a.csv: No such file or directory'
    """
    reason = error.strerror or " ".join(str(error).split()) or type(error).__name__
    where = "the output cannot be written" if error.errno in STORAGE else "the system refused"
    if error.filename is not None:
        where = str(error.filename).replace("\n", "\\n")
    return f"{where if len(where) < 300 else where[:300] + '...'}: {reason}"


class RenamedOption(click.Option):
    """Accept an option under its earlier name too, which help and error messages do not show.

    Parameters
    ----------
    names : sequence of str
        As for ``click.Option``: the option, and optionally the parameter of the function.
    old : str
        The earlier name of the option.
    **settings
        As for ``click.Option``.

    Examples
    --------
    >>> option = RenamedOption(["--force"], old="--fresh", is_flag=True)
    >>> option.name, option.opts
    ('force', ['--force', '--fresh'])
    """

    def __init__(self, names: Sequence[str], *, old: str, **settings: Any):
        options = [name for name in names if name.startswith("-")]
        parameter = [name for name in names if not name.startswith("-")] or [options[0].lstrip("-").replace("-", "_")]
        super().__init__([*options, old, *parameter], **settings)
        self.old = old

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Return the line of the help, without the earlier name."""
        return self._without_old_name(super().get_help_record, ctx)

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the name of the option for error messages, without the earlier name."""
        return self._without_old_name(super().get_error_hint, ctx)

    def _without_old_name(self, method: Callable, *arguments: Any) -> Any:
        every_name = self.opts
        self.opts = [name for name in every_name if name != self.old]
        try:
            return method(*arguments)
        finally:
            self.opts = every_name


PROTOCOL_HELP = (
    "speaker (or speaker-independent), speaker-text, reslstm-5, random, leaky, official, cross (or cross-corpus)"
)
"""Names of the protocols, for help texts."""

force_option = click.option(
    "--force", "fresh", cls=RenamedOption, old="--fresh", is_flag=True, help="Recompute stored results."
)


def _allow_unusable(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    """Allow it for this command and the processes that it starts, as ``SER_ALLOW_UNUSABLE=1`` does."""
    if value:
        before = os.environ.get(ALLOW)
        os.environ[ALLOW] = "1"
        ctx.call_on_close(lambda: os.environ.pop(ALLOW) if before is None else os.environ.update({ALLOW: before}))
    return value


ALLOW = "SER_ALLOW_UNUSABLE"
allow_option = click.option(
    "--allow-unusable",
    is_flag=True,
    expose_value=False,
    callback=_allow_unusable,
    help="Go on where more than 5 % of the recordings cannot be used; they are left out.",
)
ANSWERS = "ser_core.answers"
"""Key of the true standard output in the state of a command with ``--json``."""


def _only_answers(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
    """Keep whatever libraries print away from standard output, which then holds JSON alone."""
    if value and ANSWERS not in ctx.meta:
        ctx.meta[ANSWERS] = ctx.with_resource(console.divert_stdout())
    return value


as_json = click.option("--json", "as_json", is_flag=True, callback=_only_answers, help="Print JSON on one line.")
as_json_lines = click.option(
    "--json-lines", is_flag=True, callback=_only_answers, help="Print one line of JSON per result, as runs finish."
)


def emit(value: Any) -> None:
    """Print a value as JSON on one line; numbers that JSON does not have (NaN, infinity) are null."""
    click.echo(json.dumps(_finite(value), allow_nan=False), file=click.get_current_context().meta.get(ANSWERS))


def _finite(value: Any) -> Any:
    """Return a value with None in the place of every float that is not finite."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def spec_options(command: Callable) -> Callable:
    """Add the options that make a Spec to a command.

    An option that is not given is None and keeps the default of the spec, which its help shows in brackets.
    """
    for option in reversed([*_data_options(), *_training_options(), *_input_options()]):
        command = option(command)
    return command


def _data_options() -> list[Callable]:
    """Return the options for corpus, protocol and test condition."""
    return [
        click.option("--corpus", help="Corpus: ravdess, tess, ravtess, demo, folder:PATH, kaldi:PATH, ... [demo]"),
        click.option("--protocol", help=PROTOCOL_HELP + " [speaker]"),
        click.option("--test-corpus", help="Test on this corpus, on the common emotions (protocol cross)."),
        click.option("--condition", help="Degradation of the test audio, such as white:10, reverb:0.6 [clean]"),
    ]


def _training_options() -> list[Callable]:
    """Return the options for model, augmentation and training."""
    return [
        click.option("--model", help="One of `ser models`, or your package.module:function [cnn_bilstm_attention]"),
        click.option(
            "--features",
            cls=RenamedOption,
            old="--channels",
            help="Feature set: 13, 14, 39, 40, 42, wide or another input [the model's own]",
        ),
        click.option(
            "--augment",
            help="Techniques: some of noise,stretch,shift,pitch, or none [all four, or as in the model's source]",
        ),
        click.option(
            "--augment-copies",
            "copies",
            cls=RenamedOption,
            old="--copies",
            type=int,
            help="Augmented copies per technique [1]",
        ),
        click.option("--epochs", type=int, help="Maximum epochs [300]"),
        click.option("--keep", help="The epoch that is kept: loss, uar, last; oracle (a leak, for study) [loss]"),
        click.option("--patience", type=int, help="Early stopping: epochs without improvement on validation [20]"),
        click.option(
            "--batch-size",
            "batch",
            cls=RenamedOption,
            old="--batch",
            type=int,
            help="Batch size: utterances per training step [32]",
        ),
        click.option("--optimizer", help="adam, rmsprop or sgd [as in the model's source, else adam]"),
        click.option(
            "--learning-rate",
            type=float,
            help="Such as 0.001 (II.D.5) or 0.0001 (III.A) [as in the model's source, else 0.001]",
        ),
        click.option("--weight-decay", type=float, help="L2 weight decay, of Adam [0]"),
        click.option(
            "--restarts", type=int, help="Epochs after which the rate restarts, a cosine down to 1 % [0: constant]"
        ),
        click.option(
            "--precision",
            type=click.Choice(["float32", "mixed_bfloat16"]),
            help="Number format of the convolutions [float32]",
        ),
    ]


def _input_options() -> list[Callable]:
    """Return the options for the network's input and for adaptation."""
    return [
        click.option("--frames", type=int, help="Input length in frames, 10 ms each for the paper's features [400]"),
        click.option(
            "--padding",
            type=click.Choice(["zero", "masked"]),
            help="masked: frames after the end of the utterance are ignored [zero]",
        ),
        click.option(
            "--batch-norm",
            type=click.Choice(["moving", "precise"]),
            help="precise: evaluate with statistics computed without dropout [moving]",
        ),
        click.option("--adapt", help="Adapt to the test corpus without its labels: corpus, speaker or coral [none]"),
        click.option("--denoise", is_flag=True, default=None, help="Reduce noise first."),
        click.option(
            "--no-znorm",
            "znorm",
            flag_value=False,
            default=None,
            type=bool,
            help="Do not standardise the features of each utterance (Eq. 4).",
        ),
        click.option(
            "--no-normalise",
            "normalise",
            flag_value=False,
            default=None,
            type=bool,
            help="Do not normalise the recordings to their peak.",
        ),
    ]


def make_spec(choices: Mapping[str, Any], *, mixed: bool = False) -> Spec:
    """Make a Spec from the options of a command.

    Parameters
    ----------
    choices : mapping of str to any
        Fields of the spec; None keeps the default. ``test_corpus`` makes the protocol ``cross``.
    mixed : bool, default False
        Whether the options are for systems of several kinds: then a classical one may have no use for some.

    Returns
    -------
    Spec

    Raises
    ------
    SerError
        For an invalid value.

    Warns
    -----
    SerWarning
        For options of the training of networks that the system does not take.
    """
    from ser_core import models
    from ser_core.experiments.spec import Spec

    sys.path.append(os.getcwd())  # a user-defined model may be here
    fields = {key: value for key, value in choices.items() if value is not None}
    spec = Spec(**({"protocol": "cross"} if "test_corpus" in fields else {}) | fields)
    trained = ("epochs", "patience", "batch", "optimizer", "learning_rate", "precision", "keep")
    ignored = [name for name in trained if name in fields and getattr(spec, name) != fields[name]]
    if ignored:
        options = ", ".join("--" + name.replace("_", "-") for name in ignored)
        networks = hasattr(models.builder(spec.model), "trained")  # a learner that trains networks
        why = "has a training of its own" if networks else "is not trained in epochs"
        if networks or not mixed:
            warnings.warn(f"{options}: ignored, {spec.model} {why}", SerWarning, stacklevel=2)
    return spec


MOST_NUMBERS = 10_000
"""Most folds or seeds that an option may name."""


def numbers(text: str, name: str) -> list[int]:
    """Parse a list of numbers and ranges.

    Parameters
    ----------
    text : str
        Such as ``0,2-4``.
    name : str
        The option, for the message.

    Returns
    -------
    list of int

    Raises
    ------
    SerError
        For any other text.

    Examples
    --------
    >>> numbers("0,2-4", "folds")
    [0, 2, 3, 4]
    """
    try:
        parts = [[int(end) for end in part.split("-")] for part in text.split(",")]
    except ValueError:
        raise SerError(f"--{name} {text[:100]!r}: give numbers such as 0,2 or 0-5") from None
    if any(len(part) > 2 or part[0] > part[-1] for part in parts):
        raise SerError(f"--{name} {text[:100]!r}: give numbers such as 0,2 or 0-5")
    if sum(1 + part[-1] - part[0] for part in parts) > MOST_NUMBERS:
        raise SerError(f"--{name} {text[:100]!r}: more than {MOST_NUMBERS:,} numbers; give fewer")
    return [number for part in parts for number in range(part[0], part[-1] + 1)]


def one_form(command: str, as_csv: bool, as_json: bool) -> None:
    """Raise an error where a command is asked for CSV and JSON at once."""
    if as_csv and as_json:
        raise SerError(f"{command} --csv and --json: leave out one")
