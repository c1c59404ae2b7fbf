"""Runs an exported TFLite file with LiteRT alone: ``python -m ser_core.inference.examples.tflite_alone FILE.tflite VOICE.wav``.

The network takes features, which ``ser_core.features`` computes with numpy. What it was trained for stands in the JSON
file beside it.
"""

import json
import sys
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from ser_core import audio, features


def main(model: str, recording: str) -> dict[str, float]:
    """Probability of each emotion of one recording; what is longer than 4 s is cut."""
    facts = json.loads(Path(model).with_suffix(".json").read_text(encoding="utf-8"))
    spec = facts["spec"]
    samples = audio.read(recording, rate=facts["rate"], normalise=spec["normalise"], denoise=spec["denoise"])
    given = {name: spec[name] for name in ("features", "frames", "znorm", "rate")}
    interpreter = Interpreter(model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], features.extract(samples, **given)[None])
    interpreter.invoke()
    probabilities = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return dict(zip(facts["labels"], probabilities.tolist()))


if __name__ == "__main__":
    missing = [one for one in sys.argv[1:] if not Path(one).is_file()]
    if missing or len(sys.argv) != 3:
        sys.exit(f"{missing[0]}: no such file" if missing else "wanted: FILE.tflite VOICE.wav")
    print(json.dumps(main(*sys.argv[1:])))
