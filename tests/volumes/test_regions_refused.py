"""Regions that aren't any, or of other axes, are refused wherever one is given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume

VOLUME = Volume.from_array(np.zeros((4, 8, 8), np.uint8))
TAKES: dict[str, Callable[[Any, Path], Any]] = {
    "crop": lambda roi, path: VOLUME.crop(roi),
    "show": lambda roi, path: VOLUME.show(roi),
    "segment": lambda roi, path: dbw.segment(VOLUME, np.asarray, halo=0, roi=roi),
    "to_zarr": lambda roi, path: VOLUME.to_zarr(path / "a.zarr/x", roi=roi, progress=False),
    "mask": lambda roi, path: VOLUME.to_zarr(path / "a.zarr/x", mask=roi, progress=False),
    "masks": lambda roi, path: VOLUME.masked([VOLUME.roi, roi]),
}


@pytest.mark.parametrize("takes", TAKES)
@pytest.mark.parametrize(
    ("roi", "error", "message"),
    [
        (Roi((0, 0), (4, 4)), ValueError, r"has 2 axes, and the volume 3 .*\('z', 'y', 'x'\)"),
        (Roi((0,) * 4, (4,) * 4), ValueError, r"has 4 axes, and the volume 3 .*"),
        (Roi((0, 0, 0), (None, 4, 4)), ValueError, "has no end"),
        (((0, 0, 0), (4, 4, 4)), TypeError, "must be a|is a Roi"),
        ("0:4,0:4,0:4", TypeError, "must be a|is a Roi"),
    ],
    ids=["fewer axes", "more axes", "no end", "tuple", "text"],
)
def test_what_is_no_region_is_told(
    takes: str, roi: Any, error: type[Exception], message: str, tmp_path: Path, near: Any
) -> None:
    with pytest.raises(error, match=message):
        TAKES[takes](roi, tmp_path)


def test_tasks_say_it_too() -> None:
    roi = Roi((0, 0), (4, 4))
    with pytest.raises(TypeError, match=r"must be Roi\(begin, shape\), got \(\(0, 0\)"):
        dbw.Task("a", roi, ((0, 0), (4, 4)), roi, print)


def test_view_says_how_a_part_is_viewed() -> None:
    with pytest.raises(TypeError, match=r"volume\.crop\(roi\)\.view\(\)"):
        VOLUME.view(VOLUME.roi)
