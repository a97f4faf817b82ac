"""The fastest way to run a network on a CPU, if it gives the same."""

from __future__ import annotations

import logging
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .footprint import Footprint
from .inference import Inference

__all__ = ["checked_by_openvino", "fastest"]

_logger = logging.getLogger(__name__)

# Of the largest value, or of 1 where that is smaller.
_SAME = 1e-5
# Voxels along an axis that are compared.
_COMPARED = 32


def fastest(network: Inference, footprint: Footprint, window: NDArray[np.float32]) -> Inference:
    """The network by OpenVINO, where that is installed and gives what torch does, else as it is.

    Parameters
    ----------
    network : Inference
        On a CPU.
    footprint : Footprint
        What it sees.
    window : ndarray of float32, shape (c, ...)
        Some of what it is to be given.
    """
    why = _hindrance(network) or _difference(network, _fitted(window, footprint))
    if why is None:
        return replace(network, device="openvino")
    _logger.warning("The network is run by torch, not by OpenVINO: %s.", why)
    return network


def checked_by_openvino(
    network: Inference, footprint: Footprint, window: NDArray[np.float32]
) -> Inference:
    """The network as it is, which OpenVINO is to run.

    Parameters
    ----------
    network, footprint, window
        See `fastest`.

    Raises
    ------
    ValueError
        If it can't.
    """
    from .networks import infer

    try:
        infer(network.model, _fitted(window, footprint)[None], "openvino")
    except Exception as error:  # of whatever kind: torch can run it
        raise ValueError(
            f"OpenVINO can't run the network ({' '.join(str(error).split())[:300]}): leave device "
            "out, or give device='fastest', which runs by torch what OpenVINO can't."
        ) from error
    return network


def _hindrance(network: Inference) -> str | None:
    """Why OpenVINO isn't even tried."""
    if find_spec("openvino") is None:
        return "that isn't installed (pip install 'dask_blockwise[openvino]')"
    if network.model.output:
        return "one of several outputs is wanted"
    if network.compiled or network.precision != "float32":
        return f"precision={network.precision!r} and compile={network.compiled} are torch's"
    return None


def _difference(network: Inference, array: NDArray[np.float32]) -> str | None:
    """How what OpenVINO gives differs, or why it gives nothing; None where it is the same."""
    from .networks import infer

    given = array[None]
    expected = infer(network.model, given)
    try:
        found = infer(network.model, given, "openvino")
    except Exception as error:  # of whatever kind: torch goes on
        return f"it can't run it ({' '.join(str(error).split())[:200]})"
    gap = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
    most = _SAME * max(1.0, float(np.abs(expected).max()))
    return None if gap <= most else f"its values differ by {gap:.2g}, more than {most:.2g}"


def _fitted(window: NDArray[np.float32], footprint: Footprint) -> NDArray[Any]:
    """A window of a shape that the network takes, mirrored where it is too small."""
    axes = footprint.axes
    sizes = footprint.only_shape or [
        axis.stride * -(-max(_COMPARED, axis.lost + 1) // axis.stride) + axis.rest for axis in axes
    ]
    # A network of two axes runs over planes.
    values = window[:, 0] if window.ndim - 1 > len(axes) else window
    for number, size in enumerate(sizes, 1):
        at = np.arange(size) % (2 * values.shape[number])
        mirrored = np.where(at < values.shape[number], at, 2 * values.shape[number] - 1 - at)
        values = values.take(mirrored, number)
    return np.ascontiguousarray(values, np.float32)
