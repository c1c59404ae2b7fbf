#!/usr/bin/env bash
# The samples of an MP3 file depend on the size of the pieces in which soundfile reads it.
#
# Guess: sf.blocks(), or read(frames) in a loop, gives what sf.read() gives, only in pieces.
#
# What happens (soundfile 0.13.1 with its libsndfile 1.2.2): after each piece soundfile seeks to where it already is.
# For PCM, FLAC and Vorbis nothing comes of it. The MP3 decoder starts anew at each such seek, without the bits that
# earlier frames keep for later ones, and decodes the next frames wrongly: the right length, but errors of half of
# full scale. The decoder says so on stderr ("part2_3_length too large"), which is not an exception and is shown here
# as a count.
#
# Why it matters here: corpora from the web (podcasts, broadcasts, Common Voice) are MP3, and reading in blocks is
# what one does with long files and in streaming. Training from sf.read() and serving from blocks hears two different
# signals.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  soundfile==0.13.1 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import os
import sys

import numpy as np
import soundfile as sf

print("soundfile", sf.__version__, "libsndfile", sf.__libsndfile_version__, "numpy", np.__version__)
rate = 16000
t = np.arange(4 * rate) / rate
voice = sum(np.cos(2 * np.pi * 130 * k * t + k) / k for k in range(1, 20)) * (1 + np.sin(2 * np.pi * 3 * t))
voice = 0.6 * voice / np.abs(voice).max()
sys.stderr.flush()
shown = os.dup(2)
os.dup2(os.open("decoder.log", os.O_WRONLY | os.O_CREAT), 2)
worst = {}
for suffix, subtype in (("flac", "PCM_16"), ("ogg", "VORBIS"), ("mp3", "MPEG_LAYER_III")):
    name = f"voice.{suffix}"
    sf.write(name, voice, rate, subtype=subtype)
    at_once, _ = sf.read(name)
    for size in (1000, 4096):
        in_pieces = np.concatenate(list(sf.blocks(name, size)))
        error = np.abs(in_pieces - at_once)
        worst[suffix] = max(worst.get(suffix, 0), error.max())
        print(f"{suffix:5} blocks of {size}: {len(in_pieces)} of {len(at_once)} samples, "
              f"largest difference {error.max():.3f}, above 0.01 in {100 * (error > 0.01).mean():.1f} % of them")
os.dup2(shown, 2)
print("lines of the decoder on stderr:", len(open("decoder.log").readlines()))
if not (worst["flac"] == 0 and worst["ogg"] < 1e-6 and worst["mp3"] > 0.1):
    sys.exit("CHANGED: reading MP3 in blocks no longer differs from reading it at once")
print("as described")
EOF
