"""Keep a training that can be resumed: the last network, the network of each rule, and how far it has come."""

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from ser_core._utils.atomic import replace_atomically, write_atomically
from ser_core.training.optimizers import adam_with_decay
from ser_core.training.selection import kept_epochs

CURVES = ("loss", "accuracy", "val_loss", "val_accuracy")
DIGITS = 6
"""Decimals of a history that is shown or stored in a result."""


@dataclass
class TrainingProgress:
    """How far a training has come; the content of the checkpoint's JSON.

    Attributes
    ----------
    history : dict of name to list of float
        one value per epoch, rounded to :data:`DIGITS` decimals
    loss, uar : list of float
        of the validation utterances per epoch, not rounded; ``uar`` is empty where only the loss counts
    test_uar : list of float
        UAR of the test utterances per epoch, for study only; empty where it is not measured
    best_epoch : int
        the epoch that the rule ``loss`` keeps, from 1; 0 before the first
    seconds : float
    """

    history: dict = field(default_factory=lambda: {name: [] for name in CURVES})
    loss: list = field(default_factory=list)
    uar: list = field(default_factory=list)
    test_uar: list = field(default_factory=list)
    best_epoch: int = 0
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """Number of epochs trained."""
        return len(self.loss)


def random_states(model) -> list:
    """Return the variables that drive dropout, which Keras does not keep in a saved network."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]


class Checkpoint:
    """A folder with the last network, the networks that rules keep, and a JSON that names them.

    The JSON is replaced by a rename after the networks are written, so that it always names whole files.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.state = folder / "state.json"
        self.kept: dict[str, Path] = {}

    def load(self, rules=("loss",)):
        """Return (model, progress), or None where nothing usable is found; what is unusable is removed."""
        import keras

        adam_with_decay()  # so that a network that it trains can be loaded
        try:
            state = json.loads(self.state.read_text())
            model = keras.models.load_model(self.folder / state.pop("last"), compile=True)
            self.kept = {rule: self.folder / name for rule, name in state.pop("kept").items()}
            if not all(self.kept[rule].is_file() for rule in rules):
                raise FileNotFoundError(self.folder)
            for variable, value in zip(random_states(model), state.pop("random"), strict=True):
                variable.assign(value)
            return model, TrainingProgress(**state)
        except Exception:  # half-written, of another version, or missing: start again
            shutil.rmtree(self.folder, ignore_errors=True)
            return None

    def save(self, model, progress: TrainingProgress, patience: int, rules=("loss",)) -> None:
        """Write the network after an epoch, and keep it for each rule that chooses this epoch."""
        last = self.folder / f"last-{progress.epochs:04d}.keras"
        with replace_atomically(last, ".keras") as temporary:
            model.save(temporary)
        chosen = kept_epochs(progress.loss, progress.uar, patience, progress.test_uar)
        for rule in rules:
            kept = self.folder / f"kept-{rule}-{chosen[rule]:04d}.keras"
            if chosen[rule] == progress.epochs:
                with replace_atomically(kept, size=last.stat().st_size) as temporary:
                    shutil.copyfile(last, temporary)
            self.kept[rule] = kept
        progress.best_epoch = chosen["loss"]
        random = [np.asarray(variable).tolist() for variable in random_states(model)]
        names = {rule: path.name for rule, path in self.kept.items()}
        state = {"last": last.name, "kept": names, "random": random, **asdict(progress)}
        write_atomically(self.state, json.dumps(state).encode())
        for old in self.folder.glob("*.keras"):
            if old != last and old not in self.kept.values():
                old.unlink()

    def remove(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
