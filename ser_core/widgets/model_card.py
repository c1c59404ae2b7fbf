"""List what the prediction page offers, and say how well a network does and where it must not be used."""

import json
from pathlib import Path

from ser_core import corpora
from ser_core._utils import paths
from ser_core._utils.errors import SerError
from ser_core.widgets.rendering import render

NOT_FOR = (
    "It was trained on acted speech: actors in a quiet room who speak fixed sentences. Its accuracy on everyday "
    "speech, other languages, children, noise or telephones was not measured. Its confidence is right on average for "
    "recordings like those of its training only.",
    "It classifies how a voice sounds, not what a person feels. Do not use it to judge, rank or watch people.",
)


def available_samples() -> dict[str, tuple[str, Path]]:
    """Return recordings to try: the embedded demo clips, and RAVDESS where it is available.

    Returns
    -------
    dict
        Name to (mark, path), one per emotion; the mark is "demo" or "training data".
    """
    from ser_core import corpora

    samples = {}
    for corpus, mark in (("demo_ravdess", "demo"), ("ravdess", "training data")):
        try:
            table = corpora.load(corpus)
        except SerError:
            continue
        title = "demo, synthetic" if mark == "demo" else "RAVDESS, in the training data"
        for emotion in corpora.labels(corpus):
            row = table[table["emotion"] == emotion].head(1)
            if len(row):
                samples[f"{emotion} ({title})"] = (mark, Path(row["path"].iloc[0]))
    return samples


def available_models() -> dict[str, Path | None]:
    """Return the networks to choose from: the pretrained one, and those in the store with their weights.

    Returns
    -------
    dict
        Name to the file of the weights; None is the pretrained network.
    """
    from ser_core.experiments import store

    found: dict[str, Path | None] = {"shipped with the suite": None}
    for result in store.load_rows(store.store_dir()):
        weights = store.weights_path(result)
        if result.ok and weights.is_file():
            spec = result.spec
            mark = ", demo" if result.demo else ""
            about = f"{spec['model']} on {spec['corpus']}, {spec['protocol']} {spec['fold']}, seed {spec['seed']}"
            found[f"{about}{mark} ({result.hash[:6]})"] = weights
    return found


def limitations(predictor, model: Path | None = None) -> str:
    """Return a network's training data, its scores and its limits, as HTML.

    Parameters
    ----------
    predictor : ser_core.inference.predict.Predictor
        The network.
    model : Path, optional
        Its file, as in :func:`available_models`; the results stored with it give the scores.
    """
    lines = [f"{predictor.name}. {measured_performance(model)} Licence: {predictor.licence}."]
    demo = ("A demo: it was trained on synthetic speech, and says nothing about people.",)
    lines += demo if predictor.demo else NOT_FOR
    return render("paragraphs", texts=lines)


def measured_performance(model: Path | None = None) -> str:
    """Return in one sentence how well a network recognises test utterances, computed from stored results.

    Parameters
    ----------
    model : Path, optional
        File of the weights, next to its result; None is the pretrained network.
    """
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
