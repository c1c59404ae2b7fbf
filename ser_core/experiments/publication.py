"""Publish results: copy them from the store into folders that can be browsed, with an index.

``runs/published/<corpus>/<protocol>/<system>[-<setting>]/fold<k>-seed<s>.json`` and ``.parquet``; the hash is inside.
"""

import csv
import io
import json
import warnings
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ser_core._utils.atomic import write_atomically
from ser_core._utils.errors import SerError, SerWarning
from ser_core.experiments.result import RunResult
from ser_core.experiments.settings import setting_slug
from ser_core.experiments.spec import Spec, stored_names
from ser_core.experiments.store import (
    INDEX,
    claimed,
    load_predictions,
    load_rows,
    predictions_path,
    published_dir,
    store_dir,
)

COLUMNS = (
    *("path", "hash", "corpus", "test_corpus", "protocol", "model", "setting", "fold", "seed", "condition"),
    *("accuracy", "uar", "n_test", "parameters", "epochs", "best_epoch", "when"),
)
"""Of the index, one row per result; scores are fractions."""


def published_path(spec: dict[str, Any]) -> Path:
    """Return where the JSON file of a result is published, relative to the published folder.

    >>> published_path(asdict(Spec(corpus="ravdess", model="a1", augment="", fold=2))).as_posix()
    'ravdess/speaker/a1-augment_none/fold2-seed0.json'
    """
    system = "-".join(filter(None, [spec["model"].replace(":", "."), setting_slug(spec)]))
    return Path(spec["corpus"], spec["protocol"], system, f"fold{spec['fold']}-seed{spec['seed']}.json")


def publish(specs: Iterable[Spec]) -> list[str]:
    """Copy the finished results of these specs, JSON and Parquet, from the store to the published folder.

    What the paper claims is looked up again, so that a corrected ``paper.py`` reaches results measured before. An
    earlier result of the same spec is replaced. The index is written again.

    Returns
    -------
    list of str
        hashes of the published results; runs that have not finished are passed over
    """
    arrange()
    wanted = {_key(asdict(spec)) for spec in specs}
    before = {_key(result.spec): result for result in load_rows(published_dir())}
    names = []
    for result in load_rows(store_dir()):
        if result.ok and _key(result.spec) in wanted:
            earlier = before.get(_key(result.spec))
            try:
                load_predictions(result, store_dir())
            except SerError as error:
                warnings.warn(f"{result.hash}: not published, {error}", SerWarning, stacklevel=2)
                continue
            _write(replace(result, claimed=claimed(result.spec)), predictions_path(result, store_dir()))
            if earlier and earlier.path != published_dir() / published_path(result.spec):
                _remove(earlier)
            names.append(result.hash)
    write_index()
    return names


def arrange() -> int:
    """Move published results of the earlier flat layout to where they belong, and return how many moved."""
    moved = 0
    for result in load_rows(published_dir()):
        if result.path and result.path != published_dir() / published_path(result.spec):
            predictions = predictions_path(result, published_dir())
            if predictions.is_file():
                _write(result, predictions)
                _remove(result)
                moved += 1
    write_index()
    return moved


def write_index() -> Path:
    """Write ``index.csv`` of the published folder, one row per result in the order of their paths."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    results = (result for result in load_rows(published_dir()) if result.ok and result.path)
    rows = [_index_row(result) for result in results]
    writer.writerows(sorted(rows, key=lambda row: row["path"]))
    write_atomically(published_dir() / INDEX, text.getvalue().encode())
    return published_dir() / INDEX


def _index_row(result: RunResult) -> dict[str, Any]:
    spec, path = result.spec, result.path or Path()
    fields = {name: spec[name] for name in COLUMNS if name in spec}
    scores = {name: round(result.scores[name], 6) for name in ("accuracy", "uar")}
    counts = {name: getattr(result, name) for name in ("n_test", "parameters", "epochs", "best_epoch", "when")}
    where = path.relative_to(published_dir()).as_posix()
    return {"path": where, "hash": result.hash, "setting": setting_slug(spec), **fields, **scores, **counts}


def _write(result: RunResult, predictions: Path) -> None:
    target = published_dir() / published_path(result.spec)
    write_atomically(target.with_suffix(".parquet"), predictions.read_bytes())
    write_atomically(target, (json.dumps(result.to_json()) + "\n").encode())


def _remove(result: RunResult) -> None:
    """Remove the files of a published result that another place or another result replaces."""
    for path in (result.path, result.path.with_suffix(".parquet")) if result.path else ():
        path.unlink(missing_ok=True)


def _key(spec: dict[str, Any]) -> str:
    return json.dumps(stored_names(spec), sort_keys=True)
