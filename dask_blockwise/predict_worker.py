"""Predict: a network over a volume, block by block, equal to its prediction on the whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .geometry import Block
from .map_overlap import MappedVolume, map_overlap, read_padded
from .models import Footprint, ModelSource, best_device, infer, probe
from .volume import Index, Volume, open_volume

__all__ = ["PredictVolume", "fit", "predict", "read_write_conflict", "spawn_worker"]

Activation = Literal["sigmoid", "softmax", "tanh"]

fit = "shrink"
read_write_conflict = False


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class PredictVolume(MappedVolume):
    """The output of a network, shape ``(c, z, y, x)``."""

    source: ModelSource = field(repr=False)
    footprint: Footprint
    # Subtracted from, and divided by.
    normalize: tuple[float, float]
    activation: Activation | None
    device: str
    precision: str

    def _point(self, sources: tuple[Volume, ...], begin: Index, end: Index) -> NDArray[Any]:
        (raw,) = sources
        size = raw.shape[int("c" in raw.axes) :]
        low, high, origin = self._input_box(begin, end, size)
        dimensions = len(self.footprint.trim)
        array = read_padded(raw, low, high, self.boundary).astype(np.float32)
        array = (array - np.float32(self.normalize[0])) / np.float32(self.normalize[1])
        array = array if "c" in raw.axes else array[None]
        if dimensions < len(size):
            result = np.stack([self._infer(plane) for plane in np.moveaxis(array, 1, 0)], 1)
        else:
            result = self._infer(array)
        core = (slice(b - o, e - o) for b, e, o in zip(begin, end, origin, strict=True))
        return self._stored(result[(slice(None), *core)])

    def _input_box(self, begin: Index, end: Index, size: Index) -> tuple[Index, Index, Index]:
        """What the network is given for a box, and where its output begins."""
        flat = len(size) - len(self.footprint.trim)
        strides = (1,) * flat + self.footprint.stride
        trims = (0,) * flat + self.footprint.trim
        boxes = [
            _grown(*axis) for axis in zip(begin, end, size, self.halo, strides, trims, strict=True)
        ]
        low, high, origin = zip(*boxes, strict=True)
        return low, high, origin

    def _infer(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        return infer(self.source, array, self.device, self.precision)

    def _stored(self, values: NDArray[np.float32]) -> NDArray[Any]:
        values = _activate(values, self.activation)
        if self.dtype != np.uint8:
            return values.astype(self.dtype, copy=False)
        unit = values if self.activation in ("sigmoid", "softmax") else (values + 1) / 2
        return np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)


def predict(
    volume: Volume,
    model: Any,
    *,
    weights: str | os.PathLike[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    halo: Any = "auto",
    boundary: Any = "reflect",
    normalize: str | tuple[float, float] = "dtype",
    activation: Activation | None = None,
    output_dtype: Any = "uint8",
    device: str = "auto",
    precision: str = "float32",
    trust: bool = False,
    block_shape: Sequence[int] | None = None,
) -> Volume:
    """Run a network over a volume, lazily.

    Parameters
    ----------
    volume : Volume
    model : torch.nn.Module, or str
        ``"package.module:Class"`` with ``weights``, a TorchScript or torch.export file, or a
        bioimage.io folder. A network of two axes runs over each plane.
    weights : path, optional
        A state dict (.pt, loaded without running code) or .npz.
    arguments : mapping, optional
        Of the class.
    halo : "auto", int, or one for each axis of space
        With ``"auto"`` the network is probed for its exact field, and blocks begin at multiples of
        its stride: the prediction equals that of the whole volume to float rounding.
    boundary : str or number
        What a network of valid convolutions sees beyond the volume; one of same convolutions sees
        its own padding there.
    normalize : "dtype", "volume", or (subtract, divide)
        By the range of the data type, or by mean and standard deviation of the whole volume.
    activation : "sigmoid", "softmax", "tanh" or None
    output_dtype : "uint8" or "float32"
        uint8 stands for [0, 1] after sigmoid or softmax, for [-1, 1] otherwise, clipped.
    device : str
    precision : "float32", "bfloat16" or "float16"
    trust : bool
        Whether a pickled network may be loaded, which runs code from its file.
    block_shape : sequence of int, optional

    Returns
    -------
    Volume
        Shape ``(c, z, y, x)``.

    Raises
    ------
    ValueError, FileNotFoundError
        If the model can't be loaded, or doesn't take the volume's channels.

    References
    ----------
    dacapo, ``dacapo/blockwise/predict_worker.py``.

    Examples
    --------
    >>> import torch
    >>> volume = Volume.from_array(np.zeros((8, 8, 8), np.uint8))
    >>> predict(volume, torch.nn.Conv3d(1, 2, 3, padding=1), activation="sigmoid").shape
    (2, 8, 8, 8)
    """
    source = ModelSource.of(model, None if weights is None else str(weights), arguments, trust)
    channels = dict(zip(volume.axes, volume.shape)).get("c", 1)
    space = sum(axis not in "tc" for axis in volume.axes)
    footprint = _footprint(source, channels, space)
    flat = ((0, 0),) * (space - len(footprint.trim))
    mapped = map_overlap(
        _unused,
        volume,
        halo=(*flat, *footprint.halo) if halo == "auto" else halo,
        dtype=_output_dtype(output_dtype),
        boundary=boundary,
        channels=footprint.channels,
        block_shape=block_shape,
    )
    return PredictVolume(
        **{name: getattr(mapped, name) for name in mapped.__dataclass_fields__},
        source=source,
        footprint=footprint,
        normalize=_normalization(normalize, volume),
        activation=activation,
        device=best_device() if device == "auto" else device,
        precision=precision,
    )


def spawn_worker(
    input_path: str, output_path: str, model: str, **options: Any
) -> Callable[[Block], None]:
    """A function that writes the prediction of one block.

    Parameters
    ----------
    input_path, output_path : path or URL
        Of stored volumes; the output with channels.
    model, **options
        As for `predict`.
    """
    prediction, output = (
        predict(open_volume(input_path), model, **options),
        open_volume(output_path),
    )

    def process(block: Block) -> None:
        output[block.write_roi] = prediction[block.write_roi]

    return process


def _footprint(source: ModelSource, channels: int, space: int) -> Footprint:
    try:
        return probe(source, channels, space)
    except ValueError as error:
        if space != 3 or "takes no input" not in str(error):
            raise
        try:
            return probe(source, channels, 2)
        except ValueError:
            raise error from None


def _grown(
    begin: int, end: int, size: int, halo: tuple[int, int], stride: int, trim: int
) -> tuple[int, int, int]:
    """What is read along an axis, and where the output begins."""
    if trim:
        low, high = begin // stride * stride, -(-end // stride) * stride
        return low - trim, high + trim, low
    low = max(0, begin - halo[0]) // stride * stride
    whole = -(-size // stride) * stride
    high = min(whole, -(-(end + halo[1]) // stride) * stride)
    return low, high, low


def _activate(values: NDArray[np.float32], activation: Activation | None) -> NDArray[np.float32]:
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-values.clip(-80, 80))), np.float32)
    if activation == "softmax":
        powers = np.exp(values - values.max(0))
        return np.asarray(powers / powers.sum(0), np.float32)
    return np.tanh(values) if activation == "tanh" else values


def _normalization(normalize: str | tuple[float, float], volume: Volume) -> tuple[float, float]:
    if normalize == "volume":
        return _statistics(volume)
    if isinstance(normalize, tuple):
        return float(normalize[0]), float(normalize[1])
    if normalize != "dtype":
        raise ValueError(
            f"normalize must be 'dtype', 'volume' or (subtract, divide), got {normalize!r}."
        )
    whole = volume.dtype.kind in "iu"
    return 0.0, float(np.iinfo(volume.dtype).max) if whole else 1.0


def _statistics(volume: Volume) -> tuple[float, float]:
    """Mean and standard deviation of the whole volume, in one pass by blocks."""
    data = volume.data.astype(np.float64)
    return float(data.mean().compute()), float(data.std().compute()) or 1.0


def _output_dtype(dtype: Any) -> np.dtype[Any]:
    if np.dtype(dtype) not in (np.uint8, np.float32):
        raise ValueError(f"output_dtype must be uint8 or float32, got {dtype!r}.")
    return np.dtype(dtype)


def _unused(array: NDArray[Any]) -> NDArray[Any]:
    raise NotImplementedError
