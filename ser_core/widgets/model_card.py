"""What the prediction page offers, and what it says about itself: samples, networks, how well one does, its limits."""

import html
import json
from pathlib import Path

from ser_core import corpora
from ser_core._utils import paths
from ser_core._utils.errors import SerError

NOT_FOR = (
    "It heard acted speech: people who played emotions, in a quiet room, in fixed sentences. Nobody measured what it "
    "does with everyday speech, other languages, children, noise or telephones; its confidence is right on average for "
    "recordings like those of its training, and for no others.",
    "It hears how a voice sounds, not what a person feels. Do not use it to judge, rank or watch people.",
)


def available_samples() -> dict[str, tuple[str, Path]]:
    """Recordings to try: what to call each -> (mark, path). The embedded demo clips, and RAVDESS where it is."""
    from ser_core import corpora

    found = {}
    for corpus, mark in (("demo_ravdess", "demo"), ("ravdess", "training data")):
        try:
            table = corpora.load(corpus)
        except SerError:
            continue
        title = "demo, synthetic" if mark == "demo" else "RAVDESS, heard in training"
        for emotion in corpora.labels(corpus):
            row = table[table["emotion"] == emotion].head(1)
            if len(row):
                found[f"{emotion} ({title})"] = (mark, Path(row["path"].iloc[0]))
    return found


def available_models() -> dict[str, Path | None]:
    """Networks to choose from: what to call each -> its file; None is the shipped one."""
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
    """What a network was trained on, how well it does, and what it must not be used for, in words, as HTML.

    model : as in :func:`models_here`; its result rows give the figure
    """
    lines = [f"{predictor.name}. {measured_performance(model)} Licence: {predictor.licence}."]
    demo = ("A demo: it was trained on synthetic speech, and says nothing about people.",)
    lines += demo if predictor.demo else NOT_FOR
    return "".join(f"<p>{html.escape(line)}</p>" for line in lines)


def measured_performance(model: Path | None = None) -> str:
    """How well a network recognises what it was not trained on, in one sentence made from stored rows."""
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
    rows = [row for name in names if (row := store.load_row(folder / f"{name}.json"))]
    if not rows or len(rows) < len(names):
        return "How well it does is not known here: its result rows are missing."
    (one,) = pool_results(rows, folder)
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
