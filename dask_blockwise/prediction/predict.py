"""Predict: a network over a volume, block by block, equal to its prediction on the whole."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..pipelines.stages import stage
from ..volumes.frame import Frame
from ..volumes.padding import boundaries_of, halo_of
from ..volumes.volume import Volume
from .activation import Activation, check_channels
from .augmentation import augmentation_of
from .blended import Blended, tiled_axes
from .blending import Blend, check_blend
from .declared import around_network
from .fastest import checked_by_openvino, fastest
from .footprint import Footprint, UnfitNetworkError
from .inference import Inference
from .model_source import ModelSource
from .normalization import Normalization, WholeVolume
from .options import check_compiler, check_context, check_device_name, check_onnx, check_options
from .outputs import UnfitOutputError, keys_of
from .perturbations import Spread
from .predicted import Predicted
from .proof import prove
from .quantisation import Range, checked_range, range_of
from .tiling import AxisTiling, tilings_of
from .windows import most_varied

__all__ = ["predict"]

_BY_OPENVINO = {"fastest": fastest, "openvino": checked_by_openvino}


@stage("prediction")
def predict(
    volume: Volume,
    model: Any,
    *,
    weights: str | os.PathLike[str] | None = None,
    arguments: Mapping[str, Any] | None = None,
    halo: Any = "auto",
    input_shape: Sequence[int] | None = None,
    boundary: Any = "reflect",
    normalize: str | tuple[Any, Any] | None = None,
    activation: Activation | None = None,
    output: Any = None,
    output_dtype: Any = None,
    output_range: tuple[float, float] | None = None,
    batch: int = 1,
    device: str = "auto",
    precision: str = "float32",
    compile: bool = False,
    blend: Blend | None = None,
    overlap: Any = None,
    augment: Any = None,
    trust: bool = False,
    block_shape: Sequence[int] | None = None,
) -> Volume:
    """Run a network over a volume, lazily.

    Parameters
    ----------
    volume : Volume
    model : torch.nn.Module, or str
        ``"package.module:Class"`` with ``weights``, a TorchScript or torch.export file, or a
        bioimage.io folder; or an ONNX file, which OpenVINO runs (extra ``openvino``) and which
        needs ``halo``. A network of two axes runs over each plane.
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
    boundary : "reflect", "nearest", "periodic", a number, or "valid"
        What a network of valid convolutions sees beyond the volume; one of same convolutions sees
        its own padding there. With ``"valid"`` the output is smaller by what would need it.
    normalize : "dtype", "volume", or (subtract, divide)
        By the range of the data type (uint8 to [0, 1]), by mean and standard deviation of the
        whole volume, taken in one pass when they are first needed, or by numbers, one or one for
        each channel. Unless given, as a bioimage.io folder declares, else by data type.
    activation : "sigmoid", "softmax", "tanh" or None
        Unless given, as a bioimage.io folder declares, else none.
    output : int, str, or tuple of them, or list of these, optional
        Which of several tensors, where the network returns a tuple, a list or a mapping; from the
        outside in, ``("logits", 0)``. Of a list the channels come one after the other: computed
        and stored once, ``.isel(c=slice(0, 3))`` is then a volume of one of them.
    output_dtype : "uint8" or "float32"
        Unless given, uint8, but whole numbers and truth values as the network gives them, such as
        classes. uint8 stands for [0, 1] after sigmoid or softmax, and where no input makes the
        network negative; for [-1, 1] otherwise; or for ``output_range``.
    output_range : (low, high), optional
        What the bytes 0 and 255 stand for. Values beyond it are an error, not cut off.
    batch : int
        How many inputs, or planes, the network is given at once; half as many where the device
        turns out to have no memory for them.
    device : str
        Such as "cuda"; ``"auto"`` takes a GPU if there is one; ``"openvino"`` is the faster way on
        a CPU (extra ``openvino``). ``"fastest"`` is as ``"auto"``, but on a CPU takes that where
        it is installed here and gives the same to 1e-5 on some of the volume, and says why not.
    precision : "float32", "bfloat16" or "float16"
    compile : bool
        Whether torch compiles the network, in each worker and for each shape of input.
    blend : "gaussian" or "linear", optional
        For networks that are poor at borders, or see all of their input: tiles of ``input_shape``
        lie over the whole volume, and of those that overlap a mean is taken, in which each counts
        less towards its border; after the activation. Values are the same in any blocks, not
        those of the whole volume at once. A block computes all tiles that it meets, so blocks of
        many tiles cost least.
    overlap : int or float, or one for each axis of space, optional
        Of such tiles: voxels, or a part of a tile; half of it unless given.
    augment : "flips", "rot90" or function, optional
        Takes the mean, after the activation, of what is made of inputs mirrored along each subset
        of the axes of space; with ``"rot90"`` also turned in planes of y and x; or of what a
        function of an input ``(c, z, y, x)`` gives: pairs of a turned input, and a function that
        turns its output back. Channels of affinities, or others that mean a direction, must change
        places as an input is turned, which such a function can do, and the others do not.
    trust : bool
        Whether a network may be loaded that runs code from its file: a pickled one, or an archive
        that holds more than a network.
    block_shape : sequence of int, optional

    Returns
    -------
    Volume
        Shape ``(c, z, y, x)``. A network that changes the voxel size gives the output voxels that
        lie wholly in the volume.

    Raises
    ------
    ValueError, TypeError, FileNotFoundError, ModuleNotFoundError
        If the model can't be loaded, or doesn't take the volume's channels, or an option doesn't
        fit.

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
    check_options(volume, output_dtype, activation, batch)
    check_context(halo, boundary)
    between = checked_range(output_range)
    source = replace(ModelSource.of(model, weights, arguments, trust), output=keys_of(output))
    # What only labels never pays for torch.
    from . import networks

    check_device_name(device, output, source)
    check_blend(blend, overlap, boundary)
    chosen = networks.best_device() if device in ("auto", "fastest") else device
    networks.check_device(chosen, precision)
    if compile:
        check_compiler(chosen)
    augmentation = augmentation_of(augment)
    if source.kind == "onnx":
        check_onnx(source, device, halo)
    normalization, activation = around_network(volume, model, normalize, activation)
    found, axes = isinstance(halo, str), len(volume.frame.space)
    numbers, spread = _on_a_window(volume, normalization)
    footprint = _footprint(source, volume, found and blend is None, spread)
    if augmentation is not None:
        footprint = augmentation.around(footprint)
    dtype = _dtype(footprint, output_dtype, activation, between)
    check_channels(activation, footprint.channels, "what the network gives")
    real = footprint.dtype.kind == "f" and dtype == np.uint8
    stands_for = range_of(activation, between, footprint.least) if real else None
    inference = Inference(
        model=source,
        activation=activation,
        device=chosen,
        precision=precision,
        compiled=compile,
        augmentation=augmentation,
    )
    if device in _BY_OPENVINO and chosen in ("cpu", "openvino") and source.kind != "onnx":
        window = numbers.apply(most_varied(volume)[1])
        inference = _BY_OPENVINO[device](inference, footprint, window)
    values = replace(volume.frame.with_values(dtype, footprint.channels), stands_for=stands_for)
    how: dict[str, Any] = {
        "inputs": (volume,),
        "network": inference,
        "boundary": boundaries_of("reflect" if boundary == "valid" else boundary, axes),
        "planes": len(footprint.axes) < axes,
        "normalization": normalization,
        "batch": batch,
    }
    if blend is not None:
        tiled = tiled_axes(volume.frame.space, footprint, input_shape, blend, overlap)
        frame = _in_blocks(values, block_shape)
        return Volume(frame, Blended(frame=frame, tiled=tiled, **how))
    tilings = tilings_of(
        volume.frame.space,
        footprint,
        halo=None if found else halo_of(halo, axes),
        given=input_shape,
        cropped=boundary == "valid",
    )
    frame = _in_blocks(_placed(values, tilings), block_shape)
    fixed = footprint.only_shape is not None
    predicted = Predicted(frame=frame, tilings=tilings, fixed=fixed, found=found, **how)
    prove(replace(predicted, normalization=numbers), estimated=numbers is not normalization)
    return Volume(frame, predicted)


def _in_blocks(frame: Frame, block_shape: Sequence[int] | None) -> Frame:
    return frame if block_shape is None else frame.with_block(frame.checked_block(block_shape))


def _on_a_window(volume: Volume, normalization: Normalization) -> tuple[Normalization, Spread]:
    """The normalisation, its numbers as of a window at most, and the values that it gives."""
    _, values = most_varied(volume)
    if isinstance(normalization, WholeVolume):
        normalization = normalization.estimate(values)
    return normalization, Spread.of(normalization.apply(values))


def _dtype(
    footprint: Footprint, given: Any, activation: str | None, between: Range | None
) -> np.dtype[Any]:
    """What is stored; refuses what is for real numbers alone."""
    if footprint.dtype.kind == "f":
        if between is not None and given not in (None, "uint8", np.uint8):
            raise ValueError(f"output_range is what uint8 stands for, but {given} is to be stored.")
        return np.dtype(given or "uint8")
    if activation is not None or between is not None:
        raise ValueError(
            f"The network gives {footprint.dtype}, such as classes, but activation={activation!r} "
            f"and output_range={between} are for real numbers: leave them out, or take its output "
            "before they are made."
        )
    return np.dtype(given) if given else footprint.dtype


def _footprint(source: ModelSource, volume: Volume, bounded: bool, spread: Spread) -> Footprint:
    from .networks import footprint_of

    channels, space = volume.frame.channels or 1, len(volume.frame.space)
    try:
        return footprint_of(source, channels, space, bounded, spread)
    except (UnfitNetworkError, UnfitOutputError) as error:
        if space != 3:
            raise
        try:
            return footprint_of(source, channels, 2, bounded, spread)
        except (UnfitNetworkError, UnfitOutputError):
            raise error from None


def _placed(frame: Frame, tilings: Sequence[AxisTiling]) -> Frame:
    """Where the output lies in the world, in blocks of about as much of it as the input's."""
    place, space = frame.placement, len(tilings)
    scales = [tiling.network.scale for tiling in tilings]
    old = place.voxel_size[-space:]
    new = [size * scale for size, scale in zip(old, scales)]
    if any(size.denominator > 1 for size in new):
        raise ValueError(
            f"The network's output voxels are {[str(s) for s in scales]} times as long as the "
            f"input's, which are {old}, so they aren't whole numbers in the world's unit: give the "
            "volume a finer unit, or a larger voxel_size if it has none."
        )
    begins = [
        begin + tiling.origin * size // scale.denominator
        for begin, tiling, size, scale in zip(place.offset[-space:], tilings, old, scales)
    ]
    placed = replace(
        frame,
        shape=(*frame.shape[:-space], *(tiling.outputs for tiling in tilings)),
        placement=replace(
            place,
            voxel_size=(*place.voxel_size[:-space], *map(int, new)),
            offset=(*place.offset[:-space], *begins),
        ),
    )
    block, time = frame.block_shape, len(frame.block_shape) - space
    scaled = (max(1, int(n / scale)) for n, scale in zip(block[time:], scales))
    return placed.with_block(placed.checked_block((*block[:time], *scaled)))
