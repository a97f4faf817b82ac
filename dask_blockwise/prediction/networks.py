"""Networks: loaded once a process and run on arrays. The door to torch."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .footprint import Footprint
from .model_source import ModelSource
from .modules import is_trained, module_of, only_shape
from .openvino import OpenVinoNetwork
from .outputs import UnfitOutputError, paths_of, picked, told
from .perturbations import UNKNOWN, Spread
from .probing import probe
from .threads import SharedThreads

__all__ = [
    "best_device",
    "check_device",
    "check_trained",
    "finished",
    "footprint_of",
    "infer",
    "load",
]

_PRECISIONS = ("float32", "bfloat16", "float16")
_loaded: dict[tuple[ModelSource, str, str, tuple[Any, ...]], Any] = {}
# Of networks that were probed.
_codes: dict[ModelSource, str] = {}
_lock = threading.Lock()
_threads = SharedThreads(torch.get_num_threads, torch.set_num_threads)


# Given arrays of numpy, or of torch where they lie on a GPU, and which of the two.
Finish = Callable[[Any, Any], list[Any]]


def infer(
    source: ModelSource,
    arrays: NDArray[np.float32],
    device: str = "cpu",
    precision: str = "float32",
) -> NDArray[np.float32]:
    """Run a network on arrays of one shape at once.

    Parameters
    ----------
    source, device
    arrays : ndarray of float32, shape (n, c, z, y, x) or (n, c, y, x)
    precision : "float32", "bfloat16" or "float16"

    Returns
    -------
    ndarray of float32, shape (n, channels, ...)

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.MaxPool2d(3, 1, 1))
    >>> infer(source, np.eye(3, dtype=np.float32)[None, None]).min()
    np.float32(1.0)
    """
    (result,) = finished(source, arrays, device, precision, lambda outputs, _: [outputs])
    return result


def finished(
    source: ModelSource,
    arrays: NDArray[np.float32],
    device: str,
    precision: str,
    finish: Finish,
    compiled: bool = False,
) -> list[NDArray[Any]]:
    """Run a network on arrays of one shape at once, and make something of its outputs.

    Parameters
    ----------
    source, arrays, device, precision
        See `infer`.
    finish
        Makes arrays of what `infer` returns, on the GPU if the network runs on one: less is then
        carried back, and a GPU computes faster than the core that feeds it.
    compiled : bool
        Whether torch compiles the network, for each shape.

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.ReLU())
    >>> arrays = np.array([[[[-4.0, 2.0]]]], np.float32)
    >>> finished(source, arrays, "cpu", "float32", lambda outputs, np: [np.amax(outputs, 3)])
    [array([[[2.]]], dtype=float32)]
    """
    network = load(source, device, precision, compiled)
    with _threads.share() as threads, torch.inference_mode():
        if isinstance(network, OpenVinoNetwork):
            values = network.run(arrays, threads)
            return finish(values[:, None] if values.ndim < arrays.ndim else values, np)
        layout = torch.channels_last_3d if arrays.ndim == 5 else torch.channels_last
        batch = torch.from_numpy(np.ascontiguousarray(arrays)).to(device, memory_format=layout)
        kind = getattr(torch, precision)
        with torch.autocast(device.split(":")[0], kind, precision != "float32"):
            result = network(batch)
        paths = paths_of(source.output)
        result = _joined([_with_channels(picked(result, path), batch) for path in paths])
        result = result.float() if result.is_floating_point() else result
        if result.device.type != "cpu":
            return [array.cpu().numpy() for array in finish(result, torch)]
    return finish(result.numpy(), np)


def _with_channels(result: Any, batch: torch.Tensor) -> torch.Tensor:
    """The one tensor that a network returned, with an axis of channels where it was squeezed."""
    if not isinstance(result, torch.Tensor):
        raise UnfitOutputError(
            f"The network returns {told(result)}, but one tensor is needed: pick it with output=, "
            "an index or a key, or wrap the network in a torch.nn.Module that does."
        )
    if result.is_complex():
        raise UnfitOutputError(
            f"The network returns complex numbers ({told(result)}): take their magnitude in it."
        )
    if result.ndim == batch.ndim - 1 and len(result) == len(batch):
        return result[:, None]
    if result.ndim != batch.ndim or len(result) != len(batch):
        raise UnfitOutputError(
            f"The network makes {told(result)} of an input of shape {tuple(batch.shape)}, but the "
            "axes (n, c, ...) are needed: if it has squeezed them, leave out that, or squeeze the "
            "channels alone, squeeze(1)."
        )
    return result


def _joined(results: list[torch.Tensor]) -> torch.Tensor:
    """Channels of several outputs, one after the other."""
    if len(results) == 1:
        return results[0]
    if len({(tuple(result.shape[2:]), result.is_floating_point()) for result in results}) > 1:
        raise UnfitOutputError(
            f"The outputs are {', '.join(map(told, results))}, and their channels can't be stored "
            "together: they need the same voxels, and all real numbers or none. Predict each by "
            "itself."
        )
    return torch.cat(results, 1)


def best_device() -> str:
    """The GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_device(device: str, precision: str) -> None:
    """Refuse a device that isn't there, or an unknown precision."""
    if precision not in _PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(_PRECISIONS)}, got {precision!r}.")
    if device == "openvino":
        return OpenVinoNetwork.check_installed("device='openvino'")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise ValueError(
            f"There is no device {device!r} ({str(error).splitlines()[0]}): give 'auto', 'cpu', "
            "'openvino', or one that torch finds, such as 'cuda'."
        ) from error
    return None


def check_trained(source: ModelSource) -> None:
    """Refuse to store what a network makes whose weights nobody has given.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> check_trained(ModelSource.of("torch.nn:Conv2d", arguments={"in_channels": 1,
    ...     "out_channels": 1, "kernel_size": 1}))
    Traceback (most recent call last):
    ValueError: torch.nn:Conv2d has random weights when it is made: give those that were trained,
    weights=.
    """
    if not is_trained(source, load(source)):
        raise ValueError(
            f"{source.where} has random weights when it is made: give those that were trained, "
            "weights=."
        )


def footprint_of(
    source: ModelSource,
    channels: int,
    dimensions: int,
    bounded: bool = True,
    spread: Spread = UNKNOWN,
) -> Footprint:
    """Probe a network, once a process and version of its code, with `probing.probe`.

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.Conv3d(1, 4, (1, 3, 3), padding=(0, 1, 1)))
    >>> [axis.halo for axis in footprint_of(source, 1, 3).axes]
    [(0, 0), (1, 1), (1, 1)]
    """
    return _footprint(source, source.code, channels, dimensions, bounded, spread)


@cache
def _footprint(
    source: ModelSource, code: str, channels: int, dimensions: int, bounded: bool, spread: Spread
) -> Footprint:
    if _codes.setdefault(source, code) != code:
        _codes[source] = code
        _forget(source)
    load(source)
    threads = torch.get_num_threads()
    # Its inputs are too small to share, and threads on a busy machine wait for one another.
    torch.set_num_threads(1)
    try:
        run = partial(infer, source)
        return probe(run, channels, dimensions, bounded, only_shape(source), spread)
    finally:
        torch.set_num_threads(threads)


def load(
    source: ModelSource, device: str = "cpu", precision: str = "float32", compiled: bool = False
) -> Any:
    """Load a network, once a process however many threads ask.

    Parameters
    ----------
    source, device, precision, compiled

    Returns
    -------
    torch.nn.Module or OpenVinoNetwork

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.ReLU())
    >>> load(source) is load(source)
    True
    """
    is_openvino = device == "openvino" or source.kind == "onnx"
    source = replace(source, output=())
    how = precision if is_openvino else "compiled" * compiled
    key = (source, device, how, source.made_of)
    with _lock:
        if key not in _loaded:
            _forget(*key[:3])
            made = _of_openvino if is_openvino else _of_torch
            _loaded[key] = made(source, device, how)
        return _loaded[key]


def _forget(*key: Any) -> None:
    """Drop networks that were loaded with other code."""
    for old in [each for each in _loaded if each[: len(key)] == key]:
        _loaded.pop(old, None)


def _of_torch(source: ModelSource, device: str, how: str) -> Any:
    module = module_of(source).to(device)
    return torch.compile(module) if how == "compiled" else module


def _of_openvino(source: ModelSource, device: str, precision: str) -> OpenVinoNetwork:
    if source.kind == "onnx":
        return OpenVinoNetwork.of_onnx(source.where, precision)
    module = module_of(source)

    def traced(shape: tuple[int, ...]) -> Any:
        # OpenVINO would trace it itself, and have torch run it twice more to compare.
        return torch.jit.trace(module, torch.zeros(shape), check_trace=False, strict=False)

    return OpenVinoNetwork.of_torch(traced, precision)
