"""List the runs of the paper's tables: systems, corpora and settings.

Tables II and V are on RAVDESS, IV and VI on RavTess. ``all`` is these, every further system of this suite, and the
ablations: feature channels, augmentation, noise reduction, scaling, learning rate, Calm merged into Neutral.
"""

from collections.abc import Iterable, Iterator
from typing import Any

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
"""Name of a table to the paper's corpus, and the systems in the paper's order."""
CHANNELS = ("14", "40", "42", "wide")
"""Feature sets of the ablation."""
TECHNIQUES = ("", "noise", "stretch", "shift", "pitch", "noise,stretch,shift,pitch")
"""Augmentations of the ablation."""
ALL = "all"
NAMES = (*TABLES, ALL)
"""Names of the tables that :func:`grid_specs` accepts."""


def ablation_grid() -> tuple[tuple[str, dict[str, Any]], ...]:
    """List the ablations of the paper's network, each with one setting changed.

    Returns
    -------
    tuple of (str, dict)
        title, and the fields of a spec that differ from the default

    Examples
    --------
    >>> dict(ablation_grid())["noise reduction"]
    {'denoise': True}
    """
    return (
        *((f"features {name}", {"features": name}) for name in CHANNELS),
        *((f"augmentation {name or 'none'}", {"augment": name}) for name in TECHNIQUES),
        ("noise reduction", {"denoise": True}),
        ("no z-norm (Eq. 4)", {"znorm": False}),
        ("learning rate 0.0001", {"learning_rate": 0.0001}),
    )


def grid_fields(table: str, corpus: str | None = None) -> Iterator[dict[str, Any]]:
    """List the fields of the specs of a table, without folds and seeds.

    Parameters
    ----------
    table : str
        one of :data:`NAMES`
    corpus : str, optional
        by default the paper's

    Yields
    ------
    dict

    Raises
    ------
    SerError
        for an unknown table
    """
    if table not in NAMES:
        raise SerError(f"table {table!r}: unknown; choose among {', '.join(NAMES)}")
    for name in TABLES if table == ALL else (table,):
        paper_corpus, systems = TABLES[name]
        for system in systems:
            yield {"corpus": corpus or paper_corpus, "model": system}
    if table == ALL:
        in_tables = {system for _, systems in TABLES.values() for system in systems}
        for system in models.MODELS:
            if system not in in_tables:
                yield {"corpus": corpus or "ravdess", "model": system}
        for _, fields in ablation_grid():
            yield {"corpus": corpus or "ravdess", "model": A5, **fields}
        if corpus is None:
            yield {"corpus": "ravtess_calm_merged", "model": A5}


def grid_specs(
    table: str,
    *,
    corpus: str | None = None,
    folds: Iterable[int] | None = None,
    seeds: Iterable[int] = (0,),
    **fields: Any,
) -> Iterator[Spec]:
    """List the specs of a table, fold by fold, so that an interrupted sweep has complete folds.

    Parameters
    ----------
    table : str
        one of :data:`NAMES`
    corpus : str, optional
        by default the paper's
    folds : iterable of int, optional
        by default all folds of each corpus
    seeds : iterable of int, default (0,)
    **fields
        further fields of every spec; those that the table varies override them

    Yields
    ------
    Spec
        each once

    Raises
    ------
    SerError
        for an unknown table, or an invalid field
    """
    variants = [fields | varied for varied in grid_fields(table, corpus)]
    protocol = fields.get("protocol", "speaker")
    names = dict.fromkeys(variant["corpus"] for variant in variants)
    count = {name: splits.fold_count(corpora.load(name), protocol) for name in names}
    folds = range(max(count.values())) if folds is None else list(folds)
    made = set()
    for seed in seeds:
        for fold in folds:
            for variant in variants:
                spec = Spec(**variant, fold=fold, seed=seed) if fold < count[variant["corpus"]] else None
                if spec and spec not in made:
                    made.add(spec)
                    yield spec
