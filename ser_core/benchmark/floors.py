"""Compute lower bounds of a stage's time: operations at the measured peak of a product, bytes at the bandwidth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ser_core.benchmark.records import Floor, Peaks

PRODUCT = 1536
"""Rows and columns of the matrices whose product is timed."""
COPIED = 64 * 2**20
"""Bytes of the array that is copied: more than the caches hold."""


def measure_peaks(threads: int, repeats: int = 5) -> Peaks:
    """Measure a float32 matrix product and a copy with at most this number of threads; the fastest call counts.

    Parameters
    ----------
    threads : int
        of the linear algebra; the copy runs on one
    repeats : int, default 5
        timed calls

    Returns
    -------
    Peaks
    """
    from threadpoolctl import threadpool_limits

    random = np.random.default_rng(0)
    a, b = (random.standard_normal((PRODUCT, PRODUCT)).astype(np.float32) for _ in range(2))
    out = np.empty_like(a)
    source = np.ones(COPIED, dtype=np.uint8)
    target = np.zeros_like(source)
    with threadpool_limits(threads):
        product = _fastest(lambda: np.matmul(a, b, out=out), repeats)
    copy = _fastest(lambda: np.copyto(target, source), repeats)
    return Peaks(threads, 2.0 * PRODUCT**3 / product / 1e9, 2.0 * COPIED / copy / 1e9)


def _fastest(call: Callable[[], object], repeats: int) -> float:
    """Return the shortest time of a call in seconds, after one untimed call."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def count(operations: float, moved: float, counted: str) -> Floor:
    """Describe what no way of doing a stage can leave out; :func:`bound` gives its time.

    Parameters
    ----------
    operations, moved : float
        floating-point operations, and bytes read and written, per call
    counted : str
        what was counted
    """
    return Floor(round(operations), round(moved), counted, 0.0)


def bound(floor: Floor, peaks: Peaks) -> Floor:
    """Compute the time of a floor at the measured limits of the machine.

    Examples
    --------
    >>> bound(count(2e8, 1e6, "a product"), Peaks(1, gflops=100.0, gigabytes=10.0)).ms
    2.0
    """
    seconds = max(floor.operations / (peaks.gflops * 1e9), floor.bytes / (peaks.gigabytes * 1e9))
    return replace(floor, ms=1000 * seconds)


def best(*measured: Peaks) -> Peaks:
    """Return the highest limits of several measurements with the same number of threads: others may have been busy."""
    return Peaks(measured[0].threads, max(one.gflops for one in measured), max(one.gigabytes for one in measured))


def feature_operations(frames: int, channels: int = 42) -> int:
    """Count the operations of the frame features: window, real FFT, power, mel bands, DCT, energy, deltas, Eq. 4.

    A real FFT of n samples counts 2.5 n log2 n. Of the mel filters only the values that are not zero count.

    Parameters
    ----------
    frames : int
    channels : int, default 42

    Returns
    -------
    int
    """
    from ser_core.features import spectral

    frame, _ = spectral.frame_sizes()
    bins = frame // 2 + 1
    filters = spectral.mel_filters(spectral.SAMPLE_RATE, frame)
    transform = frame + 2.5 * frame * math.log2(frame) + 3 * bins
    mel = 2 * int(np.count_nonzero(filters)) + 2 * spectral.N_MELS
    cepstrum = 2 * spectral.N_MFCC * spectral.N_MELS
    energy = 2 * frame
    deltas, scaling = 6 * (channels * 2 // 3), 5 * channels
    return round(frames * (transform + mel + cepstrum + energy + deltas + scaling))


def network_operations(model: Any) -> int:
    """Count the multiplications and additions of a network's products and convolutions, for one utterance.

    Activations, normalisation and pooling are left out: a lower bound.

    Parameters
    ----------
    model : keras.Model

    Returns
    -------
    int
    """
    return round(sum(_layer_operations(layer) for layer in _layers(model)))


def _layers(model: Any) -> list[Any]:
    """List the layers of a network, with those inside nested networks and wrappers."""
    found = []
    for layer in model.layers:
        inner = [layer.forward_layer, layer.backward_layer] if hasattr(layer, "forward_layer") else []
        if hasattr(layer, "layers"):
            found += _layers(layer)
        elif inner:
            found += [(one, math.prod(layer.input.shape[1:-1])) for one in inner]
        elif hasattr(layer, "output"):
            found.append((layer, None))
    return found


def _layer_operations(item: tuple[Any, int | None]) -> float:
    """Count the operations of one layer: twice its weights in products, at each place where they are applied."""
    layer, steps = item
    weights = [math.prod(v.shape) for v in getattr(layer, "trainable_weights", []) if len(v.shape) >= 2]
    if hasattr(layer, "recurrent_initializer") or hasattr(layer, "cell"):
        return 2.0 * sum(weights) * (steps if steps is not None else math.prod(layer.input.shape[1:-1]))
    kind = type(layer).__name__
    if "Conv" in kind:
        return 2.0 * sum(weights) * math.prod(layer.output.shape[1:-1])
    if kind in ("Dense", "EinsumDense"):
        return 2.0 * sum(weights) * math.prod(layer.output.shape[1:-1])
    if kind == "MultiHeadAttention":
        length = math.prod(layer.output.shape[1:-1])
        return 2.0 * sum(weights) * length + 4.0 * length * length * layer.num_heads * layer.key_dim
    return 0.0
