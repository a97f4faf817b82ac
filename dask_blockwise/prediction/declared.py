"""What bioimage.io models declare before and after the network: normalisation and activation.

After the bioimage.io model description, https://github.com/bioimage-io/spec-bioimage-io.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..volumes.volume import Volume
from .activation import Activation
from .bioimageio import Description
from .normalization import Normalization, WholeVolume, normalization_of

__all__ = ["around_network", "declared_normalization"]


def declared_normalization(
    name: str, arguments: Mapping[str, Any], volume: Volume
) -> Normalization:
    """The normalisation that a bioimage.io model declares as its preprocessing.

    What it declares for each sample is taken from the whole volume, so that blocks have no seams.

    Parameters
    ----------
    name : str
        "scale_linear", "zero_mean_unit_variance", "fixed_zero_mean_unit_variance" or "scale_range".
    arguments : mapping
        As in the model's description.
    volume : Volume

    Returns
    -------
    Normalization

    Raises
    ------
    ValueError
        If it is another one.
    """
    made = _DECLARED[name](arguments, volume) if name in _DECLARED else None
    if made is None:
        raise ValueError(
            f"The model declares the preprocessing {name!r} with {dict(arguments)}, which can't be "
            "done block by block without seams: say what to do instead with normalize=."
        )
    return made


def _scale_linear(arguments: Mapping[str, Any], volume: Volume) -> Normalization:
    gain, offset = (
        np.atleast_1d(arguments.get(key, value)).astype(float)
        for key, value in (("gain", 1), ("offset", 0))
    )
    return normalization_of((tuple(-offset / gain), tuple(1 / gain)), volume)


def _fixed_moments(arguments: Mapping[str, Any], volume: Volume) -> Normalization:
    return normalization_of((arguments.get("mean"), arguments.get("std")), volume)


def _moments_of_each(arguments: Mapping[str, Any], volume: Volume) -> Normalization:
    if "mean" in arguments:
        return _fixed_moments(arguments, volume)
    return WholeVolume(
        volume, "moments", by_channel=_is_by_channel(arguments), epsilon=_epsilon(arguments)
    )


def _scale_range(arguments: Mapping[str, Any], volume: Volume) -> Normalization | None:
    """None where the range is to be that of another tensor."""
    if arguments.get("reference_tensor"):
        return None
    _check_countable(volume)
    ends = arguments.get("min_percentile", 0.0), arguments.get("max_percentile", 100.0)
    by_channel, epsilon = _is_by_channel(arguments), _epsilon(arguments)
    return WholeVolume(volume, "percentiles", ends, by_channel, epsilon)


# What bioimage.io models declare, by name.
_DECLARED: dict[str, Callable[[Mapping[str, Any], Volume], Normalization | None]] = {
    "scale_linear": _scale_linear,
    "fixed_zero_mean_unit_variance": _fixed_moments,
    "zero_mean_unit_variance": _moments_of_each,
    "scale_range": _scale_range,
}


def _is_by_channel(arguments: Mapping[str, Any]) -> bool:
    axes = arguments.get("axes")
    return axes is not None and not {"c", "channel"} & set(axes)


def _epsilon(arguments: Mapping[str, Any]) -> float:
    return float(arguments.get("eps", 1e-6))


def _check_countable(volume: Volume) -> None:
    if volume.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"Percentiles of the whole volume are taken of uint8 or uint16, got {volume.dtype}: "
            "give the numbers, normalize=(subtract, divide)."
        )


def around_network(
    volume: Volume, model: Any, normalize: Any, activation: Activation | None
) -> tuple[Normalization, Activation | None]:
    """What goes before and after the network: what is given, else what its folder declares."""
    path = Path(model).expanduser() if isinstance(model, str | os.PathLike) else None
    if path is None or not path.is_dir():
        return normalization_of("dtype" if normalize is None else normalize, volume), activation
    folder = Description.of(path)
    folder.check_axes([axis for axis in volume.axes if axis not in ("t", "c")])
    after: Any = activation or folder.activation
    if normalize is not None:
        return normalization_of(normalize, volume), after
    step = folder.preprocessing
    return declared_normalization(*step, volume) if step else normalization_of(
        (0, 1), volume
    ), after
