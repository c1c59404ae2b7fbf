#!/usr/bin/env bash
# FFmpeg reads a WAV file of 24 valid bits in 32 as floating point: speech becomes noise of 10 to the power of 31.
#
# Guess: the extensible header of WAV says two numbers, the bits of the container (32) and those that are valid (24,
# at the top). A reader that does not care for the second one gets the same samples, as the rest is zero.
#
# What happens (PyAV 18.1.0, which brings its own FFmpeg): the valid bits replace the others, and "24 bits in blocks of
# 4 bytes" is also the mark of an old float format of Cool Edit (pcm_f24le). The integers are taken for float32 and
# scaled. No error and no warning; the length is right. Converted to 16 bits, as most loaders of speech do, three of ten
# samples stand at full scale. libsndfile, SciPy, miniaudio and Praat read the file as it is, and FFmpeg does, too, when
# the header says 32 valid bits.
#
# Why it matters here: sound cards and field recorders with 24-bit converters hand out 24 in 32. In a corpus of files
# from several laboratories those of one become noise, all with the same labels, and a network learns "noise" as
# that laboratory's emotion.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  av==18.1.0 soundfile==0.13.1 scipy==1.17.1 miniaudio==1.71 praat-parselmouth==0.4.7 numpy==2.4.6 \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import struct
import sys
from importlib.metadata import version

import av
import miniaudio
import numpy as np
import parselmouth
import scipy.io.wavfile
import soundfile

packages = ("av", "soundfile", "scipy", "miniaudio", "praat-parselmouth", "numpy")
print(*(f"{name} {version(name)}" for name in packages), "libavcodec", av.library_versions["libavcodec"])
rate = 16000
tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)
top = (tone * (2**23 - 1)).astype("<i4") << 8  # 24 bits at the top of 32, as the format demands


def write(name, valid):
    """WAVEFORMATEXTENSIBLE, mono, PCM, containers of 32 bits."""
    pcm = bytes.fromhex("0100000000001000800000aa00389b71")
    header = struct.pack("<HHIIHHHHI", 0xFFFE, 1, rate, 4 * rate, 4, 32, 22, valid, 4) + pcm
    body = b"WAVEfmt " + struct.pack("<I", len(header)) + header
    body += b"data" + struct.pack("<I", top.nbytes) + top.tobytes()
    with open(name, "wb") as file:
        file.write(b"RIFF" + struct.pack("<I", len(body)) + body)


def by_ffmpeg(name, resampler=None):
    """Samples, and the decoder that FFmpeg chose."""
    with av.open(name) as opened:
        frames = opened.decode(audio=0)
        if resampler:
            frames = (part for frame in frames for part in resampler.resample(frame))
        values = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
        codec = opened.streams.audio[0].codec_context.name
    full = 1 if values.dtype.kind == "f" else np.iinfo(values.dtype).max + 1
    return values / np.float64(full), codec


readers = {
    "soundfile": lambda name: soundfile.read(name)[0],
    "scipy": lambda name: scipy.io.wavfile.read(name)[1] / 2**31,
    "miniaudio": lambda name: np.array(miniaudio.wav_read_file_f32(name).samples),
    "Praat": lambda name: parselmouth.Sound(name).values[0],
    "FFmpeg": lambda name: by_ffmpeg(name)[0],
}
wrong = []
for valid in (32, 24):
    name = f"valid{valid}.wav"
    write(name, valid)
    for reader, read in readers.items():
        samples = read(name)
        right = len(samples) == rate and np.abs(samples - tone).max() < 1e-3
        wrong += [] if right else [(valid, reader)]
        print(f"{valid} valid bits, {reader:9} peak {np.abs(samples).max():.3g}", "" if right else "WRONG")
    print(f"{valid} valid bits, FFmpeg's decoder: {by_ffmpeg(name)[1]}")
short, _ = by_ffmpeg("valid24.wav", av.AudioResampler(format="s16", layout="mono", rate=rate))
clipped = (np.abs(short) > 0.99).mean()
print(f"converted to 16 bits by FFmpeg: {clipped:.0%} of the samples at full scale")
if wrong != [(24, "FFmpeg")] or clipped < 0.2:
    sys.exit(f"CHANGED: read wrongly: {wrong}, {clipped:.0%} at full scale")
print("as described")
EOF
