"""The network that comes with the package: ``model.onnx``, its card, its licence, and how it was chosen and made."""
