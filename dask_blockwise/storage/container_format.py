"""The version of zarr that a container has, which what is added to it must have too."""

from __future__ import annotations

from itertools import islice

from .asked_once import asked_once
from .documents import read_json
from .location import folders_above

__all__ = ["check_zarr_format", "group_format", "zarr_format_for"]

_GROUPS_SEARCHED = 5


def check_zarr_format(asked: int | None) -> None:
    """Refuse a version of zarr that there isn't.

    Raises
    ------
    ValueError
    """
    if asked not in (None, 2, 3):
        raise ValueError(f"zarr_format must be 2 or 3, got {asked}.")


@asked_once()
def zarr_format_for(location: str, asked: int | None) -> int:
    """The version of zarr in which something new is stored: that of the group above, or else 3.

    Parameters
    ----------
    location : str
    asked : int, optional
        2 or 3.

    Raises
    ------
    ValueError
        If another is asked for than the group above has: nobody would find the array in it.
    """
    check_zarr_format(asked)
    for group, name in islice(folders_above(location), _GROUPS_SEARCHED):
        found = group_format(group)
        if found is None:
            continue
        if asked not in (None, found):
            raise ValueError(
                f"{name} can't be stored as zarr {asked} in {group}, which is a group of zarr "
                f"{found}: no reader of the group would find it. Leave zarr_format out, so that it "
                f"is stored as zarr {found}, or choose a path outside of that group."
            )
        return found
    return asked or 3


def group_format(group: str) -> int | None:
    """The version of zarr of a group; None where there is none."""
    if read_json(group, ".zgroup"):
        return 2
    return 3 if read_json(group, "zarr.json").get("node_type") == "group" else None
