"""The paper's tables as cells to run: which systems, on which corpus, under which settings.

Tables II and V are on RAVDESS, IV and VI on RavTess. ``all`` is these, every further system that the paper names or
that a reader would ask for, and the ablations: channels, augmentations, scaling, learning rate, Calm merged.
"""

from collections.abc import Iterator

from ser_core import corpora, models
from ser_core._utils.errors import SerError
from ser_core.experiments.spec import Spec
from ser_core.protocols import splits

A5, LITE = "cnn_bilstm_attention", "cnn_bilstm_attention_lite"
TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "table2": ("ravdess", ("vgg16", "resnet50", "lstm_attention", "parallel_cnn_transformer", A5, LITE)),
    "table4": ("ravtess", ("base_cnn", "cnn_lstm", A5, LITE)),
    "table5": ("ravdess", ("a1", "a2", "a3", "a4", A5)),
    "table6": ("ravtess", ("a1", "a2", "a3", "a4", A5)),
}
"""Name of a table: the paper's corpus, and the systems in the paper's order."""
CHANNELS = ("14", "40", "42", "wide")
TECHNIQUES = ("", "noise", "stretch", "shift", "pitch", "noise,stretch,shift,pitch")
ALL = "all"
NAMES = (*TABLES, ALL)


def ablation_grid() -> tuple[tuple[str, dict], ...]:
    """What is changed about the paper's network on RAVDESS, one thing at a time: (what, fields of a spec)."""
    return (
        *((f"features {name}", {"features": name}) for name in CHANNELS),
        *((f"augmentation {name or 'none'}", {"augment": name}) for name in TECHNIQUES),
        ("noise reduction", {"denoise": True}),
        ("no z-norm (Eq. 4)", {"znorm": False}),
        ("learning rate 0.0001", {"learning_rate": 0.0001}),
    )


def grid_fields(table: str, corpus: str | None = None) -> Iterator[dict]:
    """Fields of the specs of a table, without folds and seeds; ``corpus`` in place of the paper's own.

    Raises
    ------
    SerError
        for an unknown table
    """
    if table not in NAMES:
        raise SerError(f"table {table!r}: not known; choose among {', '.join(NAMES)}")
    for name in TABLES if table == ALL else (table,):
        own, systems = TABLES[name]
        for system in systems:
            yield {"corpus": corpus or own, "model": system}
    if table == ALL:
        named = {system for _, systems in TABLES.values() for system in systems}
        for system in models.MODELS:
            if system not in named:
                yield {"corpus": corpus or "ravdess", "model": system}
        for _, fields in ablation_grid():
            yield {"corpus": corpus or "ravdess", "model": A5, **fields}
        if corpus is None:
            yield {"corpus": "ravtess_calm_merged", "model": A5}


def grid_specs(table: str, *, corpus=None, folds=None, seeds=(0,), **fields) -> Iterator[Spec]:
    """Specs of a table, fold by fold, so that a sweep that is stopped early has whole columns.

    Parameters
    ----------
    table : one of :data:`NAMES`
    corpus : in place of the paper's own
    folds : iterable of folds; all by default
    seeds : iterable of seeds
    fields : further fields of every spec, which what the table itself varies overrides
    """
    chosen = [fields | own for own in grid_fields(table, corpus)]
    made = set()
    protocol = fields.get("protocol", "speaker")
    count = {one["corpus"]: splits.fold_count(corpora.load(one["corpus"]), protocol) for one in chosen}
    for seed in seeds:
        for fold in folds if folds is not None else range(max(count.values())):
            for one in chosen:
                spec = Spec(**one, fold=fold, seed=seed) if fold < count[one["corpus"]] else None
                if spec and spec not in made:
                    made.add(spec)
                    yield spec
