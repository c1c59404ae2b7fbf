#!/usr/bin/env bash
# nlpaug's coloured noises lie 190 dB and more apart: pink is inaudible, violet hundreds of thousands times full scale.
#
# Guess: NoiseAug adds noise of the chosen colour at a usual level, in proportion to the speech or fixed, and the
# colours differ in their spectrum only.
#
# What happens (nlpaug 1.1.11): a spectrum of random real numbers is multiplied by 1/f, 1/f^2, f or f^2, with f counted
# in bins from 1, and transformed back without any scaling. One second of pink or brown noise is at -80 dB of full scale
# or below, white at -42, blue at +31, violet at +107; sixteen seconds of white are 12 dB weaker, of violet 36 dB
# stronger. The level of the speech plays no part. As the numbers are real, the second half of each noise is the first
# one backwards. color="random" picks among these.
#
# Why it matters here: noise is the first augmentation of most recipes for small corpora. With "random", four of nine
# copies are clean (pink, red, brown, brownian) and four hold nothing but noise (blue, azure, violet, purple), all with
# the label of the speech.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  nlpaug==1.1.11 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import nlpaug.augmenter.audio as augmenters
import numpy as np

print(*(f"{name} {version(name)}" for name in ("nlpaug", "numpy")))
rate = 16000
np.random.seed(0)


def noise(color, seconds, level=0.1):
    """What is added to a tone."""
    tone = level * np.sin(2 * np.pi * 200 * np.arange(seconds * rate) / rate)
    return np.asarray(augmenters.NoiseAug(zone=(0, 1), color=color).augment(tone)[0]) - tone


def facts(added):
    """Level in dB of full scale, and likeness of its second half to the first, backwards."""
    half = len(added) // 2
    mirrored = np.corrcoef(added[1:half], added[: -half : -1])[0, 1]
    return 10 * np.log10(np.mean(added**2)), mirrored


seen = {}
for color in ("white", "pink", "brown", "blue", "violet"):
    for seconds in (1, 16):
        found = np.median([facts(noise(color, seconds)) for _ in range(15)], axis=0)
        seen[color, seconds] = found
        print(f"{color:6} {seconds:2} s: {found[0]:6.1f} dB, likeness of its halves, one backwards: {found[1]:.3f}")
soft = facts(noise("white", 1, level=0.001))[0]
print(f"white noise on a tone 40 dB weaker: {soft:.1f} dB")
level = {key: values[0] for key, values in seen.items()}
if not (level["pink", 1] < -65 and level["brown", 1] < -65 and level["blue", 1] > 20 and level["violet", 1] > 80):
    sys.exit("CHANGED: the colours have like levels")
if not (level["white", 1] - level["white", 16] > 9 and abs(soft - level["white", 1]) < 3):
    sys.exit("CHANGED: the level of the noise follows the recording")
if min(values[1] for values in seen.values()) < 0.99:
    sys.exit("CHANGED: the noise is not mirrored in time")
print("as described")
EOF
