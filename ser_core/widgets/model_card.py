"""List what the prediction page offers, and say how well a network does and where it must not be used."""

from pathlib import Path

from ser_core import corpora
from ser_core._utils.errors import SerError
from ser_core.inference.limits import NOT_FOR, limit_texts, measured_performance
from ser_core.widgets.rendering import render

__all__ = [
    "NOT_FOR",
    "available_models",
    "available_samples",
    "limitations",
    "measured_performance",
]


def available_samples() -> dict[str, tuple[str, Path]]:
    """Return recordings to try: the embedded demo clips, and RAVDESS where it is available.

    Returns
    -------
    dict
        Name to (mark, path), one per emotion; the mark is "demo" or "training data".
    """

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
    from ser_core.results.formatting import format_setting, system_title

    found: dict[str, Path | None] = {"pretrained (comes with the suite)": None}
    yours = []
    for result in store.load_rows(store.store_dir()):
        weights = store.weights_path(result)
        if result.ok and weights.is_file():
            spec = result.spec
            parts = [f"{system_title(spec['model'])}", format_setting(spec), f"protocol {spec['protocol']}"]
            parts += [f"fold {spec['fold']}", f"seed {spec['seed']}"]
            about = f"yours, {corpora.corpus_title(spec['corpus'])}: {', '.join(part for part in parts if part)}"
            yours.append((f"{about} ({result.hash[:6]})", weights))
    found |= dict(sorted(yours))
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
    return render("paragraphs", texts=limit_texts(predictor.name, predictor.licence, predictor.demo, model))
