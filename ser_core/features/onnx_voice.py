"""Write the voice functionals as nodes of an ONNX graph, from the waveform [1, samples] of one utterance on.

The values are those of :func:`ser_core.features.voice.voice_functionals`, computed in float32. Time is the last axis
everywhere, so that no large array is transposed. The Fourier transform of 1,024 points takes two steps of 32 (J. Cooley
and J. Tukey, Mathematics of Computation 19, 1965), and so does the autocorrelation of the pitch: both are products with
small matrices, which every runtime computes fast.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser_core.features import spectral, voice
from ser_core.features.frame_power import WINDOWS
from ser_core.features.onnx_arithmetic import Writer
from ser_core.features.onnx_features import Graph

SIDE = 32
"""Each step of the Fourier transform has this many points; their product is ``voice.FFT``."""
HALF = SIDE // 2 + 1
"""Rows of the first step that are needed: the others follow from them, because the samples are real."""
LONGEST = 512
"""Most frames of an utterance, as long as the Fourier transform of the modulation: 5.1 s."""
OFFSET = 0.005
"""A mean above this share of the peak is an offset of the recorder, and removed; speech corpora have less (0.0033)."""
DECIBEL = 10.0 / np.log(10.0)


@dataclass(frozen=True)
class Track:
    """Name the values of the frames of an utterance in a graph."""

    log_mel: str  # [BANDS, frames]
    cepstrum: str  # [CEPSTRUM, frames]
    shape: list[str]  # six of [1, frames]
    pitch: str  # [frames]
    speech: str  # bool [frames]
    voiced: str  # bool [frames]
    count: str  # int64 [1], number of frames
    place: str  # int64 [frames], 0, 1, ...
    first: str = ""  # int64 [1], first frame of speech
    end: str = ""  # int64 [1], behind the last frame of speech


def _power(w: Writer, blocks: str, count: str, rate: int) -> tuple[str, str]:
    """Add the power spectrum [HALF, SIDE, frames] of windowed frames, and the mean square of each frame [1, frames].

    Bin ``k`` is at row ``k % SIDE``, column ``k // SIDE``; a bin above the middle stands for ``FFT - k``.
    """
    frame, hop = round(voice.FRAME * rate), round(voice.HOP * rate)
    behind = [w.add("Add", count, w.integers(step)) for step in range(frame // hop)]
    squares = w.total(w.square(blocks), 0)
    energy = w.part(squares, 0, count)
    for step in range(1, frame // hop):
        energy = w.plus(energy, w.part(squares, step, behind[step]))
    frames = w.add("Concat", *(w.part(blocks, step, end) for step, end in enumerate(behind)), axis=0)
    frames = w.times(frames, w.constant(WINDOWS["hann"](frame)[:, None]))
    rows = frame // SIDE
    first = np.exp(-2j * np.pi * np.outer(np.arange(HALF), np.arange(rows)) / SIDE)
    parts = np.stack([first.real, first.imag], axis=1).reshape(2 * HALF, rows)
    wide = w.add("Reshape", frames, w.integers(rows, -1))
    middle = w.add("Reshape", w.add("MatMul", w.constant(parts), wide), w.integers(HALF, 2 * SIDE, -1))
    outer, inner = np.arange(HALF)[:, None, None], np.arange(SIDE)
    turn = np.exp(-2j * np.pi * (outer + SIDE * inner[:, None]) * inner / voice.FFT)  # [HALF, SIDE out, SIDE in]
    second = np.block([[turn.real, -turn.imag], [turn.imag, turn.real]])
    spectrum = w.add("MatMul", w.constant(second), middle)
    squared = w.add("Reshape", w.square(spectrum), w.integers(HALF, 2, SIDE, -1))
    return w.total(squared, 1, 0), w.times(energy, 1.0 / frame)


def _bins() -> np.ndarray:
    """Return the bin of each row of the power spectrum of :func:`_power`, those above the middle mirrored."""
    bins = (np.arange(HALF)[:, None] + SIDE * np.arange(SIDE)).ravel()
    return np.minimum(bins, voice.FFT - bins)


def _mel(w: Writer, power: str, rate: int) -> tuple[str, str]:
    """Add the bands: log [BANDS, frames] in dB and power, raised to ``RANGE_DB`` below the maximum."""
    bins = _bins()
    once = np.isin(np.arange(len(bins)), np.unique(bins, return_index=True)[1])  # a bin that is there twice counts once
    filters = spectral.mel_filters(rate, voice.FFT, voice.BANDS)[:, bins] * once
    rows = w.add("Reshape", power, w.integers(HALF * SIDE, -1))
    mel = w.at_least(w.add("MatMul", w.constant(filters), rows), 1e-10)
    mel = w.at_least(mel, w.times(w.add("ReduceMax", mel, keepdims=1), 10.0 ** (-voice.RANGE_DB / 10)))
    return w.times(w.add("Log", mel), DECIBEL), mel


def _pitch(w: Writer, power: str, rate: int) -> tuple[str, str]:
    """Add pitch [1, frames] and harmonicity [1, frames]; see :func:`ser_core.features.voice.pitch_track`."""
    low, high = (round(rate / hertz) for hertz in voice.PITCH_HZ[::-1])
    groups, side = high // SIDE + 1, np.arange(SIDE)
    inner = np.exp(2j * np.pi * np.outer(side, side) / SIDE)  # lags modulo SIDE, columns of the power
    sums = w.add("MatMul", w.constant(np.concatenate([inner.real, inner.imag])), power)  # [HALF, 2 SIDE, frames]
    sums = w.add("Reshape", sums, w.integers(HALF, 2, SIDE, -1))
    sums = w.add("Reshape", w.add("Transpose", sums, perm=[2, 0, 1, 3]), w.integers(SIDE, 2 * HALF, -1))
    lags = SIDE * np.arange(groups) + side[:, None]  # [SIDE, groups]
    turn = np.exp(2j * np.pi * lags[:, :, None] * np.arange(HALF) / voice.FFT)  # [SIDE, groups, HALF]
    turn = turn * np.where(np.arange(HALF) % (SIDE // 2) == 0, 1.0, 2.0) / voice.FFT
    outer = np.stack([turn.real, -turn.imag], axis=-1).reshape(SIDE, groups, 2 * HALF)
    correlation = w.add("MatMul", w.constant(outer), sums)  # [SIDE, groups, frames]
    correlation = w.add("Reshape", w.add("Transpose", correlation, perm=[1, 0, 2]), w.integers(groups * SIDE, -1))
    energy = w.plus(w.part(correlation, 0, 1, 0), 1e-9)
    window = voice._window_correlation(round(voice.FRAME * rate))[low : high + 1] + 1e-3
    weights = (1.0 - 0.0005 * np.arange(high - low + 1)) / window
    candidates = w.over(w.times(w.part(correlation, low, high + 1, 0), w.constant(weights[:, None])), energy)
    best = w.real(w.add("ArgMax", candidates, axis=0, keepdims=1))
    pitch = w.times(w.add("Log", w.over(w.number(rate / 100.0), w.plus(best, low))), 1.0 / np.log(2.0))
    return pitch, w.largest(candidates, 0)


def _track(w: Writer, waveform: str, rate: int) -> Track:
    """Add the descriptors of every frame; see :func:`ser_core.features.voice.describe_frames`."""
    frame, hop = round(voice.FRAME * rate), round(voice.HOP * rate)
    samples = w.part(w.flat(waveform), 0, LONGEST * hop - 1, 0)
    count = w.add("Add", w.add("Div", w.add("Shape", samples), w.integers(hop)), w.integers(1))
    padded = w.add("Pad", samples, w.integers(frame // 2, frame // 2 + hop), w.number(0.0))
    used = w.add("Mul", w.add("Add", count, w.integers(frame // hop - 1)), w.integers(hop))
    blocks = w.add("Reshape", w.part(padded, 0, used, 0), w.integers(-1, hop))
    power, energy = _power(w, w.add("Transpose", blocks, perm=[1, 0]), count, rate)
    log_mel, mel = _mel(w, power, rate)
    energy = w.plus(energy, 1e-9)
    loudest = w.add("ReduceMax", energy, keepdims=1)
    loudness = w.times(w.add("Log", w.at_least(energy, w.times(loudest, 10.0 ** (-voice.RANGE_DB / 10)))), DECIBEL)
    pitch, harmonicity = _pitch(w, power, rate)
    band = np.arange(voice.BANDS)
    share = w.over(mel, w.total(mel, 0))
    centroid = w.add("MatMul", w.constant(band[None]), share)
    distance = w.square(w.minus(w.constant(band[:, None]), centroid))
    width = w.add("Sqrt", w.total(w.times(share, distance), 0))
    ramp = band - band.mean()
    tilt = w.add("MatMul", w.constant((ramp / np.square(ramp).sum())[None]), log_mel)
    flux = w.mean(w.add("Abs", w.steps(log_mel)), 0)
    flux = w.add("Concat", w.constant(np.zeros((1, 1))), flux, axis=-1)
    speech = w.flat(w.add("Greater", loudness, w.minus(w.largest(loudness), voice.SPEECH_DB)))
    voiced = w.add("And", speech, w.flat(w.add("Greater", harmonicity, w.number(voice.VOICED))))
    place = w.add("Range", w.constant(0, np.int64), w.add("Squeeze", count), w.constant(1, np.int64))
    spoken = w.add("Compress", place, speech, axis=0)
    cosines = w.constant(spectral.dct_matrix(voice.CEPSTRUM, voice.BANDS))
    return Track(
        log_mel, w.add("MatMul", cosines, log_mel), [loudness, centroid, width, tilt, flux, harmonicity],
        pitch, speech, voiced, count, place,
        w.part(spoken, 0, 1), w.add("Add", w.part(spoken, -1, 2**31), w.integers(1)),
    )  # fmt: skip


def _moments(w: Writer, a: str, percentiles: str = "") -> str:
    """Add the moments of each row [rows, frames]: [8, rows]; see :func:`ser_core.features.voice.moments`."""
    mean, deviation, centred = w.spread(a)
    deviation = w.plus(deviation, 1e-4)
    scores = w.over(centred, deviation)
    squared = w.square(scores)
    skewness = w.mean(w.times(squared, scores))
    kurtosis = w.add("Sqrt", w.add("Sqrt", w.mean(w.square(squared))))
    percentiles = percentiles or w.percentiles(a, voice.PERCENTILES)
    values = w.add("Concat", mean, deviation, skewness, kurtosis, percentiles, axis=-1)
    values = w.add("Transpose", values, perm=[1, 0])
    return w.add("Where", w.add("Less", w.length(a), w.integers(4)), w.number(0.0), values)


def _change(w: Writer, a: str) -> str:
    """Add the slope per frame, averaged over five frames: [rows, frames]."""
    twice = w.number(2.0)
    before = w.minus(w.times(twice, w.part(a, 0, 1)), w.part(a, 1, 2))
    after = w.minus(w.times(twice, w.part(a, -1, 2**31)), w.part(a, -2, -1))
    wide = w.add("Concat", before, a, after, axis=-1)
    slope = w.times(w.minus(w.part(wide, 2, 2**31), w.part(wide, 0, -2)), 0.5)
    image = w.add("Unsqueeze", slope, w.integers(0))
    smooth = w.add("AveragePool", image, kernel_shape=[5], pads=[2, 2], strides=[1], count_include_pad=1)
    return w.add("Squeeze", smooth, w.integers(0))


def _runs(w: Writer, share: str) -> str:
    """Add the number of runs of ones in [1, frames]: float32 [1, 1]."""
    before = w.add("Concat", w.constant(np.zeros((1, 1))), w.part(share, 0, -1), axis=-1)
    return w.total(w.at_least(w.minus(share, before), 0.0))


def _within(w: Writer, a: str, middle: str) -> str:
    """Limit pitches to ``PITCH_SPAN`` around their median."""
    return w.add("Min", w.at_least(a, w.minus(middle, voice.PITCH_SPAN)), w.plus(middle, voice.PITCH_SPAN))


def _parabola(w: Writer, y: str) -> list[str]:
    """Add the coefficients of the parabola nearest to values [1, n] at -1 to 1, the highest power first."""
    count = w.real(w.length(y))
    place = w.add("Range", w.number(0.0), w.add("Squeeze", count), w.number(1.0))
    x = w.row(w.minus(w.over(w.times(place, 2.0), w.minus(count, 1.0)), 1.0))
    square = w.square(x)
    second, fourth = w.total(square), w.total(w.square(square))
    sums = w.total(y), w.total(w.times(x, y)), w.total(w.times(square, y))
    width = w.minus(w.times(count, fourth), w.square(second))
    bend = w.over(w.minus(w.times(count, sums[2]), w.times(second, sums[0])), width)
    return [bend, w.over(sums[1], second), w.over(w.minus(sums[0], w.times(second, bend)), count)]


def _pitch_functionals(w: Writer, track: Track) -> list[str]:
    pitch = w.or_zeros(w.select(track.pitch, track.voiced), 5, 5)
    pitch = _within(w, pitch, w.percentiles(pitch, (50.0,)))
    mean, deviation, _ = w.spread(w.add("Abs", w.steps(pitch)))
    voiced, speech = w.row(w.real(track.voiced)), w.row(w.real(track.speech))
    runs, spoken = _runs(w, voiced), w.part(speech, track.first, track.end)
    length = w.row(w.real(w.add("Sub", track.end, track.first)))
    rhythm = [
        w.mean(voiced), runs, w.over(w.total(voiced), w.at_least(runs, 1.0)), w.times(length, voice.HOP),
        w.mean(spoken), w.minus(_runs(w, spoken), 1.0),
    ]  # fmt: skip
    return [_moments(w, pitch), *_parabola(w, pitch), mean, deviation, *rhythm]


def _pieces(w: Writer, track: Track, count: int) -> str:
    """Add masks of the parts of the spoken frames, as equal as can be: float32 [count, frames]."""
    length = w.add("Sub", track.end, track.first)
    whole = w.add("Div", length, w.integers(count))
    rest = w.add("Sub", length, w.add("Mul", whole, w.integers(count)))
    edges = w.integers(*range(count + 1))
    starts = w.add("Add", w.add("Mul", edges, whole), w.add("Min", edges, rest))
    starts = w.add("Reshape", w.add("Add", starts, track.first), w.integers(-1, 1))
    low, high = w.part(starts, 0, count, 0), w.part(starts, 1, count + 1, 0)
    inside = w.add("And", w.add("GreaterOrEqual", track.place, low), w.add("Less", track.place, high))
    return w.real(inside)


def _masked(w: Writer, values: str, masks: str) -> tuple[str, str, str]:
    """Add mean and deviation of a row [1, frames] under masks [masks, frames], and the counts: all [masks, 1]."""
    count = w.total(masks)
    divisor = w.at_least(count, 1.0)
    mean = w.over(w.total(w.times(masks, values)), divisor)
    centred = w.times(masks, w.minus(values, mean))
    return mean, w.add("Sqrt", w.over(w.total(w.square(centred)), divisor)), count


def _thirds(w: Writer, track: Track, descriptors: str) -> list[str]:
    """Add the means of the thirds less the mean of all: [3 x rows]."""
    masks = _pieces(w, track, 3)
    count = w.total(masks)
    shares = w.over(masks, w.at_least(count, 1.0))
    means = w.add("MatMul", shares, w.add("Transpose", descriptors, perm=[1, 0]))  # [3, rows]
    whole = w.row(w.mean(w.part(descriptors, track.first, track.end)))
    there = w.real(w.add("Greater", count, w.number(0.0)))
    return [w.column(w.times(w.minus(means, whole), there))]


def _modulation(w: Writer, spoken: str) -> list[str]:
    """Add the log power of the modulation; see :func:`ser_core.features.voice.modulation`."""
    hertz = np.arange(LONGEST // 2 + 1) / (LONGEST * voice.HOP)
    used = np.flatnonzero((hertz >= voice.MODULATION_HZ[0]) & (hertz < voice.MODULATION_HZ[-1]))
    groups = w.mean(w.add("Reshape", spoken, w.integers(voice.GROUPS, voice.BANDS // voice.GROUPS, -1)), 1, 0)
    centred = w.minus(groups, w.mean(groups))
    count = w.length(groups)
    times, bins = w.constant(np.arange(LONGEST)[:, None], np.int64), w.constant(used[None], np.int64)
    turns = w.real(w.add("Mod", w.add("Mul", times, bins), w.integers(LONGEST)))
    angles = w.times(turns, 2.0 * np.pi / LONGEST)  # a runtime computes these constants when it loads
    parts = (w.add("MatMul", centred, w.part(w.add(f, angles), 0, count, 0)) for f in ("Cos", "Sin"))
    power = w.add("Add", *(w.square(part) for part in parts))
    power = w.over(power, w.real(count))  # [GROUPS, bins]
    bands = np.stack([
        ((hertz >= low) & (hertz < high))[used] / ((hertz >= low) & (hertz < high)).sum()
        for low, high in zip(voice.MODULATION_HZ, voice.MODULATION_HZ[1:], strict=False)
    ])  # fmt: skip
    means = w.add("MatMul", w.constant(bands), w.add("Transpose", power, perm=[1, 0]))
    return [w.column(w.add("Log", w.plus(means, 1e-3)))]


def _correlations(w: Writer, values: str) -> list[str]:
    """Add the correlations of all pairs of rows; those of a row that is constant but for rounding are 0."""
    centred = w.spread(values)[2]
    length = w.add("Sqrt", w.total(w.square(centred)))
    scores = w.times(centred, w.add("Where", w.add("Greater", length, w.number(1e-3)),
                                    w.over(w.number(1.0), w.at_least(length, 1e-12)), w.number(0.0)))  # fmt: skip
    product = w.flat(w.add("MatMul", scores, w.add("Transpose", scores, perm=[1, 0])))
    count = 10 + 5
    rows, columns = np.triu_indices(count, 1)
    return [w.column(w.add("Gather", product, w.integers(*(rows * count + columns).tolist()), axis=0))]


def _by_voicing(w: Writer, track: Track, descriptors: str) -> list[str]:
    """Add means and deviations of voiced, and means of unvoiced speech."""
    unvoiced = w.add("And", track.speech, w.add("Not", track.voiced))
    means = []
    for mask, deviates in ((track.voiced, True), (unvoiced, False)):
        count = w.total(w.real(mask))
        chosen = w.select(descriptors, w.choose(w.add("Greater", count, w.number(4.0)), mask, track.speech))
        mean, deviation, _ = w.spread(chosen)
        means += [mean, deviation] if deviates else [mean]
    return means


def _course(w: Writer, track: Track) -> list[str]:
    """Add pitch, energy and voicing in each fifth, and their steps."""
    anyone = w.add("Greater", w.total(w.real(track.voiced)), w.number(0.0))
    middle = w.percentiles(w.select(track.pitch, w.choose(anyone, track.voiced, track.speech)), (50.0,))
    pitch = w.minus(_within(w, track.pitch, middle), middle)
    loudness = w.minus(track.shape[0], w.mean(w.select(track.shape[0], track.speech)))
    fifths, voiced = _pieces(w, track, 5), w.row(w.real(track.voiced))
    tones = w.times(fifths, voiced)
    mean, deviation, count = _masked(w, pitch, tones)
    far = w.times(w.minus(w.number(1.0), tones), 100.0)
    enough = w.real(w.add("Greater", count, w.number(2.0)))
    high, low = w.largest(w.minus(w.times(tones, pitch), far)), w.smallest(w.plus(w.times(tones, pitch), far))
    energy, energy_deviation, length = _masked(w, loudness, fifths)
    share = w.over(count, w.at_least(length, 1.0))
    columns = [w.times(one, enough) for one in (mean, deviation, high, low)]
    parts = [w.column(w.add("Concat", *columns, energy, energy_deviation, share, axis=-1))]
    neighbours = w.add("And", w.part(track.voiced, 1, 2**31, 0), w.part(track.voiced, 0, -1, 0))
    for values in (pitch, loudness):
        steps = w.or_zeros(w.select(w.add("Abs", w.steps(values)), neighbours), 1, 1)
        parts += [w.mean(steps), w.column(w.percentiles(steps, (50.0, 90.0)))]
    return parts


def _bands(w: Writer, track: Track, speech: str, spoken: str, level: str) -> list[str]:
    """Add changes, contrasts and the difference of the bands of frames above a level in dB."""
    change = w.add("Concat", w.constant(np.zeros((voice.BANDS, 1))), w.steps(spoken), axis=-1)
    cepstrum = w.part(track.cepstrum, track.first, track.end)
    first = w.part(cepstrum, 0, 1)
    bend = w.spread(w.steps(w.steps(w.add("Concat", first, first, cepstrum, axis=-1))))[1]
    groups = w.add("Reshape", speech, w.integers(voice.GROUPS, voice.BANDS // voice.GROUPS, -1))
    contrast = w.spread(w.minus(w.largest(groups, 1, 0), w.smallest(groups, 1, 0)))
    loudness = w.select(track.shape[0], track.speech)
    loud = w.flat(w.add("GreaterOrEqual", loudness, level))
    above = w.minus(w.mean(w.select(speech, loud)), w.mean(speech))
    return [w.mean(w.add("Abs", change)), w.spread(change)[1], bend, *contrast[:2], above]


def remove_offset(graph: Graph, waveform: str) -> str:
    """Add the nodes that subtract the mean of a waveform [1, samples] where it is above :data:`OFFSET` of the peak."""
    mean = graph.add("ReduceMean", waveform, axes=[1], keepdims=1)
    peak = graph.add("ReduceMax", graph.add("Abs", waveform), axes=[1], keepdims=1)
    above = graph.add("Greater", graph.add("Abs", mean), graph.add("Mul", peak, graph.constant(np.float32(OFFSET))))
    return graph.add("Sub", waveform, graph.add("Where", above, mean, graph.constant(np.float32(0.0))))


def add_voice_functionals(graph: Graph, waveform: str, rate: int) -> str:
    """Add the nodes that turn a waveform into voice functionals.

    Parameters
    ----------
    graph : Graph
        gets the nodes
    waveform : str
        name of the input, float32 [1, samples]; at least 0.1 s, of which the first 5.1 s count
    rate : int
        sampling rate, Hz; 16,000

    Returns
    -------
    str
        name of the functionals, float32 [1, ``voice.SIZE``]
    """
    w = Writer(graph)
    track = _track(w, waveform, rate)
    descriptors = w.add("Concat", track.cepstrum, *track.shape, axis=0)
    everything = w.select(w.add("Concat", descriptors, track.log_mel, axis=0), track.speech)
    rows = voice.CEPSTRUM + len(track.shape)
    speech, spoken = w.part(everything, rows, 2**31, 0), w.part(track.log_mel, track.first, track.end)
    percentiles = w.percentiles(everything, voice.PERCENTILES)
    moments = _moments(w, everything, percentiles)
    level = w.add("Slice", percentiles, *(w.integers(*edge) for edge in ((voice.CEPSTRUM, 2), (voice.CEPSTRUM + 1, 3))))
    shapes = w.add("Concat", w.part(track.cepstrum, 0, 10, 0), *track.shape[1:], axis=0)
    parts = [
        w.column(w.part(moments, 0, rows)),
        w.column(_moments(w, w.part(_change(w, descriptors), track.first, track.end))),
        w.column(w.part(moments, rows, 2**31)),
        *_pitch_functionals(w, track),
        *_thirds(w, track, descriptors),
        *_modulation(w, spoken),
        *_correlations(w, w.select(shapes, track.speech)),
        *_by_voicing(w, track, descriptors),
        *_course(w, track),
        *_bands(w, track, speech, spoken, level),
    ]
    return w.row(w.add("Concat", *parts, axis=0))
