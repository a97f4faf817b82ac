"""Images that are given for labels are refused, or warned of, and labels never are."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
from distributed import Client
from scipy.ndimage import gaussian_filter, label, zoom

import dask_blockwise as dbw
from dask_blockwise import Volume
from dask_blockwise.volumes.grey import check_not_grey

NOISE = np.random.default_rng(0)
SHAPE = (24, 48, 48)


def smooth(sigma: float, dtype: Any = np.uint8) -> np.ndarray:
    blurred = gaussian_filter(NOISE.random(SHAPE), sigma)
    scaled = (blurred - blurred.min()) / np.ptp(blurred)
    return (scaled * np.iinfo(dtype).max).astype(dtype)


def cells(size: int, dtype: Any = np.uint32) -> np.ndarray:
    few = tuple(-(-n // size) for n in SHAPE)
    ids = NOISE.permutation(np.prod(few)).reshape(few) + 1
    return zoom(ids, size, order=0)[tuple(map(slice, SHAPE))].astype(dtype)


IMAGES = {
    "noise": smooth(0.01),
    "blurred": smooth(1),
    "16 bits": smooth(3, np.uint16),
    "in the dark": np.where(smooth(4) > 128, smooth(1), 0),
}
LABELS = {
    "cells": cells(6),
    "cells of 16 bits": cells(5, np.uint16),
    "supervoxels": cells(4),
    "a mask": (smooth(2) > 128).astype(np.uint8),
    "components": label(smooth(0.01) > 200)[0],
    "classes at random": NOISE.integers(0, 5, SHAPE).astype(np.uint8),
    "single voxels": np.where(NOISE.random(SHAPE) > 0.99, cells(1), 0),
    "nothing": np.zeros(SHAPE, np.uint8),
    "few voxels": np.arange(64, dtype=np.uint8).reshape(4, 4, 4),
}
STORED: dict[str, Callable[[Volume], Any]] = {
    "renumber": dbw.renumber,
    "relabel": lambda labels: dbw.relabel(labels, match="touch"),
    "evaluate": lambda labels: dbw.evaluate(labels, labels),
    "seams": lambda labels: dbw.seams(labels, block_shape=(12, 24, 24)),
    "objects": lambda labels: labels.objects(path="objects", progress=False),
    "agglomerate": lambda labels: dbw.agglomerate(
        labels,
        Volume.from_array(np.ones((1, *SHAPE), np.float32), axes="czyx"),
        offsets=[(0, 0, -1)],
    ),
}

RAW = Volume.from_array(np.ones(SHAPE, np.float32), chunks=(12, 24, 24))
MASKED: dict[str, Callable[[Volume], Any]] = {
    "masked": lambda mask: RAW.masked(mask),
    "to_zarr": lambda mask: RAW.to_zarr("a.zarr/masked", mask=mask, progress=False),
    "segment": lambda mask: dbw.segment(RAW, only_within, mask=mask, halo=0),
}


def only_within(values: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return (values > 0) & (mask > 0)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.parametrize("image", IMAGES)
def test_images_are_warned_of(image: str) -> None:
    with pytest.warns(UserWarning, match=r"looks like an image.* \d+% of neighbouring voxels"):
        check_not_grey(Volume.from_array(IMAGES[image]), "objects", 1)


@pytest.mark.parametrize("labels", LABELS)
def test_labels_are_not(labels: str, quiet: None) -> None:
    check_not_grey(Volume.from_array(LABELS[labels]), "objects", 1)


def test_real_images_and_labels(data: Path) -> None:
    raw = dbw.open_volume(data / "fib25/raw.tif")
    with pytest.warns(UserWarning, match="9[0-9]% of neighbouring"):
        check_not_grey(raw, "objects", 1)
    cells = data / "fluorescence/ovule_cells_32x128x128.h5"
    with pytest.warns(UserWarning, match="looks like an image"):
        check_not_grey(dbw.open_volume(cells / "raw"), "objects", 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_not_grey(dbw.open_volume(cells / "label"), "objects", 1)


@pytest.mark.parametrize("function", STORED)
def test_whatever_needs_labels_tells(function: str, near: Client) -> None:
    image = Volume.from_array(IMAGES["noise"], chunks=(12, 24, 24))
    # Whose line it is that is warned of.
    with pytest.warns(UserWarning, match=r"looks like an image") as told:
        STORED[function](image)
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.parametrize("function", MASKED)
def test_images_for_masks_are_warned_of(function: str, near: Client) -> None:
    image = Volume.from_array(IMAGES["noise"], chunks=(12, 24, 24))
    told = "mask= takes all that isn't 0 for what is within; threshold"
    with pytest.warns(UserWarning, match=told) as warned:
        MASKED[function](image)
    assert {warning.filename for warning in warned} == {__file__}


@pytest.mark.parametrize("function", MASKED)
@pytest.mark.parametrize("labels", ["a mask", "cells"])
def test_masks_and_labels_for_masks_are_not(
    function: str, labels: str, quiet: None, near: Client
) -> None:
    MASKED[function](Volume.from_array(LABELS[labels], chunks=(12, 24, 24)))


@pytest.mark.parametrize("function", [*STORED, "meshes"])
def test_predictions_are_refused(function: str) -> None:
    bytes_of = Volume.from_array(IMAGES["blurred"], stands_for=(0, 1))
    call = STORED.get(function, lambda labels: dbw.meshes(labels, "mesh"))
    if function == "meshes":
        pytest.importorskip("zmesh", reason="needs dask_blockwise[shapes]")
    with pytest.raises(ValueError, match=r"needs? labels, and the bytes of .* stand for 0\.?0? to"):
        call(bytes_of)


def test_what_metadata_call_labels_is_not_looked_at(quiet: None, near: Client) -> None:
    grey = Volume.from_array(IMAGES["noise"])
    grey.to_zarr("a.zarr/labels/odd", progress=False)
    dbw.image_label("a.zarr/labels/odd")
    check_not_grey(dbw.open_volume("a.zarr/labels/odd"), "objects", 1)


def test_a_missing_chunk_is_told_of_by_the_block_that_reads_it(quiet: None, near: Client) -> None:
    labels = Volume.from_array(LABELS["cells"], chunks=(12, 24, 24))
    labels.to_zarr("a.zarr/cells", progress=False)
    Path("a.zarr/cells/s0/c/1/1/1").unlink()
    strict = dbw.open_volume("a.zarr/cells", on_missing="raise")
    with pytest.raises(dbw.BlocksFailed, match=r"failed, 1 of 8"):
        dbw.renumber(strict).to_zarr("b.zarr/cells", progress=False, max_retries=0)


def test_nothing_is_computed_to_look_at_it(quiet: None) -> None:
    def refuse(block: np.ndarray) -> np.ndarray:
        raise AssertionError("was computed")

    lazy = da.zeros(SHAPE, np.uint8).map_blocks(refuse, dtype=np.uint8, meta=np.empty(0, np.uint8))
    check_not_grey(Volume.from_array(lazy), "objects", 1)
