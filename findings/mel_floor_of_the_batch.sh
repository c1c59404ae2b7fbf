#!/usr/bin/env bash
# The MFCCs of a recording depend on which other recordings are in its batch.
#
# Guess: librosa.feature.mfcc of an array [recordings, samples], and keras.layers.MelSpectrogram on a batch, treat
# each recording as if it were alone; the first axis is only there for speed.
#
# What happens (librosa 0.11.0, keras 3.15.1): decibels are floored at 80 below the maximum, and that maximum is taken
# over the whole array, batch included. A loud recording lifts the floor of a quiet one, which may vanish in it. In
# Keras the layer is part of the network, so a prediction depends on the batch that it was made in, also after
# training.
#
# Why it matters here: whispered and shouted speech lie 40 dB and more apart, sad and angry speech differ in level,
# and batches are drawn at random. Nothing shows it: shapes, types and the loud recordings are as before.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  librosa==0.11.0 keras==3.15.1 jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

KERAS_BACKEND=jax KERAS_HOME="$folder" venv/bin/python - <<'EOF'
import sys

import keras
import librosa
import numpy as np

print("librosa", librosa.__version__, "keras", keras.__version__, "numpy", np.__version__)
rate = 16000
random = np.random.default_rng(0)
t = np.arange(rate) / rate
shape = np.sin(2 * np.pi * 2 * t) ** 2
quiet = (0.001 * shape * np.sin(2 * np.pi * 200 * t) + 1e-5 * random.standard_normal(rate)).astype(np.float32)
loud = (0.3 * random.standard_normal(rate)).astype(np.float32)
together = np.stack([quiet, loud])
worst = {}

alone, beside = librosa.feature.mfcc(y=quiet, sr=rate), librosa.feature.mfcc(y=together, sr=rate)[0]
worst["librosa"] = np.abs(alone - beside).max()
print(f"librosa mfcc, the quiet one alone and beside a loud one: up to {worst['librosa']:.1f} apart")

layer = keras.layers.MelSpectrogram(sampling_rate=rate, fft_length=512, sequence_stride=160, num_mel_bins=40)
alone, beside = np.asarray(layer(quiet[None]))[0], np.asarray(layer(together))[0]
worst["keras"] = np.abs(alone - beside).max()
print(f"keras MelSpectrogram, likewise: up to {worst['keras']:.1f} dB apart, "
      f"lowest value {alone.min():.1f} alone and {beside.min():.1f} beside")

same = librosa.feature.mfcc(y=np.stack([quiet, quiet]), sr=rate)[0]
print(f"librosa mfcc, beside itself: {np.abs(librosa.feature.mfcc(y=quiet, sr=rate) - same).max():.1g} apart")
if not (worst["librosa"] > 10 and worst["keras"] > 10):
    sys.exit("CHANGED: decibels are no longer floored over the whole batch")
print("as described")
EOF
