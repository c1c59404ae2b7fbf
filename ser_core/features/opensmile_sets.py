"""Compute the functionals of openSMILE's feature sets: eGeMAPS and ComParE.

openSMILE multiplies samples by 32,768 and casts them to 16 bits without clipping, so that +1.0 becomes -1.0, a click
(opensmile 2.6.0). Samples are therefore kept below full scale. The amplitudes of formants in eGeMAPS are averaged over
unvoiced frames, too, at -201 dB: six of its 88 functionals measure the share of silence, padding included.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError

SETS = {"egemaps": "eGeMAPSv02", "compare": "ComParE_2016"}
"""Name of a feature set here to its name in openSMILE."""
FULL_SCALE = 32_767 / 32_768
"""Largest sample that openSMILE's 16 bits can hold."""
PEAK = 0.99
"""Peak of the normalised variant in :func:`functionals_by_level`."""
SHORTEST = 0.5
"""Recordings are padded with silence to this length, seconds: some functionals need it."""


def below_full_scale(samples: np.ndarray) -> np.ndarray:
    """Scale samples so that 16 bits can hold their peak; samples below full scale are returned as they are.

    Parameters
    ----------
    samples : float [samples]

    Returns
    -------
    ndarray of float32 [samples]
            from -1 to 32,767 / 32,768

    Examples
    --------
    >>> below_full_scale(np.array([0.5, 1.0])).max() * 32_768
    np.float32(32767.0)
    """
    y = np.asarray(samples, dtype=np.float32)
    excess = max(float(y.max(initial=0.0)) / FULL_SCALE, -float(y.min(initial=0.0)))
    return y if excess <= 1.0 else y / np.float32(excess)


@lru_cache(maxsize=4)
def _extractor(name: str) -> Any:
    """Return openSMILE's extractor of a feature set."""
    import opensmile

    return opensmile.Smile(getattr(opensmile.FeatureSet, SETS[name]), opensmile.FeatureLevel.Functionals)


def functionals(samples: np.ndarray, rate: int, *, name: str) -> np.ndarray:
    """Compute the functionals of a feature set.

    Parameters
    ----------
    samples : float [samples]
    rate : int
        sampling rate, Hz
    name : str
        one of :data:`SETS`

    Returns
    -------
    ndarray of float32 [functionals]: 88 for eGeMAPS, 6,373 for ComParE; values that are not finite become 0

    Raises
    ------
    SerError
        where the package opensmile is missing
    """
    try:
        import opensmile  # noqa: F401
    except ImportError:
        raise SerError(
            f"{SETS[name]}: needs openSMILE, whose licence allows research only; pip install '.[opensmile]'"
        ) from None
    y = below_full_scale(samples)
    y = np.pad(y, (0, max(0, round(SHORTEST * rate) - len(y))))
    return np.nan_to_num(_extractor(name).process_signal(y, rate).to_numpy(dtype=np.float32))[0]


def by_level(compute: Callable[[np.ndarray, int], np.ndarray]) -> Callable[[np.ndarray, int], np.ndarray]:
    """Return a function that computes functionals twice: at the recorded level, and at a peak of :data:`PEAK`.

    Parameters
    ----------
    compute : function
        from samples and rate to functionals [size]

    Returns
    -------
    function
        from samples at their recorded level and rate to float32 [2, size]
    """

    def both(samples: np.ndarray, rate: int) -> np.ndarray:
        normalised = audio.peak_normalise(samples) * np.float32(PEAK)
        return np.stack([compute(samples, rate), compute(normalised, rate)]).astype(np.float32)

    return both
