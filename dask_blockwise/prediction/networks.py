"""Networks: loaded once a process and run on arrays. The door to torch."""

from __future__ import annotations

import importlib
import pickle
import threading
import warnings
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .footprint import Footprint
from .model_source import ModelSource
from .openvino import OpenVinoNetwork
from .perturbations import UNKNOWN, Spread
from .probing import probe
from .threads import SharedThreads

__all__ = ["best_device", "check_device", "footprint_of", "infer", "load"]

_PRECISIONS = ("float32", "bfloat16", "float16")
_loaded: dict[tuple[ModelSource, str, str], Any] = {}
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
    source : ModelSource
    arrays : ndarray of float32, shape (n, c, z, y, x) or (n, c, y, x)
    device : str
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
            return network.run(arrays, threads)
        layout = torch.channels_last_3d if arrays.ndim == 5 else torch.channels_last
        batch = torch.from_numpy(np.ascontiguousarray(arrays)).to(device, memory_format=layout)
        kind = getattr(torch, precision)
        with torch.autocast(device.split(":")[0], kind, precision != "float32"):
            result = network(batch)
    if not isinstance(result, torch.Tensor):
        raise TypeError(
            f"The network returns a {type(result).__name__}, but one tensor is needed: wrap it in "
            "a torch.nn.Module whose forward picks the one that you want."
        )
    result = result.float() if result.is_floating_point() else result
    values: NDArray[Any] = result.cpu().numpy()
    return values


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
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"There is no device {device!r} ({str(error).splitlines()[0]}): give 'auto', 'cpu', "
            "'openvino', or one that torch finds, such as 'cuda'."
        ) from error
    return None


@cache
def footprint_of(
    source: ModelSource,
    channels: int,
    dimensions: int,
    bounded: bool = True,
    spread: Spread = UNKNOWN,
) -> Footprint:
    """Probe a network, once a process, with `probing.probe`.

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.Conv3d(1, 4, (1, 3, 3), padding=(0, 1, 1)))
    >>> [axis.halo for axis in footprint_of(source, 1, 3).axes]
    [(0, 0), (1, 1), (1, 1)]
    """
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
    source : ModelSource
    device : str
    precision : str
        For which OpenVINO compiles it.

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
    key = (source, device, precision if compiled else "")
    with _lock:
        if key not in _loaded:
            _loaded[key] = _compiled(source, precision) if compiled else _built(source).to(device)
        return _loaded[key]


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
    return module if source.kind == "export" else module.float().eval()


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
        module.load_state_dict(_state(path))
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} is no file of weights, or holds more than tensors and would run code on "
            "loading: store the weights alone, torch.save(network.state_dict(), path)."
        ) from error
    except (RuntimeError, TypeError) as error:
        first = " ".join(str(error).split())[:300]
        raise ValueError(
            f"The weights {path} don't fit the network {type(module).__name__} ({first}): check "
            "arguments=, or take the weights of this network."
        ) from error


def _state(path: str) -> dict[str, torch.Tensor]:
    if path.endswith(".npz"):
        with np.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state
