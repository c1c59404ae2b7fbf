"""The pretrained network: ``model.onnx``, its card, its licence, and the script that chose and trained it."""
