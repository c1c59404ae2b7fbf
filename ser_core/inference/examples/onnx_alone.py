"""Predict with an exported ONNX file and onnxruntime only.

``python -m ser_core.inference.examples.onnx_alone FILE.onnx VOICE.wav`` prints the probabilities as JSON. The graph
takes the waveform, so that only numpy, soundfile and soxr are needed to read the recording.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr


def main(model: str, recording: str) -> dict[str, float]:
    """Return the probability of each emotion of one recording, cut after the 4 or 5 s that the network takes.

    Parameters
    ----------
    model, recording : str
        Paths of the ONNX file and of the recording.
    """
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    facts = json.loads(session.get_modelmeta().custom_metadata_map["ser"])
    samples, rate = soundfile.read(recording, dtype="float32", always_2d=True)
    waveform = soxr.resample(samples.mean(axis=1), rate, facts["rate"]).astype(np.float32)
    probabilities = session.run(["probabilities"], {"waveform": waveform[None]})[0][0]
    return dict(zip(facts["labels"], probabilities.tolist()))


if __name__ == "__main__":
    missing = [name for name in sys.argv[1:] if not Path(name).is_file()]
    if missing or len(sys.argv) != 3:
        sys.exit(f"{missing[0]}: no such file" if missing else "usage: FILE.onnx VOICE.wav")
    print(json.dumps(main(*sys.argv[1:])))
