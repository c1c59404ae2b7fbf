#!/usr/bin/env bash
# pydub reads a WAV file of float samples as integers: a tone becomes noise, without an error.
#
# Guess: pydub reads 16-bit PCM itself and hands everything else to FFmpeg, so a float file is right with FFmpeg and
# refused without it.
#
# What happens (pydub 0.25.1): that is so for the plain header (format 3). The extensible header (0xFFFE) carries the
# true format in a later field, which pydub does not look at: it takes every extensible file for integer PCM. Float32
# comes as int32, with the right length and no sample out of range. The bits of a float are roughly its logarithm, so a
# voice 40 dB weaker comes at the same level, and the noise of a quiet room (-80 dB) at -6 dB: nothing is silent any
# more. 8-bit mu-law in such a header is taken for linear.
#
# Why it matters here: the sound system of Windows delivers float32 with the extensible header, and editors write it
# for 32-bit float. pydub is the usual tool to cut such recordings at silences and to convert them, and what it writes
# afterwards is a valid 32-bit file of another sound.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  pydub==0.25.1 soundfile==0.13.1 numpy==2.4.6 'audioop-lts==0.2.2; python_version>="3.13"' \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
import warnings
from importlib.metadata import version

import numpy as np
import soundfile

warnings.simplefilter("ignore")  # pydub misses ffmpeg, which nothing here needs
from pydub import AudioSegment

print(*(f"{name} {version(name)}" for name in ("pydub", "soundfile", "numpy")), soundfile.__libsndfile_version__)
rate = 16000
tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
room = np.random.default_rng(0).standard_normal(rate)


def levels(name, sound, form, subtype):
    """Write a sound; its level in dB by soundfile and by pydub."""
    soundfile.write("sound.wav", sound, rate, format=form, subtype=subtype)
    segment = AudioSegment.from_wav("sound.wav")
    by_pydub = np.array(segment.get_array_of_samples()) / 2 ** (8 * segment.sample_width - 1)
    found = [20 * np.log10(samples.std()) for samples in (soundfile.read("sound.wav")[0], by_pydub)]
    print(f"{subtype:6} {name:12} soundfile {found[0]:6.1f} dB, pydub {found[1]:6.1f} dB, {len(by_pydub)} samples")
    return found


sounds = {"tone": 0.5 * tone, "weaker tone": 0.005 * tone, "quiet room": 1e-4 * room}
pcm, floats = ([levels(name, sound, "WAVEX", kind) for name, sound in sounds.items()] for kind in ("PCM_16", "FLOAT"))
law = levels("weaker tone", sounds["weaker tone"], "WAVEX", "ULAW")
if np.abs(np.diff(pcm)).max() > 0.1:
    sys.exit("CHANGED: 16-bit PCM in an extensible file is not right")
if not (abs(floats[1][1] - floats[0][1]) < 5 and floats[2][0] < -79 and floats[2][1] > -10 and law[1] > law[0] + 20):
    sys.exit("CHANGED: pydub looks at the true format of an extensible file")
print("as described")
EOF
