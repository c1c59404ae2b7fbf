"""Write the ``config.json`` beside an exported network: labels, sampling rate, features and licence.

The names of fields are those that the Hugging Face hub and ``transformers`` use, where these have one.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ser_core._utils.atomic import write_atomically
from ser_core.experiments.spec import complete_fields
from ser_core.features import inputs

NAME = "config.json"
"""Name of the file; one describes all forms of one network in its folder."""
MODEL_TYPE = "ser-core"
"""By this value the file is known as ours."""


def describe(facts: dict[str, Any], files: list[str]) -> dict[str, Any]:
    """Describe an exported network.

    Parameters
    ----------
    facts : dict
        that of :func:`ser_core.inference.export.network_facts`
    files : list of str
        names of its files in the folder

    Returns
    -------
    dict
        JSON-able: ``model_type``, ``name``, ``hash``, ``architectures``, ``num_labels``, ``id2label``, ``label2id``,
        ``sampling_rate`` (Hz), ``window_seconds``, ``features`` (name, title, frames, shape, znorm, peak_normalised,
        denoised), ``temperature``, ``license``, ``trained_on`` (corpus, protocol, fold, seed), ``demo``, ``files``
    """
    spec, labels = complete_fields(facts["spec"]), facts["labels"]
    name = inputs.get_input(spec["features"]).asked or spec["features"]
    made = inputs.get_input(name)
    return {
        "model_type": MODEL_TYPE,
        "name": facts["name"],
        "hash": facts["hash"],
        "architectures": [spec["model"]],
        "num_labels": len(labels),
        "id2label": {str(number): label for number, label in enumerate(labels)},
        "label2id": {label: number for number, label in enumerate(labels)},
        "sampling_rate": facts["rate"],
        "window_seconds": facts["window_seconds"],
        "features": {
            "name": name,
            "title": made.title,
            "frames": spec["frames"],
            "shape": list(made.shape(spec["frames"])),
            "znorm": spec["znorm"],
            "peak_normalised": spec["normalise"],
            "denoised": spec["denoise"],
        },
        "temperature": facts["temperature"],
        "license": facts["licence"],
        "trained_on": {name: spec[name] for name in ("corpus", "protocol", "fold", "seed")},
        "demo": facts["demo"],
        "files": files,
    }


def write(facts: dict[str, Any], path: Path) -> Path | None:
    """Write ``config.json`` beside an exported network.

    Parameters
    ----------
    facts : dict
        that of :func:`ser_core.inference.export.network_facts`
    path : Path
        the exported file

    Returns
    -------
    Path or None
        the file; None where one of another network or another program is there, which stays as it is
    """
    config = path.parent / NAME
    files = {path.name}
    if config.exists():
        known = _read(config)
        if known is None or known.get("model_type") != MODEL_TYPE:
            return None
        still = [name for name in known.get("files", []) if (path.parent / str(name)).is_file() and name != path.name]
        if known.get("hash") != facts["hash"] and still:
            return None
        files |= set(still)
    write_atomically(config, (json.dumps(describe(facts, sorted(files)), indent=2) + "\n").encode())
    return config


def _read(path: Path) -> dict[str, Any] | None:
    """Return the content of a JSON file; None where it is no object."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
