"""Duplicate recordings: signals by hand, and the pair that RAVDESS contains."""

import numpy as np
import pytest

from ser_core import corpora
from ser_core.protocols import duplicates

RATE = 16_000
PAIR = ("03-01-03-01-02-01-07", "03-01-03-01-02-02-07")
"""Two clips of actor 07 that are the same recording."""


def noise(seed):
    return np.random.default_rng(seed).normal(0, 0.1, RATE)


def test_peak_correlation_ignores_gain_sign_and_lag():
    signal = noise(0)
    shifted = np.concatenate([np.zeros(700), -0.3 * signal])
    assert duplicates.peak_correlation(signal, shifted) == pytest.approx(1.0)
    assert duplicates.peak_correlation(signal, noise(1)) < 0.1
    assert duplicates.peak_correlation(signal, np.zeros(RATE)) == 0.0


def test_only_copies_are_candidate_pairs():
    signals = [noise(seed)[:, None] for seed in range(4)]
    signals.append(0.5 * np.concatenate([np.zeros((800, 1)), signals[2]]))
    fingerprints = [duplicates.fingerprint(signal, RATE) for signal in signals]
    pairs = duplicates.candidate_pairs(fingerprints, progress=False, block=2)
    assert [(first, second) for first, second, _ in pairs] == [(2, 4)]


def test_the_pair_of_ravdess_is_found_by_its_waveform(real_data, own_cache, tmp_path):
    table = corpora.load("ravdess")
    table = table[(table["speaker"] == "07") & table["emotion"].isin(["calm", "happy"])]
    result = duplicates.find_duplicates(list(table["path"]), progress=False)
    id_of = dict(zip(result["digests"], table["id"], strict=True))
    same = [digest for digest in result["digests"] if result["digests"].count(digest) > 1]
    pairs = {tuple(sorted((id_of[a], id_of[b]))) for a, b, *_ in result["pairs"]}
    assert pairs == ({PAIR} if not same else set())
    assert len(table) == 16 and (same or pairs)
