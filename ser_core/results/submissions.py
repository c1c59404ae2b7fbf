"""Others can enter: the folds as a table, and anyone's predictions judged as our own rows are.

Predictions come from any framework: a CSV or Parquet file with ``id`` and a probability for every emotion of the
corpus. They are judged on the utterances that a protocol tests, each once. Recordings are not needed where the corpus
comes with a file list (:func:`ser_core.corpora.manifest`).
"""

import contextlib
from pathlib import Path

import numpy as np

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.claims import paper
from ser_core.experiments import store
from ser_core.metrics import uncertainty
from ser_core.metrics.uncertainty import score_predictions
from ser_core.protocols import splits
from ser_core.protocols.assignment import shared_labels, utterance_sides
from ser_core.results import prediction_files, tables

TOLERANCE = 1e-3
"""How far the probabilities of an utterance may be from a sum of 1."""


def read_predictions(path: str | Path, labels, ids=()):
    """A file of predictions, checked but for which utterances it names.

    Parameters
    ----------
    path : CSV (comma, semicolon or tab) or Parquet with ``id`` and a column for each label; where it has ``side``,
        only the lines "test" count; further columns are passed over
        Also an audformat table (``file``, ``start``, ``end`` in place of ``id``) and EmoBox-style JSON Lines
        (:mod:`ser_core.results.prediction_files`)
    labels : the emotions
    ids : utterances of the corpus, which the names of files and the keys of EmoBox are matched with

    Returns
    -------
    DataFrame: ``id`` and the labels, float64

    Raises
    ------
    SerError
        for a file that cannot be read, a missing column, a doubled utterance, or numbers that are no probabilities
    """
    import pandas as pd

    path = Path(path)
    try:
        if path.suffix.lower() in prediction_files.JSON_SUFFIXES:
            frame = prediction_files.read_json_predictions(path, labels)
        elif path.suffix.lower() in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, sep=None, engine="python", dtype={"id": "str"}, encoding="utf-8-sig")
    except SerError:
        raise
    except OSError as error:
        raise SerError(f"{path}: cannot be read ({error.strerror or error}); give a CSV or Parquet file") from None
    except Exception as error:  # whatever pandas and pyarrow raise for a file that is none of theirs
        raise SerError(f"{path}: no table that can be read ({' '.join(str(error).split())[:120]})") from None
    if "id" not in frame and "file" in {*frame, *frame.index.names}:
        frame = frame if "file" in frame else frame.reset_index()
        frame = prediction_files.from_audformat(frame, labels, path)
    lacking = [name for name in ("id", *labels) if name not in frame]
    if lacking:
        raise SerError(f"{path}: no column {', '.join(lacking)}; wanted are id, {', '.join(labels)}")
    if "side" in frame:
        frame = frame[frame["side"] == "test"]
    if frame.empty:
        raise SerError(f"{path}: holds no test utterance")
    frame = frame.assign(id=frame["id"].astype("str"))
    if ids:
        frame = frame.assign(id=prediction_files.match_ids(list(frame["id"]), ids))
    doubled = sorted(frame.loc[frame["id"].duplicated(), "id"].unique())
    if doubled:
        raise SerError(f"{path}: {_named(doubled)} stand{'s' if len(doubled) == 1 else ''} there more than once")
    values = frame[list(labels)].apply(pd.to_numeric, errors="coerce")
    _check(path, frame["id"].to_numpy(), values.to_numpy(dtype=np.float64), labels)
    return pd.concat([frame[["id"]], values.astype(np.float64)], axis=1).reset_index(drop=True)


def _check(path: Path, ids: np.ndarray, values: np.ndarray, labels) -> None:
    for bad, told in (
        (~np.isfinite(values), "is not a number"),
        ((values < 0) | (values > 1), "is no probability"),
    ):
        if bad.any():
            line, column = np.argwhere(bad)[0]
            raise SerError(f"{path}: {ids[line]}: {labels[column]} {told}; wanted are probabilities from 0 to 1")
    off = np.abs(values.sum(axis=1) - 1) > TOLERANCE
    if off.any():
        line = int(np.argmax(off))
        total = values[line].sum()
        raise SerError(f"{path}: {ids[line]}: its probabilities sum to {total:.4g}, not to 1; give those after softmax")


def _named(names: list[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def optional_utterances(corpus: str) -> set[str]:
    """Utterances that predictions may lack: they are missing from the corpus as it is here, or as it was measured."""
    names: set[str] = set()
    with contextlib.suppress(SerError):
        names |= set(corpora.load(corpus).attrs.get("missing", []))
    for row in store.load_rows(store.published_dir()):
        if row["status"] == "ok" and row["spec"]["corpus"] == corpora.canonical_name(corpus):
            names |= set((row.get("completeness") or {}).get("missing", []))
    return names


def score_submission(path: str | Path, corpus: str, protocol: str, *, folds=None, against=(), test_corpus=None) -> dict:
    """Score somebody's predictions as the suite's own, and test them against published rows.

    Parameters
    ----------
    path : see :func:`read`
    corpus, protocol, test_corpus : what they were made for
    folds : numbers; by default every fold of which a test utterance is in the file. Each must be there whole.
    against : hashes (or their beginnings) of published rows, names of models, or "all"

    Returns
    -------
    dict
        ``folds``, ``n_test``, ``labels``, ``scores`` (fractions), ``intervals``, ``per_class``, ``confusion``,
        ``parts`` (each source of a composed corpus), ``calm_is_neutral`` (RAVDESS), ``absent`` (utterances that were
        not asked for), ``against``: one dict a comparison, with the paired differences, p and p after Holm

    Raises
    ------
    SerError
        naming the utterances that are missing, doubled or unknown, or the row that is not there
    """
    protocol = splits.canonical_protocol(protocol)
    where = utterance_sides(corpus, protocol, test_corpus)
    target = test_corpus if protocol == "cross" else corpus
    labels = shared_labels(corpus, target)
    given = read_predictions(path, labels, tuple(where["id"]))
    numbers = [column for column in where if column.isdigit()]
    chosen = _folds(where, numbers, set(given["id"]), folds, protocol, path)
    tested = where[(where[chosen] == "test").any(axis=1) & where["emotion"].isin(labels)]
    unknown = sorted(set(given["id"]) - set(tested["id"]))
    if unknown:
        verb = "is" if len(unknown) == 1 else "are"
        told = f"protocol {protocol}, fold {', '.join(chosen)}"
        raise SerError(f"{path}: {_named(unknown)} {verb} not tested by {told} of {corpus}")
    lacking = sorted(set(tested["id"]) - set(given["id"]))
    excused = optional_utterances(target) & set(lacking) if lacking else set()
    if set(lacking) - excused:
        names = sorted(set(lacking) - excused)
        verb = "is" if len(names) == 1 else "are"
        raise SerError(f"{path}: {_named(names)} {verb} missing; fold {', '.join(chosen)} must be there whole")
    frame = tested[["id", "corpus", "speaker", "text"]].assign(truth=tested["emotion"]).merge(given, on="id")
    frame["prediction"] = np.asarray(labels)[frame[list(labels)].to_numpy().argmax(axis=1)]
    result = {
        "predictions": str(path),
        "corpus": corpora.canonical_name(corpus),
        "test_corpus": corpora.canonical_name(test_corpus) if protocol == "cross" else None,
        "protocol": protocol,
        "demo": corpora.get_corpus(corpus).demo,
        "folds": [int(number) for number in chosen],
        "folds_total": len(numbers),
        "labels": list(labels),
        "absent": sorted(excused),
        **score_predictions(frame, labels),
    }
    if frame["corpus"].nunique() > 1:
        result["parts"] = {name: score_predictions(part, labels) for name, part in frame.groupby("corpus")}
    if corpora.canonical_name(target) == paper.LISTENERS["corpus"] and "calm" in labels:
        merged = frame.assign(**{side: frame[side].replace("calm", "neutral") for side in ("truth", "prediction")})
        result["calm_is_neutral"] = score_predictions(merged, [label for label in labels if label != "calm"])
    result["against"] = _compared(frame, labels, result, against)
    return result


def _folds(where, numbers, given: set[str], folds, protocol: str, path) -> list[str]:
    if folds is not None:
        wrong = [str(fold) for fold in folds if str(fold) not in numbers]
        if wrong:
            raise SerError(f"fold {', '.join(wrong)}: protocol {protocol} has folds 0 to {len(numbers) - 1}")
        return [str(fold) for fold in folds]
    if protocol == "cross":  # every fold tests the whole of the other corpus
        return numbers[:1]
    chosen = [number for number in numbers if given & set(where.loc[where[number] == "test", "id"])]
    if not chosen:
        raise SerError(
            f"{path}: {_named(sorted(given))}: no utterance of this corpus; ids are as `ser folds` gives them"
        )
    return chosen


def _compared(frame, labels, result: dict, against) -> list[dict]:
    """The paired difference of each published row (or pooled rows of a model) from these predictions."""
    if not against:
        return []
    folder = store.published_dir()
    like = {"corpus": result["corpus"], "protocol": result["protocol"], "test_corpus": result["test_corpus"]}
    rows = [row for row in store.load_rows(folder) if row["status"] == "ok"]
    alike = [row for row in rows if all(row["spec"].get(name) == value for name, value in like.items())]
    found = []
    for name in against:
        some = [row for row in alike if name in ("all", row["spec"]["model"]) or _is_hash(name, row)]
        if not some:
            there = sorted({row["spec"]["model"] for row in alike})
            known = f"; there are {', '.join(there)}" if there else ""
            raise SerError(
                f"--against {name}: no published row of {like['corpus']} under protocol {like['protocol']}{known}"
            )
        found += [_pair(frame, one, labels, folder) for one in tables.pool_results(some, folder)]
    for score in uncertainty.TESTED:
        adjusted = uncertainty.holm([one[score]["p"] for one in found])
        for one, p in zip(found, adjusted, strict=True):
            one[score]["p_holm"] = p
    return found


def _is_hash(name: str, row: dict) -> bool:
    return len(name) >= 6 and row["hash"].startswith(name)


def _pair(frame, one: dict, labels, folder) -> dict:
    """These predictions less a published system's, on the utterances that both have."""
    import pandas as pd

    other = pd.concat([tables.subset_predictions(row, folder) for row in one["rows"]], ignore_index=True)
    shared = set(frame["id"]) & set(other["id"])
    told = {
        "model": one["spec"]["model"],
        "setting": tables.format_setting(one["spec"]) or "default",
        "hashes": [row["hash"] for row in one["rows"]],
        "folds": one["folds"],
        "seeds": one["seeds"],
        "utterances": len(shared),
    }
    if not shared or list(labels) != one["labels"]:
        return told | {"n": 0, "unit": "none"} | {name: _nothing() for name in uncertainty.SCORES}
    mine, theirs = (part[part["id"].isin(shared)] for part in (frame, other))
    return told | uncertainty.paired(theirs, mine, labels)


def _nothing() -> dict:
    return {"difference": None, "interval": None, "p": None, "found": None}
