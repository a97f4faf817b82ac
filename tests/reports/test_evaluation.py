"""Scores by blocks beside those that skimage gives of the whole volume."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import metrics

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume

RNG = np.random.default_rng(0)
TRUTH = RNG.integers(0, 9, (20, 30, 40)).astype(np.uint64)
FOUND = np.where(TRUTH % 3 == 0, RNG.integers(0, 5, TRUTH.shape), TRUTH // 2 + 2**40).astype(
    np.uint64
)


def by_skimage(truth: Any, found: Any) -> tuple[float, float, float]:
    known = truth > 0
    one, other = (np.unique(labels[known], return_inverse=True)[1] + 1 for labels in (truth, found))
    split, merge = metrics.variation_of_information(one, other)
    return float(split), float(merge), float(metrics.adapted_rand_error(one, other)[0])


@pytest.mark.parametrize("block", [(20, 30, 40), (7, 11, 40), (3, 30, 13)])
def test_any_blocks_give_what_skimage_gives(block: Any) -> None:
    place: Any = {"voxel_size": (40, 4, 4), "offset": (80, 0, 8), "unit": "nanometer"}
    truth = Volume.from_array(TRUTH, chunks=block, **place)
    found = dbw.evaluate(Volume.from_array(FOUND, chunks=(5, 30, 40), **place), truth)
    assert tuple(found.score) == pytest.approx(by_skimage(TRUTH, FOUND), rel=1e-12)


def test_real_neurons_on_a_cluster(data: Path, client: Any, tmp_path: Path) -> None:
    labels = np.load(data / "fib25/labels.npz")
    truth = labels[labels.files[0]][:60].astype(np.uint64)
    found = truth.copy()
    found[30:] += np.uint64(10**6) * (truth[30:] % 7 == 0)
    found[found % 5 == 1] = 1
    for name, array, chunks in ("found", found, (32, 64, 64)), ("truth", truth, (30, 128, 128)):
        volume = Volume.from_array(array, chunks=chunks)
        volume.to_zarr(tmp_path / f"a.zarr/{name}", client=client, progress=False)
    stored = (dbw.open_volume(tmp_path / f"a.zarr/{name}") for name in ("found", "truth"))
    result = dbw.evaluate(*stored)
    assert tuple(result.score) == pytest.approx(by_skimage(truth, found), rel=1e-9)
    cut = {one for one in np.unique(truth) if one and len(np.unique(found[truth == one])) > 1}
    splits = result.splits
    assert set(splits.id[splits.bits > 1e-12]) == cut
    assert result.merges.id[0] == 1
    assert splits.bits.sum() == pytest.approx(result.voi_split)
    assert result.merges.bits.sum() == pytest.approx(result.voi_merge)
    assert str(splits.id[0]) in str(result)
    assert "ARAND" in result._repr_html_()


def test_places_are_compared_whatever_their_units() -> None:
    nanometers: Any = {"voxel_size": (40000, 4000, 8000), "unit": "nanometer"}
    micrometers: Any = {"voxel_size": (40, 4, 8), "offset": (300, 60, 244)}
    found = Volume.from_array(
        FOUND, chunks=(7, 30, 13), offset=(100_000, 20_000, 100_000), **nanometers
    )
    box = np.s_[5:15, 10:30, 18:40]
    part = Volume.from_array(TRUTH[box], chunks=(4, 20, 9), unit="um", **micrometers)
    assert found.unit != part.unit
    score = dbw.evaluate(found, part).score
    assert tuple(score) == pytest.approx(by_skimage(TRUTH[box], FOUND[box]), rel=1e-12)
    micrometers["offset"] = (301, 60, 244)
    with pytest.raises(ValueError, match="must have the voxels of the segments"):
        dbw.evaluate(found, Volume.from_array(TRUTH[box], unit="um", **micrometers))
    with pytest.raises(ValueError, match="no known unit can't be compared with nanometer"):
        dbw.evaluate(Volume.from_array(FOUND), Volume.from_array(TRUTH, unit="nanometer"))


def test_the_truth_may_be_of_a_part() -> None:
    found, part = Volume.from_array(FOUND), Roi((5, 10, 0), (10, 20, 30))
    truth = Volume.from_array(TRUTH).crop(part)
    box = np.s_[5:15, 10:30, :30]
    expected = by_skimage(TRUTH[box], FOUND[box])
    assert tuple(dbw.evaluate(found, truth).score) == pytest.approx(expected)


def test_background_may_be_left_out() -> None:
    shown = np.where(FOUND == 0, 0, TRUTH)
    expected = by_skimage(shown, FOUND)
    score = dbw.evaluate(*map(Volume.from_array, (FOUND, TRUTH)), ignore_background=True).score
    assert tuple(score) == pytest.approx(expected)


LABELS = Volume.from_array(TRUTH)
REFUSED: list[tuple[str, Any, Any, str]] = [
    ("floats", LABELS.astype("float32"), LABELS, "segments to be integers"),
    ("lazy", dbw.connected_components(LABELS), LABELS, "store it"),
    ("relabelled", dbw.relabel(dbw.connected_components(LABELS), match="touch"), LABELS, "store"),
    ("voxels", Volume.from_array(TRUTH, voxel_size=(2, 1, 1)), LABELS, "must have the voxels"),
    ("unit", Volume.from_array(TRUTH, unit="nanometer"), LABELS, "must have the voxels"),
    ("beyond", LABELS.crop(Roi((0, 0, 0), (5, 5, 5))), LABELS, "lie within"),
    ("unlabelled", LABELS, Volume.from_array(TRUTH * 0), "nothing to compare"),
]


@pytest.mark.parametrize(
    ("segments", "truth", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_cant_be_compared_is_refused(segments: Volume, truth: Volume, said: str) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        dbw.evaluate(segments, truth)


@pytest.mark.parametrize("inside", [1, 255])
def test_a_mask_for_labels_is_told_of_as_all_of_it_is_one_object(
    inside: int, tmp_path: Path
) -> None:
    labels = np.array([[1, 0, 2, 2]], np.uint8)
    mask = Volume.from_array(((labels > 0) * inside).astype(np.uint8))
    with pytest.warns(UserWarning, match="is a mask: evaluate takes all of it for one object"):
        found = dbw.evaluate(mask, Volume.from_array(labels.astype(np.uint32)))
    assert found.voi_merge == pytest.approx(np.log2(3) - 2 / 3)
    with pytest.warns(UserWarning, match="is a mask: A table of objects takes all of it"):
        assert mask.objects(path=tmp_path / "mask", progress=False).voxels.tolist() == [3]
