"""Chooses, trains and writes the shipped network: ``python -m ser_core.inference.pretrained.make``.

1. Choose: among the networks whose rows of all six folds under protocol ``speaker`` on RAVDESS are published and that
   ``ser export`` can write as ONNX, the one with the best UAR over the folds' *validation* utterances. Test utterances
   play no part. Learners (such as a support vector machine) are no networks; what has fewer folds is not compared.
2. Train it on all of RAVDESS for the median of the folds' best epochs, all else as in the folds, seed 0.
3. Fit its temperature on the folds' validation predictions.
4. Write ``model.onnx``, ``choice.json`` (which rows it came from) and ``CARD.md``; the Keras file goes to
   ``<runs>/shipped/``, which is not committed.

``python -m ser_core.inference.pretrained.make card`` writes the card again from the published rows that ``choice.json`` names, and
needs neither TensorFlow nor recordings; ``... choose`` only says what would be chosen from the rows of today.
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
from ser_core.inference import export, saved_models
from ser_core.metrics import temperature_scaling

HERE = Path(__file__).parent
MODEL, CHOICE, CARD = HERE / "model.onnx", HERE / "choice.json", HERE / "CARD.md"
CORPUS, PROTOCOL, FOLDS = "ravdess", "speaker", 6
LARGEST = 3_000_000
"""Bytes that the shipped file may have."""


def exportable(spec: dict) -> bool:
    """Whether a stored spec is of a network whose input is written as ONNX."""
    try:
        kind = models.get_model(spec["model"]).kind
    except SerError:
        return False
    settings = spec["features"] in features.CHANNELS and spec["features"] != "wide" and not spec["denoise"]
    return kind == "network" and settings and spec["rate"] == 16_000


def candidates(folder: Path) -> list[dict]:
    """Every network that could be shipped, best first, those with fewer than six folds after them.

    Parameters
    ----------
    folder : of published rows

    Returns
    -------
    list of dict: ``spec`` (without fold and seed), ``folds``, ``rows`` (hashes), ``epochs`` (median of the best),
    ``validation_uar`` (over the validation utterances of all folds and seeds)
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
        if fitting and spec["test_corpus"] is None and exportable(spec):
            groups.setdefault(json.dumps(result.setting, sort_keys=True), []).append(result)
    found = [_candidate(json.loads(key), rows, folder) for key, rows in groups.items()]
    return sorted(found, key=lambda one: (-len(one["folds"]), -one["validation_uar"]))


def _candidate(spec: dict, rows: list[RunResult], folder: Path) -> dict:
    probabilities, truth, labels = validation(rows, folder)
    guessed = np.asarray(labels)[probabilities.argmax(axis=1)]
    return {
        "spec": spec,
        "folds": sorted({row.spec["fold"] for row in rows}),
        "rows": [row.hash for row in rows],
        "epochs": int(statistics.median(row.best_epoch for row in rows)),
        "validation_uar": round(metrics.uar(np.asarray(labels)[truth], guessed, labels), 6),
    }


def validation(rows: list[RunResult], folder: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Probabilities and truth (indices) of the validation utterances of rows, and the labels."""
    import pandas as pd

    labels = list(rows[0].labels)
    together = pd.concat([load_predictions(row, folder).query("side == 'validation'") for row in rows])
    return together[labels].to_numpy(), together["truth"].map(labels.index).to_numpy(), labels


def choose_network(folder: Path) -> dict:
    """The network to ship, and between which it was chosen: what ``choice.json`` holds.

    Raises
    ------
    SerError
        where no network has all folds
    """
    found = candidates(folder)
    whole = [one for one in found if len(one["folds"]) == FOLDS]
    if not whole:
        raise SerError(
            f"{folder}: no network has all {FOLDS} folds of {CORPUS}, protocol {PROTOCOL}; nothing to choose"
        )
    chosen = whole[0]
    rows = [row for row in load_rows(folder) if row.hash in chosen["rows"]]
    probabilities, truth, _ = validation(rows, folder)
    return chosen | {
        "rule": "best UAR over the validation utterances of the six folds; test utterances play no part",
        "temperature": temperature_scaling.fit_temperature(probabilities, truth),
        "others": whole[1:],
        "incomplete": [one for one in found if one not in whole],
    }


def train_final(choice: dict) -> saved_models.SavedModel:
    """Train the chosen network on all of the corpus, into ``<runs>/shipped/``."""
    from ser_core import corpora
    from ser_core.experiments import data
    from ser_core.features import cache
    from ser_core.training import fit

    table = corpora.load(CORPUS)
    if table.attrs.get("missing"):
        raise SerError(f"{CORPUS}: {len(table.attrs['missing'])} utterances missing; the shipped network needs all")
    labels = corpora.labels(CORPUS)
    spec = Spec(**choice["spec"], fold=0, seed=0)
    batches = [cache.jobs_for(table, spec.settings, **data.copy_treatment(spec, copy) if copy else {})
               for copy in ("", *data.augmented_copies(spec))]  # fmt: skip
    x = np.concatenate([cache.input_matrix(batch, spec.settings) for batch in batches])
    y = np.tile(table["emotion"].map(labels.index).to_numpy(), len(batches))
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
        "temperature": choice["temperature"],
        "losses": losses,
        "data_version": cache.data_version(table),
        "versions": machine.versions(),
        "processor": machine.processor(),
    }
    write_atomically(place.with_suffix(".json"), (json.dumps(row) + "\n").encode())
    return saved_models.load_model(place)


def trained_before(choice: dict) -> saved_models.SavedModel:
    """The network in ``<runs>/shipped/``, where it was trained as this choice says.

    Raises
    ------
    SerError
        where there is none, or it was trained after another choice
    """
    network = saved_models.load_model(runs_dir() / "shipped" / "network.keras")
    row = json.loads(network.path.with_suffix(".json").read_text())
    kept = {name: value for name, value in row["spec"].items() if name not in ("fold", "seed")}
    if (kept, len(row["losses"]), row["temperature"]) != (choice["spec"], choice["epochs"], choice["temperature"]):
        raise SerError(
            f"{network.path}: was trained after another choice; python -m ser_core.inference.pretrained.make trains anew"
        )
    return network


def write_onnx(choice: dict, network: saved_models.SavedModel) -> None:
    """``model.onnx`` and ``choice.json`` from the trained network, checked against it on real utterances."""
    export.to_onnx(network, MODEL)
    if MODEL.stat().st_size > LARGEST:
        raise SerError(f"{MODEL}: {MODEL.stat().st_size} bytes; at most {LARGEST} are shipped")
    table, _ = export.comparison_utterances(network)
    checked = export.compare_with_keras(network, MODEL, table)
    row = json.loads(network.path.with_suffix(".json").read_text())
    made = {name: row[name] for name in ("losses", "data_version", "versions", "processor")}
    known = choice | {"made": made, "bytes": MODEL.stat().st_size, "check": checked}
    write_atomically(CHOICE, (json.dumps(known, indent=1) + "\n").encode())


def write_card() -> None:
    """``CARD.md`` from ``choice.json`` and the published rows that it names."""
    from ser_core.inference.pretrained import card

    write_atomically(CARD, card.card_markdown(json.loads(CHOICE.read_text()), published_dir()).encode())


def main(words: list[str]) -> None:
    """What the command does: everything, ``choose``, ``export`` (from the network trained before), or ``card``."""
    if words not in ([], ["choose"], ["export"], ["card"]):
        raise SerError("python -m ser_core.inference.pretrained.make [choose|export|card]")
    if words != ["card"]:
        choice = choose_network(published_dir())
        for one in (choice, *choice["others"], *choice["incomplete"]):
            spec, uar = one["spec"], 100 * one["validation_uar"]
            where = f"{spec['model']}, {spec['features']} features, augment {spec['augment'] or 'none'}"
            print(f"{where}: {len(one['folds'])} folds, validation UAR {uar:.1f} %")
        if words == ["choose"]:
            return
        write_onnx(choice, trained_before(choice) if words == ["export"] else train_final(choice))
    write_card()


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SerError as problem:
        sys.exit(f"make: {problem}")
