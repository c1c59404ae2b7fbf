"""Runs an exported ONNX file with onnxruntime alone: ``python -m ser_core.inference.examples.onnx_alone FILE.onnx VOICE.wav``.

The graph takes the waveform, so that nothing of this package is needed: numpy, soundfile and soxr read the recording.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr


def main(model: str, recording: str) -> dict[str, float]:
    """Probability of each emotion of one recording; what is longer than 4 s is cut."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["ser"])
    samples, rate = soundfile.read(recording, dtype="float32", always_2d=True)
    waveform = soxr.resample(samples.mean(axis=1), rate, facts["rate"]).astype(np.float32)
    probabilities = session.run(["probabilities"], {"waveform": waveform[None]})[0][0]
    return dict(zip(facts["labels"], probabilities.tolist()))


if __name__ == "__main__":
    missing = [one for one in sys.argv[1:] if not Path(one).is_file()]
    if missing or len(sys.argv) != 3:
        sys.exit(f"{missing[0]}: no such file" if missing else "wanted: FILE.onnx VOICE.wav")
    print(json.dumps(main(*sys.argv[1:])))
