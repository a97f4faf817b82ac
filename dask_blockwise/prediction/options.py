"""Options of ``predict`` that are refused before anything is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from numbers import Integral
from shutil import which
from typing import Any, get_args

import numpy as np

from ..volumes.volume import Volume
from .activation import Activation
from .model_source import ModelSource
from .openvino import OpenVinoNetwork

__all__ = ["check_compiler", "check_context", "check_device_name", "check_onnx", "check_options"]


def check_options(volume: Volume, dtype: Any, activation: str | None, batch: int) -> None:
    """Refuse what fits no network."""
    if volume.dtype.kind not in "biuf":
        raise ValueError(
            f"A network is given real numbers, but the volume's are {volume.dtype}: take their "
            "magnitude first, map_overlap(np.abs, volume) for example."
        )
    if dtype is not None and dtype not in ("uint8", "float32", np.uint8, np.float32):
        raise ValueError(f"output_dtype must be uint8 or float32, got {dtype!r}.")
    if activation not in (None, *get_args(Activation)):
        names = ", ".join(map(repr, get_args(Activation)))
        raise ValueError(f"activation must be one of {names} or None, got {activation!r}.")
    if not isinstance(batch, Integral) or batch < 1:
        raise ValueError(f"batch must be a positive number of inputs, got {batch}.")


def check_context(halo: Any, boundary: Any) -> None:
    """Refuse what says nothing of what is around a block, or beyond the volume."""
    if halo != "auto" and not all(isinstance(n, Integral) for n in _flat(halo)):
        raise ValueError(
            f"halo must be 'auto' or a number of voxels, one for each axis or for all, got {halo!r}"
        )
    modes = boundary if isinstance(boundary, list | tuple) else [boundary]
    if "none" in modes or None in modes:
        raise ValueError(
            f"boundary={boundary} leaves nothing beyond the volume, but a network's input is "
            "padded to a multiple of its stride: use 'reflect', 'nearest', 'periodic' or a number, "
            "or 'valid' for a smaller output."
        )
    if len(modes) > 1 and "valid" in modes:
        raise ValueError(
            f"boundary={boundary} mixes 'valid' with others: it is for all axes or for none."
        )


def check_onnx(source: ModelSource, device: str, halo: Any) -> None:
    """Refuse what OpenVINO can't do with an ONNX file."""
    OpenVinoNetwork.check_installed(source.where)
    if device not in ("auto", "cpu", "fastest", "openvino"):
        raise ValueError(
            f"{source.where} is run by OpenVINO on a CPU, not on device={device!r}: leave device "
            "out, or give the network as one of torch."
        )
    if halo == "auto":
        # It probes with NaN, which OpenVINO takes for a number.
        raise ValueError(
            f"What {source.where} sees can't be found by probing, as OpenVINO runs it: give halo=, "
            "the voxels that an output voxel sees on each side, or the network as one of torch."
        )


def check_compiler(device: str) -> None:
    """Refuse to have torch compile where it has nothing to do that by.

    Raises
    ------
    ValueError
    """
    if device == "openvino":
        raise ValueError("OpenVINO compiles networks by itself: leave compile out.")
    on_gpu = device.startswith("cuda")
    compilers = filter(None, (os.environ.get("CXX"), "g++", "clang++"))
    if find_spec("triton") is None if on_gpu else not any(map(which, compilers)):
        what = "triton" if on_gpu else "a C++ compiler such as g++"
        raise ValueError(
            f"compile=True needs {what}, which isn't found here, nor perhaps on workers: install "
            "it, or leave compile out."
        )


def _flat(halo: Any) -> Iterator[Any]:
    """What halo= is made of."""
    parts = halo if isinstance(halo, list | tuple | np.ndarray) else (halo,)
    for part in parts:
        yield from part if isinstance(part, list | tuple | np.ndarray) else (part,)


def check_device_name(device: Any, output: Any, source: ModelSource) -> None:
    """Refuse what isn't the name of one device, and outputs that OpenVINO doesn't pick from."""
    if not isinstance(device, str):
        raise ValueError(f"device must be one, by its name such as 'cuda:0', got {device!r}.")
    if output is not None and (device == "openvino" or source.kind == "onnx"):
        raise ValueError(
            f"output={output!r} is picked from what torch gives, but OpenVINO is to run the "
            "network: leave device out, or export the network with the output that you want."
        )
