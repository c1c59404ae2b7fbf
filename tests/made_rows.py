"""Make up results with their predictions, for tests of tables and figures; nothing is trained."""

import json
from dataclasses import asdict
from hashlib import sha256

import numpy as np
import pandas as pd

from ser_core import corpora, metrics
from ser_core.experiments.result import RunResult
from ser_core.experiments.spec import Spec
from ser_core.metrics import uncertainty


def made_row(folder, *, corpus="ravdess", fold=0, seed=0, skill=0.6, size=48, status="ok", **spec):
    """Make one result and its files.

    ``size`` test utterances by four speakers that only this fold has; a prediction is right with probability
    ``skill``, and otherwise a random label.
    """
    labels = list(corpora.labels(corpus))
    spec = asdict(Spec(corpus=corpus, fold=fold, seed=seed, **spec))
    name = sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    row = {"hash": name, "spec": spec, "status": status, "error": None if status == "ok" else "ValueError: made up"}
    if status != "ok":
        return RunResult.from_json(row | {"when": "2026-01-02T03:04:05"})
    random = np.random.default_rng([fold, seed, size])
    truth = np.array(labels)[np.arange(size) % len(labels)]
    prediction = np.where(random.random(size) < skill, truth, random.choice(labels, size))
    table = pd.DataFrame(
        {
            "id": [f"{fold}-{number}" for number in range(size)],
            "side": "test",
            "corpus": corpus,
            "speaker": [f"{4 * fold + number % 4:02d}" for number in range(size)],
            "sex": "female",
            "text": [f"word{number % 12}" for number in range(size)],
            "intensity": "normal",
            "truth": truth,
        }
    )
    if "tess" in corpus:
        table["speaker"] = ["OAF", "YAF"][fold % 2]
    if corpus.startswith("ravtess"):
        table["corpus"] = np.where(np.arange(size) % 2, "ravdess", "tess")
        table.loc[table["corpus"] == "ravdess", "speaker"] = [f"{n % 24:02d}" for n in range(size // 2)]
    for label in labels:
        table[label] = np.where(prediction == label, 0.9, 0.1 / (len(labels) - 1)).astype(np.float32)
    validation = table.head(8).assign(side="validation")
    pd.concat([validation, table], ignore_index=True).to_parquet(folder / f"{name}.parquet")
    epochs = 5 + fold
    curve = [1.0 / (1 + epoch) for epoch in range(epochs)]
    row |= {
        "n_train": 160,
        "n_augmented": 640,
        "n_validation": 8,
        "n_test": size,
        "parameters": 469257,
        "claimed": None,
        "labels": labels,
        "scores": metrics.scores(truth, prediction, labels),
        "intervals": uncertainty.intervals(table.assign(prediction=prediction), labels).to_json(),
        "per_class": {name: vars(each) for name, each in metrics.per_class(truth, prediction, labels).items()},
        "confusion": metrics.confusion(truth, prediction, labels).tolist(),
        "validation": {"accuracy": 0.5, "uar": 0.5, "loss": 1.0},
        "history": {"loss": curve, "accuracy": curve[::-1], "val_loss": curve, "val_accuracy": curve[::-1]},
        "epochs": epochs,
        "best_epoch": epochs,
        "seconds": {"features": 1.0, "training": 60.0, "evaluation": 1.0},
        "completeness": {"expected": 1440, "found": 1438, "missing": ["a", "b"]},
        "versions": {"python": "3.11", "keras": "3"},
        "processor": "made-up processor",
        "when": f"2026-01-02T03:04:0{fold % 10}",
    }
    (folder / f"{name}.json").write_text(json.dumps(row))
    return RunResult.from_json(row)


def made_rows(folder, *, folds=6, seeds=(0,), **options):
    """Make results of several folds and seeds; later folds are larger, so that pooling differs from averaging."""
    return [
        made_row(folder, fold=fold, seed=seed, size=48 + 16 * fold, **options)
        for seed in seeds
        for fold in range(folds)
    ]
