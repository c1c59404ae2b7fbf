"""Each condition degrades a recording as its name states, measured by independent formulas."""

import io

import numpy as np
import pytest

from ser_core import audio, corpora
from ser_core._utils.errors import SerError
from ser_core.audio import degradation

RATE = 16_000
EVERY = ("clean", *degradation.STANDARD)


@pytest.fixture(scope="module")
def speech():
    return audio.read(corpora.load("demo")["path"].iloc[5])


@pytest.fixture(scope="module")
def others():
    table = corpora.load("demo")
    speaker = table["speaker"].iloc[5]
    return [audio.read(path) for path in table[table["speaker"] != speaker]["path"].iloc[::40][:8]]


def decibel(ratio):
    return 10 * np.log10(np.maximum(ratio, 1e-12))


def power(x):
    return np.mean(np.asarray(x, dtype=float) ** 2)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_every_condition_keeps_length_and_input_and_is_fixed_by_key_and_seed(speech, others, name, rate):
    samples = speech[: rate // 2 + 1].copy()
    before = samples.copy()
    first = degradation.degrade(samples, name, key="a", rate=rate, seed=1, others=others)
    again = degradation.degrade(samples, name, key="a", rate=rate, seed=1, others=others)
    assert first.dtype == np.float32 and first.shape == samples.shape and np.isfinite(first).all()
    assert np.array_equal(first, again) and np.array_equal(samples, before)
    assert np.array_equal(first, samples) == (name == "clean")
    for other in ({"key": "b", "seed": 1}, {"key": "a", "seed": 2}):
        drawn = name.startswith(("white", "babble", "reverb"))
        another = degradation.degrade(samples, name, rate=rate, others=others, **other)
        assert np.array_equal(another, first) != drawn


@pytest.mark.parametrize("kind", ["white", "babble"])
@pytest.mark.parametrize("snr", [20, 10, 0])
def test_the_signal_to_noise_ratio_is_the_requested_one_without_pauses(others, kind, snr):
    """The active level of a steady tone is its mean power, half the squared amplitude."""
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(6 * RATE) / RATE)).astype(np.float32)
    noise = degradation.degrade(tone, f"{kind}:{snr}", key="a", rate=RATE, others=others) - tone
    assert decibel(0.045 / power(noise)) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize("kind", ["white", "babble"])
def test_two_levels_of_one_noise_differ_by_the_difference_of_their_names(speech, others, kind):
    added = {
        snr: degradation.degrade(speech, f"{kind}:{snr}", key="a", rate=RATE, others=others) - speech for snr in (20, 0)
    }
    assert decibel(power(added[0]) / power(added[20])) == pytest.approx(20, abs=0.1)
    assert np.corrcoef(added[0], added[20])[0, 1] > 0.999
    level = degradation.active_speech_level(speech, RATE)
    assert decibel(level / power(added[0])) == pytest.approx(0, abs=0.1) and level > power(speech)


def test_the_active_level_leaves_out_pauses():
    """P.56: a second of noise within five of silence has the level of the noise, except for the hangover of 0.2 s."""
    noise = np.random.default_rng(0).normal(size=RATE) * 0.1
    level = degradation.active_speech_level(noise, RATE)
    assert decibel(level / 0.01) == pytest.approx(0, abs=0.2)
    padded = np.concatenate([np.zeros(2 * RATE), noise, np.zeros(3 * RATE)])
    assert decibel(degradation.active_speech_level(padded, RATE) / 0.01) == pytest.approx(-decibel(1.25), abs=0.3)
    assert decibel(power(padded) / 0.01) == pytest.approx(-decibel(6), abs=0.1)
    assert degradation.active_speech_level(0.01 * noise, RATE) == pytest.approx(1e-4 * level, rel=1e-6)
    assert degradation.active_speech_level(np.zeros(100), RATE) == 0


def test_the_active_level_equals_the_recommendation_sample_by_sample(speech):
    """The counters of P.56 as in the recommendation, one sample after another."""
    x = speech[:RATE].astype(float)
    pole, held = np.exp(-1 / (0.03 * RATE)), int(np.ceil(0.2 * RATE))
    thresholds = [np.abs(x).max() / 2**j for j in range(15, -1, -1)]
    counts, hanging, p, q = [0] * 16, [held] * 16, 0.0, 0.0
    for value in np.abs(x):
        p = pole * p + (1 - pole) * value
        q = pole * q + (1 - pole) * p
        for j, threshold in enumerate(thresholds):
            if q >= threshold:
                counts[j], hanging[j] = counts[j] + 1, 0
            elif hanging[j] < held:
                counts[j], hanging[j] = counts[j] + 1, hanging[j] + 1
    levels = [(decibel(np.sum(x**2) / n), 2 * decibel(c)) for n, c in zip(counts, thresholds, strict=True) if n]
    margins = [level - threshold - 15.9 for level, threshold in levels]
    j = max(i for i, margin in enumerate(margins) if margin >= 0)
    low, high = sorted((levels[j][0], levels[j + 1][0]))
    expected = np.interp(0.0, [margins[j + 1], margins[j]], [levels[j + 1][0], levels[j][0]])
    assert low <= expected <= high
    assert decibel(degradation.active_speech_level(x, RATE)) == pytest.approx(expected, abs=1e-6)


def test_white_noise_is_white_and_babble_is_a_mix_of_the_other_speakers(speech, others):
    white = degradation.degrade(speech, "white:0", key="a", rate=RATE) - speech
    assert abs(np.corrcoef(white[1:], white[:-1])[0, 1]) < 0.03
    from scipy.signal import correlate

    two = others[:2]
    babble = (degradation.degrade(speech, "babble:0", key="a", rate=RATE, others=two) - speech).astype(float)
    bases = []
    for other in two:  # the lag of each, by circular correlation with the recording
        long = np.resize(other, len(speech) + len(other)).astype(float)
        lag = np.argmax(correlate(long, babble, mode="valid"))
        bases.append(long[lag : lag + len(speech)])
    explained, *_ = np.linalg.lstsq(np.stack(bases, axis=1), babble, rcond=None)
    rest = babble - np.stack(bases, axis=1) @ explained
    assert power(rest) < 0.01 * power(babble) and (explained > 0).all()


def test_babble_needs_other_speakers(speech):
    assert degradation.needs_other_speakers("babble:10") and not degradation.needs_other_speakers("white:10")
    with pytest.raises(SerError, match="other speakers"):
        degradation.degrade(speech, "babble:10", key="a", rate=RATE)


@pytest.mark.parametrize("rt60", [0.3, 0.6, 1.2])
def test_the_room_has_the_reverberation_time_of_its_name(rt60):
    """Schroeder's backward integration: the decay from -5 to -35 dB, doubled, is the time for 60 dB."""
    click = np.zeros(2 * RATE, np.float32)
    click[0] = 1.0
    response = degradation.degrade(click, f"reverb:{rt60}", key="a", rate=RATE).astype(float)
    decay = decibel(np.cumsum(response[::-1] ** 2)[::-1][: int(rt60 * RATE)] / np.sum(response**2))
    part = (decay < -5) & (decay > -35)
    slope = np.polyfit(np.flatnonzero(part) / RATE, decay[part], 1)[0]
    assert -60 / slope == pytest.approx(rt60, rel=0.1)
    assert response[0] == pytest.approx(1.0, abs=1e-5)
    ratio = decibel(response[0] ** 2 / np.sum(response[1:] ** 2))
    assert ratio == pytest.approx(degradation.DIRECT_TO_REVERBERANT, abs=0.1)


def test_the_telephone_passes_only_its_band():
    time = np.arange(2 * RATE) / RATE
    gain = {}
    for frequency in (60, 150, 500, 1000, 3000, 3800, 5000, 7000):
        tone = (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32)
        degraded = degradation.degrade(tone, "telephone", key="a", rate=RATE)
        gain[frequency] = decibel(power(degraded[4000:-4000]) / power(tone))
    assert all(abs(gain[f]) < 0.5 for f in (500, 1000, 3000))
    assert all(gain[f] < -35 for f in (60, 150, 3800, 5000, 7000))


def test_mu_law_equals_its_formula_within_half_a_step():
    """G.711's segments follow ln(1 + 255 |x|) / ln 256 in 8 bits: within a segment steps are 1/16 of it."""
    x = np.linspace(-0.98, 0.98, 4001).astype(np.float32)
    y = degradation.mu_law(x)
    assert len(np.unique(y)) <= 256

    def compressed(v):
        return np.sign(v) * np.log1p(255 * np.abs(v)) / np.log(256)

    assert np.abs(compressed(y) - compressed(x)).max() < 1.5 / 127
    step = 2.0 ** (np.floor(np.log2(np.abs(x) + 33 / 8192)) - 4)
    assert (np.abs(y - x) <= 0.55 * step + 1e-4).all()
    loud = decibel(power(x) / power(y - x))
    quiet = decibel(power(0.05 * x) / power(degradation.mu_law(0.05 * x) - 0.05 * x))
    assert loud > 35 and quiet > 30
    assert np.abs(degradation.mu_law(np.array([3.0, -3.0], np.float32))).max() <= 1.0


@pytest.mark.parametrize("name", ["codec:mp3:8", "codec:mp3:32", "codec:mp3:64", "codec:opus:6", "codec:vorbis:0"])
def test_a_codec_is_lossy_and_adds_no_delay(speech, name):
    degraded = degradation.degrade(speech, name, key="a", rate=RATE).astype(float)
    lags = range(-1200, 1201, 1)
    middle = slice(4000, 12_000)
    best = max(lags, key=lambda lag: np.dot(speech[middle], degraded[4000 + lag : 12_000 + lag]))
    assert abs(best) <= 2
    assert 0.85 < np.corrcoef(speech, degraded)[0, 1] < 0.9999


@pytest.mark.parametrize("codec, rates", [("mp3", (8, 16, 32, 64, 160)), ("opus", (6, 16, 32, 64))])
def test_bit_rates_are_the_requested_ones(speech, codec, rates):
    import soundfile

    long = np.tile(speech, 6)
    for rate in rates:
        file = io.BytesIO()
        settings = degradation._codec_settings("x", codec, str(rate))
        with soundfile.SoundFile(file, "w", samplerate=16_000, channels=1, **settings) as coder:
            coder.write(long)
        assert file.tell() * 8 / (len(long) / 16_000) / 1000 == pytest.approx(rate, rel=0.35), (codec, rate)


def test_a_lower_bit_rate_has_a_larger_error(speech):
    def error(name):
        return power(degradation.degrade(speech, name, key="a", rate=RATE).astype(float) - speech)

    assert error("codec:mp3:8") > error("codec:mp3:32") > error("codec:mp3:96")
    assert error("codec:opus:6") > error("codec:opus:32")
    assert error("codec:vorbis:0") > error("codec:vorbis:8")


@pytest.mark.parametrize("name", [*EVERY, "white:-5", "white:2.5", "codec:mp3:32", "codec:vorbis:10"])
def test_valid_names_are_accepted(name):
    degradation.check_condition(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "echo", "white", "white:", "white:loud", "white:nan", "white:inf", "white:20.0", "white:+5", "white:500"),
        *("clean:1", "telephone:8", "reverb:0", "reverb:-1", "reverb:90", "babble:10:3", "white:1e1"),
        *("codec", "codec:mp3", "codec:mp3:17", "codec:mp3:0", "codec:amr:12", "codec:opus:5", "codec:vorbis:11"),
    ],
)
def test_invalid_names_are_refused_in_one_line(name):
    with pytest.raises(SerError) as caught:
        degradation.check_condition(name)
    assert "\n" not in str(caught.value) and name.split(":")[0] in str(caught.value)


@pytest.mark.parametrize("name", [name for name in degradation.STANDARD if name != "clean"])
def test_less_than_a_tenth_of_a_second_is_refused_in_one_line(speech, others, name):
    assert len(degradation.degrade(speech[:1600], name, key="a", rate=16_000, others=others)) == 1600
    for samples in (speech[:1599], speech[:0]):
        with pytest.raises(SerError, match=f"condition {name}: {len(samples)} samples, wanted 0.1 s"):
            degradation.degrade(samples, name, key="a", rate=16_000, others=others)
