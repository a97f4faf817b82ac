"""Volumes at the same place in other units are as if they had the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

import dask_blockwise as dbw
from dask_blockwise import Volume

RNG = np.random.default_rng(5)
LABELS = ndimage.label(ndimage.gaussian_filter(RNG.normal(size=(12, 13, 14)), 1) > 0)[0]
GREY = RNG.random(LABELS.shape).astype("f4")
PAIRS = RNG.random((3, *LABELS.shape)).astype("f4")
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
SIZE, BEGIN = np.array([3, 2, 4]), np.array([6, -4, 8])


def placed(array: Any, *, micro: bool, axes: str = "zyx") -> Volume:
    """At one place, in micrometers or nanometers."""
    unit, times = ("um", 1) if micro else ("nm", 1000)
    return Volume.from_array(array, SIZE * times, BEGIN * times, axes, unit)


@pytest.fixture
def stored(near: Any, tmp_path: Any) -> Any:
    """What a lazy volume is once it is stored, in small blocks."""

    def of(volume: Volume, name: str = "made") -> Volume:
        path = tmp_path / "a.zarr" / name
        volume.to_zarr(path, client=near, progress=False, block_shape=(5, 6, 7))
        return dbw.open_volume(path)

    return of


def test_expressions(stored: Any) -> None:
    labels, grey = placed(LABELS, micro=False), stored(placed(GREY, micro=True), "grey")
    assert (labels.unit, grey.unit) == ("nanometer", "micrometer")
    made = stored(labels * 2 + grey > 3)
    np.testing.assert_array_equal(made[:], LABELS * 2 + GREY > 3)
    assert (made.roi, made.unit) == (labels.roi, labels.unit)
    assert (grey + labels).unit == "micrometer"


def test_functions_with_halos(stored: Any) -> None:
    grey, labels = placed(GREY, micro=False), stored(placed(LABELS, micro=True), "labels")

    def near_labels(one: Any, other: Any) -> Any:
        return ndimage.uniform_filter(one, 3) * ndimage.maximum_filter(other, 3)

    mapped = dbw.map_overlap(near_labels, grey, labels, halo=1, boundary="reflect", dtype="f8")
    np.testing.assert_allclose(stored(mapped)[:], near_labels(GREY, LABELS), rtol=1e-5)


def test_means_of_objects(stored: Any, near: Any) -> None:
    labels, grey = stored(placed(LABELS, micro=True)), placed(GREY, micro=False)
    table = labels.objects(raw=grey, client=near, progress=False)
    truth = ndimage.mean(GREY.astype("f8"), LABELS, table.id)
    np.testing.assert_allclose(table.mean_raw, truth, rtol=1e-5)


def test_agglomeration_is_as_in_one_unit(stored: Any) -> None:
    pieces = stored(placed(LABELS, micro=True), "pieces")
    made = [
        stored(dbw.agglomerate(pieces, placed(PAIRS, micro=micro, axes="czyx"), offsets=OFFSETS), n)
        for n, micro in (("here", True), ("there", False))
    ]
    np.testing.assert_array_equal(made[0][:], made[1][:])
    assert made[0].roi == made[1].roi == pieces.roi


def test_a_changed_chunk_of_the_other_counts(stored: Any, near: Any, tmp_path: Any) -> None:
    other = stored(placed(GREY, micro=True), "other")
    path, options = tmp_path / "a.zarr/sum", {"client": near, "progress": False}
    (placed(LABELS, micro=False) + other).to_zarr(path, **options)
    placed(GREY + 1, micro=True).to_zarr(
        tmp_path / "a.zarr/other", overwrite=True, block_shape=(5, 6, 7), **options
    )
    anew = placed(LABELS, micro=False) + dbw.open_volume(tmp_path / "a.zarr/other")
    with pytest.raises(dbw.OutputChanged, match="other"):
        anew.to_zarr(path, **options)
    anew.to_zarr(path, on_change="redo", **options)
    np.testing.assert_array_equal(dbw.open_volume(path)[:], LABELS + (GREY + 1))


def test_elsewhere_is_refused() -> None:
    here = placed(GREY, micro=True)
    with pytest.raises(ValueError, match="units differ"):
        here + Volume.from_array(GREY, SIZE, BEGIN, unit="mm")
    with pytest.raises(ValueError, match="the same region"):
        here + Volume.from_array(GREY, SIZE * 1000, (BEGIN + 1) * 1000, unit="nm")
