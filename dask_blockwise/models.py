"""Networks: loaded once a process, run on arrays, probed for what they see. The door to torch."""

from __future__ import annotations

import copy
import importlib
import pickle
import threading
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

__all__ = ["Footprint", "ModelSource", "infer", "infer_batch", "load", "probe"]

# Every stride divides 96; 32 neighbouring planes meet every phase of one.
_STRIDES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_PHASES = 32
_LENGTHS = (96, 192, 384, 576)
_WIDTHS = (8, 16, 32, 64, 96, 44, 92, 128, 140, 188)
_loaded: dict[tuple[ModelSource, str], torch.nn.Module] = {}
_lock = threading.Lock()


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
        weights: str | Path | None = None,
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
            path = _bioimageio_weights(path)
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
        module = getattr(importlib.import_module(package), name)(**dict(self.arguments))
        if self.weights is not None:
            module.load_state_dict(_state(self.weights))
        return module


@dataclass(frozen=True)
class Footprint:
    """What an output voxel of a network depends on."""

    # Voxels before and after it, along each axis.
    halo: tuple[tuple[int, int], ...]
    # Inputs must begin at multiples of it, along each axis, for the same prediction.
    stride: tuple[int, ...]
    # Voxels that valid convolutions take off each side; 0 for same convolutions.
    trim: tuple[int, ...]
    channels: int
    # What is left of the length of an input after division by the stride.
    rest: tuple[int, ...] = ()


def infer(
    source: ModelSource, array: NDArray[np.float32], device: str = "cpu", precision: str = "float32"
) -> NDArray[np.float32]:
    """Run a network on one array.

    Parameters
    ----------
    source : ModelSource
    array : ndarray of float32, shape (c, z, y, x) or (c, y, x)
    device : str
    precision : "float32", "bfloat16" or "float16"

    Returns
    -------
    ndarray of float32, shape (channels, ...)
    """
    values: NDArray[np.float32] = infer_batch(source, array[None], device, precision)[0]
    return values


def infer_batch(
    source: ModelSource,
    arrays: NDArray[np.float32],
    device: str = "cpu",
    precision: str = "float32",
) -> NDArray[np.float32]:
    """Run a network on arrays of one shape at once, as `infer` on each.

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
    >>> infer_batch(source, np.eye(3, dtype=np.float32)[None, None]).min()
    np.float32(1.0)
    """
    kind = getattr(torch, precision)
    layout = torch.channels_last_3d if arrays.ndim == 5 else torch.channels_last
    module = load(source, device)
    with torch.inference_mode(), torch.autocast(device.split(":")[0], kind, precision != "float32"):
        batch = torch.from_numpy(np.ascontiguousarray(arrays)).to(device)
        result: torch.Tensor = module(batch.contiguous(memory_format=layout))
    values: NDArray[np.float32] = result.float().cpu().numpy()
    return values


def best_device() -> str:
    """The GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def probe(source: ModelSource, channels: int, dimensions: int, bounded: bool = True) -> Footprint:
    """Find which input voxels an output voxel of a network depends on.

    A plane of NaN is laid through the input; the planes of the output that it reaches are those
    that depend on it, whatever the weights. The stride is the smallest step by which inputs may
    grow and be shifted, and the output grows and is shifted alike.

    Parameters
    ----------
    source : ModelSource
    channels : int
        Of the input.
    dimensions : int
        2 or 3.
    bounded : bool
        Whether to refuse a network that sees all of its input; its halo is 0 otherwise.

    Returns
    -------
    Footprint

    Raises
    ------
    ValueError
        If the network doesn't take such input, changes the voxel size, or if an output voxel
        depends on all of the input, as with instance normalisation.

    Examples
    --------
    >>> footprint = probe(ModelSource.of(torch.nn.Conv3d(1, 4, 3, padding=1)), 1, 3)
    >>> footprint.halo, footprint.stride, footprint.trim, footprint.channels
    (((1, 1), (1, 1), (1, 1)), (1, 1, 1), (0, 0, 0), 4)
    """
    module = load(source, "cpu")
    with torch.inference_mode():
        width = _accepted_width(module, channels, dimensions)
        shape = (channels, *[width] * dimensions)
        axes = [_Axis.of(module, shape, axis) for axis in range(dimensions)]
        found = [axis.probe(bounded) for axis in axes]
        outputs = module(torch.zeros(1, *shape)).shape[1]
    halo, stride, trim = zip(*found)
    rest = tuple(axis.base % s for axis, s in zip(axes, stride))
    return Footprint(halo, stride, trim, outputs, rest)


@dataclass(frozen=True)
class _Axis:
    """One axis of a network's input, along which it is probed."""

    module: torch.nn.Module
    # An input that the network takes, (c, z, y, x).
    shape: tuple[int, ...]
    axis: int
    # The network takes it and any multiple of 96 voxels.
    base: int = 0

    @classmethod
    def of(cls, module: torch.nn.Module, shape: tuple[int, ...], axis: int) -> _Axis:
        """The network may take multiples of its stride alone, or only those and a rest."""
        plain = cls(module, shape, axis)
        try:
            plain._trim(*_LENGTHS[:2])
        except (RuntimeError, AssertionError, ValueError):
            return cls(module, shape, axis, shape[axis + 1])
        return plain

    def probe(self, bounded: bool) -> tuple[tuple[int, int], int, int]:
        """Halo, stride and trim."""
        trim = self._trim(self.base + _LENGTHS[0], self.base + _LENGTHS[1])
        for length in (self.base + n for n in _LENGTHS):
            start = (length - _PHASES) // 2
            seen = self._spans(length, trim, (start, start + _PHASES - 1))
            margin = max(map(max, seen), default=0) + _PHASES
            if not seen or length - 2 * (trim + margin) <= _PHASES:
                continue
            stride = self._stride(length, trim, margin)
            spans = seen + self._spans(length, trim, range(start, start + stride))
            return (max(b for b, _ in spans), max(a for _, a in spans)), stride, trim
        if not bounded:
            return (0, 0), self._stride(self.base + _LENGTHS[0], trim, None), trim
        raise ValueError(
            f"An output voxel of the network depends on inputs more than {_LENGTHS[-1] // 2} "
            "voxels away along an axis, probably on all of them, as with instance or group "
            "normalisation or global pooling: its prediction by blocks would differ from that of "
            "the whole volume. Use batch normalisation, or give halo= and accept seams."
        )

    def _input(self, length: int) -> torch.Tensor:
        shape = list(self.shape)
        shape[self.axis + 1] = length
        return torch.zeros(1, *shape)

    def _run(self, image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.module(image)
        return result.movedim(self.axis + 2, 0)

    def _trim(self, short: int, long: int) -> int:
        first, second = (len(self._run(self._input(n))) for n in (short, long))
        if second - first != long - short or first > short or (short - first) % 2:
            raise ValueError(
                f"The network turns {short} voxels into {first} along an axis, and {long} into "
                f"{second}: networks that change the voxel size, or trim one side more than the "
                "other, are not supported. Resample its output to the input's voxels."
            )
        return (short - first) // 2

    def _spans(self, length: int, trim: int, planes: Iterable[int]) -> list[tuple[int, int]]:
        """How far before and after it an output sees each plane; none if the input is too short."""
        spans = []
        for plane in planes:
            image = self._input(length)
            image.select(self.axis + 2, plane).fill_(float("nan"))
            hit = torch.isnan(self._run(image)).flatten(1).any(1).nonzero()
            first, last = (int(hit[0]), int(hit[-1])) if len(hit) else (plane - trim, plane - trim)
            if first <= 0 or last >= length - 2 * trim - 1:
                return []
            spans.append((max(0, last + trim - plane), max(0, plane - first - trim)))
        return spans

    def _stride(self, length: int, trim: int, margin: int | None) -> int:
        for stride in _STRIDES:
            if self._grows(length, trim, stride) and self._shifts(length, stride, margin):
                return stride
        raise ValueError(
            f"The network neither grows nor shifts by one of {_STRIDES} voxels along an axis: its "
            "prediction depends on where its input begins, so blocks would not fit one another. "
            "Use a network of convolutions and pooling by small factors."
        )

    def _grows(self, length: int, trim: int, stride: int) -> bool:
        try:
            return len(self._run(self._input(length + stride))) == length + stride - 2 * trim
        except (RuntimeError, AssertionError, ValueError):
            return False

    def _shifts(self, length: int, stride: int, margin: int | None) -> bool:
        """Whether a shifted input gives the shifted output, away from the borders."""
        if margin is None:
            return True
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(self._input(length + stride).shape, generator=generator)
        one = self._run(image.narrow(self.axis + 2, 0, length))
        other = self._run(image.narrow(self.axis + 2, stride, length))
        inner = slice(margin, len(one) - margin - stride)
        tolerance = 1e-4 * float(one.abs().max())
        return torch.allclose(one[stride:][inner], other[inner], rtol=1e-3, atol=tolerance)


def _accepted_width(module: torch.nn.Module, channels: int, dimensions: int) -> int:
    """The smallest size of a few that the network takes."""
    failure: Exception | None = None
    for width in _WIDTHS:
        try:
            result = module(torch.zeros(1, channels, *[width] * dimensions))
        except (RuntimeError, AssertionError, ValueError) as error:
            failure = error
        else:
            if result.ndim == dimensions + 2 and result.numel():
                return width
    raise ValueError(
        f"The network takes no input of {channels} channels and {dimensions} axes of space (tried "
        f"sizes 8 to 188): {str(failure).splitlines()[0] if failure else ''}. Give it a volume "
        "with the channels that it was trained on."
    )


def load(source: ModelSource, device: str = "cpu") -> torch.nn.Module:
    """Load a network, once a process however many threads ask.

    Parameters
    ----------
    source : ModelSource
    device : str

    Returns
    -------
    torch.nn.Module

    Examples
    --------
    >>> source = ModelSource.of(torch.nn.ReLU())
    >>> load(source) is load(source)
    True
    """
    with _lock:
        if (source, device) not in _loaded:
            _loaded[source, device] = source.build().to(device)
        return _loaded[source, device]


def _pickled(module: torch.nn.Module) -> bytes:
    try:
        return pickle.dumps(copy.deepcopy(module).cpu())
    except Exception as error:
        raise TypeError(
            f"The network {type(module).__name__} can't be sent to other processes ({error}): "
            "define its class in a module that workers can import."
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


def _state(path: str) -> dict[str, torch.Tensor]:
    if path.endswith(".npz"):
        with np.load(path) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays}
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _bioimageio_weights(folder: Path) -> Path:
    for name in ("rdf.yaml", "bioimageio.yaml"):
        if (folder / name).exists():
            formats = yaml.safe_load((folder / name).read_text())["weights"]
            if "torchscript" in formats:
                return folder / str(formats["torchscript"]["source"])
            raise ValueError(f"{folder} has weights {list(formats)}, but torchscript is needed.")
    raise FileNotFoundError(f"{folder} is no bioimage.io model: it has no rdf.yaml.")
