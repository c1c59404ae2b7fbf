"""Choose the epoch whose weights are kept, by rules that look at validation alone.

``loss`` keeps the epoch of the lowest validation loss, as Keras' early stopping does: once it has not improved for the
patience, the rule is closed. ``uar`` keeps the highest validation UAR, ties by the lower loss. ``last`` keeps the last
epoch. ``oracle`` keeps the epoch that is best on the test utterances: that is a leak, computed to show its size.
"""

from collections.abc import Sequence

RULES = ("loss", "uar", "last")
"""The honest rules, the paper's first."""
ORACLE = "oracle"
KEEP = (*RULES, ORACLE)
"""What the field ``keep`` of a spec may be."""


def kept_epochs(
    loss: Sequence[float], uar: Sequence[float], patience: int, test_uar: Sequence[float] = ()
) -> dict[str, int]:
    """Return the epoch that each rule keeps, from 1; 0 where it keeps none yet.

    Parameters
    ----------
    loss, uar : sequence of float, one per epoch
        of the validation utterances
    patience : int
        epochs without improvement after which the rule ``loss`` is closed
    test_uar : sequence of float, optional
        of the test utterances, for ``oracle``

    Returns
    -------
    dict of rule to epoch

    Examples
    --------
    >>> kept_epochs([1.0, 0.8, 0.9, 0.9, 0.7], [0.3, 0.4, 0.5, 0.5, 0.4], patience=2)
    {'loss': 2, 'uar': 3, 'last': 5, 'oracle': 0}
    """
    best_loss = 0
    for epoch, value in enumerate(loss, 1):
        if best_loss and epoch - 1 - best_loss >= patience:
            break
        if value < (loss[best_loss - 1] if best_loss else float("inf")):
            best_loss = epoch
    best_uar = max(range(1, len(uar) + 1), key=lambda epoch: (uar[epoch - 1], -loss[epoch - 1], -epoch), default=0)
    best_test = max(range(1, len(test_uar) + 1), key=lambda epoch: (test_uar[epoch - 1], -epoch), default=0)
    return {"loss": best_loss, "uar": best_uar, "last": len(loss), ORACLE: best_test}


def last_improvement(loss: Sequence[float], uar: Sequence[float]) -> int:
    """Return the last epoch at which the lowest loss or the highest UAR improved, from 1; 0 before the first.

    Examples
    --------
    >>> last_improvement([1.0, 0.8, 0.9, 0.9], [0.3, 0.4, 0.5, 0.5])
    3
    """
    improved, lowest, highest = 0, float("inf"), float("-inf")
    for epoch, value in enumerate(loss, 1):
        if value < lowest:
            lowest, improved = value, epoch
        if epoch <= len(uar) and uar[epoch - 1] > highest:
            highest, improved = uar[epoch - 1], epoch
    return improved
