#!/usr/bin/env bash
# webrtcvad finds speech in a recording of mere noise, because of the recording that it was given before.
#
# Guess: Vad.is_speech(frame, rate) is an answer about the frame, smoothed over some tenths of a second at most. One
# Vad serves a whole corpus, as in the usual loop over its files.
#
# What happens (webrtcvad-wheels 2.0.14.post1): the object holds models of noise and of speech that adapt, and nothing
# resets them, neither the end of a file nor set_mode(). Noise in which a new Vad finds a tenth of a second of speech is
# called speech for four to seven seconds where it follows a voice from a quiet room, in all four modes, the strictest
# included. A new Vad for each recording is the remedy; Python's wrapper has no other.
#
# Why it matters here: silence is cut with it before training, and pauses are features of emotion. What is cut depends
# on the file before, thus on the order of speakers and emotions in a folder, and differs where a single utterance is
# served, or where files are dealt to several processes.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  webrtcvad-wheels==2.0.14.post1 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
from importlib.metadata import version

import numpy as np
import webrtcvad

print(*(f"{name} {version(name)}" for name in ("webrtcvad-wheels", "numpy")))
rate, frame = 16000, 480
random = np.random.default_rng(0)
t = np.arange(3 * rate) / rate
pitch = 2 * np.pi * np.cumsum(130 + 20 * np.sin(2 * np.pi * 0.8 * t)) / rate
syllables = np.clip(np.sin(2 * np.pi * 2 * t) + 0.5, 0, 1)  # two a second, with pauses
voice = sum(np.cos(k * pitch) / k for k in range(1, 20)) * syllables
voice = (0.5 * 32767 * voice / np.abs(voice).max() + 20 * random.standard_normal(len(t))).astype(np.int16)
noise = (300 * random.standard_normal(10 * rate)).astype(np.int16)


def after(mode, *recordings):
    """Seconds of speech in the last recording, where one Vad is given all of them."""
    vad = webrtcvad.Vad(mode)
    for samples in recordings:
        vad.set_mode(mode)
        starts = range(0, len(samples) - frame + 1, frame)
        frames = sum(vad.is_speech(samples[at : at + frame].tobytes(), rate) for at in starts)
    return round(frames * frame / rate, 2)


changed = []
for mode in range(4):
    alone, second, again = after(mode, noise), after(mode, voice, noise), after(mode, noise)
    changed += [mode] if not (alone == again < 0.5 and second > 2) else []
    print(f"mode {mode}: speech in 10 s of noise: {alone} s, after a voice {second} s, new Vad {again} s;", end=" ")
    print(f"in 3 s of voice: {after(mode, voice)} s")
if changed:
    sys.exit(f"CHANGED: noise after a voice is judged as noise alone in modes {changed}")
print("as described")
EOF
