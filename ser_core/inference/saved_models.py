"""Load trained networks from the store: weights, labels, spec and temperature.

With ``<hash>.keras`` lies ``<hash>.json``, its result; a network that ``ser export`` copied has a JSON file with the
same fields. A network without one is refused, because the meaning of its outputs is unknown.
"""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from ser_core._utils import backend
from ser_core._utils.errors import SerError
from ser_core.experiments.row_shapes import check_spec
from ser_core.experiments.spec import complete_fields, current_names
from ser_core.features import FeatureSettings, inputs
from ser_core.inference.checks import check_temperature
from ser_core.metrics import temperature_scaling

LICENCES = {"ravdess": "CC BY-NC-SA 4.0", "tess": "CC BY-NC-ND 4.0"}
"""Licence of a network trained on a corpus: that of its recordings. Combined corpora have both."""


@dataclass(frozen=True)
class SavedModel:
    """Hold a network and what is needed to use it."""

    network: Any  # keras.Model in float32, from one utterance's input to probabilities
    facts: dict  # name, labels, spec, hash, demo, licence, temperature: JSON-able
    path: Path  # of its .keras file

    @property
    def labels(self) -> tuple[str, ...]:
        """Emotions, in the order of the network's outputs."""
        return tuple(self.facts["labels"])

    @property
    def temperature(self) -> float:
        """Temperature of its probabilities, fitted on validation utterances."""
        return float(self.facts["temperature"])

    @property
    def settings(self):
        """Settings of the network's input, a :class:`ser_core.features.FeatureSettings`."""
        return read_settings(self.facts)


def read_settings(facts: dict):
    """Read the settings of a network's input, a :class:`ser_core.features.FeatureSettings`, from its facts.

    Training may take more than prediction, such as copies of each utterance; the settings are those of prediction.
    """
    check_spec(facts["spec"])
    spec = complete_fields(facts["spec"])  # no Spec, which would import a user-defined model
    settings = FeatureSettings(**{item.name: spec[item.name] for item in fields(FeatureSettings)})
    asked = inputs.get_input(settings.features).asked
    return replace(settings, features=asked) if asked else settings


def licence_of(corpus: str, demo: bool) -> str:
    """Return the licence of a network trained on a corpus, as far as the recordings decide it.

    Parameters
    ----------
    corpus : str
        Name of the corpus.
    demo : bool
        Whether its speech is synthetic.

    Examples
    --------
    >>> licence_of("ravdess", demo=False), licence_of("demo_ravdess", demo=True)
    ('CC BY-NC-SA 4.0', 'CC0 1.0 (synthetic speech)')
    """
    if demo:
        return "CC0 1.0 (synthetic speech)"
    if corpus.startswith("ravtess"):
        return f"{LICENCES['ravdess']} and {LICENCES['tess']}"
    return LICENCES.get(corpus, "that of its recordings")


def find_weights(model: str | Path) -> Path:
    """Find the ``.keras`` file of a network.

    Parameters
    ----------
    model : str or Path
        A result's hash or its first digits, or a path.

    Raises
    ------
    SerError
        Where the file is missing, or several hashes begin with these digits.
    """
    from ser_core.experiments.store import store_dir

    path = Path(model)
    if path.suffix in (".keras", ".json"):
        path = path.with_suffix(".keras")
        if not path.is_file():
            raise SerError(f"{path}: no such file; give a .keras or .onnx file, or the hash of a result")
        return path
    if path.is_file() or path.suffix:
        raise SerError(f"{path}: is no network for this; give a .keras or .onnx file, or the hash of a result")
    matches = sorted(store_dir().glob(f"{model}*.keras")) if str(model).isalnum() else []
    results = sorted(store_dir().glob(f"{model}*.json")) if str(model).isalnum() and not matches else []
    if len(results) == 1:
        raise SerError(f"model {model}: a result without weights, which only networks have; give that of a network")
    if len(matches) != 1:
        state = "several results begin so" if matches else f"no trained network of this hash in {store_dir()}"
        raise SerError(f"model {model}: {state}; `ser run` trains one, and its result has the hash")
    return matches[0]


def read_facts(path: Path) -> dict:
    """Read the JSON file of a ``.keras`` file.

    Parameters
    ----------
    path : Path
        The ``.keras`` file.

    Returns
    -------
    dict
        ``hash``, ``labels``, ``spec``, ``demo``, ``name``, ``licence`` and ``temperature``; ``whole_corpus`` where the
        network was trained on all of one.

    Raises
    ------
    SerError
        Where the JSON file is missing or incomplete.
    """
    beside = path.with_suffix(".json")
    try:
        row = json.loads(beside.read_text(encoding="utf-8"))
        facts = {name: row[name] for name in ("hash", "labels", "spec", "demo")}
        facts["spec"] = current_names(facts["spec"])
        default_name = f"{row['spec']['model']}, {row['spec']['corpus']}"
        facts["name"] = str(row.get("name", default_name))
        facts["licence"] = str(row.get("licence") or licence_of(str(row["spec"]["corpus"]), row["demo"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise SerError(f"{path}: {beside.name} with its labels and spec must lie in the same folder") from None
    if "whole_corpus" in row:
        facts["whole_corpus"] = str(row["whole_corpus"])
    facts["temperature"] = check_temperature(
        row["temperature"] if "temperature" in row else _temperature(path, row), beside
    )
    return facts


def _temperature(path: Path, row: dict) -> float:
    """Fit the temperature on the validation predictions stored with the weights; 1 where they are missing."""
    if not path.with_suffix(".parquet").is_file():
        return 1.0
    import pandas as pd

    beside = path.with_suffix(".parquet")
    try:
        predictions = pd.read_parquet(beside).query("side == 'validation'")
        labels = list(row["labels"])
        return temperature_scaling.fit_temperature(
            predictions[labels].to_numpy(), predictions["truth"].map(labels.index).to_numpy()
        )
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SerError(f"{beside}: its predictions cannot be read ({reason}); `ser run` makes them again") from None


def load_model(model: str | Path) -> SavedModel:
    """Load a trained network, computing in float32 throughout.

    Parameters
    ----------
    model : str or Path
        A result's hash or its first digits, or a ``.keras`` file.

    Raises
    ------
    SerError
        See :func:`find_weights` and :func:`read_facts`; also where the file cannot be read as a network.
    """
    path = find_weights(model)
    facts = read_facts(path)
    try:
        read_settings(facts)
    except SerError as error:
        raise SerError(f"{path}: its JSON file has a spec that cannot be: {error}") from None
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise SerError(
            f"{path}: its JSON file has a spec that cannot be ({reason}); export the network again"
        ) from None
    return SavedModel(read_keras(path), facts, path)


def read_keras(path: Path, *, as_it_is: bool = False):
    """Read a ``.keras`` file as a network.

    Parameters
    ----------
    path : Path
        The file.
    as_it_is : bool, default False
        Keep the precision of training; otherwise the network computes in float32.

    Raises
    ------
    SerError
        Where the file cannot be read as a network.
    """
    keras = backend.load_keras()
    try:
        network = keras.models.load_model(path, compile=False)
        return network if as_it_is else as_float32(network)
    except Exception as error:
        raise SerError(f"{path}: cannot be read as a network ({' '.join(str(error).split())[:200]})") from None


def averaged_steps(network) -> int | None:
    """Return the number of steps that a network averages over time, or None for other networks.

    The mean over time equals attention whose weights are all one over the number of steps.
    """
    names = {layer.name: layer for layer in network.layers}
    mean = names.get("mean_over_time")
    return mean.input.shape[1] if mean is not None and "attention" not in names else None


def as_float32(network):
    """Copy a network with the policy float32 in every layer; the weights are float32 under every policy."""
    import keras

    def plain(value):
        if isinstance(value, dict):
            if value.get("class_name") == "DTypePolicy":
                return value | {"config": {"name": "float32"}}
            return {key: plain(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(plain(inner) for inner in value)
        return "float32" if value in ("mixed_bfloat16", "bfloat16", "mixed_float16") else value

    same = keras.models.model_from_json(json.dumps(plain(json.loads(network.to_json()))))
    same.set_weights(network.get_weights())
    return same
