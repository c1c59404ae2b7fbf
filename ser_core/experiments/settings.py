"""Find what sets a spec apart from the defaults of its model."""

import contextlib
import re
from dataclasses import asdict
from typing import Any

from ser_core import models
from ser_core._utils.errors import SerError
from ser_core.experiments.spec import Spec
from ser_core.features import inputs

NAMED_APART = {"corpus", "test_corpus", "protocol", "fold", "model", "seed"}
"""Fields that tables and paths name by themselves."""


def usual_fields(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the defaults for a spec's model and input. The module of a user-defined model is not imported."""
    if spec["model"] in models.MODELS:
        with contextlib.suppress(SerError):  # a user-defined corpus that is missing here
            usual = asdict(Spec(corpus=spec["corpus"], model=spec["model"], features=spec["features"]))
            return usual | {"features": models.MODELS[spec["model"]].features}
    usual = asdict(Spec())
    with contextlib.suppress(SerError, KeyError):  # length and rate follow the input
        made_for = inputs.get_input(spec["features"])
        usual |= {"frames": made_for.frames, "rate": made_for.rate, "znorm": made_for.znorm}
    return usual


def differing_fields(spec: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a spec that differ from the defaults, without corpus, protocol, fold, model and seed.

    ``augment`` is always there where nothing is augmented, and ``patience`` is None where training never stops early.
    """
    usual = usual_fields(spec)
    differing = {name: value for name, value in spec.items() if name not in NAMED_APART and usual.get(name) != value}
    differing |= {} if spec.get("augment", True) else {"augment": ""}
    differing |= {"patience": None} if differing.get("patience", 0) >= spec.get("epochs", 1) else {}
    return differing


def setting_slug(spec: dict[str, Any]) -> str:
    """Return the setting of a spec as part of a file name; "" for the defaults.

    >>> from dataclasses import asdict
    >>> setting_slug(asdict(Spec(corpus="ravdess", augment="", precision="mixed_bfloat16", condition="white:10")))
    'augment_none-precision_mixed_bfloat16-white_10'
    """
    words = [f"to_{spec['test_corpus']}"] if spec.get("test_corpus") else []
    for name, value in differing_fields(spec).items():
        if name == "condition":
            words.append(value)
        elif (name, value) == ("patience", None):
            words.append("no_early_stopping")
        else:
            words.append(f"{name}_{'none' if value == '' else value}")
    return "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", word) for word in words)
