"""What a run stores on the way by itself, against the same run that stores nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter, label, uniform_filter
from torch import nn

import dask_blockwise as dbw
from dask_blockwise import Volume

BLOCK, SIDE = 8, 24


@pytest.fixture
def raw() -> Volume:
    values = np.random.default_rng(0).random((SIDE,) * 3, np.float32)
    return Volume.from_array(values, chunks=(BLOCK,) * 3)


def smooth(volume: Volume, halo: int = 3) -> Volume:
    return dbw.map_overlap(uniform_filter, volume, halo=halo, size=2 * halo + 1, mode="constant")


def objects(array):
    return label(array)[0]


def stages(volume: Volume) -> list[str]:
    """What the plan says is stored."""
    names = [stage.name for stage in volume.plan(checkpoint="auto").stages]
    return list(dict.fromkeys(name.partition(":")[0] for name in names))


def test_what_is_read_with_a_halo_is_stored_first(raw, tmp_path, threads):
    mask = dbw.threshold(smooth(smooth(raw)), 0.5)
    assert stages(mask) == ["result-uniform_filter", "result"]
    factors = [stage.recompute_factor for stage in mask.plan(checkpoint="auto").stages]
    assert max(factors) < mask.plan().recompute_factor
    path = tmp_path / "out.zarr/mask"
    how = {"client": threads, "progress": False}
    summary = mask.to_zarr(path, checkpoint="auto", **how)
    assert [task.name for task in summary.tasks] == ["mask-uniform_filter", "mask"]
    np.testing.assert_array_equal(dbw.open_volume(path)[:], mask[:])
    np.testing.assert_array_equal(dbw.open_volume(f"{path}-uniform_filter")[:], smooth(raw)[:])
    again = mask.to_zarr(path, checkpoint="auto", **how)
    assert all(task.completed == 0 for task in again.tasks)


def slightly_seen(volume: Volume) -> Volume:
    """Of which blocks of 12 read 1.27 times as much."""
    return dbw.map_overlap(np.copy, volume, halo=1)


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(lambda raw: raw, id="nothing computed"),
        pytest.param(smooth, id="one stage"),
        pytest.param(lambda raw: slightly_seen(slightly_seen(raw)), id="small halo"),
        pytest.param(lambda raw: smooth(dbw.threshold(raw * 2 + 1, 0.5)), id="voxel by voxel"),
    ],
)
def test_where_nothing_is_gained_nothing_is_stored(made):
    raw = Volume.from_array(np.zeros((SIDE,) * 3, np.float32), chunks=(12,) * 3)
    assert stages(made(raw)) == ["result"]


def test_of_voxelwise_stages_the_smallest_is_stored(raw):
    network = nn.Conv3d(1, 3, 3)
    classes = dbw.argmax(dbw.predict(raw, network, halo=1))
    assert stages(smooth(classes)) == ["result-argmax", "result"]
    probabilities = dbw.predict(raw, network, halo=1)
    wider = probabilities.astype("float64")
    assert stages(smooth(wider)) == ["result-predict", "result"]


def test_what_two_stages_read_is_stored(raw, tmp_path, threads):
    affinities = dbw.map_overlap(
        lambda array: np.stack([array] * 3), raw, channels=3, halo=1, dtype="float32"
    )
    fragments = dbw.watershed(affinities, offsets=np.eye(3, dtype=int).tolist(), halo=2)
    segments = dbw.agglomerate(fragments, affinities, offsets=np.eye(3, dtype=int).tolist())
    first, *others = stages(segments)
    assert (first.partition("-")[0], others) == ("result", ["result"])
    how = {"client": threads, "progress": False}
    segments.to_zarr(tmp_path / "a.zarr/auto", checkpoint="auto", **how)
    segments.to_zarr(tmp_path / "a.zarr/plain", **how)
    auto, plain = (dbw.open_volume(tmp_path / "a.zarr" / name)[:] for name in ("auto", "plain"))
    np.testing.assert_array_equal(auto, plain)
    assert plain.max() > 1


def test_ids_that_a_stage_needs_are_stored_first(raw, tmp_path, threads):
    segments = dbw.relabel(dbw.segment(dbw.threshold(raw, 0.8), objects, halo=2))
    shifted = dbw.map_overlap(np.copy, segments, halo=1)
    path, how = tmp_path / "out.zarr", {"client": threads, "progress": False}
    with pytest.raises(ValueError, match="final ids"):
        shifted.to_zarr(path, **how)
    shifted.to_zarr(path, checkpoint="auto", **how)
    segments.to_zarr(tmp_path / "b.zarr/ids", **how)
    expected = dbw.open_volume(tmp_path / "b.zarr/ids")[:]
    np.testing.assert_array_equal(dbw.open_volume(path)[:], expected)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out-relabel.zarr")[:], expected)


def test_what_a_checkpoint_is_made_of_is_stored_too(raw, tmp_path):
    kept = smooth(smooth(raw)).checkpoint(tmp_path / "a.zarr/kept")
    assert stages(dbw.threshold(kept, 0.5)) == ["result-uniform_filter", "kept", "result"]


def test_what_is_kept_is_not_kept_twice(raw, tmp_path):
    segments = dbw.relabel(dbw.segment(dbw.threshold(raw, 0.8), objects, halo=2))
    kept = segments.checkpoint(tmp_path / "a.zarr/ids")
    assert stages(kept) == ["ids", "result"]
    assert stages(dbw.map_overlap(np.copy, kept, halo=3)) == ["ids", "result"]


def test_names_are_given_once(raw):
    assert stages(smooth(smooth(smooth(raw)))) == [
        "result-uniform_filter",
        "result-uniform_filter-2",
        "result",
    ]


@pytest.mark.parametrize("call", ["plan", "to_zarr"])
def test_other_ways_are_refused(raw, tmp_path, call):
    given = [tmp_path / "a.zarr/x"] if call == "to_zarr" else []
    with pytest.raises(ValueError, match=r'checkpoint is "auto", got \'a.zarr/y\''):
        getattr(raw, call)(*given, checkpoint="a.zarr/y")
    assert not list(Path(tmp_path).iterdir())


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.sampled_from([6, 8, 24]))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_result_is_the_same(tmp_path_factory, threads, halos, block):
    values = np.random.default_rng(0).random((SIDE,) * 2)
    volume = Volume.from_array(values, chunks=(block, block))
    expected = values
    for halo in halos:
        volume = dbw.map_overlap(
            gaussian_filter, volume, halo=halo, sigma=1, radius=halo, boundary="reflect"
        )
        expected = gaussian_filter(expected, 1, radius=halo, mode="reflect")
    path = tmp_path_factory.mktemp("auto") / "out.zarr/x"
    volume.to_zarr(path, checkpoint="auto", client=threads, progress=False)
    np.testing.assert_allclose(dbw.open_volume(path)[:], expected, rtol=1e-12)


def borders(labels):
    """Where voxels along the last axis are of another label than the one before."""
    return np.diff(labels, axis=-1, prepend=0) != 0


@pytest.mark.parametrize("kept_as", ["uint64", "uint32"])
def test_labels_are_what_a_region_has(raw, tmp_path, threads, kept_as):
    labels = dbw.connected_components(smooth(raw, 1) > 0.5).astype(kept_as)
    found = dbw.map_overlap(borders, labels, halo=2, dtype=bool)
    assert stages(found) == ["result-greater-0-5", "result"]
    how = {"client": threads, "progress": False}
    found.to_zarr(tmp_path / "a.zarr/auto", checkpoint="auto", **how)
    found.to_zarr(tmp_path / "a.zarr/plain", **how)
    auto, plain = (dbw.open_volume(tmp_path / "a.zarr" / name)[:] for name in ("auto", "plain"))
    np.testing.assert_array_equal(auto, plain)


class Doubled(dbw.Source):
    """Not a dataclass."""

    def __init__(self, inputs):
        self.inputs = inputs

    def read(self, begin, end):
        return self.inputs[0].source.read(begin, end) * 2

    def over(self, inputs):
        return type(self)(inputs)


def test_below_a_source_of_ones_own_is_stored_too(raw, tmp_path, threads):
    doubled = Volume(raw.frame, Doubled((smooth(smooth(raw)),)))
    assert stages(doubled) == ["result-uniform_filter", "result"]
    path = tmp_path / "a.zarr/x"
    doubled.to_zarr(path, checkpoint="auto", client=threads, progress=False)
    np.testing.assert_array_equal(dbw.open_volume(path)[:], smooth(smooth(raw))[:] * 2)
