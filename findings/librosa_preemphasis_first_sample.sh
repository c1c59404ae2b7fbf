#!/usr/bin/env bash
# librosa's pre-emphasis doubles the first sample instead of taking 97 % of it away.
#
# Guess: y[n] - 0.97 y[n-1], where the sample before the first is 0, or the first itself, or lies on the line through
# the first two: 2 y[0] - y[1], the value that the documentation names. For a constant of 1 the output begins with 1
# or 0.03.
#
# What happens (librosa 0.11.0): 2 y[0] - y[1] is not taken for that sample but put into the state of the filter,
# which is added to the output as it is, neither negated nor multiplied by 0.97. The first output is 3 y[0] - y[1]:
# for a constant of 1 it is 2, where all others are 0.03. A filter that should weaken an offset makes a click of it,
# 67 times as high.
#
# Why it matters here: pre-emphasis is the first step of many feature pipelines, and segments cut out of long
# recordings (IEMOCAP, MSP-Podcast) begin in mid-speech, not in silence. Peak normalisation after it scales to that
# click. deemphasis() undoes it exactly, so a round trip does not reveal it.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  librosa==0.11.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys

import librosa
import numpy as np

print("librosa", librosa.__version__, "numpy", np.__version__)
constant = librosa.effects.preemphasis(np.ones(6, np.float32))
print("a constant of 1:", constant.round(3))
rate = 16000
cut = 0.5 * np.cos(2 * np.pi * 120 * np.arange(rate) / rate)  # begins at its peak, as a segment cut in mid-vowel may
out = librosa.effects.preemphasis(cut)
textbook = cut[1:] - 0.97 * cut[:-1]
print(f"a vowel cut at its peak: first output {out[0]:.3f}, 3 y[0] - y[1] = {3 * cut[0] - cut[1]:.3f}, "
      f"largest of the others {np.abs(out[1:]).max():.3f}")
print(f"the others differ from the textbook by {np.abs(out[1:] - textbook).max():.1g}")
zero = librosa.effects.preemphasis(cut, zi=[0.0])
print(f"with zi=[0.0] the first output is {zero[0]:.3f}")
back = librosa.effects.deemphasis(out)
print(f"deemphasis(preemphasis(y)) differs from y by {np.abs(back - cut).max():.1g}")
held = np.isclose(constant[0], 2) and np.isclose(out[0], 3 * cut[0] - cut[1]) and out[0] > 10 * np.abs(out[1:]).max()
if not held:
    sys.exit("CHANGED: the first sample of librosa.effects.preemphasis is another")
print("as described")
EOF
