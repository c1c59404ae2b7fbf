"""Predict live: one prediction per hop of a stream, over its last window."""

import numpy as np

from ser_core import audio
from ser_core._utils.errors import SerError
from ser_core.audio.processing import to_mono
from ser_core.features.moving import MovingFeatures
from ser_core.inference.networks import OnnxNetwork
from ser_core.inference.predict import Prediction, Predictor


class Stream:
    """Predict while audio comes in chunk by chunk: one prediction per hop, over the last window.

    It keeps one window of samples and of frames, so that an estimate takes as long after an hour as after 4 s, and
    computes only the frames that are new.

    Parameters
    ----------
    predictor : Predictor
        The network.
    hop_seconds : float, s, default 0.5
        Time between two predictions.

    Raises
    ------
    SerError
        For a hop below 0.05 s or above the window's length.
    """

    def __init__(self, predictor: Predictor, hop_seconds: float = 0.5):
        if not 0.05 <= hop_seconds <= predictor.window_seconds:  # not a number is refused, too
            raise SerError(f"hop {hop_seconds} s: from 0.05 s to the window's {predictor.window_seconds:g} s")
        self.predictor = predictor
        self.hop = round(hop_seconds * predictor.rate)
        self.size = round(predictor.window_seconds * predictor.rate)
        self.count = 0  # samples so far, at the network's rate
        self._held = np.zeros(2 * self.size, dtype=np.float32)  # the last samples
        self._end = 0  # of the samples in it
        self._rate: int | None = None
        self._resampler = None
        network = predictor._network
        self._network, self._features = None, None
        if isinstance(network, OnnxNetwork) and network.settings is not None:
            self._network, self._features = network, MovingFeatures(network.settings)

    @property
    def window(self) -> np.ndarray:
        """The last samples, at most one window: float32 [samples]."""
        return self._held[max(0, self._end - self.size) : self._end]

    def _hold(self, samples: np.ndarray) -> None:
        """Keep the next samples; they move only when there is no place left behind them."""
        if self._end + len(samples) > len(self._held):
            kept = self.window.copy()
            self._held[: len(kept)], self._end = kept, len(kept)
        self._held[self._end : self._end + len(samples)] = samples
        self._end += len(samples)
        self.count += len(samples)

    def feed(self, chunk: np.ndarray, rate: int) -> list[Prediction]:
        """Add samples to the stream and return the predictions that are due.

        Parameters
        ----------
        chunk : float [n] or [n, channels]
            The next samples, full scale 1; any number.
        rate : int, Hz
            Their sampling rate, the same for all chunks.

        Returns
        -------
        list of Prediction
            None or several; ``seconds`` is the length of the window, ``windows`` has its start and end.

        Raises
        ------
        SerError
            For samples that are not finite numbers, and for a rate that cannot be used or changes.
        """
        mono = self._resampled(np.asarray(chunk), rate)
        due = []
        while len(mono):
            missing = self.hop - self.count % self.hop
            self._hold(mono[:missing])
            mono = mono[missing:]
            if self.count % self.hop == 0:
                due.append(self._estimate())
        return due

    def _estimate(self) -> Prediction:
        """Predict from the samples of the last window."""
        predictor, window = self.predictor, self.window
        first = self.count - len(window)
        start, seconds = first / predictor.rate, len(window) / predictor.rate
        low, high = float(window.min()), float(window.max())
        silent, peak = high - low < 2 * audio.SILENCE, max(high, -low)
        if self._network is None or self._features is None:
            samples = window if silent else audio.peak_normalise(window)
            return predictor._classify(samples, "stream", seconds, start)
        scale = 1.0 / peak if peak > 0 and (self._features.settings.normalise or not silent) else 1.0
        values = self._features.update(window, first, scale)
        outputs = predictor._checked([self._network.run(values[None])], "stream")
        distance = predictor._distance(window, silent)
        return predictor._assemble([outputs], "stream", seconds, start, [0], [len(window)], [silent], [distance])

    def _resampled(self, chunk: np.ndarray, rate: int) -> np.ndarray:
        """Return a chunk in mono at the network's rate, resampled without seams."""
        rate = audio.check_rate(rate, "stream")
        if self._rate not in (None, rate):
            raise SerError(f"stream: the rate changed from {self._rate} to {rate} Hz; start a new stream")
        chunk = audio.as_float(chunk, "stream")
        if not np.isfinite(chunk).all():
            raise SerError("stream: contains samples that are not numbers (NaN or infinite)")
        mono = np.ascontiguousarray(to_mono(chunk), dtype=np.float32)
        if self._rate is None and rate != self.predictor.rate:
            import soxr

            self._resampler = soxr.ResampleStream(rate, self.predictor.rate, 1, dtype="float32")
        self._rate = rate
        return mono if self._resampler is None else self._resampler.resample_chunk(mono)
