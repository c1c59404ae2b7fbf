"""The shell command: help, JSON output, options with two names, and one-line errors with exit code 1."""

import json
import subprocess
import sys
import warnings
from dataclasses import asdict

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import cli, corpora
from ser_core._utils.errors import SerWarning
from ser_core.cli import base
from ser_core.cli.base import make_spec
from ser_core.experiments.result import RunResult
from ser_core.protocols import leakage


def ser(*arguments):
    return CliRunner().invoke(cli.main, [str(a) for a in arguments])


def commands(command=cli.main, words=()):
    """Yield the words and the click command of ``ser`` and of every command below it."""
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


COMMANDS = [pytest.param(*pair, id=" ".join(pair[0]) or "ser") for pair in commands()]


@pytest.mark.parametrize(("words", "command"), COMMANDS)
def test_every_command_and_option_has_help(words, command):
    result = ser(*words, "--help")
    assert result.exit_code == 0 and result.output.startswith("Usage:")
    summary, _, _ = (command.help or "").partition("\n")
    assert summary.endswith(".") and 20 < len(summary) < 80
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or parameter.help, f"{words}: {parameter.name}"


def test_the_command_imports_nothing_heavy():
    heavy = ("pandas", "numpy", "scipy", "sklearn", "keras", "tensorflow", "librosa", "matplotlib", "onnxruntime")
    code = f"import sys, ser_core.cli; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["pandas", "keras"])
def test_a_command_without_its_packages_names_the_installation(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)  # importing it raises ModuleNotFoundError
    result = ser("run", "--corpus", "demo", "--epochs", "1", "--augment", "none", "--force")
    assert result.exit_code == 1
    assert result.stderr == f"ser: {package}: not installed; this command needs pip install '.[training]'\n"


# --- options and protocols with two names

OLD_OPTIONS = {
    "--fresh": "--force",
    "--channels": "--features",
    "--copies": "--augment-copies",
    "--batch": "--batch-size",
    "--unpublished": "--skip-published",
    "--against": "--baseline",
}
COMMANDS_OF_OLD_OPTIONS = {
    "run": ("--fresh", "--channels", "--copies", "--batch"),
    "sweep": ("--fresh", "--channels", "--copies", "--batch", "--unpublished"),
    "inspect": ("--channels",),
    "score": ("--against",),
    "reproduce": ("--fresh",),
    "report": ("--fresh",),
}
PAIRS = [(command, old) for command, several in COMMANDS_OF_OLD_OPTIONS.items() for old in several]


@pytest.fixture
def arguments_of(monkeypatch):
    """Return a function that parses a command line and returns the arguments that the command would get."""

    def parse(command, *words):
        arguments = {}
        monkeypatch.setattr(cli.main.commands[command], "callback", lambda **values: arguments.update(values))
        required = {"inspect": ["a.wav"], "score": ["--predictions", "a.csv", "--corpus", "demo"]}
        result = ser(command, *required.get(command, []), *words)
        assert result.exit_code == 0, result.output
        return arguments

    return parse


@pytest.mark.parametrize(("command", "old"), PAIRS)
def test_the_old_name_of_an_option_gives_the_same_arguments(command, old, arguments_of):
    (option,) = [parameter for parameter in cli.main.commands[command].params if old in parameter.opts]
    value = [] if option.is_flag else ["3"]
    arguments = arguments_of(command, old, *value)
    assert arguments == arguments_of(command, OLD_OPTIONS[old], *value) != arguments_of(command)


@pytest.mark.parametrize(("command", "old"), PAIRS)
def test_the_old_name_of_an_option_is_not_in_the_help(command, old):
    words = ser(command, "--help").output.replace(",", " ").split()
    assert OLD_OPTIONS[old] in words and old not in words


def test_every_option_with_two_names_is_tested():
    renamed = {
        (words[0], option.old)
        for words, command in commands()
        for option in command.params
        if isinstance(option, base.RenamedOption)
    }
    assert renamed == set(PAIRS)


def test_an_error_names_the_option_by_its_new_name():
    result = ser("run", "--batch", "many")
    assert result.exit_code == 2 and "'--batch-size'" in result.output and "--batch'" not in result.output


@pytest.mark.parametrize(
    ("alias", "protocol", "more"),
    [("speaker-independent", "speaker", ()), ("cross-corpus", "cross", ("--test-corpus", "demo_tess"))],
)
def test_protocols_have_two_names(alias, protocol, more, monkeypatch, tmp_path):
    specs = []

    def run_spec(spec, **options):
        specs.append(spec)
        return RunResult(hash="made", spec=asdict(spec))

    monkeypatch.setattr("ser_core.experiments.run.run_spec", run_spec)
    for name in (alias, protocol):
        assert ser("run", "--protocol", name, *more, "--json").exit_code == 0
    assert specs[0] == specs[1] and specs[0].protocol == protocol

    frames = [ser("folds", "demo_ravdess", name, *more, "--json") for name in (alias, protocol)]
    assert frames[0].exit_code == 0 and frames[0].stdout == frames[1].stdout
    assert json.loads(frames[0].stdout)["protocol"] == protocol

    table = corpora.load("demo_ravdess")
    target = corpora.load("demo_tess") if more else table
    labels = [label for label in corpora.labels("demo_ravdess") if label in set(target["emotion"])]
    answers = target[target["emotion"].isin(table["emotion"])][["id"]].copy()
    answers[labels] = 1 / len(labels)
    answers.to_csv(tmp_path / "answers.csv", index=False)
    words = ("--predictions", tmp_path / "answers.csv", "--corpus", "demo_ravdess", *more, "--json")
    scores = [ser("score", *words, "--protocol", name) for name in (alias, protocol)]
    assert scores[0].exit_code == 0, scores[0].output
    assert scores[0].stdout == scores[1].stdout and json.loads(scores[0].stdout)["protocol"] == protocol


@pytest.mark.parametrize(("alias", "protocol"), [("speaker-independent", "speaker"), ("cross-corpus", "cross")])
def test_leaks_takes_both_names_of_a_protocol(alias, protocol, monkeypatch):
    monkeypatch.setattr(leakage, "_predicted", lambda *_: {"cues": [], "without_speech": []})  # takes 20 s
    more = ("--test-corpus", "demo_tess") if protocol == "cross" else ("--fold", "0")
    report = json.loads(ser("leaks", "--corpus", "demo_ravdess", "--protocol", alias, *more, "--json").stdout)
    assert report["protocol"] == protocol and report["ok"]


# --- errors and output


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("run", "--corpus", "nowhere"), "nowhere"),
        (("run", "--fold", "9"), "folds 0 to 5"),
        (("run", "--model", "nothing"), "nothing"),
        (("run", "--augment", "echo"), "echo"),
        (("sweep", "nothing"), "nothing"),
        (("sweep", "demo", "--model", "a1"), "its runs are fixed"),
        (("sweep", "--folds", "a-b"), "a-b"),
        (("reproduce", "--profile", "nothing"), "nothing"),
        (("data", "verify", "nowhere"), "nowhere"),
        (("data", "fetch", "emodb"), "emodb"),
        (("inspect", "nowhere.wav"), "nowhere.wav"),
        (("inspect", "--features", "43", "a.wav"), "43"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(arguments, word):
    result = ser(*arguments)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("ser: ") and result.stderr.count("\n") == 1 and word in result.stderr


def test_inspect_describes_usable_files_and_names_unusable_ones(tmp_path):
    soundfile.write(tmp_path / "good.wav", np.sin(np.arange(48_000)), 48_000)
    (tmp_path / "zero.wav").touch()
    (tmp_path / "text.wav").write_text("not audio " * 50)
    soundfile.write(tmp_path / "nan.wav", np.full(16_000, np.nan), 16_000, subtype="FLOAT")
    files = [tmp_path / name for name in ("zero.wav", "good.wav", "text.wav", "nan.wav")] + [tmp_path]
    result = ser("inspect", *files, "--json")
    rows = json.loads(result.stdout)
    assert result.exit_code == 1 and result.stderr.count("\n") == 4
    assert [("error" in row) for row in rows] == [True, False, True, True, True]
    assert rows[1]["seconds"] == 1.0 and rows[1]["feature_shape"] == [400, 42]
    assert ser("inspect", files[1]).exit_code == 0


def test_inspect_reads_every_published_oddity(real_data):
    native = sorted((real_data / "native").rglob("*.wav"))
    result = ser("inspect", *native, "--json")
    assert result.exit_code == 0 and len(json.loads(result.stdout)) == 18


def test_verify_the_real_corpora(real_data):
    ravdess = json.loads(ser("data", "verify", "ravdess", "--json").stdout)
    assert ravdess["expected"] == 1440 and ravdess["missing"] == [] and ravdess["changed"] == []
    tess = ser("data", "verify", "tess", "--json")
    assert tess.exit_code == 0
    assert json.loads(tess.stdout)["missing"] == ["OAF_back_angry.wav", "YAF_beg_sad.wav"]


def test_list_names_every_corpus():
    rows = json.loads(ser("data", "list", "--json").stdout)
    assert {row["name"] for row in rows} == set(corpora.CORPORA)


@pytest.mark.filterwarnings("ignore:TensorFlow was used before")
def test_run_prints_one_json_line_and_nothing_else(own_store):
    words = ["run", "--corpus", "demo", "--model", "a1", "--epochs", "1", "--augment", "none", "--frames", "100"]
    command = [sys.executable, "-m", "ser_core.cli", *words, "--json"]
    first = subprocess.run(command, capture_output=True, text=True, check=True)
    assert first.stdout.count("\n") == 1
    row = json.loads(first.stdout)
    assert row["status"] == "ok" and row["n_test"] == 64 and row["parameters"] == 320_584
    assert json.loads(ser(*words, "--json").stdout) == row
    again = json.loads(ser(*words, "--json", "--force").stdout)  # in another process
    assert again["scores"] == row["scores"] and again["seconds"] != row["seconds"]


def test_training_options_that_a_learner_does_not_take_are_named():
    """The small network trains by its own recipe; a support vector machine has no epochs, and sweeps mix both."""
    with pytest.warns(SerWarning, match="--epochs, --learning-rate: ignored, voice_network"):
        spec = make_spec({"model": "voice_network", "corpus": "demo", "epochs": 3, "learning_rate": 0.1})
    assert spec.epochs == make_spec({"model": "voice_network", "corpus": "demo"}).epochs
    with pytest.warns(SerWarning, match="--epochs: ignored, svm is not trained in epochs"):
        make_spec({"model": "svm", "corpus": "demo", "epochs": 3})
    for model, mixed in (("svm", True), ("a1", False)):
        with warnings.catch_warnings():
            warnings.simplefilter("error", SerWarning)
            make_spec({"model": model, "corpus": "demo", "epochs": 3}, mixed=mixed)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("sweep", "--folds", "0,9"), "fold 9: protocol speaker has folds 0 to 5 on this corpus"),
        (("publish", "demo"), "publish demo: its speech is synthetic"),
        (("predict", "a.wav", "--csv", "--json"), "predict --csv and --json: leave out one"),
        (("data", "show", "demo", "--csv", "--json"), "data show --csv and --json: leave out one"),
        (("folds", "demo", "speaker", "--csv", "--json"), "folds --csv and --json: leave out one"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_is_stored(own_store, arguments, words):
    result = ser(*arguments)
    assert result.exit_code == 1 and words in result.stderr and not own_store.exists()


def test_a_line_of_a_result_names_its_rule_and_what_was_chosen(own_store):
    words = ("run", "--corpus", "demo", "--augment", "none", "--frames", "100", "--epochs", "1")
    lines = {keep: ser(*words, "--model", "a1", "--keep", keep).stdout for keep in ("loss", "uar", "last", "oracle")}
    assert (
        "lowest validation loss: epoch 1 of 1" in lines["loss"]
        and "best epoch on test (leak): epoch 1" in lines["oracle"]
    )
    assert "highest validation UAR: epoch 1 of 1" in lines["uar"] and "last epoch: epoch 1 of 1" in lines["last"]
    assert ", chosen: C " in ser("run", "--corpus", "demo", "--model", "svm").stdout
    assert "chosen" not in ser("run", "--corpus", "demo", "--model", "gmm").stdout


def test_the_weights_of_a_classical_result_are_not_looked_for(own_store):
    row = json.loads(ser("run", "--corpus", "demo", "--model", "gmm", "--json").stdout)
    for words in (("export", row["hash"]), ("predict", "--model", row["hash"], "a.wav")):
        result = ser(*words)
        assert result.exit_code == 1 and "a result without weights, which only networks have" in result.stderr
