"""Check the JSON form of a result: a file in the store may be cut, edited, or of another program."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

from ser_core import models
from ser_core._utils.errors import SerError
from ser_core.corpora import CORPORA, formats
from ser_core.experiments.spec import NAMES, Spec, current_names

NAME = re.compile(r"[\w-]{1,80}")
"""What the hash of a result looks like; its files are named after it."""

_SCORED: Any = {str: (float, int, {str: object})}
SHAPES: dict[str, Any] = {
    **dict.fromkeys(("hash", "status", "error", "data_version", "trained", "standing", "processor", "when"), str),
    **dict.fromkeys(("n_train", "n_augmented", "n_validation", "n_test", "parameters", "epochs", "best_epoch"), int),
    **dict.fromkeys(("unavailable", "demo"), bool),
    **dict.fromkeys(("labels", "notes"), [str]),
    **dict.fromkeys(("scores", "validation", "seconds"), {str: float}),
    **dict.fromkeys(("history", "study"), {str: [float]}),
    **dict.fromkeys(("by_corpus", "by_copy"), {str: _SCORED}),
    **dict.fromkeys(("completeness", "test_completeness"), {str: (int, [str])}),
    "claimed": {str: (float, str)},
    "confusion": [[int]],
    "per_class": {str: {str: float}},
    "intervals": {str: (str, float, [float])},
    "left_out": {str: {str: int}},
    "unusable": {str: {str: str}},
    "versions": {str: str},
    "spec": {str: object},
    "schema": int,
}
"""Key of a result to the shape of its value: a type, [shape of the items], {str: shape of the values}, or a tuple of
shapes of which one must fit. A value may also be None."""
NEEDED = ("labels", "scores", "confusion", "n_test", "intervals")
"""Keys that a successful result must have."""
SCORES = ("accuracy", "uar", "precision", "recall", "f1")
CLASS_SCORES = {"precision", "recall", "f1", "support"}


def fits(value: Any, shape: Any) -> bool:
    """Return whether a value has a shape of :data:`SHAPES`.

    >>> fits({"a": [1, 2.5]}, {str: [float]}), fits([True], [int]), fits({"a": None}, {str: float})
    (True, False, True)
    """
    if value is None or shape is object:
        return True
    if isinstance(shape, tuple):
        return any(fits(value, one) for one in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and all(fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        (inner,) = shape.values()
        return isinstance(value, dict) and all(fits(item, inner) for item in value.values())
    if isinstance(value, bool):
        return shape is bool
    return isinstance(value, (int, float) if shape is float else shape)


def check_row(values: Any) -> None:
    """Check the stored form of a result.

    Parameters
    ----------
    values : any
        what ``json.loads`` gives

    Raises
    ------
    SerError
        for something else than a result, naming the key that is wrong
    """
    if not (isinstance(values, dict) and isinstance(values.get("spec"), dict) and {"hash", "status"} <= set(values)):
        raise SerError("not the result of a run: hash, spec and status are required")
    for key, shape in SHAPES.items():
        if not fits(values.get(key), shape):
            raise SerError(f"not the result of a run: {key} is {str(values[key])[:60]!r}")
    if not isinstance(values["hash"], str) or not NAME.fullmatch(values["hash"]):
        raise SerError(f"not the result of a run: its hash is {str(values['hash'])[:60]!r}")
    if values["status"] not in ("ok", "error"):
        raise SerError(f"not the result of a run: its status is {values['status']!r}")
    check_spec(values["spec"])
    if values["status"] == "ok":
        _check_scores(values)


def check_spec(values: dict[str, Any]) -> None:
    """Check the types of the fields of a stored spec, and their values; nothing is imported and no corpus is read.

    Raises
    ------
    SerError
        for a spec that cannot be
    """
    kinds: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
    values = {name: value for name, value in current_names(values).items() if name in NAMES}
    for field in fields(Spec):
        text, _, rest = str(getattr(field.type, "__name__", field.type)).partition(" | ")
        may_lack = bool(rest) or field.default is None
        value = values.get(field.name, field.default)
        if not fits(value, kinds[text]) or (value is None and not may_lack):
            raise SerError(f"not the result of a run: {field.name} of its spec is {str(value)[:60]!r}")
    try:
        Spec(**{**values, **_stand_ins(values)})
    except SerError as error:
        raise SerError(f"not the result of a run: its spec is none ({error})") from None


def _stand_ins(values: dict[str, Any]) -> dict[str, Any]:
    """Return known systems and corpora for those of the user, which may be missing here and must not be imported."""
    known: dict[str, Any] = {}
    if values.get("model", Spec.model) not in models.MODELS:
        known = {"model": Spec.model, "features": Spec.features, "padding": "zero"}
    for name, place in (("corpus", "ravdess"), ("test_corpus", "tess")):
        corpus = values.get(name)
        if corpus is not None and (formats.is_path(corpus) or corpus.lower() not in CORPORA or "\0" in corpus):
            known |= {"corpus": "ravdess", "test_corpus": "tess"} if values.get("test_corpus") else {name: place}
    return known


def _check_scores(values: dict[str, Any]) -> None:
    """Check that the parts of a successful result belong together."""
    lacking = [key for key in NEEDED if values.get(key) is None]
    if lacking:
        raise SerError(f"not the result of a run: without {', '.join(lacking)}")
    labels, matrix = values["labels"], values["confusion"]
    if len(set(labels)) != len(labels) or len(labels) < 2:
        raise SerError(f"not the result of a run: its labels are {', '.join(map(str, labels))[:60]!r}")
    if len(matrix) != len(labels) or any(row is None or len(row) != len(labels) or None in row for row in matrix):
        raise SerError(f"not the result of a run: its confusion matrix is not {len(labels)} x {len(labels)}")
    if any(values["scores"].get(name) is None for name in SCORES):
        raise SerError(f"not the result of a run: its scores lack one of {', '.join(SCORES)}")
    per_class = values.get("per_class") or {}
    if not set(per_class) <= set(labels) or any(set(each or ()) != CLASS_SCORES for each in per_class.values()):
        raise SerError("not the result of a run: per_class has other labels or scores")
