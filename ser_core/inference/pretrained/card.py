"""Write the model card of the pretrained network from the published results that ``choice.json`` names."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from ser_core import features, metrics, models
from ser_core._utils.errors import SerError
from ser_core.experiments.store import load_predictions, load_rows
from ser_core.features import inputs
from ser_core.inference.pretrained import card_tables, domain_table
from ser_core.metrics import temperature_scaling, uncertainty
from ser_core.metrics.uncertainty import Scored
from ser_core.results.formatting import format_setting
from ser_core.training import mixing

BINS = 15
"""Number of equal-width bins of the expected calibration error (Guo et al. 2017)."""


def reliability_summary(probabilities: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Compute the calibration of probabilities.

    Parameters
    ----------
    probabilities : float [utterances, labels]
        Predicted probabilities.
    truth : int [utterances]
        Index of the true label.

    Returns
    -------
    dict
        ``ece``: expected calibration error, the mean over utterances of the distance between confidence and accuracy
        of their bin (0 to 1); ``nll``: mean cross-entropy; ``brier``: mean squared distance to the truth (0 to 2);
        ``confidence`` and ``accuracy``: means.

    Examples
    --------
    >>> found = reliability_summary(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 0, 1]))
    >>> found["ece"], found["confidence"], found["accuracy"]
    (0.0, 0.75, 0.75)
    """
    rows = np.arange(len(truth))
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    inside = [bins == b for b in set(bins.tolist())]
    gaps = [abs(confidence[them].mean() - right[them].mean()) * them.mean() for them in inside]
    exact = np.zeros_like(probabilities)
    exact[rows, truth] = 1.0
    return {
        "ece": float(sum(gaps)),
        "nll": float(-np.log(np.maximum(probabilities[rows, truth], 1e-7)).mean()),
        "brier": float(((probabilities - exact) ** 2).sum(axis=1).mean()),
        "confidence": float(confidence.mean()),
        "accuracy": float(right.mean()),
    }


def card_figures(choice: dict, folder: Path) -> dict:
    """Compute every number of the card from the results of the chosen network's folds.

    Parameters
    ----------
    choice : dict
        Content of ``choice.json``.
    folder : Path
        Folder of the published results.

    Returns
    -------
    dict
        ``test`` (scores, intervals, n), ``per_class``, ``calibration`` (before and
        after, on test utterances, each fold with the temperature of its own validation subset), ``labels``,
        ``seeds``, ``train_speakers`` and ``parameters``.

    Raises
    ------
    SerError
        Where a result is missing.
    """
    rows = [row for row in load_rows(folder) if row.hash in choice["rows"]]
    if len(rows) != len(choice["rows"]):
        raise SerError(f"{folder}: {len(choice['rows']) - len(rows)} results that choice.json names are missing")
    labels, tests, calibrated = list(rows[0].labels), [], []
    for row in rows:
        subsets = dict(list(load_predictions(row, folder).groupby("side")))
        validation, test = subsets["validation"], subsets["test"]
        index = lambda frame: frame["truth"].map(labels.index).to_numpy()  # noqa: E731
        own = temperature_scaling.fit_temperature(validation[labels].to_numpy(), index(validation))
        tests.append(test)
        calibrated.append(temperature_scaling.apply_temperature(test[labels].to_numpy(), own))
    test = pd.concat(tests, ignore_index=True)
    truth = test["truth"].map(labels.index).to_numpy()

    def evaluate(part: pd.DataFrame) -> Scored:
        return replace(uncertainty.score_predictions(part, labels), n_test=part["id"].nunique())

    return {
        "test": evaluate(test),
        "per_class": metrics.per_class(test["truth"], test["prediction"], labels),
        "calibration": {
            "before": reliability_summary(test[labels].to_numpy(dtype=float), truth),
            "after": reliability_summary(np.concatenate(calibrated), truth),
        },
        "labels": labels,
        "seeds": len({row.spec["seed"] for row in rows}),
        "train_speakers": 16,
        "parameters": rows[0].parameters,
    }


def _percent(scored: Scored, score: str) -> str:
    """Format a score with its interval in %."""
    interval = scored.intervals.get(score)
    limits = f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]" if interval else ""
    return f"{100 * scored.scores[score]:.1f}{limits}"


def _network(spec: dict) -> str:
    """Name a network with its features and augmentation."""
    title = models.get_model(spec["model"]).title
    if spec["features"] not in features.CHANNELS:
        return f"{title}, {inputs.get_input(spec['features']).title}"
    setting = format_setting(spec | {"precision": "float32"}) or "augmented by all four techniques"
    return ", ".join(filter(None, [title, f"{len(features.CHANNELS[spec['features']])} channels", setting]))


def card_markdown(choice: dict, folder: Path) -> str:
    """Return the card as Markdown.

    Parameters
    ----------
    choice : dict
        Content of ``choice.json``.
    folder : Path
        Folder of the published results.

    Raises
    ------
    SerError
        Where a result is missing.
    """
    figures = card_figures(choice, folder)
    sections = (
        [
            "# Model card: the pretrained network",
            "",
            "Generated by `python -m ser_core.inference.pretrained.make card` from published results and from the "
            "measurements in choice.json.",
            "",
        ],
        _description(choice, figures),
        _selection(choice),
        _scores(figures),
        card_tables.comparison_section(choice, folder),
        card_tables.groups_section(choice, folder),
        card_tables.conditions_section(choice, folder),
        card_tables.cross_section(choice, folder),
        _calibration(choice, figures),
        domain_table.card_section(choice.get("domain")),
        _uses(),
        _origin(choice),
    )
    return "\n".join(line for section in sections for line in section)


def _description(choice: dict, figures: dict) -> list[str]:
    spec, labels = choice["spec"], figures["labels"]
    if choice["epochs"] is None:
        attention = ". It says nothing about moments within a recording: it has no attention."
    elif "attention" in spec["model"]:
        attention = " and attention weights."
    else:
        attention = (
            ". It takes the mean over time, so that its attention weights are all equal: it cannot say which moments "
            "matter."
        )
    return [
        "## What it is",
        "",
        f"- **Network:** {_network(spec)}; {figures['parameters']:,} parameters.",
        f"- **File:** `model.onnx`, {choice['bytes']:,} bytes. It takes mono sound at 16 kHz and gives a probability "
        f"for each of {len(labels)} emotions ({', '.join(labels)}){attention}",
        "- **Data:** RAVDESS speech, all 1,440 utterances of 24 professional actors who say two English sentences with "
        "acted emotions in a studio (Livingstone and Russo 2018, doi:10.5281/zenodo.1188976).",
        _training(choice),
        "- **Licence:** CC BY-NC-SA 4.0, as the recordings: `LICENSE.md`.",
        "",
    ]


def _training(choice: dict) -> str:
    spec = choice["spec"]
    if choice["epochs"] is None:
        recipe = mixing.MixingConfig()
        return (
            f"- **Training:** {recipe.epochs} epochs, as in the folds; none is chosen (mixed pairs of utterances, "
            f"AdamW with a learning rate of at most {recipe.learning_rate:g}, batches of {recipe.batch}, seed 0)."
        )
    return (
        f"- **Training:** {choice['epochs']} epochs, the median of the folds' best; all else as in the folds "
        f"(learning rate {spec['learning_rate']:g}, batches of {spec['batch']}, {spec['precision']}, seed 0)."
    )


def _selection(choice: dict) -> list[str]:
    lines = [
        "## How it was chosen",
        "",
        f"By this rule, among the networks measured on all six folds of RAVDESS, protocol `speaker`: {choice['rule']}. "
        "Candidates are networks that can be written as one ONNX graph with their features, and that do not depend on "
        "the level of a recording, because every microphone has its own. The validation speakers of one fold are test "
        "speakers of another, and the recipes of the small networks were chosen on them (champion-log.md): no fold was "
        "trained on its test speakers, but a new corpus would be the stricter test.",
        "",
        "| network | folds | validation UAR, % | |",
        "| --- | --- | --- | --- |",
    ]
    for candidate, word in [(choice, "chosen"), *((other, "") for other in choice["others"])]:
        network, uar = _network(candidate["spec"]), 100 * candidate["validation_uar"]
        lines.append(f"| {network} | {len(candidate['folds'])} | {uar:.1f} | {word} |")
    incomplete = "; ".join(
        f"{_network(candidate['spec'])} ({len(candidate['folds'])} of 6 folds)" for candidate in choice["incomplete"]
    )
    if incomplete:
        lines += ["", f"Not compared, because not all folds were measured: {incomplete}."]
    return [*lines, ""]


def _scores(figures: dict) -> list[str]:
    test, seeds = figures["test"], figures["seeds"]
    lines = [
        "## How well it does",
        "",
        f"The scores are those of the six fold networks, each tested on four actors who are not in its training data "
        f"(RAVDESS, protocol `speaker`, 6 folds, {seeds} seed{'s' if seeds > 1 else ''}). The pretrained network was "
        f"trained on all actors, so that no recording is left to test it on. Intervals are at 95 %, over "
        f"{test.intervals.n} speakers. Chance is {100 / len(figures['labels']):.1f} %.",
        "",
        "| test utterances | n | UAR, % | accuracy, % |",
        "| --- | --- | --- | --- |",
        f"| all | {test.n_test:,} | {_percent(test, 'uar')} | {_percent(test, 'accuracy')} |",
    ]
    lines += ["", "| emotion | recall, % | precision, % |", "| --- | --- | --- |"]
    for label, values in figures["per_class"].items():
        lines.append(f"| {label} | {100 * values.recall:.1f} | {100 * values.precision:.1f} |")
    return [*lines, ""]


def _calibration(choice: dict, figures: dict) -> list[str]:
    before, after = figures["calibration"]["before"], figures["calibration"]["after"]
    return [
        "## How far its probabilities can be trusted",
        "",
        f"The temperature, {choice['temperature']:.2f}, was fitted on the validation predictions of all folds. "
        "The table is of the folds' test utterances, each fold with a temperature fitted on its own validation "
        "utterances.",
        "",
        "| | before | after |",
        "| --- | --- | --- |",
        f"| expected calibration error, % ({BINS} bins) | {100 * before['ece']:.1f} | {100 * after['ece']:.1f} |",
        f"| mean confidence, % | {100 * before['confidence']:.1f} | {100 * after['confidence']:.1f} |",
        f"| accuracy, % | {100 * before['accuracy']:.1f} | {100 * after['accuracy']:.1f} |",
        f"| cross-entropy | {before['nll']:.3f} | {after['nll']:.3f} |",
        f"| Brier score | {before['brier']:.3f} | {after['brier']:.3f} |",
        "",
        "A prediction is called sure from a probability of 50 % on. On voices unlike the corpus (another language, a "
        "real emotion, a telephone) the probabilities are not calibrated.",
        "",
    ]


def _uses() -> list[str]:
    return [
        "## What it must not be used for",
        "",
        "- **Not to judge people.** It errs as often as the accuracy above says, and it was trained on acted emotions "
        "only. No decision about a person (work, school, police, border, insurance, health) may be based on it. In the "
        "European Union, inferring emotions at work and in education is prohibited except for medical or safety "
        "reasons (Regulation (EU) 2024/1689, Article 5).",
        "- **Not to watch people** who have not agreed.",
        "- **Not commercially:** the licence of the recordings forbids it.",
        "- **Not to check the paper's claim:** the published results do that (`ser tables`).",
        "",
        "It can be used to try the method on your own voice, to teach, and as a baseline.",
        "",
    ]


def _origin(choice: dict) -> list[str]:
    made, check = choice["made"], choice["check"]
    return [
        "## Where it comes from",
        "",
        f"- Results: {', '.join(f'`{name}`' for name in choice['rows'])} in `runs/published/`.",
        f"- Trained with Keras {made['versions'].get('keras', '–')} on {made['processor']}.",
        f"- The ONNX file and the Keras network differ by at most {check['largest_difference']:.0e} in a "
        f"probability, on {check['utterances']} utterances.",
        "",
    ]
