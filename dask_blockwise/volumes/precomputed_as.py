"""As what a volume is stored where it becomes precomputed data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from ..geometry.boxes import Index
from ..storage.precomputed_encodings import usual_encoding
from ..storage.scale_output import ScaleOutput
from ..storage.stored_array import StoredArray
from .frame import Frame
from .pyramids import Pyramid

__all__ = ["PrecomputedAs", "precomputed_as"]


@dataclass(frozen=True)
class PrecomputedAs:
    """Scales of precomputed data, of which the first has the volume's own voxels."""

    kind: ScaleOutput
    # Coarser scales beside the first.
    pyramid: Pyramid | None = None

    dtype = None
    aligned = True

    def chunks(self, frame: Frame, block: Index) -> Index:
        """Voxels of a chunk, along all axes."""
        return self.kind.chunks(frame.shape, frame.with_channels(block))

    def level_name(self, number: int, frame: Frame) -> str:
        """What a coarser level is called: its key, which says its resolution."""
        return self.kind.path_in("", frame.placement).strip("/")

    @property
    def recipe(self) -> dict[str, Any]:
        """What makes the stored array another one."""
        return asdict(self.kind)

    def of(self, frame: Frame) -> np.dtype[Any]:
        """The dtype in which a volume is stored."""
        return frame.dtype

    def settings(self, path: str, frame: Frame, block: Index) -> dict[str, Any]:
        """What the array is created with, for a volume in such blocks."""
        return {"chunks": self.chunks(frame, block), "block": frame.with_channels(block)}

    def is_made_so(self, array: StoredArray, frame: Frame, block: Index) -> bool:
        """Whether an array that is there is cut and encoded as this makes one."""
        return self.kind.is_made_so(array, frame.with_channels(block))

    def for_levels(self) -> PrecomputedAs:
        """As what coarser levels of it are stored."""
        return replace(self, pyramid=None)


def precomputed_as(
    frame: Frame,
    segmentation: bool | None = None,
    encoding: str | None = None,
    sharded: bool = True,
    pyramid: Any = True,
) -> PrecomputedAs:
    """As what a volume is stored, given as for ``to_precomputed``.

    Raises
    ------
    ValueError
        If precomputed data can't hold the volume.
    """
    ids = frame.dtype.kind == "u" and frame.dtype.itemsize >= 4
    labels = ids and "c" not in frame.axes if segmentation is None else segmentation
    chosen = usual_encoding(frame.dtype.name, labels) if encoding is None else encoding
    kind = ScaleOutput(chosen, sharded, labels)
    kind.check(frame.placement, frame.shape, frame.dtype)
    levels = Pyramid.of(pyramid)
    if levels is not None and levels.method is None and labels:
        levels = replace(levels, method="labels")
    return PrecomputedAs(kind, levels)
