"""Check what a file says of its network before it answers: labels, rate, window, temperature."""

from pathlib import Path
from typing import Any

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core._utils.recordings import printable


def check_facts(facts: Any, path: Path) -> tuple[int, float]:
    """Check what a network says of itself.

    Parameters
    ----------
    facts : dict
        ``labels``, ``rate`` (Hz), ``window_seconds``, ``name``, ``demo``, ``licence`` and ``attends``.
    path : Path
        Its file, for messages.

    Returns
    -------
    rate : int, Hz
    seconds : float
        Length of its input.

    Raises
    ------
    SerError
        For facts that are missing or cannot be.
    """
    wanted = ("labels", "rate", "window_seconds", "name", "demo", "licence", "attends")
    missing = [name for name in wanted if not isinstance(facts, dict) or name not in facts]
    if missing:
        raise SerError(f"{path}: its metadata lack {', '.join(missing)}; export it again")
    check_labels(facts["labels"], path)
    if "temperature" in facts:
        check_temperature(facts["temperature"], path)
    try:
        rate, seconds = audio.check_rate(facts["rate"], str(path)), float(facts["window_seconds"])
    except (TypeError, ValueError):
        seconds = 0.0
    if not 0.1 <= seconds <= 60.0:
        raise SerError(f"{path}: a window of {printable(facts['window_seconds'])[:40]} s; 0.1 to 60 s can be used")
    return rate, seconds


def check_labels(labels: Any, path: Path) -> None:
    """Check that the labels of a network are different words.

    Raises
    ------
    SerError
        For anything else.
    """
    words = isinstance(labels, list | tuple) and all(isinstance(label, str) and label for label in labels)
    if not words or len(labels) < 2 or len(set(labels)) != len(labels):
        raise SerError(f"{path}: its labels are no list of different emotions; export it again")


def check_temperature(value: Any, path: Path) -> float:
    """Check that a network's temperature can divide.

    Parameters
    ----------
    value : float
        The temperature.
    path : Path
        The network's file, for messages.

    Returns
    -------
    float
        The same temperature.

    Raises
    ------
    SerError
        For what is no number from 0.001 to 1000.

    Examples
    --------
    >>> check_temperature(0, Path("a.json"))
    Traceback (most recent call last):
    ser_core._utils.errors.SerError: a.json: temperature of 0; 0.001 to 1000 can be used
    """
    try:
        temperature = float(value)
    except (TypeError, ValueError):
        temperature = 0.0
    if not 1e-3 <= temperature <= 1e3:
        raise SerError(f"{path}: temperature of {printable(value)[:40]}; 0.001 to 1000 can be used")
    return temperature
