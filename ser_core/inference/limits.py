"""Say in words how well a network does, and what it must not be used for."""

from __future__ import annotations

import json
from pathlib import Path

from ser_core._utils import paths

NOT_FOR = (
    "It was trained on acted speech: actors in a quiet room who speak fixed sentences. Its accuracy on everyday "
    "speech and on children was not measured; in other languages, in noise and on telephones it is lower, as far as it "
    "was measured. Its confidence is right on average for recordings like those of its training only.",
    "It classifies how a voice sounds, not what a person feels. Do not use it to judge, rank or watch people.",
)
DEMO = ("A demo: it was trained on synthetic speech, and says nothing about people.",)


def limit_texts(name: str, licence: str, demo: bool, model: Path | None = None) -> tuple[str, ...]:
    """Return a network's training data, its scores and its limits, one paragraph each.

    Parameters
    ----------
    name, licence : str
        Those of the network.
    demo : bool
        Whether it was trained on synthetic speech.
    model : Path, optional
        File of the weights, next to its result; None is the pretrained network.
    """
    try:
        performance = measured_performance(model)
    except ModuleNotFoundError:  # the base install cannot read results
        performance = "How well it does is on its model card."
    return (f"{name}. {performance} Licence: {licence}.", *(DEMO if demo else NOT_FOR))


def measured_performance(model: Path | None = None) -> str:
    """Return in one sentence how well a network recognises test utterances, computed from stored results.

    Parameters
    ----------
    model : Path, optional
        File of the weights, next to its result; None is the pretrained network.
    """
    from ser_core import corpora
    from ser_core.experiments import store
    from ser_core.inference import pretrained
    from ser_core.protocols import splits
    from ser_core.results.formatting import format_interval, format_percent
    from ser_core.results.pooling import pool_results

    folder = paths.root() / "runs" / "published" if model is None else Path(model).parent
    if model is None:
        choice = Path(pretrained.__file__).parent / "choice.json"
        names = json.loads(choice.read_text(encoding="utf-8"))["rows"] if choice.is_file() else []
    else:
        names = [Path(model).stem]
    rows = store.find_results(folder, names)
    if not rows or len(rows) < len(names):
        return "How well it does is not known here: its results are missing."
    (one,) = pool_results(rows, folder)
    assert one.intervals is not None  # the results are complete
    spec, unit = one.spec, one.intervals.unit
    title, folds = corpora.corpus_title(spec["corpus"]), f"{len(one.folds)} of {one.folds_total} folds"
    alike = "Networks trained alike on the folds reached" if model is None else "On its fold it reached"
    interval = one.intervals.uar
    spread = f"{format_interval(interval)} (95 % interval over {unit}s)" if interval else "without an interval"
    return (
        f"Trained on {title}. {alike} a UAR of {format_percent(one.scores['uar'])} % {spread} under protocol "
        f"{spec['protocol']} ({splits.PROTOCOLS[spec['protocol']]}), {folds}, {one.n_test:,} utterances; guessing "
        f"reaches {100 * one.chance:.1f} %."
    )
