"""What a network makes of arrays: of turned ones too, activated, in the memory that there is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .augmentation import Augmentation
from .halving import halved_if_need_be
from .model_source import ModelSource

__all__ = ["Activation", "Inference"]

Activation = Literal["sigmoid", "softmax", "tanh"]


@dataclass(frozen=True, kw_only=True)
class Inference:
    """A network, where and how it runs, and what its output goes through."""

    model: ModelSource = field(repr=False)
    activation: Activation | None = None
    device: str = "cpu"
    precision: str = "float32"
    # Whether torch compiles it.
    compiled: bool = False
    # In which ways inputs are turned, of whose outputs the mean is taken.
    augmentation: Augmentation | None = None

    def __call__(self, arrays: NDArray[np.float32]) -> NDArray[Any]:
        """Activated outputs, shape ``(n, channels, ...)``, of inputs of shape ``(n, c, ...)``.

        Raises
        ------
        RuntimeError
            If the network fails on them.
        """
        if self.augmentation is None:
            return self._activated(arrays)
        return self.augmentation.mean(self._activated, arrays)

    def _activated(self, arrays: NDArray[np.float32]) -> NDArray[Any]:
        from .networks import infer

        def run(some: NDArray[np.float32]) -> NDArray[np.float32]:
            return infer(self.model, some, self.device, self.precision, self.compiled)

        try:
            outputs = halved_if_need_be(run, arrays)
        except RuntimeError as error:
            raise RuntimeError(
                f"The network fails on an input of shape {arrays.shape} "
                f"({' '.join(str(error).split())[:300]}): where that is too small for it, give a "
                "larger block_shape or input_shape; where it is too large, a smaller one."
            ) from error
        return _activate(outputs, self.activation)


def _activate(values: NDArray[Any], activation: Activation | None) -> NDArray[Any]:
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-values.clip(-80, 80))), np.float32)
    if activation == "softmax":
        powers = np.exp(values - values.max(1, keepdims=True))
        return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)
    return np.tanh(values) if activation == "tanh" else values
