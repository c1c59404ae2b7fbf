"""List every system by name, and build networks and learners; each family has a module of its own.

A network's builder takes the input shape and the number of classes. It returns an uncompiled ``keras.Model`` of
built-in layers only, so that ``keras.models.load_model`` alone loads a saved ``.keras`` file anywhere. A learner's
builder (``kind="learner"``) takes the number of classes and a seed: see :mod:`ser_core.models.classical`.
"""

import difflib
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ser_core._utils import backend, content_cache
from ser_core._utils.errors import SerError
from ser_core._utils.lazy import attach_modules
from ser_core.features import encoders, whisper
from ser_core.models import custom

attach_modules(__name__)

FIDELITY = {
    "text": "as the paper's text gives it",
    "exact": "the published number of parameters is met",
    "near": "public sources fix most of it",
    "reconstruction": "only an abstract is known; the idea is built",
    "standard": "a standard method",
    "own": "user-defined",
}
"""Fidelity of a model to its source, and what it means."""


def _frozen(**values: Any) -> MappingProxyType[str, Any]:
    return MappingProxyType(values)


@dataclass(frozen=True)
class Model:
    """Describe a system: a network, or a learner such as an SVM."""

    title: str  # as tables show it
    build: str  # "module:function" or "module:class"
    features: str  # the input that it was made for, one of inputs.INPUTS
    source: str  # publication or table that gives its layers
    fidelity: str  # how close it is to its source: a key of FIDELITY
    claimed: int | None = None  # published number of parameters
    recipe: MappingProxyType[str, Any] = field(default_factory=_frozen)  # fields of a spec that its source sets
    heads: tuple[str, ...] = ()  # further labels that it learns: columns of the utterance table
    kind: str = "network"  # or "learner"
    masks: bool = False  # whether its builder takes ``masked``, which ignores padded frames


_PAPER = "Table I, Eq. 5 and 6, II.D.5"
_KOSTA = "[32] in the form of public notebooks (Data-Science-kosta/Speech-Emotion-Classification-with-PyTorch)"
_SGD = _frozen(optimizer="sgd", learning_rate=0.01)
_RAW = _frozen(augment="")
_MODELS = "ser_core.models"
_PROPOSED, _MEL, _IMAGE = (f"{_MODELS}.{name}" for name in ("cnn_bilstm_attention", "mel", "image"))
_SEQUENCE, _CLASSICAL, _PROBES = (f"{_MODELS}.{name}" for name in ("sequence", "classical", "probes"))

MODELS: dict[str, Model] = {
    "cnn_bilstm_attention": Model(
        "CNN-BiLSTM-Attention (A5)", f"{_PROPOSED}:full", "42", _PAPER, "text", claimed=240_840, masks=True
    ),
    "cnn_bilstm_attention_lite": Model(
        "CNN-BiLSTM-Attention, lite", f"{_PROPOSED}:lite", "42",
        f"{_PAPER}; Conv2 and Conv3 depthwise-separable", "near", claimed=240_840, masks=True,
    ),
    "a1": Model("A1: CNN, MFCC", f"{_PROPOSED}:cnn", "39", "Tables V and VI, A1", "text", masks=True),
    "a2": Model("A2: CNN, MFCC+RMSE", f"{_PROPOSED}:cnn", "42", "Tables V and VI, A2", "text", masks=True),
    "a3": Model("A3: CNN+LSTM", f"{_PROPOSED}:cnn_lstm", "42", "Tables V and VI, A3", "text", masks=True),
    "a4": Model("A4: CNN+BiLSTM", f"{_PROPOSED}:cnn_bilstm", "42", "Tables V and VI, A4", "text", masks=True),
    "vgg16": Model(
        "VGG-16", f"{_IMAGE}:vgg16", "mel", "Simonyan and Zisserman 2015; head unknown", "standard",
        claimed=57_092_000, recipe=_frozen(learning_rate=0.0001),
    ),
    "resnet50": Model(
        "ResNet-50", f"{_IMAGE}:resnet50", "mel", "He et al. 2016", "exact", claimed=23_524_424
    ),
    "lstm_attention": Model(
        "LSTM+Attention", f"{_MEL}:lstm_attention", "mel", _KOSTA, "exact", claimed=200_969, recipe=_SGD
    ),
    "parallel_cnn_transformer": Model(
        "Parallel CNN+Transformer", f"{_MEL}:parallel_cnn_transformer", "mel", _KOSTA, "exact",
        claimed=395_176, recipe=_SGD,
    ),
    "base_cnn": Model("Base-CNN", f"{_MEL}:base_cnn", "mel", "[26], Slimi et al. 2022", "reconstruction", recipe=_SGD),
    "cnn_lstm": Model("CNN-LSTM", f"{_MEL}:cnn_lstm", "mel_chunks", f"{_KOSTA}; [16]", "near", recipe=_SGD),
    "cnn_transformer": Model(
        "Time-distributed CNN-Transformer", f"{_MEL}:cnn_transformer", "mel_chunks", "[26], Slimi et al. 2022",
        "reconstruction", recipe=_SGD,
    ),
    "parallel_cnn_attention": Model(
        "Parallel CNN-BiLSTM-Attention", f"{_MEL}:parallel_cnn_attention", "mel", "[27], Bautista et al. 2022", "near",
        claimed=263_593, recipe=_SGD,
    ),
    "resnet_cnn_transformer": Model(
        "ResNet-CNN-Transformer", f"{_SEQUENCE}:resnet_cnn_transformer", "mfcc40", "[25], Han et al. 2021",
        "reconstruction",
    ),
    "issa": Model(
        "Issa et al. CNN", f"{_SEQUENCE}:issa", "means", "[15], doi 10.1016/j.bspc.2020.101894", "near",
        recipe=_frozen(optimizer="rmsprop", learning_rate=0.00001),
    ),
    "cnn_lstm_1d": Model(
        "1D CNN-LSTM", f"{_SEQUENCE}:cnn_lstm_1d", "waveform", "[18], Zhao et al. 2019", "exact"
    ),
    "cnn_lstm_2d": Model("2D CNN-LSTM", f"{_MEL}:cnn_lstm_2d", "mel", "[18], Zhao et al. 2019", "near"),
    "clstm": Model(
        "CLSTM", f"{_SEQUENCE}:clstm", "waveform", "[17], Mustaqeem and Kwon 2020", "reconstruction",
        heads=("emotion",),
    ),
    "gated_residual": Model(
        "Gated residual, multi-task", f"{_SEQUENCE}:gated_residual", "mel", "[13], Zeng et al. 2019",
        "reconstruction", heads=("sex", "intensity"),
    ),
    "cnn_blstm_attention": Model(
        "CNN-BLSTM-Attention", f"{_MEL}:cnn_blstm_attention", "mel", "[20]", "reconstruction"
    ),
    "reslstm_sa": Model(
        "ResLSTM-SA", f"{_SEQUENCE}:reslstm_sa", "mfcc_chroma", "Krasnoproshin and Vashkevich 2026", "exact",
        claimed=46_772, recipe=_frozen(learning_rate=0.0002),
    ),
    "svm": Model(
        "SVM, functionals", f"{_CLASSICAL}:SupportVectorMachine", "functionals", "[9]; 294 functionals of 42 channels",
        "standard", recipe=_RAW, kind="learner",
    ),
    "svm_egemaps": Model(
        "SVM, eGeMAPS", f"{_CLASSICAL}:SupportVectorMachine", "egemaps", "[9]; Eyben et al. 2016", "standard",
        recipe=_RAW, kind="learner",
    ),
    "svm_compare": Model(
        "SVM, ComParE", f"{_CLASSICAL}:SupportVectorMachine", "compare", "[9]; Schuller et al. 2016", "standard",
        recipe=_RAW, kind="learner",
    ),
    "gmm": Model(
        "GMM", f"{_CLASSICAL}:GaussianMixtures", "39", "[9]; one diagonal mixture per emotion", "standard", recipe=_RAW,
        kind="learner",
    ),
    "hmm": Model(
        "HMM", f"{_CLASSICAL}:HiddenMarkovModels", "39", "[9]; five left-to-right states per emotion", "standard",
        recipe=_RAW, kind="learner",
    ),
    **{
        name: Model(
            f"{encoder.title}, linear probe", f"{_PROBES}:LinearProbe", name, encoder.source, "standard",
            recipe=_RAW, kind="learner",
        )
        for name, encoder in encoders.CHECKPOINTS.items()
    },
    **{
        f"{name}_attention": Model(
            f"{encoders.CHECKPOINTS[name].title}, attention probe", f"{_PROBES}:AttentionProbe", f"{name}_steps",
            encoders.CHECKPOINTS[name].source, "standard", recipe=_RAW, kind="learner",
        )
        for name in ("wav2vec2_base", "hubert_base", "wavlm_base")
    },
    "moe_wavlm_spectral": Model(
        "Mixture of experts, WavLM and spectral", f"{_PROBES}:mixture_of_experts", "wavlm_base_functionals",
        "[11], Hyeon et al. 2024", "reconstruction", recipe=_RAW,
    ),
    **{
        name: Model(
            f"{whisper.title(name)}, logistic probe", f"{_PROBES}:LogisticProbe", name, whisper.SOURCE, "standard",
            recipe=_RAW, kind="learner",
        )
        for name in whisper.COMBINATIONS
    },
}  # fmt: skip
"""Every system of the suite by name."""


def get_model(name: str) -> Model:
    """Return the description of a model.

    Parameters
    ----------
    name : str
        one of :data:`MODELS`, or a user-defined builder ``package.module:function`` (42 channels by default)

    Returns
    -------
    Model

    Raises
    ------
    SerError
        for an unknown name, or a user-defined builder that cannot be imported

    Examples
    --------
    >>> get_model("cnn_bilstm_attention").claimed
    240840
    """
    if name in MODELS:
        return MODELS[name]
    if ":" not in name:
        alike = [known for known, model in MODELS.items() if name.lower() in model.title.lower()]
        alike += difflib.get_close_matches(name.lower(), MODELS)
        suggestion = f"; did you mean {' or '.join(dict.fromkeys(alike))}" if 0 < len(alike) < 5 else ""
        advice = "`ser models` lists all; a user-defined model is package.module:function"
        raise SerError(f"model {name!r}: not known{suggestion}; {advice}")
    backend.load_keras()
    custom.user_function(name)
    return Model(name, name, "42", "user-defined", "own")


def _function(model: Model) -> Callable:
    if model.fidelity == "own":
        return custom.user_function(model.build)
    if model.kind == "network":
        backend.load_keras()
    module, function = model.build.split(":")
    return getattr(importlib.import_module(module), function)


def builder(name: str) -> Callable:
    """Return the function that builds a network, or the class of a learner.

    Parameters
    ----------
    name : str
        one of :data:`MODELS`, or ``package.module:function``

    Returns
    -------
    callable

    Raises
    ------
    SerError
        as :func:`get_model`
    """
    return _function(get_model(name))


def source_digest(name: str) -> str:
    """Return the hash of a user-defined builder's source, so that an edited builder is another model.

    Parameters
    ----------
    name : str
        one of :data:`MODELS`, or ``package.module:function``

    Returns
    -------
    str
        hexadecimal; "" for a system of the suite

    Examples
    --------
    >>> source_digest("a1")
    ''
    """
    return "" if name in MODELS else custom.source_digest(name)


def build(
    name: str, shape: tuple[int, ...], classes: int, heads: dict[str, int] | None = None, *, masked: bool = False
):
    """Build a network by name, uncompiled.

    Parameters
    ----------
    name : str
        a network of :data:`MODELS`, or ``package.module:function``
    shape : tuple of int
        of one utterance's input: (frames, channels), or another :func:`ser_core.features.inputs.input_shape`
    classes : int
        number of emotions
    heads : dict of int, optional
        number of values of each further label; by default ``classes`` for the emotion, else two
    masked : bool, default False
        ignore the frames after the end of an utterance (zero in all channels); only for models with ``masks``

    Returns
    -------
    keras.Model
        from float32 [batch, *shape] to probabilities [batch, classes]; a network with heads has one further output
        for each

    Raises
    ------
    SerError
        as :func:`get_model`, and for a learner
    """
    model = get_model(name)
    if model.kind != "network":
        raise SerError(f"model {name}: is a learner, not a network; `ser run --model {name}` trains it")
    function = _function(model)
    if masked:
        return function(shape, classes, masked=True)
    if not model.heads:
        return function(shape, classes)
    if heads is None:
        heads = {head: classes if head == "emotion" else 2 for head in model.heads}
    return function(shape, classes, heads)


def build_learner(name: str, classes: int, seed: int):
    """Build a classical system or a probe by name, unfitted.

    Parameters
    ----------
    name : str
        a learner of :data:`MODELS`
    classes : int
        number of emotions
    seed : int

    Returns
    -------
    learner
        with ``fit`` and ``predict_proba``; see :mod:`ser_core.models.classical`

    Examples
    --------
    >>> build_learner("svm", classes=8, seed=0).classes
    8
    """
    return builder(name)(classes, seed)


def count_parameters(model) -> int:
    """Count the trainable parameters of a Keras model.

    ``keras.Model.count_params`` would add the statistics of batch normalisation.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    int
    """
    import math

    return sum(math.prod(variable.shape) for variable in model.trainable_variables)


def attention_model(model):
    """Make a model that returns the attention weights together with the probabilities.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    keras.Model or None
        with outputs probabilities [batch, classes] and weights [batch, steps], which sum to 1 over the steps; a step
        of the proposed network covers eight frames (80 ms). None for a network without attention
    """
    import keras

    names = [layer.name for layer in model.layers]
    if "attention" not in names:
        return None
    weights = keras.layers.Flatten(name="attention_weights", dtype="float32")(model.get_layer("attention").output)
    return keras.Model(model.input, [model.output, weights])


def catalogue() -> list[dict]:
    """List every system with its parameters at 8 classes, as ``ser models`` shows them.

    Returns
    -------
    list of dict
        ``name``, ``title``, ``parameters`` (None for a learner), ``claimed``, ``fidelity``, ``input``, ``source``
    """
    from ser_core.features import inputs

    code = content_cache.code_digest(("models", "features"), ("keras", "tensorflow", "tensorflow-cpu"))
    counts = content_cache.remember("parameters", content_cache.name_of([code, list(MODELS)]), _count_all)
    return [
        {"name": name, "title": model.title, "parameters": counts[name], "claimed": model.claimed,
         "fidelity": model.fidelity, "input": inputs.get_input(model.features).title, "source": model.source}
        for name, model in MODELS.items()
    ]  # fmt: skip


def _count_all() -> dict[str, int | None]:
    """Build every network at 8 classes and count its parameters; None for a learner."""
    from ser_core import features
    from ser_core.features import inputs

    backend.load_keras()
    counts: dict[str, int | None] = dict.fromkeys(MODELS)
    for name, model in MODELS.items():
        if model.kind == "network":
            made_for = inputs.get_input(model.features)
            settings = features.FeatureSettings(features=model.features, frames=made_for.frames, rate=made_for.rate)
            counts[name] = count_parameters(build(name, inputs.input_shape(settings), 8))
    return counts
