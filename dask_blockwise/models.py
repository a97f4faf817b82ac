"""Networks: loaded once a process, run on arrays, probed for what they see. The door to torch."""

from __future__ import annotations

import importlib
import io
import pickle
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

__all__ = ["Footprint", "ModelSource", "infer", "probe"]

_PHASES = 16
_LONGEST = 512
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
        pairs = tuple(sorted((arguments or {}).items()))
        if weights is not None and not Path(weights).exists():
            raise FileNotFoundError(f"There are no weights at {weights}: check the path.")
        if ":" in text and not Path(text).exists():
            return cls("import", text, pairs, None if weights is None else str(weights))
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
            return cls("export", str(path))
        try:
            torch.jit.load(str(path), map_location="cpu")
        except RuntimeError as error:
            return cls._pickled_file(path, trust, error)
        return cls("torchscript", str(path))

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
        return cls("module", str(path), content=_pickled(module))

    def build(self) -> torch.nn.Module:
        """Load the network, in float32 and ready for inference."""
        module = self._build()
        return module if self.kind == "export" else module.float().eval()

    def _build(self) -> Any:
        if self.kind == "module":
            return pickle.loads(self.content)
        if self.kind == "torchscript":
            return torch.jit.load(self.where, map_location="cpu")
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
    # Inputs must begin at, and be as long as, a multiple of it, along each axis.
    stride: tuple[int, ...]
    # Voxels that valid convolutions take off each side; 0 for same convolutions.
    trim: tuple[int, ...]
    channels: int


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
    kind = getattr(torch, precision)
    layout = torch.channels_last_3d if array.ndim == 4 else torch.channels_last
    module = _load(source, device)
    with torch.inference_mode(), torch.autocast(device.split(":")[0], kind, precision != "float32"):
        batch = torch.from_numpy(np.ascontiguousarray(array))[None].to(device)
        result: torch.Tensor = module(batch.contiguous(memory_format=layout))
    values: NDArray[np.float32] = result[0].float().cpu().numpy()
    return values


def best_device() -> str:
    """The GPU if there is one."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@cache
def probe(source: ModelSource, channels: int, dimensions: int) -> Footprint:
    """Find which input voxels an output voxel of a network depends on.

    A plane of NaN is laid through the input; the planes of the output that it reaches are those
    that depend on it, whatever the weights.

    Parameters
    ----------
    source : ModelSource
    channels : int
        Of the input.
    dimensions : int
        2 or 3.

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
    >>> probe(ModelSource.of(torch.nn.Conv3d(1, 4, 3, padding=1)), 1, 3)
    Footprint(halo=((1, 1), (1, 1), (1, 1)), stride=(1, 1, 1), trim=(0, 0, 0), channels=4)
    """
    module = source.build()
    with torch.inference_mode():
        width = _accepted_width(module, channels, dimensions)
        axes = [_probe_axis(module, channels, dimensions, a, width) for a in range(dimensions)]
        outputs = module(torch.zeros(1, channels, *[width] * dimensions)).shape[1]
    halo, stride, trim = zip(*axes)
    return Footprint(halo, stride, trim, outputs)


def _probe_axis(
    module: torch.nn.Module, channels: int, dimensions: int, axis: int, width: int
) -> tuple[tuple[int, int], int, int]:
    length = max(64, width)
    while length <= _LONGEST:
        shape = [width] * dimensions
        shape[axis] = length
        trim, spans, inside = _reach(module, channels, shape, axis)
        if inside:
            return (max(b for b, _ in spans), max(a for _, a in spans)), _period(spans), trim
        length *= 2
    raise ValueError(
        f"An output voxel of the network depends on inputs more than {_LONGEST // 2} voxels away "
        "along an axis, probably on all of them, as with instance or group normalisation or global "
        "pooling: its prediction by blocks would differ from that of the whole volume. Use batch "
        "normalisation, or give halo= and accept seams."
    )


def _reach(
    module: torch.nn.Module, channels: int, shape: list[int], axis: int
) -> tuple[int, list[tuple[int, int]], bool]:
    """What is trimmed, the voxels around an output that see each plane, and if all are inside."""
    planes = np.arange(_PHASES) + shape[axis] // 2
    images = torch.zeros(_PHASES, channels, *shape)
    for image, plane in zip(images, planes.tolist(), strict=True):
        image.select(axis + 1, plane).fill_(float("nan"))
    result = module(images).movedim(axis + 2, 1)
    length = result.shape[1]
    trim = _checked_trim(shape[axis], length)
    hit = torch.isnan(result).flatten(2).any(2).numpy()
    if not hit.any(1).all():
        return trim, [], False
    first, last = hit.argmax(1), length - 1 - hit[:, ::-1].argmax(1)
    spans = zip(np.maximum(0, last + trim - planes), np.maximum(0, planes - first - trim))
    inside = bool((first > 0).all() and (last < length - 1).all())
    return trim, [(int(b), int(a)) for b, a in spans], inside


def _checked_trim(size: int, length: int) -> int:
    if length > size or (size - length) % 2 or 2 * length <= size:
        raise ValueError(
            f"The network turns {size} voxels into {length} along an axis: networks that change "
            "the voxel size, or trim one side more than the other, are not supported. Resample "
            "its output to the input's voxels."
        )
    return (size - length) // 2


def _period(spans: list[tuple[int, int]]) -> int:
    periods = (p for p in (1, 2, 4, 8) if all(a == b for a, b in zip(spans, spans[p:])))
    return next(periods, _PHASES)


def _accepted_width(module: torch.nn.Module, channels: int, dimensions: int) -> int:
    """The smallest size of a few that the network takes."""
    failure: Exception | None = None
    for width in (8, 16, 32, 64, 96, 128):
        try:
            module(torch.zeros(1, channels, *[width] * dimensions))
        except (RuntimeError, AssertionError, ValueError) as error:
            failure = error
        else:
            return width
    raise ValueError(
        f"The network takes no input of {channels} channels and {dimensions} axes of space (tried "
        f"sizes 8 to 128): {str(failure).splitlines()[0] if failure else ''}. Give it a volume "
        "with the channels that it was trained on."
    )


def _load(source: ModelSource, device: str) -> torch.nn.Module:
    """Once a process, however many threads ask."""
    with _lock:
        if (source, device) not in _loaded:
            _loaded[source, device] = source.build().to(device)
        return _loaded[source, device]


def _pickled(module: torch.nn.Module) -> bytes:
    content = io.BytesIO()
    try:
        pickle.dump(module, content)
    except Exception as error:
        raise TypeError(
            f"The network {type(module).__name__} can't be sent to other processes ({error}): "
            "define its class in a module that workers can import."
        ) from error
    return content.getvalue()


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
