#!/usr/bin/env bash
# soundfile reads a quarter of an MP3 file, or says it is twice as long, without an error.
#
# Guess: an MP3 file of variable bit rate without a Xing tag (the tag is optional; files cut from a stream lack it)
# has a rough duration in its header facts, but read() decodes until the file ends.
#
# What happens (soundfile 0.13.1, libsndfile 1.2.2): the length is estimated from the first frames, and read() stops
# there. A file that begins loud and ends quiet loses its end with no warning; one that begins quiet is said to be
# twice as long as it is, and blocks() hands out as many samples as were promised, more than there are. FFmpeg (PyAV)
# decodes both as they are.
#
# Why it matters here: durations select and weight utterances, labels have times in the file, and a lost end is a lost
# utterance. Files from podcasts and voice messages, cut without encoding again, are of this kind.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  soundfile==0.13.1 av==18.1.0 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - 2>errors.log <<'EOF' || { cat errors.log >&2; exit 1; }
import sys

import av
import numpy as np
import soundfile as sf

print("soundfile", sf.__version__, "libsndfile", sf.__libsndfile_version__, "av", av.__version__)
rate, half = 16000, 160000
noise = 0.3 * np.random.default_rng(0).standard_normal(half)
RATES = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # kbit/s, MPEG-2 Layer III


def measured(name, samples):
    """Write, take away the first frame, which is the tag alone, and count samples four ways."""
    settings = {"subtype": "MPEG_LAYER_III", "bitrate_mode": "VARIABLE", "compression_level": 0.5}
    with sf.SoundFile(name, "w", rate, 1, **settings) as file:
        file.write(samples)
    data = open(name, "rb").read()
    first = 72 * RATES[data[2] >> 4] * 1000 // rate + ((data[2] >> 1) & 1)
    assert b"Xing" in data[:first] and data[first] == 0xFF, "the tag is not where it was"
    open(name, "wb").write(data[first:])
    with av.open(name) as container:
        true = sum(frame.samples for frame in container.decode(audio=0))
    found = {"info": sf.info(name).frames, "read": len(sf.read(name)[0])}
    found["blocks"] = sum(map(len, sf.blocks(name, 4096)))
    print(f"{name}: FFmpeg decodes {true}; soundfile {found}")
    return true, found


true, quiet_first = measured("quiet_first.mp3", np.concatenate([np.zeros(half), noise]))
other, loud_first = measured("loud_first.mp3", np.concatenate([noise, np.zeros(half)]))
if not (true >= 2 * half <= other and quiet_first["info"] > 1.5 * true and loud_first["read"] < 0.5 * other):
    sys.exit("CHANGED: soundfile finds the length of an untagged MP3 of variable bit rate")
print("as described")
EOF
