"""A device without memory for a batch of inputs gets half of it at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["halved_if_need_be"]

_logger = logging.getLogger(__name__)

# Shapes of batches that were too large for this process's device.
_too_large: set[tuple[int, ...]] = set()


def halved_if_need_be(
    infer: Callable[[NDArray[np.float32]], NDArray[np.float32]], arrays: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Run a network on several inputs; where its device has no memory for them, in two halves.

    It is halved once, and batches of the same shape from then on; a half that is too large as well
    raises the error.

    Parameters
    ----------
    infer
        Runs the network on inputs along the first axis.
    arrays : ndarray of float32, shape (n, c, ...)

    Returns
    -------
    ndarray of float32, shape (n, channels, ...)

    Examples
    --------
    >>> halved_if_need_be(np.sqrt, np.ones((2, 1, 4), np.float32)).shape
    (2, 1, 4)
    """
    if arrays.shape not in _too_large:
        try:
            return infer(arrays)
        except RuntimeError as error:
            if len(arrays) == 1 or not _is_out_of_memory(error):
                raise
        # Out of the handler, which holds on to what the device had of the batch.
        _too_large.add(arrays.shape)
        half = -(-len(arrays) // 2)
        _logger.warning(
            "The device has no memory for a batch of %d inputs of shape %s: %d at once from now.",
            len(arrays),
            arrays.shape[1:],
            half,
        )
    half = -(-len(arrays) // 2)
    return np.concatenate([infer(arrays[:half]), infer(arrays[half:])])


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Whether it is torch's, which has a class for it, or another library's that says so."""
    is_torchs = "OutOfMemoryError" in {kind.__name__ for kind in type(error).__mro__}
    return is_torchs or "out of memory" in str(error).lower()
