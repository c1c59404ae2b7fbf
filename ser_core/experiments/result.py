"""Hold the typed result of one run, and read and write its JSON form in the store."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any

from ser_core._utils.errors import SerError
from ser_core.experiments.row_shapes import check_row
from ser_core.experiments.spec import Spec, complete_fields
from ser_core.metrics.classification import ClassScores
from ser_core.metrics.uncertainty import Intervals, Scored

SCHEMA = 2
"""Version of the JSON form. Results without a version have the first, whose spec has ``channels`` for ``features``."""
OK, ERROR = "ok", "error"
"""Values of the status of a result."""
UNAVAILABLE_BEFORE = "not measured here: "
"""Start of the error line in results of the first schema whose model was unavailable."""
RARE = (
    "by_copy",
    "study",
    "chosen",
    "trained",
    "left_out",
    "test_completeness",
    "standing",
    "unavailable",
    "notes",
    "unusable",
)
"""Keys that the JSON form has only where they differ from the default."""


@dataclass(frozen=True)
class Completeness:
    """How much of a corpus was present when a run was made.

    Attributes
    ----------
    expected, found : int or None, utterances
    missing : tuple of str, ids
    """

    expected: int | None = None
    found: int | None = None
    missing: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dict that ``json.dumps`` takes."""
        return {"expected": self.expected, "found": self.found, "missing": list(self.missing)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Completeness:
        """Make a Completeness from :meth:`to_json`."""
        return cls(values["expected"], values["found"], tuple(values["missing"]))


@dataclass(frozen=True)
class RunResult:
    """Result of one run: one spec, one fold, one seed.

    Attributes
    ----------
    hash : str
        name of the result and of its files in the store
    spec : dict
        fields of the :class:`~ser_core.experiments.spec.Spec` as plain values; its user-defined model or corpus may
        be missing on this machine
    status : str
        ``"ok"`` or ``"error"``
    error : str or None
        one line on why the run failed
    unavailable : bool
        whether the run failed because weights or an optional library are unavailable
    data_version : str or None
        version of the data that the hash covers
    demo : bool
        whether the corpus is synthetic
    n_train, n_augmented, n_validation, n_test : int or None
        utterances, and augmented copies of training utterances
    claimed : dict or None
        scores in the paper for this system and corpus, and their source
    labels : tuple of str
        emotions, in the order of the confusion matrix and of the columns of probabilities
    scores : dict
        accuracy, uar, precision, recall, f1 on the test utterances; fractions
    intervals : Intervals or None
        95 % intervals of the scores
    by_corpus, by_copy : dict
        scores on each source of a composed corpus, and under ``leaky`` on original and on augmented clips
    per_class : dict
        emotion to its precision, recall, F1 and support
    confusion : list of lists of int
        rows are the truth
    validation : dict
        scores and loss on the validation utterances
    parameters : int or None
        trainable parameters
    history : dict
        loss, accuracy, val_loss and val_accuracy per epoch
    epochs, best_epoch : int or None
        epochs trained, and the epoch whose weights are used, counted from 1
    chosen : Any
        hyperparameters that a classical system chose on the validation groups, such as its penalty
    study : dict
        for study only: ``test_uar`` per epoch, which must not choose an epoch or a setting
    trained : str or None
        hash of the clean result whose weights a run under a condition uses
    left_out : dict
        under ``cross``: corpus to emotion to number of utterances whose emotion the other corpus lacks
    standing : str or None
        fidelity of the model to its source, one of ``ser_core.models.FIDELITY``
    seconds : dict
        features, training, evaluation
    completeness, test_completeness : Completeness or None
        of the corpus, and under ``cross`` of the test corpus
    versions : dict
        of Python, of this package and of the libraries
    notes : tuple of str
        lines that a reader of the scores must know, such as an emotion without training utterances
    unusable : dict
        corpus to id of an utterance that was left out, because its recording cannot be used, to the reason
    processor, when : str or None
        processor that made the run, and its day
    schema : int
        version of the JSON form
    other : dict
        keys of a stored result that this version does not know, unchanged
    path : Path or None
        the JSON file that it was loaded from; not part of the JSON form
    """

    hash: str
    spec: dict[str, Any]
    status: str = OK
    error: str | None = None
    unavailable: bool = False
    data_version: str | None = None
    demo: bool = False
    n_train: int | None = None
    claimed: dict[str, Any] | None = None
    labels: tuple[str, ...] = ()
    n_validation: int | None = None
    n_test: int | None = None
    scores: dict[str, float] = field(default_factory=dict)
    intervals: Intervals | None = None
    by_corpus: dict[str, Scored] = field(default_factory=dict)
    by_copy: dict[str, Scored] = field(default_factory=dict)
    per_class: dict[str, ClassScores] = field(default_factory=dict)
    confusion: list[list[int]] = field(default_factory=list)
    validation: dict[str, float] = field(default_factory=dict)
    parameters: int | None = None
    history: dict[str, list[float]] = field(default_factory=dict)
    epochs: int | None = None
    best_epoch: int | None = None
    chosen: Any = None
    study: dict[str, list[float]] = field(default_factory=dict)
    n_augmented: int | None = None
    trained: str | None = None
    left_out: dict[str, dict[str, int]] = field(default_factory=dict)
    test_completeness: Completeness | None = None
    standing: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    completeness: Completeness | None = None
    notes: tuple[str, ...] = ()
    unusable: dict[str, dict[str, str]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    processor: str | None = None
    when: str | None = None
    schema: int = SCHEMA
    other: dict[str, Any] = field(default_factory=dict)
    path: Path | None = field(default=None, compare=False, repr=False)

    def __repr__(self) -> str:
        names = ("model", "corpus", "protocol", "fold", "seed")
        what = ", ".join(f"{name} {self.spec.get(name)}" for name in names)
        if not self.ok:
            return f"RunResult({self.hash}: {what}; error: {self.error})"
        scores = ", ".join(f"{name} {self.scores.get(name, float('nan')):.3f}" for name in ("accuracy", "uar"))
        return f"RunResult({self.hash}: {what}; {scores}; {self.n_test} utterances)"

    @property
    def ok(self) -> bool:
        """Return whether the run succeeded."""
        return self.status == OK

    @property
    def setting(self) -> dict[str, Any]:
        """Return the fields of the spec without fold and seed, which pooled results have in common."""
        return {name: value for name, value in self.spec.items() if name not in ("fold", "seed")}

    def make_spec(self) -> Spec:
        """Make the Spec; this imports the module of a user-defined model.

        Raises
        ------
        SerError
            for a model or a corpus that is missing on this machine
        """
        return Spec(**self.spec)

    def to_json(self) -> dict[str, Any]:
        """Return the result as a dict that ``json.dumps`` takes, with the keys of the files in the store.

        A failed run has ``hash``, ``spec``, ``status``, ``error`` and every other field that differs from its default.
        """
        values: dict[str, Any] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            needed = item.name in ("hash", "spec", "status", "error") or (self.ok and item.name not in RARE)
            if item.name not in ("schema", "other", "path") and (needed or value != _default(item)):
                values[item.name] = _plain(item.name, value)
        return values | self.other | {"schema": self.schema}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> RunResult:
        """Make a result from a stored dict, also of an earlier schema; imports no user-defined model.

        Fields that are newer than the result get their defaults, in the spec too.

        Parameters
        ----------
        values : dict
            content of a JSON file of the store

        Returns
        -------
        RunResult

        Raises
        ------
        SerError
            for a dict that is not a result, or one written by a later version

        Examples
        --------
        >>> result = RunResult.from_json({"hash": "0123", "spec": {"corpus": "ravdess"}, "status": "error"})
        >>> result.ok, result.spec["fold"]
        (False, 0)
        """
        check_schema(values)
        check_row(values)
        try:
            return cls._made(values)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise SerError(f"not the result of a run: {type(error).__name__} {error}") from None

    @classmethod
    def _made(cls, values: dict[str, Any]) -> RunResult:
        """Make a result from a stored dict that was checked."""
        known = {item.name for item in fields(cls)} - {"schema", "other", "path"}
        typed = {name: _typed(name, value) for name, value in values.items() if name in known and value is not None}
        typed["spec"] = complete_fields(values["spec"])
        if values.get("schema", 1) < SCHEMA and (values.get("error") or "").startswith(UNAVAILABLE_BEFORE):
            typed["unavailable"] = True
        other = {name: value for name, value in values.items() if name not in known and name != "schema"}
        return cls(**typed, other=other)


def check_schema(values: Any) -> None:
    """Check that this version reads a stored result; SerError for one that a later version has written."""
    schema = values.get("schema", 1) if isinstance(values, dict) else 1
    if isinstance(schema, int) and schema > SCHEMA:
        raise SerError(
            f"result {values.get('hash')}: schema {schema} is newer than {SCHEMA}, which this version reads; "
            "update ser-core"
        )


def _default(item: Field) -> Any:
    """Return the default of a field of a dataclass."""
    if item.default_factory is not MISSING:
        return item.default_factory()
    return item.default


def _plain(name: str, value: Any) -> Any:
    """Return a field's value as JSON holds it."""
    if isinstance(value, Intervals | Completeness):
        return value.to_json()
    if name in ("by_corpus", "by_copy"):
        return {
            key: part.scores | {"n_test": part.n_test, "intervals": part.intervals.to_json()}
            for key, part in value.items()
        }
    if name == "per_class":
        return {label: dict(vars(scores)) for label, scores in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _typed(name: str, value: Any) -> Any:
    """Return a field's value from JSON."""
    if name == "intervals":
        return Intervals.from_json(value)
    if name in ("completeness", "test_completeness"):
        return Completeness.from_json(value)
    if name in ("by_corpus", "by_copy"):
        return {key: _part(part) for key, part in value.items()}
    if name == "per_class":
        return {label: ClassScores(**scores) for label, scores in value.items()}
    return tuple(value) if name in ("labels", "notes") else value


def _part(values: dict[str, Any]) -> Scored:
    """Return the scores on one part of the test utterances from JSON."""
    scores = {name: value for name, value in values.items() if name not in ("n_test", "intervals")}
    return Scored(values["n_test"], scores, Intervals.from_json(values["intervals"]), {}, {}, [])
