"""List the runs of a small search over settings, to score it both ways: chosen by validation, and chosen by test.

ResLSTM-SA is the published system whose settings were chosen by the UAR of the test predictions (100 trials of Optuna).
Its folds are the protocol ``reslstm-5``. Its source fixes the weight decay, the 100 epochs and the rule that keeps the
epoch (highest validation UAR). It gives lists for the batch, the period of the restarts and the dropout, and a range
for the learning rate: these are what it has searched. The rule is searched here, too, as a training gives all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ser_core._utils.errors import SerError
from ser_core._utils.words import near
from ser_core.experiments.spec import Spec
from ser_core.experiments.sweep import expand

FOLDS = range(5)
RATES, PERIODS, BATCHES = (0.0003, 0.001, 0.003), (1, 10), (16, 64)
"""Of the small search: learning rates, epochs between restarts, and batches; the last two are of the source's lists."""


def reslstm_recipe(**changed: Any) -> Spec:
    """Return the recipe of ResLSTM-SA on its first fold, with some fields changed.

    Examples
    --------
    >>> recipe = reslstm_recipe(fold=4)
    >>> recipe.protocol, recipe.weight_decay, recipe.epochs, recipe.keep
    ('reslstm-5', 0.0016, 100, 'uar')
    """
    fields: dict[str, Any] = {
        "learning_rate": 0.001,
        "restarts": 10,
        "batch": 16,
        "weight_decay": 0.0016,
        "epochs": 100,
        "keep": "uar",
    }
    fixed: dict[str, Any] = {
        "corpus": "ravdess",
        "protocol": "reslstm-5",
        "model": "reslstm_sa",
        "augment": "",
        "patience": 100,
    }
    return Spec(**fixed | fields | changed)


def reslstm_search() -> list[Spec]:
    """Return the runs of the search for ResLSTM-SA, the recipe first, one candidate after the other.

    Examples
    --------
    >>> runs = reslstm_search()
    >>> len(runs), runs[0] == reslstm_recipe()
    (180, True)
    """
    settings = expand(reslstm_recipe(), learning_rate=RATES, restarts=PERIODS, batch=BATCHES)
    each = dict.fromkeys([reslstm_recipe(), *settings])
    return [run for setting in each for run in expand(setting, fold=FOLDS, keep=("uar", "loss", "last"))]


SEARCHES: dict[str, Callable[[], list[Spec]]] = {"reslstm": reslstm_search}
"""Name of a search to the function that lists its runs."""


def search_specs(name: str) -> list[Spec]:
    """Return the runs of a search by its name; SerError for an unknown one."""
    if name not in SEARCHES:
        raise SerError(f"search {name!r}: not known{near(name, SEARCHES)}; choose among {', '.join(SEARCHES)}")
    return SEARCHES[name]()
