#!/usr/bin/env bash
# pydub resamples without a filter: what lies above the new Nyquist frequency comes back as another sound, at full
# level.
#
# Guess: AudioSegment.set_frame_rate(16000) low-passes before it takes samples away, perhaps with a mediocre filter,
# as every resampler does; a tone of 10 kHz is gone, or much weaker.
#
# What happens (pydub 0.25.1): samples are interpolated on straight lines (the ratecv of Python's audioop, with its
# filter left off). A 10 kHz tone of a 48 kHz recording becomes a 6 kHz tone, less than 0.1 dB weaker. soxr leaves
# nothing.
#
# Why it matters here: pydub is the usual helper for "convert everything to 16 kHz mono", often on 44.1 and 48 kHz
# corpora (RAVDESS is at 48 kHz). The fricatives above 8 kHz are folded into the band that the network hears, so MFCCs
# of the same corpus differ by the tool that resampled it, and a system trained so hears other sounds from a 16 kHz
# microphone.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
  pydub==0.25.1 numpy==2.4.6 soxr==1.1.0 'audioop-lts==0.2.2; python_version>="3.13"' \
  2>pip.log || { cat pip.log >&2; exit 2; }

venv/bin/python - <<'EOF'
import sys
import warnings
from importlib.metadata import version

import numpy as np
import soxr

warnings.simplefilter("ignore")  # pydub misses ffmpeg, which nothing here needs
from pydub import AudioSegment

print("pydub", version("pydub"), "soxr", soxr.__version__, "numpy", np.__version__)
old, new = 48000, 16000
tone = (16000 * np.sin(2 * np.pi * 10000 * np.arange(old) / old)).astype(np.int16)
segment = AudioSegment(tone.tobytes(), frame_rate=old, sample_width=2, channels=1)
by_pydub = np.array(segment.set_frame_rate(new).get_array_of_samples())
by_soxr = soxr.resample(tone, old, new)


def heard(samples):
    """Strongest frequency, and the level in dB with respect to the tone."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    level = 20 * np.log10(max(samples[100:-100].std(), 1e-3) / tone.std())
    return spectrum.argmax() * new / len(samples), level


(alias, level), (_, rest) = heard(by_pydub.astype(float)), heard(by_soxr.astype(float))
print(f"10 kHz at 48 kHz, resampled to 16 kHz: pydub {alias:.0f} Hz at {level:.2f} dB; soxr {rest:.0f} dB")
if not (abs(alias - 6000) < 5 and level > -1 and rest < -60):
    sys.exit("CHANGED: pydub filters when it resamples")
print("as described")
EOF
