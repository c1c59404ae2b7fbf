"""Continuous labels: a head for any network, the loss beside its formula, and a made corpus that is learnt."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner

from ser_core import cli, models
from ser_core._utils.errors import SerError
from ser_core.experiments import continuous
from ser_core.experiments.spec import Spec
from ser_core.features import inputs
from ser_core.metrics import regression
from ser_core.models.regression_head import with_regression_head
from ser_core.training import fit
from ser_core.training.regression import ccc_loss

RATE = 16_000
SETTING = {"model": "test_continuous:tiny", "frames": 24, "znorm": False, "augment": "", "epochs": 15, "batch": 8}
SETTING |= {"learning_rate": 0.01}


def tiny(shape, classes):
    """A network of a user: the scaled mean of the frames, and two dense layers."""
    import keras

    given = keras.Input(shape)
    x = keras.layers.GlobalAveragePooling1D()(keras.layers.Normalization(axis=-1)(given))
    x = keras.layers.Dense(8, activation="relu")(x)
    return keras.Model(given, keras.layers.Dense(classes, activation="softmax")(x), name="tiny")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Coloured noise by six speakers: the brighter, the higher the valence; one utterance has none."""
    root, random, lines = tmp_path_factory.mktemp("valence"), np.random.default_rng(0), []
    for speaker in range(6):
        for number in range(10):
            valence = round(random.uniform(1, 5), 2)
            noise = random.standard_normal(RATE // 2)
            share = (valence - 1) / 4
            samples = share * noise + (1 - share) * np.cumsum(noise) / 30
            soundfile.write(root / f"{speaker}-{number}.wav", 0.5 * samples / np.abs(samples).max(), RATE)
            line = {"file": f"{speaker}-{number}.wav", "speaker": f"s{speaker}", "gender": "fm"[speaker % 2]}
            lines.append(line | {"emotion": ("sad", "happy")[valence > 3], "valence": valence})
    lines[0]["valence"] = ""
    pd.DataFrame(lines).to_csv(root / "list.csv", index=False)
    return f"nkululeko:{root / 'list.csv'}"


def test_the_loss_is_one_less_the_ccc():
    random = np.random.default_rng(0)
    x, y = random.normal(size=(2, 50, 1)).astype(np.float32)
    assert float(ccc_loss(x, y)) == pytest.approx(1 - regression.ccc(x[:, 0], y[:, 0]), abs=1e-6)
    assert float(ccc_loss(x[:1], y[:1])) == pytest.approx(1.0)  # a batch of one has no variance


@pytest.mark.parametrize("name", ["a1", "cnn_bilstm_attention", "issa"])
def test_a_head_replaces_the_softmax_of_any_network(name):
    made_for = inputs.get_input(models.MODELS[name].features)
    fit.prepare_backend(0)
    whole = models.build(name, made_for.shape(made_for.frames), 8)
    network = with_regression_head(whole)
    assert network.output_shape == (None, 1) and not network.compiled
    last = whole.layers[-1].kernel.shape[0]
    assert models.count_parameters(whole) - models.count_parameters(network) == 7 * (last + 1)


def test_a_corpus_is_learnt_stored_and_pooled(corpus, own_store, monkeypatch):
    spec = Spec(corpus=corpus, **SETTING)
    result = continuous.run_continuous(spec, "valence", progress=False)
    assert result.left_out == 1 and result.n_train + result.n_validation + result.n_test == 59
    frame = pd.read_parquet(continuous.folder() / f"{result.hash}.parquet")
    test = frame[frame["side"] == "test"]
    assert result.score["ccc"] == regression.ccc(test["truth"], test["prediction"]) > 0.5
    assert result.score["rmse"] == pytest.approx(np.sqrt(np.mean((test["truth"] - test["prediction"]) ** 2)))
    assert result.history["val_ccc"][result.best_epoch - 1] == max(result.history["val_ccc"]) == result.validation_ccc

    import keras

    assert not keras.models.load_model(continuous.folder() / f"{result.hash}.keras").compiled
    with monkeypatch.context() as patch:
        patch.setattr(continuous, "_measure", None)  # a second training would call it
        assert continuous.run_continuous(spec, "valence") == result
    options = ["--corpus", corpus, "--model", SETTING["model"], "--frames", "24", "--no-znorm", "--augment", "none"]
    options += ["--epochs", "15", "--batch-size", "8", "--learning-rate", "0.01", "--target", "valence"]
    done = CliRunner().invoke(cli.main, ["sweep", *options])
    shown = done.stdout.splitlines()
    assert len(shown) == 7, done.output
    assert shown[0].startswith(f"{SETTING['model']} on {corpus}, valence, protocol speaker, fold 0, seed 0: CCC ")
    parts = [continuous.run_continuous(Spec(corpus=corpus, fold=fold, **SETTING), "valence") for fold in range(6)]
    pooled = continuous.pool(parts)
    assert pooled["n_test"] == 59 and pooled["n"] == 6 and pooled["unit"] == "speaker"
    low, high = pooled["interval"]
    assert (
        low < pooled["ccc"] < high and f"CCC {pooled['ccc']:.3f} [{low:.3f}, {high:.3f}] over 6 speakers" in shown[-1]
    )
    with pytest.raises(SerError, match="2 kinds of results"):
        continuous.pool([parts[0], continuous.ContinuousResult(**asdict(parts[1]) | {"target": "arousal"})])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--target", "arousal"], "has no arousal; its continuous labels are valence"),
        (["--target", "joy"], "target 'joy': not known; choose among arousal, valence, dominance"),
        (["--target", "valence", "--model", "svm"], "model svm is no network"),
        (["--target", "valence", "--condition", "white:10"], "condition white:10"),
        (["--target", "valence", "--keep", "uar"], "keep uar"),
        (["--target", "valence", "--protocol", "leaky", "--augment", "noise"], "protocol leaky"),
    ],
)
def test_what_has_no_meaning_is_one_line(corpus, own_store, options, words):
    shown = CliRunner().invoke(cli.main, ["run", "--corpus", corpus, *options])
    assert shown.exit_code == 1 and words in shown.stderr and shown.stderr.count("\n") == 1


def test_a_corpus_without_continuous_labels_is_one_line(own_store):
    shown = CliRunner().invoke(cli.main, ["run", "--target", "valence"])
    assert shown.exit_code == 1 and "has no valence; a list needs a column of that name" in shown.stderr


def test_a_result_is_json(corpus, own_store):
    options = ["--corpus", corpus, "--model", "test_continuous:tiny", "--frames", "24", "--epochs", "1"]
    options += ["--augment", "none"]
    shown = CliRunner().invoke(cli.main, ["run", *options, "--target", "valence", "--json"])
    found = json.loads(shown.stdout)
    assert found["target"] == "valence" and found["hash"].endswith("-valence") and found["epochs"] == 1
    assert set(found["score"]) == {"ccc", "interval", "unit", "n", "level", "method", "rmse"}
