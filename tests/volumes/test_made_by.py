"""What a record says of the stages that a volume was made by: names and arguments of the calls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Source, Volume
from dask_blockwise.commands.described import described
from dask_blockwise.volumes.made_by import parameters_in_words, stages_of


@pytest.fixture
def raw() -> Volume:
    values = np.random.default_rng(3).random((8, 8, 8)).astype(np.float32)
    return Volume.from_array(values, chunks=(4, 8, 8))


def words(stages: Any) -> list[str]:
    said = (f"{stage['stage']} {parameters_in_words(stage['parameters'])}" for stage in stages)
    return [text.rstrip() for text in said]


def own(array: np.ndarray, level: float) -> np.ndarray:
    return array > level


@dataclass(frozen=True)
class Doubled(Source):
    inputs: tuple[Volume, ...]
    times: int = 2

    def read(self, begin: Any, end: Any) -> Any:
        return self.inputs[0].source.read(begin, end) * self.times


def test_what_was_given_is_said_and_defaults_that_matter(raw: Volume) -> None:
    fragments = dbw.watershed(raw, seeds="distance", sigma=2, halo=(2, 3, 4))
    assert words(stages_of(dbw.relabel(fragments, match="iou", min_size=20))) == [
        "array",
        'watershed bias=0.5, halo=(2, 3, 4), seeds="distance", sigma=2',
        'relabel match="iou", min_size=20',
    ]


def test_a_mutex_watershed_is_what_the_person_called(raw: Volume) -> None:
    affinities = Volume.from_array(np.ones((3, 8, 8, 8), np.float32), axes=("c", "z", "y", "x"))
    nearest = [(-1, 0, 0), (0, -1, 0), (0, 0, -1)]
    fragments = dbw.watershed(affinities, offsets=nearest, bias=0.25)
    assert words(stages_of(dbw.relabel(fragments)))[1:] == [
        "watershed offsets=((-1, 0, 0), (0, -1, 0), (0, 0, -1)), bias=0.25, halo=16",
        "relabel",
    ]


def test_functions_of_ones_own_go_by_their_names(raw: Volume) -> None:
    lambdas = dbw.map_overlap(lambda array: array, raw, halo=1)
    owned = dbw.map_overlap(own, lambdas, level=0.5, dtype=bool)
    doubled = Volume(raw.frame, Doubled((raw,)))
    assert 'map_overlap function="<lambda>", halo=1' in words(stages_of(lambdas))[1]
    assert ":own" in words(stages_of(owned))[2]
    assert "level=0.5" in words(stages_of(owned))[2]
    assert words(stages_of(doubled)) == ["array", "doubled times=2"]


def test_volumes_aren_t_parameters_and_each_is_said_once(raw: Volume) -> None:
    smaller = raw.crop(raw.roi)
    said = words(stages_of((smaller + smaller * 2).masked(smaller > 0.5)))
    assert said.count("array") == 1
    assert len(said) == 6
    assert not any("Volume" in text for text in said)


def test_a_run_that_goes_on_and_one_made_again_keep_it(
    raw: Volume, near: Any, tmp_path: Path
) -> None:
    mask = dbw.threshold(raw, 0.5).checkpoint(str(tmp_path / "a.zarr/mask"))
    fragments = dbw.connected_components(mask, connectivity=2)
    path = str(tmp_path / "a.zarr/cells")
    dbw.relabel(fragments, min_size=3).to_zarr(path, client=near, progress=False)
    wanted = [
        "array",
        "threshold value=0.5",
        "checkpoint",
        "connected_components connectivity=2",
        "relabel min_size=3",
    ]
    assert words(dbw.provenance(path).stages) == wanted
    dbw.rerun(path, client=near, progress=False, overwrite=True)
    assert words(dbw.provenance(path).stages) == wanted
    shown = described(dbw.open_volume(path), [], dbw.provenance(path))
    assert "made by     relabel min_size=3" in shown
    assert words(dbw.provenance(str(tmp_path / "a.zarr/mask")).stages) == wanted[:2]


def test_another_stage_at_the_path_is_told_by_both_names(
    raw: Volume, near: Any, tmp_path: Path
) -> None:
    path, how = str(tmp_path / "a.zarr/x"), {"client": near, "progress": False}
    mask = dbw.threshold(raw, 0.5)
    dbw.relabel(dbw.connected_components(mask)).to_zarr(path, **how)
    with pytest.raises(dbw.OutputChanged) as caught:
        mask.to_zarr(path, **how)
    assert caught.value.reasons == ("relabel -> threshold",)
    with pytest.raises(dbw.OutputChanged) as caught:
        mask.to_zarr(path, block_shape=(8, 8, 8), **how)
    assert caught.value.reasons == ("relabel -> threshold", "block_shape (4, 8, 8) -> (8, 8, 8)")
    fewer = dbw.relabel(dbw.connected_components(mask), min_size=2)
    with pytest.raises(dbw.OutputChanged, match="since: min_size 0 -> 2"):
        fewer.to_zarr(path, **how)
    mask.to_zarr(path, on_change="redo", **how)
    np.testing.assert_array_equal(dbw.open_volume(path)[:], raw[:] > 0.5)
