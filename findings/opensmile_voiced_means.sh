#!/usr/bin/env bash
# Six eGeMAPS features that are said to be of voiced speech measure how much silence there is.
#
# Guess: names with "sma3nz" are smoothed and summarised over voiced frames ("nz": not zero), so a pause beside a vowel
# leaves F1amplitudeLogRelF0_sma3nz_amean where it was, as it leaves the frequency of F1 and the pitch.
#
# What happens (opensmile 2.6.0, eGeMAPSv02): the amplitude of formants 1 to 3 is -201 dB in unvoiced frames, which is
# not zero, and goes into the mean. The mean of one and the same vowel falls from -7 dB to -71 dB with a
# second of pause, on a straight line with the share of unvoiced frames; its deviation follows. Mean pitch stays within
# 0.1 semitones.
#
# Why it matters here: trimming of silence, another corpus, or padding to one length shifts six of the 88 features by
# several standard deviations, while papers read them as timbre. Acted emotions differ in their pauses, and a
# classifier that is praised for formants counts them.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  opensmile==2.6.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
import opensmile

print("opensmile", version("opensmile"), "numpy", np.__version__)
rate = 16000
random = np.random.default_rng(0)
sets = {
    level: opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, getattr(opensmile.FeatureLevel, level))
    for level in ("Functionals", "LowLevelDescriptors")
}
phase = 2 * np.pi * 120 * np.arange(2 * rate) / rate
vowel = 0.02 * sum(np.cos(k * phase) / np.sqrt(k) for k in range(1, 30))
watched = ["F0semitoneFrom27.5Hz_sma3nz_amean", "F1frequency_sma3nz_amean"]
watched += [f"F{k}amplitudeLogRelF0_sma3nz_{what}" for what in ("amean", "stddevNorm") for k in (1, 2, 3)]
rows = []
for pause in (0.0, 0.25, 0.5, 1.0, 2.0):
    room = 1e-4 * random.standard_normal(2 * rate + round(pause * rate))
    room[-2 * rate :] += vowel
    values = sets["Functionals"].process_signal(room.astype(np.float32), rate)[watched].iloc[0].to_numpy()
    frames = sets["LowLevelDescriptors"].process_signal(room.astype(np.float32), rate)
    amplitudes = frames["F1amplitudeLogRelF0_sma3nz"].to_numpy()
    unvoiced = (frames["F0semitoneFrom27.5Hz_sma3nz"].to_numpy() == 0).mean()
    rows.append([pause, unvoiced, amplitudes.min(), *values])
    print(f"pause of {pause:4} s: unvoiced {unvoiced:4.0%}, least F1 amplitude {amplitudes.min():.0f} dB;", end=" ")
    print("means: F0 {:.2f}, F1 {:.0f} Hz, amplitudes {:.0f}, {:.0f}, {:.0f} dB".format(*values[:5]), end="; ")
    print("their deviations {:.2f}, {:.2f}, {:.2f}".format(*values[5:]))
_, unvoiced, least, pitch, formant, amplitude, *_ = np.array(rows).T
line = np.corrcoef(unvoiced, amplitude)[0, 1]
print(f"correlation of the share of unvoiced frames with the mean amplitude of F1: {line:.4f}")
if not (np.ptp(pitch) < 0.1 and amplitude[0] > -20 and amplitude[3] < -50 and line < -0.99 and least[3] < -200):
    sys.exit("CHANGED: pauses leave the amplitudes of formants alone")
print("as described")
EOF
