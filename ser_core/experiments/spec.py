"""Describe a run: the frozen :class:`Spec`, flat and JSON-able, and the hash that names its result."""

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType

from ser_core import corpora, models
from ser_core._utils.errors import SerError
from ser_core._utils.words import near
from ser_core.audio.augmentation import TECHNIQUES, Ranges, parse_techniques
from ser_core.features import CHANNELS, FeatureSettings, cache, inputs
from ser_core.protocols import splits
from ser_core.training import adaptation, batch_norm, fit
from ser_core.training.optimizers import OPTIMIZERS
from ser_core.training.selection import KEEP

CODE_VERSION = 1
"""Increased whenever the code changes the result of a spec."""
USUAL = {"augment": ",".join(TECHNIQUES), "optimizer": "adam", "learning_rate": 0.001}
"""Values of open fields (None) where the source of the model does not fix them; see ``models.Model.recipe``."""

MOST = MappingProxyType(
    {"frames": 60_000, "rate": 768_000, "copies": 100, "epochs": 1_000_000, "patience": 1_000_000, "batch": 100_000}
)
"""Largest values of fields that decide how much memory and time a run takes; 60,000 frames are ten minutes."""
PADDINGS = ("zero", "masked")
HASHED_NAMES = MappingProxyType({"features": "channels"})
"""Fields that were renamed after results were stored: the new name to the old one, which the hash still covers."""
STORED_NAMES = MappingProxyType({old: new for new, old in HASHED_NAMES.items()})
"""The old name to the new one, for reading stored results."""


@dataclass(frozen=True)
class Spec:
    """Describe everything that a result depends on. Defaults are the paper's, or this suite's reading of it.

    A field that is None gets the value that the model was made for, so that a made Spec has no None except
    ``test_corpus``, which belongs to the protocol ``cross``. ``condition`` is applied to the test audio only.

    Raises
    ------
    SerError
        for a value that is unknown, out of range, or does not fit the others
    """

    corpus: str = "demo"
    test_corpus: str | None = None
    protocol: str = "speaker"
    fold: int = 0
    model: str = "cnn_bilstm_attention"
    features: str = None  # type: ignore[assignment]  # one of features.inputs.INPUTS
    frames: int = None  # type: ignore[assignment]
    rate: int = None  # type: ignore[assignment]  # Hz
    znorm: bool = True
    normalise: bool = True
    denoise: bool = False
    augment: str | None = None
    copies: int = 1
    snr_low: float = 10.0
    snr_high: float = 20.0
    stretch: float = 0.1
    shift: float = 0.1
    pitch: float = 2.0
    epochs: int = 300
    patience: int = 20
    batch: int = 32
    optimizer: str | None = None
    learning_rate: float | None = None
    precision: str = "float32"
    seed: int = 0
    condition: str = "clean"  # one of audio.degradation.CONDITIONS
    padding: str = "zero"  # or "masked": frames after the end of an utterance are ignored
    adapt: str = "none"  # to the test corpus, without its labels: one of training.adaptation.KINDS
    keep: str = "loss"  # which epoch: one of training.selection.KEEP; "oracle" is a leak, for study
    batch_norm: str = "moving"  # one of training.batch_norm.KINDS: statistics of batch normalisation after dropout
    weight_decay: float = 0.0  # L2, of Adam
    restarts: int = 0  # epochs after which the learning rate restarts (cosine down to 1 %); 0: it is constant

    def __post_init__(self):
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731
        put("corpus", corpora.canonical_name(self.corpus))
        put("protocol", splits.canonical_protocol(self.protocol))
        if self.test_corpus is not None:
            put("test_corpus", corpora.canonical_name(self.test_corpus))
        model = models.get_model(self.model)
        put("features", self.features or model.features)
        made_for = inputs.get_input(self.features)
        for name, usual in (USUAL | {"frames": made_for.frames, "rate": made_for.rate}).items():
            if getattr(self, name) is None:
                put(name, model.recipe.get(name, usual))
        put("augment", ",".join(parse_techniques(self.augment)))
        put("znorm", self.znorm and made_for.znorm)
        put("normalise", self.normalise and made_for.normalise)
        if model.kind != "network":
            _check_choice(f"batch_norm of model {self.model}, which is not a network,", self.batch_norm, ("moving",))
            for field in fields(fit.TrainingConfig):  # a classical system has no epochs
                if field.name != "seed":
                    put(field.name, field.default)
            put("keep", "loss")
        self._check(model)

    def _check(self, model) -> None:
        _check_choice("protocol", self.protocol, splits.PROTOCOLS)
        _check_choice("precision", self.precision, fit.PRECISIONS)
        _check_choice("keep", self.keep, KEEP)
        _check_choice("optimizer", self.optimizer, OPTIMIZERS)
        for name in ("frames", "rate", "copies", "epochs", "patience", "batch", "learning_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SerError(f"{name} {getattr(self, name)}: must be above 0 and finite")
            if getattr(self, name) > MOST.get(name, float("inf")):
                raise SerError(f"{name} {getattr(self, name)}: must be at most {MOST[name]:,}")
        if not (0 <= self.weight_decay < 1 and 0 <= self.restarts <= MOST["epochs"]):
            raise SerError(
                f"weight_decay {self.weight_decay}, restarts {self.restarts}: must be 0 or above, weight_decay below 1"
            )
        if self.weight_decay and self.optimizer != "adam":
            raise SerError(f"weight_decay {self.weight_decay}: is that of adam; {self.optimizer} has its own")
        inputs.input_shape(self.settings)
        if self.features in CHANNELS and self.frames < 8:
            raise SerError(f"frames {self.frames}: must be at least 8, since three poolings by 2 must leave one step")
        chosen, made_for = inputs.get_input(self.features), inputs.get_input(model.features)
        fits = chosen.finish is made_for.finish or (chosen.znorm and made_for.znorm)
        if model.kind == "learner":
            fits = len(chosen.shape(self.frames)) == len(made_for.shape(made_for.frames))
        if self.model in models.MODELS and not fits:
            raise SerError(
                f"model {self.model}: was made for the input {model.features} and cannot take {self.features}"
            )
        if not 0 <= self.seed < 2**32:
            raise SerError(f"seed {self.seed}: must be 0 or above, and below 2**32")
        _check_choice("padding", self.padding, PADDINGS)
        if self.padding == "masked" and not model.masks:
            able = ", ".join(name for name, entry in models.MODELS.items() if entry.masks)
            raise SerError(f"padding masked: model {self.model} cannot ignore frames; choose among {able}")
        adaptation.check_adaptation(self.adapt, self.features)
        _check_choice("batch_norm", self.batch_norm, batch_norm.KINDS)
        self._check_test()

    def _check_test(self) -> None:
        if (self.test_corpus is not None) != (self.protocol == "cross"):
            raise SerError("test_corpus belongs to protocol cross: give both, or neither")
        if self.test_corpus is not None:
            known = [(name, corpora.get_corpus(name)) for name in (self.corpus, self.test_corpus)]
            first, second = ({*(corpus.parts or (name,)), corpus.extends or name} for name, corpus in known)
            if first & second:
                raise SerError(f"test_corpus {self.test_corpus}: shares recordings with {self.corpus}")
        if self.adapt != "none" and self.protocol != "cross":
            raise SerError(f"adapt {self.adapt}: belongs to protocol cross, which tests on another corpus")
        if self.protocol == "leaky" and not self.augment:
            raise SerError("protocol leaky: without augmentation there are no copies; name one with augment")
        if self.condition != "clean":
            from ser_core.audio import degradation

            degradation.check_condition(self.condition)

    @property
    def settings(self) -> FeatureSettings:
        """Return the fields that make the network's input."""
        return FeatureSettings(**_select_fields(self, FeatureSettings))

    @property
    def ranges(self) -> Ranges:
        """Return the ranges of augmentation."""
        return Ranges(**_select_fields(self, Ranges))

    @property
    def plan(self) -> fit.TrainingConfig:
        """Return the fields that configure the training."""
        return fit.TrainingConfig(**_select_fields(self, fit.TrainingConfig))


NAMES = tuple(f.name for f in fields(Spec))
"""Names of the fields of a spec."""


def _select_fields(spec: Spec, kind: type) -> dict:
    return {f.name: getattr(spec, f.name) for f in fields(kind)}


def _check_choice(name: str, value, choices) -> None:
    if value not in choices:
        raise SerError(f"{name} {value!r}: not known{near(str(value), choices)}; choose among {', '.join(choices)}")


def current_names(values: dict) -> dict:
    """Give the fields of a stored spec the names that they have today.

    >>> current_names({"channels": "42", "fold": 0})
    {'features': '42', 'fold': 0}
    """
    return {STORED_NAMES.get(name, name): value for name, value in values.items()}


def stored_names(values: dict) -> dict:
    """Give the fields of a spec the names under which they are hashed and sorted; undoes :func:`current_names`."""
    return {HASHED_NAMES.get(name, name): value for name, value in values.items()}


def complete_fields(values: dict) -> dict:
    """Complete the fields of a stored spec: those that came into being after it was stored get their defaults.

    A spec of a user-defined model or corpus is completed without importing or reading it.
    """
    values = {name: value for name, value in current_names(values).items() if name in NAMES}
    if values.get("model", Spec.model) in models.MODELS:
        with contextlib.suppress(SerError):  # a user-defined corpus that is missing here
            return asdict(Spec(**values))
    return {f.name: USUAL.get(f.name, f.default) for f in fields(Spec)} | values


def spec_hash(spec: Spec, data_version: str) -> str:
    """Return the name of a result: 16 hexadecimal digits over the spec, the data version and the code version.

    Fields at their defaults are left out, so that a new field does not rename stored results. For a user-defined model
    its source is included.

    Parameters
    ----------
    spec : Spec
    data_version : str
        see :func:`ser_core.experiments.run.data_version`
    """
    usual = {f.name: f.default for f in fields(Spec)} | USUAL
    content = stored_names({name: value for name, value in asdict(spec).items() if value != usual[name]})
    if spec.condition != "clean":
        content["conditions"] = cache.CONDITION_VERSION
    versions = {"input": inputs.get_input(spec.features).version, "model": models.version(spec.model)}
    content |= {f"{name} version": number for name, number in versions.items() if number > 1}
    if text := models.source_digest(spec.model):
        content["text"] = text
    content |= {"data": data_version, "code": CODE_VERSION, "raw features": cache.VERSION}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
