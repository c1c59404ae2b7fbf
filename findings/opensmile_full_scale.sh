#!/usr/bin/env bash
# openSMILE turns a sample of exactly +1.0 into -1.0.
#
# Guess: openSMILE takes floats with full scale 1, so a recording scaled to a peak of 1.0 is the loudest clean input,
# and its features are those of the same recording at 0.9999. 16-bit integers, the commonest form of speech, work as
# well.
#
# What happens (opensmile 2.6.0): samples are multiplied by 32768 and cast to 16 bits without clipping. +1.0 becomes
# 32768, which wraps to -32768: a click of twice the full scale at each positive peak. Only positive peaks of exactly
# 1.0 do it, so one recording of a corpus has it and the next has not. An int16 array raises OverflowError; an int32
# array is taken without a word and its features are those of noise: a voice of 120 Hz has no pitch.
#
# Why it matters here: peak normalisation is the usual first step in speech emotion recognition, and eGeMAPS and
# ComParE the usual baselines. Jitter and shimmer, which such papers discuss, change most.
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
t = np.arange(2 * rate) / rate
voice = sum(np.cos(2 * np.pi * 120 * k * t) / k for k in range(1, 15))
voice = (voice / voice.max()).astype(np.float32)
smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
peak, below = (smile.process_signal(voice * gain, rate).iloc[0] for gain in (np.float32(1), np.float32(0.9999)))
upside_down = smile.process_signal(-voice, rate).iloc[0]
for name in ("jitterLocal_sma3nz_amean", "shimmerLocaldB_sma3nz_amean", "loudness_sma3_amean"):
    print(f"{name:28} peak +1.0: {peak[name]:.6f}  peak -1.0: {upside_down[name]:.6f}  peak 0.9999: {below[name]:.6f}")
name = "shimmerLocaldB_sma3nz_amean"
clicks = peak[name] > 10 * below[name] and abs(upside_down[name] - below[name]) < 0.1
try:
    smile.process_signal((voice * 32767).astype(np.int16), rate)
    refused = False
except OverflowError as error:
    refused = True
    print("int16:", type(error).__name__, error)
pitch = "F0semitoneFrom27.5Hz_sma3nz_amean"
whole = smile.process_signal((voice * 0.9 * 2**31).astype(np.int32), rate).iloc[0]
print(f"{pitch}: float {below[pitch]:.2f}, int32 {whole[pitch]:.2f}")
if not (clicks and refused and below[pitch] > 20 and whole[pitch] == 0):
    sys.exit("CHANGED: openSMILE no longer wraps +1.0, or takes integers otherwise")
print("as described")
EOF
