"""Networks, and what makes masks and classes of what they predict."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from cyclopts import Parameter

from ..prediction.activate import activate as probabilities_of
from ..prediction.argmax import argmax as argmax_of
from ..prediction.predict import predict as prediction_of
from ..prediction.threshold import threshold as mask_of
from .options import Flag
from .storing import Stage
from .words import Count, Halo, Named, Outputs, Size, Span, named_values

__all__ = ["activate", "argmax", "predict", "threshold"]


def predict(
    volume: str,
    output: str,
    /,
    *,
    model: str,
    weights: str | None = None,
    arguments: Named = (),
    halo: Halo = "auto",
    input_shape: Size | None = None,
    boundary: str = "reflect",
    normalize: str | None = None,
    activation: Literal["sigmoid", "softmax", "tanh"] | None = None,
    which: Annotated[Outputs | None, Parameter(name="--output")] = None,
    output_dtype: Literal["uint8", "float32"] | None = None,
    output_range: Span | None = None,
    batch: Count = 1,
    device: str = "auto",
    precision: Literal["float32", "bfloat16", "float16"] = "float32",
    blend: Literal["gaussian", "linear"] | None = None,
    overlap: float | None = None,
    augment: Literal["flips", "rot90"] | None = None,
    compile: Flag = False,
    trust: Flag = False,
    how: Stage = Stage(),
) -> None:
    """Run a network over a volume.


    ```bash
    dask-blockwise predict fib25.zarr/raw fib25.zarr/affinities --model unet.pt --activation sigmoid
    ```

    Parameters
    ----------
    volume
        What the network sees, such as fib25.zarr/raw.
    output
        Where its prediction is stored, such as fib25.zarr/affinities.
    model
        A TorchScript, torch.export or ONNX file, a bioimage.io folder, or package.module:Class,
        also of a module in the present folder.
    weights
        A state dict (.pt, loaded without running code) or .npz, for package.module:Class.
    arguments
        NAME=VALUE of the class; may be given several times.
    halo
        Voxels that it sees around a block; found by probing unless given.
    input_shape
        Voxels that it is given at once.
    boundary
        What a network of valid convolutions sees beyond the volume: reflect, nearest, periodic, a
        number, or valid.
    normalize
        By dtype, by volume (its mean and deviation), or subtract,divide such as 128,64.
    activation
        Applied to what it returns.
    which
        Of several tensors, by index or key, such as 0 or logits/0; or several of them, 0,1, whose
        channels are stored one after the other.
    output_dtype
        As what it is stored; uint8 unless given.
    output_range
        What bytes 0 and 255 stand for.
    batch
        How many inputs it is given at once.
    device
        Such as cuda, cuda:1, cpu, openvino or fastest; a GPU if there is one unless given.
    precision
        In which it computes.
    blend
        Take the mean of tiles of --input-shape that overlap, for a network with poor borders.
    overlap
        Of such tiles, as a part of one; 0.5 unless given.
    augment
        Take the mean over mirrored inputs, and turned ones.
    compile
        Have torch compile it.
    trust
        Load a file that runs code.
    """
    found = prediction_of(
        how.open(volume),
        model,
        weights=weights,
        arguments=named_values(arguments) or None,
        halo=halo,
        input_shape=input_shape,
        boundary=_boundary(boundary),
        normalize=_normalization(normalize),
        activation=activation,
        output=which,
        output_dtype=output_dtype,
        output_range=output_range,
        batch=batch,
        device=device,
        precision=precision,
        blend=blend,
        overlap=overlap,
        augment=augment,
        compile=compile,
        trust=trust,
    )
    how.store(found, output)


def _boundary(word: str) -> str | float:
    try:
        return float(word)
    except ValueError:
        return word


def _normalization(word: str | None) -> Any:
    if word is None or word in ("dtype", "volume"):
        return word
    try:
        subtract, divide = map(float, word.split(","))
    except ValueError:
        raise ValueError(
            f"--normalize takes dtype, volume, or two numbers that are subtracted and divided by, "
            f"such as 128,64, got {word!r}."
        ) from None
    return subtract, divide


def activate(
    volume: str,
    output: str,
    /,
    *,
    activation: Literal["sigmoid", "softmax", "tanh"] | None = None,
    output_dtype: Literal["uint8", "float32"] = "uint8",
    output_range: Span | None = None,
    how: Stage = Stage(),
) -> None:
    """Make probabilities of a network's stored logits, or store them in bytes.


    ```bash
    dask-blockwise activate a.zarr/logits a.zarr/affinities --activation sigmoid --isel c=0:3
    ```

    Parameters
    ----------
    volume
        What a network gave, as floats: of predict --output-dtype float32.
    output
        Where it is stored.
    activation
        Applied to it; softmax is over all channels.
    output_dtype
        As what it is stored; uint8 unless given.
    output_range
        What bytes 0 and 255 stand for; needed without an activation.
    """
    made = probabilities_of(
        how.open(volume),
        activation,
        output_dtype=output_dtype,
        output_range=output_range,
    )
    how.store(made, output)


def argmax(
    volume: str,
    output: str,
    /,
    *,
    how: Stage = Stage(),
) -> None:
    """Store the class of each voxel: the channel of the largest value.


    ```bash
    dask-blockwise argmax brain.zarr/prediction brain.zarr/tissues
    ```

    Parameters
    ----------
    volume
        With channels, one a class.
    output
        Where the classes are stored.
    """
    how.store(argmax_of(how.open(volume)), output)


def threshold(
    volume: str,
    output: str,
    /,
    *,
    value: float,
    how: Stage = Stage(),
) -> None:
    """Store the mask of what is above a value.


    ```bash
    dask-blockwise threshold brain.zarr/prediction brain.zarr/mask --value 0.5
    ```

    Parameters
    ----------
    volume
        Probabilities, or any other values.
    output
        Where the mask is stored, as bytes 0 and 1.
    value
        What is above it is 1; of predictions stored as bytes, in what these stand for.
    """
    how.store(mask_of(how.open(volume), value), output)
