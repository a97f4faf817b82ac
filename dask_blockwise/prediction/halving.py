"""A device without memory for a batch of inputs gets half of it at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

__all__ = ["halved_if_need_be"]

Input = TypeVar("Input")

_logger = logging.getLogger(__name__)

# Shapes of batches that were too large for this process's device.
_too_large: set[tuple[int, ...]] = set()


def halved_if_need_be(
    infer: Callable[[Sequence[Input]], list[NDArray[Any]]],
    inputs: Sequence[Input],
    shape: tuple[int, ...],
) -> list[NDArray[Any]]:
    """Run a network on several inputs; where its device has no memory for them, in two halves.

    It is halved once, and batches of the same shape from then on; a half that is too large as well
    raises the error.

    Parameters
    ----------
    infer
        Runs the network on inputs.
    inputs
    shape
        Of one of them, which all have.

    Returns
    -------
    list of ndarray
        What the network makes of each.

    Examples
    --------
    >>> halved_if_need_be(lambda some: [2 * n for n in some], [1, 2, 3], ())
    [2, 4, 6]
    """
    half = -(-len(inputs) // 2)
    if (len(inputs), *shape) not in _too_large:
        try:
            return infer(inputs)
        except RuntimeError as error:
            if len(inputs) == 1 or not _is_out_of_memory(error):
                raise
        # Out of the handler, which holds on to what the device had of the batch.
        _too_large.add((len(inputs), *shape))
        _logger.warning(
            "The device has no memory for a batch of %d inputs of shape %s: %d at once from now.",
            len(inputs),
            shape,
            half,
        )
    return [*infer(inputs[:half]), *infer(inputs[half:])]


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether it is torch's, which has a class for it, or another library's that says so."""
    is_torchs = "OutOfMemoryError" in {kind.__name__ for kind in type(error).__mro__}
    return is_torchs or "out of memory" in str(error).lower()
