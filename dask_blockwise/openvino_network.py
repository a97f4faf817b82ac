"""Networks compiled by OpenVINO, which is faster than torch on a CPU."""

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


class OpenVinoNetwork:
    """A network of torch, compiled for each shape of input that it is given.

    Parameters
    ----------
    module : torch.nn.Module
    precision : "float32", "bfloat16" or "float16"
    example : callable
        Makes a tensor of a shape.
    """

    def __init__(
        self, module: Any, precision: str, example: Callable[[tuple[int, ...]], Any]
    ) -> None:
        self._module = module
        self._example = example
        self._hint = _HINTS[precision]
        self._compiled: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()

    @staticmethod
    def check_installed() -> None:
        """Refuse to go on without it.

        Raises
        ------
        ModuleNotFoundError
        """
        if find_spec("openvino") is None:
            raise ModuleNotFoundError(
                "device='openvino' needs OpenVINO: pip install 'dask_blockwise[openvino]', or take "
                "device='cpu'."
            )

    def run(self, arrays: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        """Run it on arrays of shape (n, c, ...)."""
        with self._lock:
            if arrays.shape not in self._compiled:
                self._compiled[arrays.shape] = self._compile(arrays.shape, threads)
            request = self._compiled[arrays.shape].create_infer_request()
        (values,) = request.infer([np.ascontiguousarray(arrays)]).values()
        return np.array(values, np.float32)

    def _compile(self, shape: tuple[int, ...], threads: int) -> Any:
        import openvino

        options = {"INFERENCE_PRECISION_HINT": self._hint, "INFERENCE_NUM_THREADS": threads}
        with warnings.catch_warnings():
            # Torch finds the way in which OpenVINO reads its networks old.
            warnings.simplefilter("ignore")
            model = openvino.convert_model(
                self._module, example_input=self._example(shape), input=list(shape)
            )
        return openvino.compile_model(model, "CPU", options)
