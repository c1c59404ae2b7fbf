"""Predict with an exported TFLite file and LiteRT only.

``python -m ser_core.inference.examples.tflite_alone FILE.tflite VOICE.wav`` prints the probabilities as JSON. The
network takes features, which ``ser_core.features`` computes with numpy: frames, or voice functionals. Its labels and
spec are in the JSON file of the same name.
"""

import json
import sys
from pathlib import Path

from ai_edge_litert.interpreter import Interpreter

from ser_core import audio
from ser_core.features import FeatureSettings, inputs


def main(model: str, recording: str) -> dict[str, float]:
    """Return the probability of each emotion of one recording, cut after the 4 or 5 s that the network takes.

    Parameters
    ----------
    model, recording : str
        Paths of the TFLite file and of the recording.
    """
    facts = json.loads(Path(model).with_suffix(".json").read_text(encoding="utf-8"))
    spec = facts["spec"]
    samples = audio.read(recording, rate=facts["rate"], normalise=spec["normalise"], denoise=spec["denoise"])
    samples = samples[: round(facts["window_seconds"] * facts["rate"])]
    name = inputs.get_input(spec["features"]).asked or spec["features"]
    settings = FeatureSettings(name, **{field: spec[field] for field in ("frames", "znorm", "rate")})
    given = inputs.to_input(inputs.RAW[inputs.get_input(name).raw](samples, facts["rate"]), settings)
    interpreter = Interpreter(model)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given[None])
    interpreter.invoke()
    probabilities = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]
    return dict(zip(facts["labels"], probabilities.tolist()))


if __name__ == "__main__":
    missing = [name for name in sys.argv[1:] if not Path(name).is_file()]
    if missing or len(sys.argv) != 3:
        sys.exit(f"{missing[0]}: no such file" if missing else "usage: FILE.tflite VOICE.wav")
    print(json.dumps(main(*sys.argv[1:])))
