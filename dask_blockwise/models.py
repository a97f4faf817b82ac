"""Networks: loaded once a process and run on arrays. The door to torch."""

from __future__ import annotations

import importlib
import os
import pickle
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import torch
from numpy.typing import NDArray

from .bioimageio import Description
from .footprint import Footprint, probe
from .openvino_network import OpenVinoNetwork

__all__ = ["ModelSource", "best_device", "check_device", "footprint_of", "infer", "load"]

_PRECISIONS = ("float32", "bfloat16", "float16")
_loaded: dict[tuple[ModelSource, str, str], Any] = {}
_lock = threading.Lock()
_running = 0


@dataclass(frozen=True)
class ModelSource:
    """Where a network comes from; small, unless the network was given as a module.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        From `of`, if there is no such file or it isn't a network.
    """

    # "module", "import", "torchscript" or "export".
    kind: str
    # Path of the file, or "package.module:Class".
    where: str
    # Arguments of the class, as sorted pairs.
    arguments: tuple[tuple[str, Any], ...] = ()
    weights: str | None = None
    # The pickled module.
    content: bytes = b""
    # Size and time of the files, so that other weights at the same path are another model.
    stamp: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(
        cls,
        model: Any,
        weights: str | os.PathLike[str] | None = None,
        arguments: Mapping[str, Any] | None = None,
        trust: bool = False,
    ) -> ModelSource:
        """Tell what kind of model this is, and refuse what can't be loaded.

        Examples
        --------
        >>> ModelSource.of("dask_blockwise.unet:UNet", arguments={"in_channels": 1}).kind
        'import'
        """
        if isinstance(model, torch.nn.Module):
            return cls("module", type(model).__name__, content=_pickled(model))
        text = str(model)
        pairs = tuple((name, _frozen(v)) for name, v in sorted((arguments or {}).items()))
        if weights is not None and not Path(weights).exists():
            raise FileNotFoundError(f"There are no weights at {weights}: check the path.")
        if ":" in text and not Path(text).exists():
            path = None if weights is None else str(weights)
            return cls("import", text, pairs, path, stamp=_stamp(path))
        if weights is not None:
            raise ValueError(
                f"weights={weights} are given beside the model {text}, which brings its own: name "
                "the network as 'package.module:Class', or leave weights out."
            )
        return cls._of_file(Path(text), trust)

    @classmethod
    def _of_file(cls, path: Path, trust: bool) -> ModelSource:
        if path.is_dir():
            path = Description.of(path).weights
        if not path.exists():
            raise FileNotFoundError(
                f"There is no model at {path}: give a torch module, 'package.module:Class' with "
                "weights=, a TorchScript or torch.export file, or a bioimage.io folder."
            )
        if path.suffix == ".pt2":
            return cls("export", str(path), stamp=_stamp(path))
        try:
            _torchscript(str(path))
        except RuntimeError as error:
            return cls._pickled_file(path, trust, error)
        return cls("torchscript", str(path), stamp=_stamp(path))

    @classmethod
    def _pickled_file(cls, path: Path, trust: bool, error: Exception) -> ModelSource:
        if not trust:
            raise ValueError(
                f"{path} is neither TorchScript nor torch.export. If it holds weights alone, name "
                "the network: predict(volume, 'package.module:Class', weights=path). If it is a "
                "pickled network, loading it runs code that the file brings: pass trust=True if "
                "you trust whoever made it."
            ) from error
        module = torch.load(path, map_location="cpu", weights_only=False)
        if not isinstance(module, torch.nn.Module):
            raise TypeError(
                f"{path} holds a {type(module).__name__}, but a network is needed. If these are "
                "weights alone, name it: predict(volume, 'package.module:Class', weights=path)."
            )
        return cls("module", str(path), content=_pickled(module))

    def build(self) -> torch.nn.Module:
        """Load the network, in float32 and ready for inference."""
        module = self._build()
        ready: torch.nn.Module = module if self.kind == "export" else module.float().eval()
        return ready

    def _build(self) -> Any:
        if self.kind == "module":
            return pickle.loads(self.content)
        if self.kind == "torchscript":
            return _torchscript(self.where)
        if self.kind == "export":
            return torch.export.load(self.where).module()
        package, _, name = self.where.partition(":")
        try:
            module = getattr(importlib.import_module(package), name)(**dict(self.arguments))
        except (ImportError, AttributeError, TypeError) as error:
            raise ValueError(
                f"The network {self.where} can't be made with arguments={dict(self.arguments)} "
                f"({error}): check the name, 'package.module:Class', and what the class takes."
            ) from error
        if self.weights is not None:
            _load_state(module, self.weights)
        return module

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Of the only input that an exported network takes, along space; None if it takes more."""
        if self.kind != "export":
            return None
        program = torch.export.load(self.where)
        (name, *_) = program.graph_signature.user_inputs
        (image,) = (n.meta["val"].shape[2:] for n in program.graph.nodes if n.name == name)
        return tuple(image) if all(isinstance(n, int) for n in image) else None


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
    with _share_of_cores(), torch.inference_mode():
        if isinstance(network, OpenVinoNetwork):
            return network.run(arrays, torch.get_num_threads())
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
    values: NDArray[np.float32] = result.float().cpu().numpy()
    return values


@contextmanager
def _share_of_cores() -> Iterator[None]:
    """Let calls at the same time share torch's threads; they are restored afterwards."""
    global _running
    with _lock:
        _running += 1
        before = torch.get_num_threads()
        torch.set_num_threads(max(1, before // _running))
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            torch.set_num_threads(before)


def best_device() -> str:
    """The GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_device(device: str, precision: str) -> None:
    """Refuse a device that isn't there, or an unknown precision."""
    if precision not in _PRECISIONS:
        raise ValueError(f"precision must be one of {', '.join(_PRECISIONS)}, got {precision!r}.")
    if device == "openvino":
        return OpenVinoNetwork.check_installed()
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
    source: ModelSource, channels: int, dimensions: int, bounded: bool = True
) -> Footprint:
    """Probe a network, once a process, with `footprint.probe`.

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
        return probe(partial(infer, source), channels, dimensions, bounded, source.input_shape)
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
    key = (source, device, precision if device == "openvino" else "")
    with _lock:
        if key not in _loaded:
            module = source.build()
            compiled = device == "openvino"
            _loaded[key] = (
                OpenVinoNetwork(module, precision, torch.zeros) if compiled else module.to(device)
            )
        return _loaded[key]


def _pickled(module: torch.nn.Module) -> bytes:
    try:
        return bytes(cloudpickle.dumps(deepcopy(module).cpu()))
    except Exception as error:
        raise TypeError(
            f"The network {type(module).__name__} can't be sent to other processes ({error}): "
            "keep open files, locks and the like out of it, or name it 'package.module:Class'."
        ) from error


def _torchscript(path: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.load(path, map_location="cpu")


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _stamp(path: str | Path | None) -> tuple[tuple[int, int], ...]:
    if path is None:
        return ()
    found = Path(path).stat()
    return ((found.st_size, found.st_mtime_ns),)


def _load_state(module: torch.nn.Module, path: str) -> None:
    try:
        module.load_state_dict(_state(path))
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path} holds more than tensors, and would run code on loading: store the weights "
            "alone, torch.save(network.state_dict(), path)."
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
