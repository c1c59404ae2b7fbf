"""A trained network as ``ser run`` keeps it: weights, what it was trained for, and its temperature.

Beside ``<hash>.keras`` stands ``<hash>.json``, its row; beside a network that ``ser export`` copied stands a JSON with
the same fields. Without one of them nothing says what a network's outputs mean, and it is refused.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from ser_core._utils.console import quiet_loading
from ser_core._utils.errors import SerError
from ser_core.experiments.spec import Spec, complete_fields, current_names
from ser_core.metrics import temperature_scaling

LICENCES = {"ravdess": "CC BY-NC-SA 4.0", "tess": "CC BY-NC-ND 4.0"}
"""Licence of what was trained on a corpus: that of its recordings. Compositions have both."""


@dataclass(frozen=True)
class SavedModel:
    """A network and all that is needed to use it."""

    network: object  # keras.Model in float32, from one utterance's input to probabilities
    facts: dict  # name, labels, spec, hash, demo, licence, temperature: JSON-able
    path: Path  # of its .keras file

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.facts["labels"])

    @property
    def temperature(self) -> float:
        return float(self.facts["temperature"])

    @property
    def settings(self):
        """What makes the network's input, a ``features.Settings``."""
        return Spec(**complete_fields(self.facts["spec"])).settings


def licence_of(corpus: str, demo: bool) -> str:
    """Licence under which a network trained on a corpus may be passed on, as far as the recordings decide it."""
    if demo:
        return "MIT (synthetic speech)"
    if corpus.startswith("ravtess"):
        return f"{LICENCES['ravdess']} and {LICENCES['tess']}"
    return LICENCES.get(corpus, "that of its recordings")


def find_weights(model: str | Path) -> Path:
    """The ``.keras`` file of a result's hash (also its first digits), or of a path.

    Raises
    ------
    SerError
        where there is none, or several begin with these digits
    """
    from ser_core.experiments.store import store_dir

    path = Path(model)
    if path.suffix in (".keras", ".json"):
        path = path.with_suffix(".keras")
        if not path.is_file():
            raise SerError(f"{path}: no such file; give a .keras or .onnx file, or the hash of a result")
        return path
    found = sorted(store_dir().glob(f"{model}*.keras")) if str(model).isalnum() else []
    if len(found) != 1:
        state = "several results begin so" if found else f"no trained network of this hash in {store_dir()}"
        raise SerError(f"model {model}: {state}; `ser run` trains one, and its row has the hash")
    return found[0]


def read_facts(path: Path) -> dict:
    """What the JSON beside a ``.keras`` file says of it.

    Raises
    ------
    SerError
        where it is missing or says too little
    """
    beside = path.with_suffix(".json")
    try:
        row = json.loads(beside.read_text(encoding="utf-8"))
        facts = {name: row[name] for name in ("hash", "labels", "spec", "demo")}
        facts["spec"] = current_names(facts["spec"])
        what = f"{row['spec']['model']}, {row['spec']['corpus']}"
    except (OSError, ValueError, KeyError, TypeError):
        raise SerError(f"{path}: {beside.name} must stand beside it and say what it was trained for") from None
    facts["name"] = row.get("name", what)
    facts["licence"] = row.get("licence", licence_of(row["spec"]["corpus"], row["demo"]))
    facts["temperature"] = row["temperature"] if "temperature" in row else _temperature(path, row)
    return facts


def _temperature(path: Path, row: dict) -> float:
    """Fitted on the validation predictions beside the weights; 1 where they are missing."""
    if not path.with_suffix(".parquet").is_file():
        return 1.0
    import pandas as pd

    predictions = pd.read_parquet(path.with_suffix(".parquet")).query("side == 'validation'")
    labels = list(row["labels"])
    return temperature_scaling.fit_temperature(
        predictions[labels].to_numpy(), predictions["truth"].map(labels.index).to_numpy()
    )


def load_model(model: str | Path) -> SavedModel:
    """Load a trained network by its result's hash or its ``.keras`` file, computing in float32 throughout.

    Raises
    ------
    SerError
        see :func:`locate` and :func:`facts_of`; and where the file cannot be read as a network
    """
    path = find_weights(model)
    facts = read_facts(path)
    return SavedModel(read_keras(path), facts, path)


def read_keras(path: Path, *, as_it_is: bool = False):
    """A ``.keras`` file as a network that computes in float32 whatever it was trained in, or ``as_it_is``."""
    with quiet_loading():
        import keras
    try:
        network = keras.models.load_model(path, compile=False)
        return network if as_it_is else as_float32(network)
    except Exception as error:
        raise SerError(f"{path}: cannot be read as a network ({' '.join(str(error).split())[:200]})") from None


def averaged_steps(network) -> int | None:
    """Steps of a network that takes the mean over time where others attend, else None.

    The mean is attention with equal weights, one over the number of steps.
    """
    names = {layer.name: layer for layer in network.layers}
    mean = names.get("mean_over_time")
    return mean.input.shape[1] if mean is not None and "attention" not in names else None


def as_float32(network):
    """The same network with every layer's policy float32; weights are float32 already under every policy."""
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
