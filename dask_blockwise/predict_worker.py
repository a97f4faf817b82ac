"""Predict: a network over a volume, block by block, equal to its prediction on the whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from .geometry import Block
from .map_overlap import MappedVolume, map_overlap, read_padded
from .models import Footprint, ModelSource, best_device, infer_batch, probe
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

    # Voxels that the network is given at once, along each axis of space; None for a block's.
    input_shape: Index | None = None
    # How many of them at once.
    batch: int = 1

    def _point(self, sources: tuple[Volume, ...], begin: Index, end: Index) -> NDArray[Any]:
        (raw,) = sources
        result = np.empty((self.footprint.channels, *np.subtract(end, begin)), self.dtype)
        pieces: list[tuple[NDArray[np.float32], Any, Any]] = []
        for low, high in self._tiles(begin, end):
            array, core = self._read(raw, low, high)
            target = tuple(slice(a - o, b - o) for a, b, o in zip(low, high, begin, strict=True))
            pieces += self._planes(array, core, target)
            while len(pieces) >= self.batch:
                self._infer(pieces[: self.batch], result)
                pieces = pieces[self.batch :]
        for piece in pieces:
            self._infer([piece], result)
        return result

    def _tiles(self, begin: Index, end: Index) -> Iterator[tuple[Index, Index]]:
        """Boxes that an input of the given shape is enough for."""
        if self.input_shape is None:
            yield begin, end
            return
        steps = self._steps()
        starts = (range(*axis) for axis in zip(begin, end, steps, strict=True))
        for low in product(*starts):
            yield low, tuple(min(o + s, e) for o, s, e in zip(low, steps, end, strict=True))

    def _steps(self) -> Index:
        """What is predicted of an input of the given shape, along each axis."""
        size = _space_of(self.inputs[0])
        _, strides, trims, _ = self._axes()
        given = self.input_shape or size
        return tuple(
            n if shape >= n and not trim else shape - (2 * trim or sum(halo)) - stride + 1
            for n, shape, halo, stride, trim in zip(
                size, given, self.halo, strides, trims, strict=True
            )
        )

    def _axes(self) -> tuple[int, Index, Index, Index]:
        """Number of axes that the network lacks; strides, trims and rests of all of space."""
        flat = len(self.halo) - len(self.footprint.trim)
        strides = (1,) * flat + self.footprint.stride
        return flat, strides, (0,) * flat + self.footprint.trim, (0,) * flat + self.footprint.rest

    def _read(
        self, raw: Volume, begin: Index, end: Index
    ) -> tuple[NDArray[np.float32], tuple[slice, ...]]:
        """What the network is given for a box, and where in its output the box lies."""
        _, *grid = self._axes()
        given = self.input_shape or (None,) * len(begin)
        axes = zip(begin, end, _space_of(raw), self.halo, *grid, given, strict=True)
        low, high, origin = zip(*(_grown(*axis) for axis in axes), strict=True)
        array = read_padded(raw, low, high, self.boundary).astype(np.float32)
        array = (array - np.float32(self.normalize[0])) / np.float32(self.normalize[1])
        core = tuple(slice(b - o, e - o) for b, e, o in zip(begin, end, origin, strict=True))
        return array if "c" in raw.axes else array[None], core

    def _planes(
        self, array: NDArray[np.float32], core: tuple[slice, ...], target: tuple[slice, ...]
    ) -> list[tuple[NDArray[np.float32], Any, Any]]:
        """The array, or for a network of two axes its planes."""
        if not self._axes()[0]:
            return [(array, core, target)]
        first = target[0].start
        wanted = range(core[0].start, core[0].stop)
        return [(array[:, z], core[1:], (first + i, *target[1:])) for i, z in enumerate(wanted)]

    def _infer(
        self, pieces: list[tuple[NDArray[np.float32], Any, Any]], result: NDArray[Any]
    ) -> None:
        groups: dict[Index, list[tuple[NDArray[np.float32], Any, Any]]] = {}
        for piece in pieces:
            groups.setdefault(piece[0].shape, []).append(piece)
        for group in groups.values():
            arrays = np.stack([array for array, _, _ in group])
            outputs = infer_batch(self.source, arrays, self.device, self.precision)
            for output, (_, core, target) in zip(outputs, group, strict=True):
                result[(slice(None), *target)] = self._stored(output[(slice(None), *core)])

    def _stored(self, values: NDArray[np.float32]) -> NDArray[Any]:
        values = _activate(values, self.activation)
        if self.dtype != np.uint8:
            return values.astype(self.dtype, copy=False)
        unit = values if self.activation in ("sigmoid", "softmax") else (values + 1) / 2
        quantised: NDArray[np.uint8] = np.rint(np.clip(unit, 0, 1) * 255).astype(np.uint8)
        return quantised


def predict(
    volume: Volume,
    model: Any,
    *,
    weights: str | os.PathLike[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    halo: Any = "auto",
    input_shape: Sequence[int] | None = None,
    boundary: Any = "reflect",
    normalize: str | tuple[float, float] = "dtype",
    activation: Activation | None = None,
    output_dtype: Any = "uint8",
    batch: int = 1,
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
    input_shape : sequence of int, optional
        Voxels that the network is given at once, along each axis of space; those of a block and
        its halo unless given.
    boundary : str or number
        What a network of valid convolutions sees beyond the volume; one of same convolutions sees
        its own padding there.
    normalize : "dtype", "volume", or (subtract, divide)
        By the range of the data type, or by mean and standard deviation of the whole volume.
    activation : "sigmoid", "softmax", "tanh" or None
    output_dtype : "uint8" or "float32"
        uint8 stands for [0, 1] after sigmoid or softmax, for [-1, 1] otherwise, clipped.
    batch : int
        How many inputs, or planes, the network is given at once.
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
    footprint = _footprint(source, channels, space, halo == "auto")
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
    predicted = PredictVolume(
        **{name: getattr(mapped, name) for name in mapped.__dataclass_fields__},
        source=source,
        footprint=footprint,
        normalize=_normalization(normalize, volume),
        activation=activation,
        device=best_device() if device == "auto" else device,
        precision=precision,
        input_shape=None if input_shape is None else tuple(input_shape),
        batch=_checked_batch(batch),
    )
    _check_boundary(predicted.boundary)
    _check_input_shape(predicted)
    return predicted


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


def _footprint(source: ModelSource, channels: int, space: int, bounded: bool) -> Footprint:
    try:
        return probe(source, channels, space, bounded)
    except ValueError as error:
        if space != 3 or "takes no input" not in str(error):
            raise
        try:
            return probe(source, channels, 2, bounded)
        except ValueError:
            raise error from None


def _grown(
    begin: int,
    end: int,
    size: int,
    halo: tuple[int, int],
    stride: int,
    trim: int,
    rest: int,
    given: int | None,
) -> tuple[int, int, int]:
    """What is read along an axis, and where the output begins."""
    if trim:
        low = begin // stride * stride
        needed = end - low + 2 * trim
        length = given or needed + (rest - needed) % stride
        return low - trim, low - trim + length, low
    low = max(0, begin - halo[0]) // stride * stride
    whole = -(-size // stride) * stride
    if given:
        low = max(0, min(low, whole - given))
        return low, low + given, low
    high = min(whole, -(-(end + halo[1]) // stride) * stride)
    return low, high, low


def _check_boundary(boundary: tuple[Any, ...]) -> None:
    if "none" in boundary:
        raise ValueError(
            f"boundary={boundary} leaves nothing beyond the volume, but a network's input is "
            "padded to a multiple of its stride: use 'reflect', 'nearest', 'periodic' or a number."
        )


def _checked_batch(batch: int) -> int:
    if batch < 1:
        raise ValueError(f"batch must be a positive number of inputs, got {batch}.")
    return batch


def _check_input_shape(prediction: PredictVolume) -> None:
    given = prediction.input_shape
    if given is None:
        return
    _, strides, _, rests = prediction._axes()
    if len(given) != len(strides) or any(
        n < 1 or n % s != r for n, s, r in zip(given, strides, rests)
    ):
        raise ValueError(
            f"input_shape must be {len(strides)} positive numbers of voxels, which leave {rests} "
            f"after division by the network's stride {strides}, got {given}."
        )
    if min(prediction._steps()) < 1:
        raise ValueError(
            f"input_shape {given} leaves nothing after the network's halo {prediction.halo} and "
            f"stride {strides}: give a larger one, or none for that of a block."
        )


def _space_of(volume: Volume) -> Index:
    return tuple(n for axis, n in zip(volume.axes, volume.shape) if axis not in "tc")


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
    if not isinstance(normalize, str) and len(normalize) == 2 and normalize[1]:
        return float(normalize[0]), float(normalize[1])
    if not isinstance(normalize, str) or normalize != "dtype":
        raise ValueError(
            f"normalize must be 'dtype', 'volume' or (subtract, divide), got {normalize!r}."
        )
    whole = volume.dtype.kind in "iu"
    return 0.0, float(np.iinfo(volume.dtype).max) if whole else 1.0


def _statistics(volume: Volume) -> tuple[float, float]:
    """Mean and standard deviation of the whole volume, in one pass by blocks."""
    data = volume.data.astype(np.float64)
    mean, deviation = da.stack([data.mean(), data.std()]).compute().tolist()
    return mean, deviation or 1.0


def _output_dtype(dtype: Any) -> np.dtype[Any]:
    if np.dtype(dtype) not in (np.uint8, np.float32):
        raise ValueError(f"output_dtype must be uint8 or float32, got {dtype!r}.")
    kind: np.dtype[Any] = np.dtype(dtype)
    return kind


def _unused(array: NDArray[Any]) -> NDArray[Any]:
    raise NotImplementedError
