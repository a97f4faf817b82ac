"""Sources: the protocol of what answers for the voxels of a volume.

A new kind of stage is a class with `Source`'s methods, of which only ``read`` must be written. It
becomes a volume by ``Volume(frame, source)``, and is then previewed, planned, stored, resumed and
read by other stages as all are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, runtime_checkable

from numpy.typing import NDArray

from ..geometry.boxes import Box, Index
from ..storage.stored_array import StoredArray
from .frame import Frame
from .reach import Halo, Reach
from .step import Step

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["LabelSource", "Source", "Voxels"]


class Voxels(Protocol):
    """What sources have as inputs: a ``Volume``, as far as they need to know it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def frame(self) -> Frame:
        """Where its voxels lie."""

    @property
    def source(self) -> Source:
        """What answers for them."""

    @property
    def token(self) -> str:
        """A hash of all that its values depend on, but for the content of what is stored."""

    @property
    def data(self) -> da.Array:
        """Its values as a dask array."""


@runtime_checkable
class Source(Protocol):
    """What answers for the voxels of a volume: stored, or computed from other volumes.

    Derive from it. ``inputs`` and ``read`` must be there; the other methods are right for what
    computes each region from its inputs alone. A source is sent to worker processes, so it must be
    picklable, and small; and its attributes say what the values depend on: `recipe_of` describes
    them, and the code of its class, to tell whether stored blocks still hold. A frozen dataclass is
    both. Where some of them don't matter for the values, ``__recipe__`` returns those that do.

    Examples
    --------
    The distance of each voxel to the background of a mask, as far as 8 voxels, lazily:

    >>> from dataclasses import dataclass, replace
    >>> import numpy as np
    >>> from scipy.ndimage import distance_transform_edt
    >>> from dask_blockwise import Reach, Source, Volume
    >>> @dataclass(frozen=True)
    ... class Distances(Source):
    ...     inputs: tuple[Volume, ...]
    ...
    ...     @property
    ...     def reach(self):
    ...         frame = self.inputs[0].frame
    ...         return Reach.of_voxels(frame, ((8, 8),) * len(frame.space))
    ...
    ...     def read(self, begin, end):
    ...         (mask,) = self.inputs
    ...         low = [max(0, b - 8) for b in begin]
    ...         seen = mask[tuple(slice(lo, e + 8) for lo, e in zip(low, end))]
    ...         core = tuple(slice(b - lo, e - lo) for b, e, lo in zip(begin, end, low))
    ...         return distance_transform_edt(seen)[core].clip(max=8).astype(np.float32)
    >>> mask = Volume.from_array(np.array([[0, 1, 1, 1, 0, 1]], np.uint8), chunks=(1, 3))
    >>> distances = Volume(replace(mask.frame, dtype=np.dtype(np.float32)), Distances((mask,)))
    >>> distances[0], distances.data.compute()[0]
    (array([0., 1., 2., 1., 0., 1.], dtype=float32), array([0., 1., 2., 1., 0., 1.], dtype=float32))
    """

    # What the values are computed from; none for what is stored.
    inputs: tuple[Any, ...]
    # Whether a region takes much longer than to read it, also where no more is read.
    takes_long: ClassVar[bool] = False

    def read(self, begin: Index, end: Index) -> NDArray[Any]:
        """Values of a box within the volume.

        Parameters
        ----------
        begin, end : tuple of int
            Voxels along all axes but "c"; 0 is the volume's first.

        Returns
        -------
        ndarray
            All channels, of the frame's dtype; its axes are those of the frame. An array that is
            kept is returned as a view, since others may change what isn't one.
        """

    def block(self, number: int, begin: Index, end: Index) -> NDArray[Any]:
        """Values of the block with a number in raster order, where they depend on that."""
        return self.read(begin, end)

    def is_empty(self, begin: Index, end: Index) -> bool:
        """Whether a box is known to hold nothing, without reading more than a mask."""
        return False

    @property
    def empty_is_zero(self) -> bool:
        """Whether boxes that hold nothing are 0, which is background where they are labelled."""
        return True

    @property
    def masks(self) -> tuple[Any, ...]:
        """Volumes that ``is_empty`` reads."""
        return ()

    def masked(self, mask: Any) -> Source | None:
        """The same where nothing lies outside of a `Mask`; None if its values are to be replaced.

        To be written where values within the mask would be others if nothing lay outside.
        """
        return None

    @property
    def note(self) -> str:
        """What else people should see of the volume, in its one line; mostly nothing."""
        return ""

    @property
    def kind(self) -> str:
        """What a volume of it is called in texts."""
        return type(self).__name__

    @property
    def title(self) -> str:
        """What a stage is called in drawings, such as by its function."""
        return self.kind.removesuffix("Volume").lower()

    @property
    def reach(self) -> Reach | None:
        """What ``read`` needs of the inputs around a box; None for no more than the box."""
        return None

    def reads_along(self, axis: int, begin: int, end: int) -> Iterable[tuple[int, int]] | None:
        """What ``read`` reads of the inputs at once, where ``reach`` is only the most around it.

        By it a plan says how much is read.

        Parameters
        ----------
        axis : int
            Of space.
        begin, end : int
            Of a box, in voxels along it.

        Returns
        -------
        iterable of (begin, end), optional
            In voxels of the inputs, beyond their border too; None for what ``reach`` says.
        """
        return None

    @property
    def also_reads(self) -> tuple[Any, ...]:
        """Volumes beside the inputs, of which every region depends on all voxels."""
        return ()

    @property
    def arrays(self) -> tuple[StoredArray, ...]:
        """Arrays in a store that it reads by itself, if any; a region may depend on all of them.

        By them it is known that what was computed from them has changed.
        """
        return ()

    @property
    def needs_all(self) -> bool:
        """Whether a region of what is stored can't be computed without all of the inputs."""
        return False

    @property
    def largest_id(self) -> int | None:
        """What no value is larger than, where that is known before anything is computed."""
        return None

    def over(self, inputs: tuple[Any, ...]) -> Self:
        """The same over other inputs, of which nothing is known yet."""
        return replace(self, inputs=inputs) if self.inputs else self  # type: ignore[type-var]

    def prepared(self, inputs: tuple[Any, ...]) -> Self:
        """The same as workers compute it, over inputs that are prepared for them.

        What is taken from the whole volume once is taken here, before work begins.
        """
        return self.over(inputs)

    def repairing(self) -> Self:
        """The same as it is stored where a region of what is stored is computed again."""
        return self

    def changed(self, path: str) -> Any:
        """What such a repair has changed elsewhere, told to the person; None for nothing."""
        return None

    def steps(self, volume: Voxels, block: Index) -> Sequence[Step]:
        """What storing takes, if it is more than to compute each block by itself.

        Parameters
        ----------
        volume : Volume
            That which is stored, of which this is the source.
        block : tuple of int
            Voxels of a block along all axes but "c".

        Raises
        ------
        ValueError
            If it can't be stored in such blocks.
        """
        return ()

    def dask_array(self) -> da.Array | None:
        """All values, where dask has a better way to them than a region for each block."""
        return None


@runtime_checkable
class LabelSource(Protocol):
    """A source of labels that each block makes by itself, of more than it writes.

    ``relabel`` compares neighbouring blocks on what both saw.
    """

    @property
    def halo(self) -> Halo:
        """Voxels that a block sees before and after itself, along each axis of space."""

    @property
    def apart(self) -> bool:
        """Whether touching labels of different values of the first input are different objects."""

    def seen(self, core: Box, seen: Box) -> NDArray[Any]:
        """Labels of all that a block sees, of any type of integers.

        Parameters
        ----------
        core, seen : tuple of slice
            The block's own voxels, and those that it sees, along all axes.
        """
