"""Turn a network of the suite, or a user's, into one that predicts a continuous label."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ser_core._utils.errors import SerError

if TYPE_CHECKING:
    import keras


def with_regression_head(network: keras.Model) -> keras.Model:
    """Replace the softmax over the emotions by one number.

    Everything before the last layer stays as it is; a new dense layer of one unit takes its place.

    Parameters
    ----------
    network : keras.Model
        from one utterance's input to probabilities, not compiled; of several outputs the first counts

    Returns
    -------
    keras.Model
        from float32 [batch, *shape] to float32 [batch, 1], of any range; not compiled

    Raises
    ------
    SerError
        for a network whose first output no layer makes
    """
    import keras

    made = [layer for layer in network.layers if any(layer.output is output for output in network.outputs[:1])]
    if not made or len(getattr(made[0].input, "shape", ())) != 2:
        raise SerError(f"network {network.name}: its last layer is not one over a vector; end with a dense softmax")
    value = keras.layers.Dense(1, name="value", dtype="float32")(made[0].input)
    return keras.Model(network.inputs, value, name=f"{network.name}_value")
