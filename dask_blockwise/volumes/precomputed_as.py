"""As what a volume is stored where it becomes precomputed data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..geometry.boxes import Index
from ..storage.scale_output import ScaleOutput
from ..storage.stored_array import StoredArray
from .frame import Frame
from .pyramids import Pyramid

__all__ = ["PrecomputedAs"]


@dataclass(frozen=True)
class PrecomputedAs:
    """Scales of precomputed data, of which the first has the volume's own voxels."""

    kind: ScaleOutput
    # Coarser scales beside the first.
    pyramid: Pyramid | None = None

    dtype = None

    @property
    def recipe(self) -> dict[str, Any]:
        """What makes the stored array another one."""
        return asdict(self.kind)

    def of(self, frame: Frame) -> np.dtype[Any]:
        """The dtype in which a volume is stored."""
        return frame.dtype

    def settings(self, path: str, frame: Frame, block: Index) -> dict[str, Any]:
        """What the array is created with, for a volume in such blocks."""
        whole = frame.with_channels(block)
        return {"chunks": self.kind.chunks(frame.shape, whole), "block": whole}

    def is_made_so(self, array: StoredArray, frame: Frame, block: Index) -> bool:
        """Whether an array that is there is cut and encoded as this makes one."""
        return self.kind.is_made_so(array, frame.with_channels(block))

    def for_levels(self) -> PrecomputedAs:
        """As what coarser levels of it are stored."""
        return replace(self, pyramid=None)
