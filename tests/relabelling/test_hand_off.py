"""The graph of fragments beside a count by numpy, and corrections beside a table over the whole."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw
from dask_blockwise import Volume

STEPS = [sign * step for sign in (-1, 1) for step in np.eye(3, dtype=int)]
OFFSETS = [(-1, 0, 0), (0, -1, 0), (0, 0, -1), (0, 0, -3)]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, near: Any) -> tuple[Volume, Path]:
    """Fragments of single blocks, agglomerated by affinities that are random."""
    rng = np.random.default_rng(0)
    labels = np.kron(rng.integers(0, 9, (4, 6, 6)), np.ones((3, 4, 4), int)).astype(np.uint32)
    affinities = rng.random((4, *labels.shape)).astype(np.float32)
    segments = dbw.agglomerate(
        dbw.connected_components(Volume.from_array(labels, chunks=(6, 12, 12)), each_value=True),
        Volume.from_array(affinities, axes="czyx", chunks=(4, 6, 12, 12)),
        offsets=OFFSETS,
        threshold=0.49,
        keep_scratch=True,
    )
    path = tmp_path_factory.mktemp("stored") / "a.zarr/segments"
    segments.to_zarr(path, client=near, progress=False)
    return segments, path


def test_the_graph_is_that_of_all_neighbours(stored: Any) -> None:
    segments, path = stored
    graph = dbw.fragment_graph(segments, stored=path)
    ids, objects = graph.fragments[:], dbw.open_volume(path)[:]
    affinities = segments.inputs[1][:]
    sizes = dict(zip(*np.unique(ids[ids > 0], return_counts=True), strict=True))
    table = graph.supervoxels.set_index("id")
    assert dict(table.voxels) == sizes
    for one in np.random.default_rng(1).choice(list(sizes), 20):
        assert {*np.unique(objects[ids == one])} == {table.object[one]}
    sums: dict[tuple[int, int], list[float]] = {}
    for axis in range(3):
        here = np.moveaxis(ids, axis, 0)[1:]
        there = np.moveaxis(ids, axis, 0)[:-1]
        values = np.moveaxis(affinities[axis], axis, 0)[1:]
        for a, b, value in zip(here.ravel(), there.ravel(), values.ravel(), strict=True):
            if a and b and a != b:
                sums.setdefault((min(a, b), max(a, b)), []).append(float(value) - 0.49)
    edges = graph.edges[graph.edges.pairs > 0]
    assert len(edges) == len(sums)
    for one, other, affinity, pairs in zip(
        edges.one, edges.other, edges.affinity, edges.pairs, strict=True
    ):
        expected = sums[min(one, other), max(one, other)]
        assert pairs == len(expected)
        assert affinity == pytest.approx(np.mean(expected), abs=1e-5)
    doubts = graph.doubtful.affinity.abs()
    assert doubts.is_monotonic_increasing
    together = table.object[edges.one].to_numpy() == table.object[edges.other].to_numpy()
    assert (edges.joined.to_numpy() == together).all()


def test_the_graph_is_written_as_parquet(stored: Any, tmp_path: Path) -> None:
    import pandas as pd

    graph = dbw.fragment_graph(stored[0], stored=stored[1])
    folder = graph.write(tmp_path / "graph")
    for name in "supervoxels", "edges":
        pd.testing.assert_frame_equal(
            pd.read_parquet(folder / f"{name}.parquet"), getattr(graph, name)
        )


def test_doubts_are_points_where_fragments_meet(stored: Any, tmp_path: Path) -> None:
    graph = dbw.fragment_graph(stored[0], stored=stored[1])
    layer = graph.annotations(15, tmp_path / "state.json")
    assert json.loads((tmp_path / "state.json").read_text())["layers"] == [layer]
    ids, doubtful = graph.fragments[:], graph.doubtful
    assert len(layer["annotations"]) == 15
    for point, one, other in zip(layer["annotations"], doubtful.one, doubtful.other, strict=False):
        at = np.floor(point["point"]).astype(int)
        assert ids[tuple(at)] == one
        beside = [ids[tuple(np.clip(at + s, 0, np.array(ids.shape) - 1))] for s in STEPS]
        assert other in beside
        assert str(one) in point["description"]


def test_merged_and_split_objects_are_those_alone(stored: Any, tmp_path: Path, near: Any) -> None:
    segments, path = stored
    graph, before = dbw.fragment_graph(segments, stored=path), dbw.open_volume(path)[:]
    fragments = graph.fragments[:]
    counts = graph.supervoxels[graph.supervoxels.object > 0].groupby("object").id.apply(list)
    whole, *others = [one for one in counts.index if len(counts[one]) > 2][:3]
    parts = counts[whole][:2]
    merged = [one for one in counts.index if one not in (whole, *others)][:4]
    expected = before.copy()
    expected[np.isin(fragments, parts)] = before.max() + 1
    expected[np.isin(before, merged[:3])] = min(merged[:3])
    corrected = dbw.correct(path, merge=[merged[:2], merged[1:3]], split=[parts])
    np.testing.assert_array_equal(corrected[:], expected)
    corrected.to_zarr(tmp_path / "b.zarr/corrected", client=near, progress=False)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "b.zarr/corrected")[:], expected)


def test_corrections_come_from_files(stored: Any, tmp_path: Path) -> None:
    _, path = stored
    expected = dbw.correct(path, merge=[(1, 2, 5), (3, 4)])[:]
    table = tmp_path / "merge.csv"
    table.write_text("one,other,third\n1, 2,5\n3,4,\n")
    np.testing.assert_array_equal(dbw.correct(path, merge=table)[:], expected)
    state = {"layers": [{"type": "image"}, {"equivalences": [["1", "2", "5"], ["3", "4"]]}]}
    (tmp_path / "state.json").write_text(json.dumps(state))
    np.testing.assert_array_equal(dbw.correct(path, merge=tmp_path / "state.json")[:], expected)
    np.testing.assert_array_equal(dbw.correct(path)[:], dbw.open_volume(path)[:])


@pytest.mark.parametrize("row", ["1;2", "1\t2", "1.0,2.0", "[1, 2]", "1e0,2e0"])
def test_a_first_row_without_names_is_not_skipped(row: str, stored: Any, tmp_path: Path) -> None:
    table = tmp_path / "merge.csv"
    table.write_text(f"{row}\n")
    with pytest.raises(ValueError, match="positive whole numbers"):
        dbw.correct(stored[1], merge=table)


REFUSED: list[tuple[str, Any, str]] = [
    ("no-object", {"merge": [(1, 10**6)]}, r"no object \[1000000\]"),
    ("no-supervoxel", {"split": [(5 << 40,)]}, "no supervoxel"),
    ("twice", {"split": [(1,), (1,)]}, "in no other group"),
    ("several", {"split": [(1, 2, 3, 4, 5, 6)]}, "must be of one object"),
    ("background", {"merge": [(0, 1)]}, "positive whole numbers"),
    ("text", {"merge": [("a", 1)]}, "positive whole numbers"),
    ("numbers", {"merge": [1, 2]}, "positive whole numbers"),
]


@pytest.mark.parametrize(
    ("corrections", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_cant_be_corrected_is_refused(stored: Any, corrections: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        dbw.correct(stored[1], **corrections)


@pytest.mark.parametrize(("text", "said"), [("{]", "isn't a JSON state"), ("[]", "list of layers")])
def test_a_file_that_is_no_state_is_refused(
    stored: Any, tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(ValueError, match=said):
        dbw.correct(stored[1], merge=tmp_path / "state.json")


def test_fragments_must_have_been_kept(tmp_path: Path, near: Any) -> None:
    labels = Volume.from_array(np.ones((4, 4), np.uint8))
    segments = dbw.relabel(dbw.connected_components(labels), match="touch")
    segments.to_zarr(tmp_path / "a.zarr/x", client=near, progress=False)
    with pytest.raises(FileNotFoundError, match="keep_scratch=True"):
        dbw.correct(tmp_path / "a.zarr/x")
    with pytest.raises(TypeError, match="agglomerate"):
        dbw.fragment_graph(segments, stored=tmp_path / "a.zarr/x")


def test_fragments_of_something_else_are_refused(tmp_path: Path, near: Any) -> None:
    labels = Volume.from_array(np.kron(np.eye(4, dtype=np.uint8), np.ones((4, 4), np.uint8)))
    options: Any = {"client": near, "progress": False, "overwrite": True}
    segments = dbw.relabel(dbw.connected_components(labels), match="touch", keep_scratch=True)
    segments.to_zarr(tmp_path / "a.zarr/x", **options)
    assert dbw.correct(tmp_path / "a.zarr/x", merge=[(1, 2)])[:].max() == 4
    (labels.astype("uint64") * np.uint64(3)).to_zarr(tmp_path / "a.zarr/x", **options)
    with pytest.raises(ValueError, match="stored anew by something else"):
        dbw.correct(tmp_path / "a.zarr/x", merge=[(1, 2)])
