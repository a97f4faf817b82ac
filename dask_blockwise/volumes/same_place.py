"""Volumes that lie where another does, whatever the units of both; and regions of one."""

from __future__ import annotations

from dataclasses import replace

from ..geometry.blocks import Roi, check_region
from ..geometry.meeting import Meeting, meetings
from .frame import Frame
from .kinds import AnyVoxels
from .lineage import is_made_by
from .source import LabelSource
from .views import Cropped

__all__ = ["check_meets", "in_units_of", "is_there"]

_SAME = Meeting(step=1, away=0, wide=1)


def in_units_of(volume: AnyVoxels, frame: Frame) -> AnyVoxels:
    """The volume in the units of a frame, where it has the voxels of that in other units.

    Parameters
    ----------
    volume : Volume
        Channels may be others.
    frame : Frame

    Returns
    -------
    Volume
        The same one where nothing is to be done, or it lies elsewhere, or a unit isn't known.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume
    >>> here = Volume.from_array(np.eye(2), voxel_size=(2000, 2000), unit="nm")
    >>> there = Volume.from_array(np.eye(2), voxel_size=(2, 2), unit="um")
    >>> in_units_of(there, here.frame).voxel_size, in_units_of(here, here.frame) is here
    ((2000, 2000), True)
    """
    own = volume.frame
    if own.lies_as(frame) or not is_there(own, frame) or is_made_by(volume, LabelSource):
        return volume
    place = replace(frame.placement, axes=own.axes)
    source = Cropped((volume,), (0,) * len(own.extent))
    return replace(volume, frame=replace(own, placement=place), source=source)


def is_there(own: Frame, frame: Frame) -> bool:
    """Whether a volume has the voxels of the world that another has, in whatever units."""
    if own.lies_as(frame):
        return True
    if own.placement.block_axes != frame.placement.block_axes or own.extent != frame.extent:
        return False
    try:
        return all(along == _SAME for along in meetings(own.placement, frame.placement))
    except ValueError:
        return False  # of no known length


def check_meets(frame: Frame, roi: Roi) -> None:
    """Refuse a region in which a volume has nothing.

    Raises
    ------
    TypeError, ValueError
    """
    check_region(roi, frame.placement.block_axes)
    if not frame.roi.intersects(roi):
        raise ValueError(
            f"The region {roi} doesn't meet the volume's {frame.roi}: give one that does, in "
            "world units."
        )
