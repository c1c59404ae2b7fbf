"""Build networks and learners by name; each family has a module of its own, :mod:`systems` lists all.

A network's builder takes the input shape and the number of classes. It returns an uncompiled ``keras.Model`` of
built-in layers only, so that ``keras.models.load_model`` alone loads a saved ``.keras`` file anywhere. A learner's
builder (``kind="learner"``) takes the number of classes and a seed: see :mod:`ser_core.models.classical`.
"""

import importlib
from collections.abc import Callable

from ser_core._utils import backend, content_cache
from ser_core._utils.errors import SerError
from ser_core._utils.lazy import attach_modules
from ser_core._utils.words import near
from ser_core.models import custom
from ser_core.models.systems import FIDELITY, MODELS, Model

__all__ = [
    "FIDELITY",
    "MODELS",
    "Model",
    "attention_model",
    "build",
    "build_learner",
    "builder",
    "catalogue",
    "count_parameters",
    "get_model",
    "source_digest",
    "version",
]

attach_modules(__name__)


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
        suggestion = near(name, MODELS, {known: model.title for known, model in MODELS.items()})
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


def version(name: str) -> int:
    """Return the version of a system of the suite; 1 for a user-defined model, whose source identifies it.

    >>> version("a1"), version("svm")
    (1, 2)
    """
    return MODELS[name].version if name in MODELS else 1


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
        ``name``, ``title``, ``parameters`` (None where they depend on the data), ``claimed``, ``fidelity``, ``input``,
        ``source``
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
    """Count the parameters of every system at 8 classes; None for a learner whose number depends on the data."""
    from ser_core import features
    from ser_core.features import inputs

    backend.load_keras()
    counts: dict[str, int | None] = dict.fromkeys(MODELS)
    for name, model in MODELS.items():
        made_for = inputs.get_input(model.features)
        settings = features.FeatureSettings(features=model.features, frames=made_for.frames, rate=made_for.rate)
        shape = inputs.input_shape(settings)
        if model.kind == "network":
            counts[name] = count_parameters(build(name, shape, 8))
        elif weights := getattr(_function(model), "weights", None):
            counts[name] = weights(shape[-1], 8)
    return counts
