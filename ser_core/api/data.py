"""Load, split and prepare data: the part of the public interface before any training."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ser_core.protocols.splits import Split


def list_corpora() -> list[str]:
    """List the names of the known corpora.

    Returns
    -------
    list of str
        In their usual order. Your own recordings are ``folder:PATH`` or ``csv:PATH``, a corpus in the format of
        another tool ``KIND:PATH``, such as ``audformat:PATH`` or ``kaldi:PATH``.

    Examples
    --------
    >>> "demo" in list_corpora()
    True
    """
    from ser_core.corpora import CORPORA

    return list(CORPORA)


def load_corpus(name: str, root: str | os.PathLike | None = None) -> pd.DataFrame:
    """Load the utterance table of a corpus; see :func:`ser_core.corpora.load`.

    Parameters
    ----------
    name : str
        One of :func:`list_corpora`, ``folder:PATH``, ``csv:PATH`` or ``KIND:PATH``.
    root : path, optional
        Folder of the corpus, or one that holds it; by default ``SER_DATA``.

    Returns
    -------
    DataFrame
        One row per utterance: ``id``, ``path``, ``speaker``, ``sex``, ``emotion``, ``text``, ``intensity``, ...

    Raises
    ------
    SerError
        For an unknown name, or a folder without recordings of the corpus.
    """
    from ser_core import corpora

    return corpora.load(name, root)


def read_audio(source, rate: int = 16_000, *, normalise: bool = True, denoise: bool = False) -> np.ndarray:
    """Read a recording as mono samples for the networks; see :func:`ser_core.audio.read`.

    Parameters
    ----------
    source : path or bytes
        The file or its content.
    rate : int, default 16,000
        Sampling rate of the result, Hz.
    normalise : bool, default True
        Scale to a peak of 1.
    denoise : bool, default False
        Reduce noise first.

    Returns
    -------
    ndarray of float32 [samples]
        Mono, full scale 1.

    Raises
    ------
    SerError
        For a recording that cannot be used.
    """
    from ser_core import audio

    return audio.read(source, rate=rate, normalise=normalise, denoise=denoise)


def extract_features(
    samples: np.ndarray, features: str = "42", *, frames: int = 400, znorm: bool = True, rate: int = 16_000
) -> np.ndarray:
    """Extract the frame features of an utterance; see :func:`ser_core.features.extract`.

    Parameters
    ----------
    samples : ndarray of float [samples]
        Mono, full scale 1.
    features : str, default "42"
        One of ``ser_core.features.CHANNELS``.
    frames : int, default 400
        Frames of the result, 10 ms each; longer utterances are cut, shorter ones padded with zeros.
    znorm : bool, default True
        Standardise each channel over the utterance (Eq. 4).
    rate : int, default 16,000
        Sampling rate, Hz.

    Returns
    -------
    ndarray of float32 [frames, channels]
    """
    from ser_core.features import extract

    return extract(samples, features=features, frames=frames, znorm=znorm, rate=rate)


def augment(samples: np.ndarray, technique: str, *, key: str = "", seed: int = 0, copy: int = 0) -> np.ndarray:
    """Make one augmented copy of an utterance; see :func:`ser_core.audio.augmentation.augment`.

    Parameters
    ----------
    samples : ndarray of float32 [samples]
        Mono, 16 kHz.
    technique : str
        ``noise``, ``stretch``, ``shift`` or ``pitch``.
    key : str, default ""
        Id of the utterance; key, seed and copy fix the random numbers.
    seed : int, default 0
    copy : int, default 0
        Number of the copy.

    Returns
    -------
    ndarray of float32 [samples]
    """
    from ser_core.audio import augmentation

    return augmentation.augment(samples, technique, key=key, seed=seed, copy=copy)


def degrade(samples: np.ndarray, condition: str, *, key: str = "", seed: int = 0) -> np.ndarray:
    """Degrade a recording by noise, a room, a telephone line or a codec.

    Parameters
    ----------
    samples : ndarray of float32 [samples]
        Mono, 16 kHz.
    condition : str
        Such as ``white:10``, ``reverb:0.6``, ``telephone`` or ``codec:mp3:16``.
    key : str, default ""
        Id of the utterance; key and seed fix the random numbers.
    seed : int, default 0

    Returns
    -------
    ndarray of float32 [samples]
        Of the same length.
    """
    from ser_core.audio import SAMPLE_RATE, degradation

    return degradation.degrade(samples, condition, key=key, rate=SAMPLE_RATE, seed=seed)


def split(table: pd.DataFrame, protocol: str = "speaker", fold: int = 0) -> Split:
    """Split an utterance table into training, validation and test; see :func:`ser_core.protocols.splits.split`.

    Parameters
    ----------
    table : DataFrame
        From :func:`load_corpus`.
    protocol : str, default "speaker"
        ``speaker`` (or ``speaker-independent``), ``speaker-text``, ``random`` or ``leaky``.
    fold : int, default 0

    Returns
    -------
    Split
        Ids of the utterances: ``train``, ``validation``, ``test``.

    Raises
    ------
    SerError
        For a protocol or fold that this corpus does not have.
    """
    from ser_core.protocols import splits

    return splits.split(table, protocol, fold)


def check_split(source: str | Path, protocol: str = "speaker", *, fold: int | None = None) -> dict:
    """Check a split for leakage: shared speakers, sentences and copies, and cues that predict the emotion.

    Parameters
    ----------
    source : str or Path
        Name of a corpus, or a CSV file with ``path``, ``emotion``, ``speaker`` and ``side``.
    protocol : str, default "speaker"
        Protocol of the corpus; ignored for a CSV file.
    fold : int, optional
        By default all folds.

    Returns
    -------
    dict
        ``ok``, and as text ``leaks``, ``warnings``, ``notes``.

    Raises
    ------
    SerError
        For an unknown protocol or fold, or a CSV file that cannot be used.
    """
    from ser_core.corpora import CORPORA, formats
    from ser_core.protocols import leakage

    name = str(source)
    if name in CORPORA or formats.is_path(name):
        return leakage.audit_protocol(name, protocol, fold)
    return leakage.audit_split_file(source)
