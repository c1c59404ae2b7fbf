#!/usr/bin/env bash
# soundfile opens telephone recordings (GSM 6.10, G.721, NMS ADPCM in WAV), tells their length, and reads nothing.
#
# Guess: a file that opens and has a length can be read, or read() raises LibsndfileError, which is what one catches.
#
# What happens (soundfile 0.13.1, libsndfile 1.2.2): libsndfile cannot seek in these codecs, and read() without a count
# raises ValueError: "frames must be specified for non-seekable files", though the length is in .frames. With that
# count the samples come. sf.read(name) fails in the same way. Of two streams joined in one Ogg file, which is legal
# (RFC 3533, "chaining"), the first alone is read, and no error says so.
#
# Why it matters here: call-centre corpora are GSM 6.10 in WAV, and a loop over files that catches LibsndfileError dies
# at the first one. Web radio and browsers' recorders write chained Ogg, and half of such a recording is lost.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  soundfile==0.13.1 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys

import numpy as np
import soundfile as sf

print("soundfile", sf.__version__, "libsndfile", sf.__libsndfile_version__, "numpy", np.__version__)
rate = 8000
voice = 0.3 * np.random.default_rng(0).standard_normal(2 * rate)
refused = []
for subtype in ("GSM610", "G721_32", "NMS_ADPCM_32", "ULAW"):
    name = f"{subtype}.wav"
    sf.write(name, voice, rate, subtype=subtype)
    with sf.SoundFile(name) as file:
        try:
            said = f"{len(file.read())} samples"
        except ValueError as error:
            refused.append(subtype)
            said = f"ValueError: {error}; read({file.frames}) gives {len(file.read(file.frames))} samples"
    print(f"{subtype:13} read(): {said}")
sf.write("one.ogg", voice, rate, format="OGG", subtype="VORBIS")
one = open("one.ogg", "rb").read()
open("two.ogg", "wb").write(one + one)
joined = len(sf.read("two.ogg")[0])
print(f"two streams of {len(voice)} samples joined in one Ogg file: read() gives {joined}")
if refused != ["GSM610", "G721_32", "NMS_ADPCM_32"] or joined != len(voice):
    sys.exit("CHANGED: soundfile reads telephone codecs without a count, or joined streams to the end")
print("as described")
EOF
