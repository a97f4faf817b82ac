"""What a network makes of arrays: of turned ones too, activated, in the memory that there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .activation import Activation, activated
from .augmentation import Augmentation
from .halving import halved_if_need_be
from .model_source import ModelSource

__all__ = ["Core", "Inference", "Then"]

# Which part of an output is wanted, along its axes of space.
Core = tuple[Any, ...]
# Makes what is stored of a part of an output, and of the module whose array it is.
Then = Callable[[Any, Any], Any]


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

    def __call__(
        self, arrays: Sequence[NDArray[np.float32]], cores: Sequence[Core], then: Then
    ) -> list[NDArray[Any]]:
        """What is made of the wanted part of each output, once it is activated.

        Parameters
        ----------
        arrays : sequence of ndarray of float32, shape (c, ...)
            All of one shape.
        cores : sequence of tuple
        then : callable

        Raises
        ------
        RuntimeError
            If the network fails on them.
        """
        shape = arrays[0].shape
        pieces = list(zip(arrays, cores, strict=True))
        try:
            return halved_if_need_be(partial(self._made, then), pieces, shape)
        except RuntimeError as error:
            raise RuntimeError(
                f"The network fails on an input of shape {(len(pieces), *shape)} "
                f"({' '.join(str(error).split())[:300]}): where that is too small for it, give a "
                "larger block_shape or input_shape; where it is too large, a smaller one."
            ) from error

    def check_trained(self) -> None:
        """Refuse a network of random weights, which no process would share.

        Raises
        ------
        ValueError
        """
        from .networks import check_trained

        check_trained(self.model)

    def _made(
        self, then: Then, pieces: Sequence[tuple[NDArray[np.float32], Core]]
    ) -> list[NDArray[Any]]:
        arrays = np.stack([array for array, _ in pieces])
        if self.augmentation is not None:
            mean = self.augmentation.mean(self._activated, arrays)
            return [then(m[(slice(None), *core)], np) for m, (_, core) in zip(mean, pieces)]

        def finish(outputs: Any, xp: Any) -> list[Any]:
            parts = (output[(slice(None), *core)] for output, (_, core) in zip(outputs, pieces))
            return [then(activated(part, self.activation, xp), xp) for part in parts]

        return self._finished(arrays, finish)

    def _activated(self, arrays: NDArray[np.float32]) -> NDArray[Any]:
        def finish(outputs: Any, xp: Any) -> list[Any]:
            return [activated(output, self.activation, xp) for output in outputs]

        return np.stack(self._finished(arrays, finish))

    def _finished(
        self, arrays: NDArray[np.float32], finish: Callable[[Any, Any], list[Any]]
    ) -> list[NDArray[Any]]:
        from .networks import finished

        return finished(self.model, arrays, self.device, self.precision, finish, self.compiled)
