"""Choose, train and write the pretrained network: ``python -m ser_core.inference.pretrained.make``.

1. Choose a network that ``ser export`` can write as ONNX, that does not depend on the level of a recording, and whose
   results of all six folds of RAVDESS, protocol ``speaker``, are published: the one with the best UAR over the
   *validation* utterances. Test utterances are not used. Learners that are no network, such as a support vector
   machine, and networks with fewer folds are not compared.
2. Train it on all of RAVDESS, seed 0, all else as in the folds: for the median of the folds' best epochs, or for the
   epochs of its recipe where none is chosen.
3. Fit its temperature on the folds' validation predictions.
4. Write ``model.onnx`` with the statistics of its training recordings (:mod:`ser_core.inference.domain_fit`),
   ``choice.json`` (with the results that it is based on) and ``CARD.md``. The Keras file goes to ``<runs>/shipped/``,
   which is not committed. ``python -m ser_core.inference.pretrained.domain_table`` then measures what they mark.

``python -m ser_core.inference.pretrained.make card`` only rewrites the card from the published results that
``choice.json`` names, without TensorFlow or recordings. ``... choose`` only prints the choice by the current results.
``... export`` writes the files from the network that was trained before.
"""

import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ser_core import features, metrics, models
from ser_core._utils import machine
from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError
from ser_core._utils.paths import runs_dir
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import Spec
from ser_core.experiments.store import load_predictions, load_rows, published_dir
from ser_core.features import inputs
from ser_core.inference import domain_fit, export, saved_models
from ser_core.metrics import temperature_scaling
from ser_core.training.selection import ORACLE

HERE = Path(__file__).parent
MODEL, CHOICE, CARD = HERE / "model.onnx", HERE / "choice.json", HERE / "CARD.md"
CORPUS, PROTOCOL, FOLDS = "ravdess", "speaker", 6
"""Results that are compared."""
LARGEST = 3_000_000
"""Maximum size of ``model.onnx`` in bytes."""


def exportable(spec: dict) -> bool:
    """Return whether a stored spec's network can be written as ONNX with its features.

    Parameters
    ----------
    spec : dict
        Spec of a result.
    """
    try:
        model, made = models.get_model(spec["model"]), inputs.get_input(spec["features"])
    except SerError:
        return False
    if model.kind == "network":
        fitting = spec["features"] in features.CHANNELS and spec["features"] != "wide"
    else:
        fitting = made.asked == "voice_functionals" and hasattr(models.builder(spec["model"]), "as_network")
    return fitting and spec["normalise"] and not spec["denoise"] and spec["rate"] == 16_000


def candidates(folder: Path) -> list[dict]:
    """Return the networks that could be chosen, the best first, those with fewer than six folds last.

    Parameters
    ----------
    folder : Path
        Folder of the published results.

    Returns
    -------
    list of dict
        ``spec`` (without fold and seed), ``folds``, ``rows`` (hashes), ``epochs`` (median of the best; None where none
        is chosen) and ``validation_uar`` (over the validation utterances of all folds and seeds).
    """
    groups: dict[str, list[RunResult]] = {}
    for result in load_rows(folder):
        spec = result.spec
        fitting = (spec["corpus"], spec["protocol"], result.status, spec["condition"]) == (
            CORPUS,
            PROTOCOL,
            "ok",
            "clean",
        )
        if fitting and spec["test_corpus"] is None and spec["keep"] != ORACLE and exportable(spec):
            groups.setdefault(json.dumps(result.setting, sort_keys=True), []).append(result)
    networks = [_candidate(json.loads(key), rows, folder) for key, rows in groups.items()]
    return sorted(networks, key=lambda network: (-len(network["folds"]), -network["validation_uar"]))


def _candidate(spec: dict, rows: list[RunResult], folder: Path) -> dict:
    """Return one network with its validation UAR."""
    probabilities, truth, labels = validation(rows, folder)
    predicted = np.asarray(labels)[probabilities.argmax(axis=1)]
    return {
        "spec": spec,
        "folds": sorted({row.spec["fold"] for row in rows}),
        "rows": [row.hash for row in rows],
        "epochs": int(statistics.median(chosen))
        if (chosen := [row.best_epoch for row in rows if row.best_epoch])
        else None,
        "validation_uar": round(metrics.uar(np.asarray(labels)[truth], predicted, labels), 6),
    }


def validation(rows: list[RunResult], folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Load the validation predictions of several results.

    Parameters
    ----------
    rows : list of RunResult
        With the same labels.
    folder : Path
        Folder of their predictions.

    Returns
    -------
    probabilities : float [utterances, labels]
    truth : int [utterances]
        Index of the true label.
    labels : list of str
    """
    import pandas as pd

    labels = list(rows[0].labels)
    together = pd.concat([load_predictions(row, folder).query("side == 'validation'") for row in rows])
    return together[labels].to_numpy(), together["truth"].map(labels.index).to_numpy(), labels


def choose_network(folder: Path) -> dict:
    """Choose the network with the best validation UAR.

    Parameters
    ----------
    folder : Path
        Folder of the published results.

    Returns
    -------
    dict
        The first part of ``choice.json``: the candidate, ``rule``, ``temperature``, ``others`` and ``incomplete``.

    Raises
    ------
    SerError
        Where no network has all folds.
    """
    networks = candidates(folder)
    complete = [network for network in networks if len(network["folds"]) == FOLDS]
    if not complete:
        raise SerError(
            f"{folder}: no network has all {FOLDS} folds of {CORPUS}, protocol {PROTOCOL}; nothing to choose"
        )
    chosen = complete[0]
    rows = [row for row in load_rows(folder) if row.hash in chosen["rows"]]
    probabilities, truth, _ = validation(rows, folder)
    return chosen | {
        "rule": "best UAR over the validation utterances of the six folds; test utterances are not used",
        "temperature": temperature_scaling.fit_temperature(probabilities, truth),
        "others": complete[1:],
        "incomplete": [network for network in networks if network not in complete],
    }


def train_final(choice: dict) -> saved_models.SavedModel:
    """Train the chosen network on all of the corpus, and store it in ``<runs>/shipped/``.

    Parameters
    ----------
    choice : dict
        Made by :func:`choose_network`.

    Raises
    ------
    SerError
        Where utterances of the corpus are missing.
    """
    from ser_core import corpora
    from ser_core.experiments import data
    from ser_core.features import cache
    from ser_core.training import fit

    table = corpora.load(CORPUS)
    if table.attrs.get("missing"):
        raise SerError(f"{CORPUS}: {len(table.attrs['missing'])} utterances missing; the pretrained network needs all")
    labels = corpora.labels(CORPUS)
    spec = Spec(**choice["spec"], fold=0, seed=0)
    batches = [cache.jobs_for(table, spec.settings, **data.copy_treatment(spec, copy) if copy else {})
               for copy in ("", *data.augmented_copies(spec))]  # fmt: skip
    x = np.concatenate([cache.input_matrix(batch, spec.settings) for batch in batches])
    y = np.tile(table["emotion"].map(labels.index).to_numpy(), len(batches))
    losses: list[float] | None = None
    if models.get_model(spec.model).kind == "learner":
        known = [np.tile(table[name], len(batches)) for name in ("speaker", "sex")]
        learner = fit.fit_learner(models.build_learner(spec.model, len(labels), spec.seed), x, y, *known)
        network = learner.as_network()
    else:
        fit.prepare_backend(spec.seed)
        network = fit.build_network(spec.model, x.shape[1:], len(labels), spec.precision)
        fit.fit_scaling(network, x)
        network, losses = fit.fit_without_validation(
            network, (x, y), spec.plan, choice["epochs"], label=f"{spec.model}, all of {CORPUS}"
        )
    place = runs_dir() / "shipped" / "network.keras"
    place.parent.mkdir(parents=True, exist_ok=True)
    network.save(place)
    row = {
        "hash": "shipped",
        "name": f"{models.get_model(spec.model).title}, trained on RAVDESS",
        "labels": list(labels),
        "spec": asdict(spec),
        "demo": False,
        "licence": saved_models.LICENCES[CORPUS],
        "whole_corpus": CORPUS,
        "temperature": choice["temperature"],
        "losses": losses,
        "data_version": cache.data_version(table),
        "versions": machine.versions(),
        "processor": machine.processor(),
    }
    write_atomically(place.with_suffix(".json"), (json.dumps(row) + "\n").encode())
    return saved_models.load_model(place)


def trained_before(choice: dict) -> saved_models.SavedModel:
    """Load the network in ``<runs>/shipped/`` that was trained for this choice.

    Parameters
    ----------
    choice : dict
        Made by :func:`choose_network`.

    Raises
    ------
    SerError
        Where it is missing, or was trained for another choice.
    """
    network = saved_models.load_model(runs_dir() / "shipped" / "network.keras")
    row = json.loads(network.path.with_suffix(".json").read_text())
    spec = {name: value for name, value in row["spec"].items() if name not in ("fold", "seed")}
    epochs = len(row["losses"]) if row["losses"] else None
    if (spec, epochs, row["temperature"]) != (choice["spec"], choice["epochs"], choice["temperature"]):
        raise SerError(
            f"{network.path}: was trained for another choice; "
            "`python -m ser_core.inference.pretrained.make` trains it again"
        )
    return network


def write_onnx(choice: dict, network: saved_models.SavedModel) -> None:
    """Write ``model.onnx`` and ``choice.json``, and compare the file with the Keras network on real utterances.

    Parameters
    ----------
    choice : dict
        Made by :func:`choose_network`.
    network : SavedModel
        The trained network.

    Raises
    ------
    SerError
        Where the file is too large.
    """
    export.to_onnx(network, MODEL)
    domain_fit.fit_exported(MODEL, CORPUS)
    if MODEL.stat().st_size > LARGEST:
        raise SerError(f"{MODEL}: {MODEL.stat().st_size} bytes; at most {LARGEST} are allowed")
    table, _ = export.comparison_utterances(network)
    checked = export.compare_with_keras(network, MODEL, table)
    row = json.loads(network.path.with_suffix(".json").read_text())
    made = {name: row[name] for name in ("losses", "data_version", "versions", "processor")}
    record = choice | {"made": made, "bytes": MODEL.stat().st_size, "check": checked}
    write_atomically(CHOICE, (json.dumps(record, indent=1) + "\n").encode())


def write_card() -> None:
    """Write ``CARD.md`` from ``choice.json`` and the published results that it names."""
    from ser_core.inference.pretrained import card

    write_atomically(CARD, card.card_markdown(json.loads(CHOICE.read_text()), published_dir()).encode())


def main(words: list[str]) -> None:
    """Run the command.

    Parameters
    ----------
    words : list of str
        Nothing for all steps, or one of "choose", "export" (from the network trained before) and "card".

    Raises
    ------
    SerError
        For other words, and where a step fails.
    """
    if words not in ([], ["choose"], ["export"], ["card"]):
        raise SerError("python -m ser_core.inference.pretrained.make [choose|export|card]")
    if words != ["card"]:
        choice = choose_network(published_dir())
        for network in (choice, *choice["others"], *choice["incomplete"]):
            spec, uar = network["spec"], 100 * network["validation_uar"]
            where = f"{spec['model']}, {spec['features']} features, augment {spec['augment'] or 'none'}"
            print(f"{where}: {len(network['folds'])} folds, validation UAR {uar:.1f} %")
        if words == ["choose"]:
            return
        write_onnx(choice, trained_before(choice) if words == ["export"] else train_final(choice))
    write_card()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SerError as problem:
        sys.exit(f"make: {problem}")
