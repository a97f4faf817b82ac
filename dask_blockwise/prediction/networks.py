"""Networks: loaded once a process and run on arrays. The door to torch."""

from __future__ import annotations

import importlib
import inspect
import logging
import pickle
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .footprint import Footprint
from .model_source import ModelSource
from .openvino import OpenVinoNetwork
from .outputs import UnfitOutputError, picked, told
from .perturbations import UNKNOWN, Spread
from .probing import probe
from .threads import SharedThreads
from .weights import matching

__all__ = ["best_device", "check_device", "footprint_of", "infer", "load"]

_PRECISIONS = ("float32", "bfloat16", "float16")
logger = logging.getLogger(__name__)
_loaded: dict[tuple[ModelSource, str, str, tuple[Any, ...]], Any] = {}
# Of networks that were probed.
_codes: dict[ModelSource, str] = {}
_lock = threading.Lock()
_threads = SharedThreads(torch.get_num_threads, torch.set_num_threads)


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
    network = load(source, device, precision)
    with _threads.share() as threads, torch.inference_mode():
        if isinstance(network, OpenVinoNetwork):
            values = network.run(arrays, threads)
            return values[:, None] if values.ndim < arrays.ndim else values
        layout = torch.channels_last_3d if arrays.ndim == 5 else torch.channels_last
        batch = torch.from_numpy(np.ascontiguousarray(arrays)).to(device, memory_format=layout)
        kind = getattr(torch, precision)
        with torch.autocast(device.split(":")[0], kind, precision != "float32"):
            result = network(batch)
    result = _with_channels(picked(result, source.output), batch)
    result = result.float() if result.is_floating_point() else result
    return np.asarray(result.cpu().numpy())


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
        return probe(run, channels, dimensions, bounded, _only_shape(source), spread)
    finally:
        torch.set_num_threads(threads)


def load(source: ModelSource, device: str = "cpu", precision: str = "float32") -> Any:
    """Load a network, once a process however many threads ask.

    Parameters
    ----------
    source, device, precision

    Returns
    -------
    torch.nn.Module or OpenVinoNetwork

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.ReLU())
    >>> load(source) is load(source)
    True
    """
    compiled = device == "openvino" or source.kind == "onnx"
    source = replace(source, output=())
    key = (source, device, precision if compiled else "", source.made_of)
    with _lock:
        if key not in _loaded:
            _forget(*key[:3])
            _loaded[key] = _compiled(source, precision) if compiled else _built(source).to(device)
        return _loaded[key]


def _forget(*key: Any) -> None:
    """Drop networks that were loaded with other code."""
    for old in [each for each in _loaded if each[: len(key)] == key]:
        _loaded.pop(old, None)


def _compiled(source: ModelSource, precision: str) -> OpenVinoNetwork:
    if source.kind == "onnx":
        return OpenVinoNetwork.of_onnx(source.where, precision)
    return OpenVinoNetwork.of_torch(_built(source), precision, torch.zeros)


def _built(source: ModelSource) -> torch.nn.Module:
    """Load a network, in float32 and ready for inference."""
    if source.kind == "module":
        module = pickle.loads(source.content)
    else:
        module = _imported(source) if source.kind == "import" else _of_file(source)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(
            f"{source.where} gives a {type(module).__name__}, but a network is needed. If these "
            "are weights alone, name it: predict(volume, 'package.module:Class', weights=path)."
        )
    _check_inputs(module)
    return module if source.kind == "export" else module.float().eval()


def _check_inputs(module: torch.nn.Module) -> None:
    """Refuse a network that needs more than an image."""
    try:
        taken = inspect.signature(module.forward).parameters.values()
    except (TypeError, ValueError):
        return
    kinds = inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD
    needed = [p.name for p in taken if p.kind in kinds and p.default is inspect.Parameter.empty]
    if len(needed) > 1:
        raise UnfitOutputError(
            f"The network takes {len(needed)} inputs, {', '.join(needed)}, but is given one, the "
            "image: wrap it in a torch.nn.Module that takes that alone and gives it the others."
        )


def _imported(source: ModelSource) -> Any:
    package, _, name = source.where.partition(":")
    arguments = dict(source.arguments)
    try:
        module = getattr(importlib.import_module(package), name)(**arguments)
    except (ImportError, AttributeError, TypeError) as error:
        raise ValueError(
            f"The network {source.where} can't be made with arguments={arguments} ({error}): check "
            "the name, 'package.module:Class', and what the class takes."
        ) from error
    if source.weights is not None:
        _load_state(module, source.weights)
    return module


def _of_file(source: ModelSource) -> Any:
    readers: dict[str, Callable[[str], Any]] = {
        "torchscript": partial(torch.jit.load, map_location="cpu"),
        "export": lambda path: torch.export.load(path).module(),
        "pickle": partial(torch.load, map_location="cpu", weights_only=False),
    }
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return readers[source.kind](source.where)
    except Exception as error:
        raise ValueError(
            f"{source.where} can't be loaded ({type(error).__name__}: {error}): it may be cut off, "
            "of another version of torch, or need a package that isn't installed here."
        ) from error


def _only_shape(source: ModelSource) -> tuple[int, ...] | None:
    """Of the only input that an exported network takes, along space; None if it takes more."""
    if source.kind != "export":
        return None
    program = torch.export.load(source.where)
    (name, *_) = program.graph_signature.user_inputs
    (image,) = (n.meta["val"].shape[2:] for n in program.graph.nodes if n.name == name)
    return tuple(image) if all(isinstance(n, int) for n in image) else None


def _load_state(module: torch.nn.Module, path: str) -> None:
    try:
        checkpoint = _state(path)
    except (pickle.UnpicklingError, ValueError) as error:
        raise ValueError(
            f"{path} is no file of weights, or holds more than tensors and would run code on "
            "loading: store the weights alone, torch.save(network.state_dict(), path)."
        ) from error
    found = matching(checkpoint, module.state_dict()) if isinstance(checkpoint, Mapping) else []
    if len(found) > 1:
        raise ValueError(
            f"{path} holds the weights of {type(module).__name__} {len(found)} times, in "
            f"{'; in '.join(map(str, found))}: store the ones that you want alone, torch.save."
        )
    if found and (found[0].nesting or found[0].prefix):
        logger.info("The weights are those in %s of %s", found[0], path)
    try:
        module.load_state_dict(found[0].values if found else checkpoint)
    except (RuntimeError, TypeError, AttributeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(
            f"The weights {path} don't fit the network {type(module).__name__} ({first}): check "
            "arguments=, or take the weights of this network."
        ) from error


def _state(path: str) -> Any:
    if path.endswith(".npz"):
        with np.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    return torch.load(path, map_location="cpu", weights_only=True)
