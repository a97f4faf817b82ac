"""Networks compiled by OpenVINO: those of torch run faster on a CPU, those of ONNX run at all."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["OpenVinoNetwork"]

_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_Shape = tuple[int, ...]


class OpenVinoNetwork:
    """A network, compiled for each shape of input that it is given.

    Parameters
    ----------
    read : callable
        Gives OpenVINO's model for a shape of input.
    precision : "float32", "bfloat16" or "float16"
    """

    def __init__(self, read: Callable[[_Shape], Any], precision: str) -> None:
        self._read = read
        self._hint = _HINTS[precision]
        self._compiled: dict[_Shape, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def of_torch(cls, traced: Callable[[_Shape], Any], precision: str) -> OpenVinoNetwork:
        """Of a module of torch; ``traced`` gives what torch has traced at a shape of input."""

        def read(shape: _Shape) -> Any:
            import openvino

            with warnings.catch_warnings():
                # Torch finds the way in which OpenVINO reads its networks old.
                warnings.simplefilter("ignore")
                return openvino.convert_model(traced(shape), input=list(shape))

        return cls(read, precision)

    @classmethod
    def of_onnx(cls, path: str, precision: str) -> OpenVinoNetwork:
        """Of an ONNX file.

        Raises
        ------
        ValueError
            If OpenVINO can't read it, or it has more than one input or output.
        """
        import openvino

        core = openvino.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise ValueError(
                f"{path} can't be loaded ({' '.join(str(error).split())[:300]}): it may be cut "
                "off, or hold what OpenVINO doesn't have."
            ) from error
        if len(model.inputs) != 1 or len(model.outputs) != 1:
            raise ValueError(
                f"{path} has {len(model.inputs)} inputs and {len(model.outputs)} outputs, but one "
                "of each is needed: export the network again with the ones that you want."
            )

        def read(shape: _Shape) -> Any:
            shaped = model.clone()
            shaped.reshape(list(shape))
            return shaped

        return cls(read, precision)

    @staticmethod
    def check_installed(what: str) -> None:
        """Refuse to go on without it.

        Raises
        ------
        ModuleNotFoundError
        """
        if find_spec("openvino") is None:
            raise ModuleNotFoundError(
                f"{what} needs OpenVINO: pip install 'dask_blockwise[openvino]', or run a network "
                "of torch with device='cpu'."
            )

    def run(self, arrays: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        """Run it on arrays of shape (n, c, ...)."""
        with self._lock:
            if arrays.shape not in self._compiled:
                self._compiled[arrays.shape] = self._compile(arrays.shape, threads)
            request = self._compiled[arrays.shape].create_infer_request()
        (values,) = request.infer([np.ascontiguousarray(arrays)]).values()
        return np.array(values, np.float32)

    def _compile(self, shape: _Shape, threads: int) -> Any:
        import openvino

        options = {
            "INFERENCE_PRECISION_HINT": self._hint,
            "INFERENCE_NUM_THREADS": threads,
            # Threads of each process would be tied to the same first cores.
            "ENABLE_CPU_PINNING": False,
        }
        return openvino.compile_model(self._read(shape), "CPU", options)
