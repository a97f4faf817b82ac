"""Files of precomputed data: TensorStore puts each chunk where it is said to lie."""

from itertools import product

import numpy as np
import pytest
import tensorstore as ts
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.geometry import morton
from dask_blockwise.storage.arrays import open_array
from dask_blockwise.storage.formats.precomputed_units import grid_of, units_of

GRIDS = st.tuples(*[st.integers(1, 40)] * 3)
# Bits within a shard, and of shards.
SHARDED = {"0 + 6": (0, 0, 6), "3 + 3": (3, 0, 3), "1 + 2 + 8": (1, 2, 8), "6 + 0": (4, 2, 0)}


def made(folder, sharding, channels=1):
    scale = {"key": "s", "size": [26, 15, 13], "resolution": [4, 4, 40], "voxel_offset": [-7, 2, 0],
             "chunk_size": [4, 4, 8], "encoding": "raw"}  # fmt: skip
    if sharding:
        bits = dict(zip(("preshift_bits", "minishard_bits", "shard_bits"), sharding))
        scale["sharding"] = {"@type": "neuroglancer_uint64_sharded_v1", "hash": "identity", **bits}
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{folder}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": channels},
        "scale_metadata": scale,
    }
    return ts.open(spec, create=True).result()[ts.d[:].translate_to[0]]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("kind", ["chunks", *SHARDED])
def test_a_unit_lies_in_the_file_of_its_name(tmp_path, kind, channels):
    written = made(tmp_path / "em", SHARDED.get(kind), channels)
    array = open_array(tmp_path / "em")
    units, size = array.units, array.write_unit
    for number in product(*map(range, units.grid)):
        before = {path.name for path in (tmp_path / "em/s").glob("*")}
        first = [n * step for n, step in zip(number, size)][::-1][:3]
        written[tuple(slice(n, n + 1) for n in first)].write(1).result()
        (name,) = units.names.of(np.array([number]))
        assert {path.name for path in (tmp_path / "em/s").glob("*")} - before == {name}
        kept, numbers = units.names.numbers(["info", name, f"{name}.__lock", "s/9.shard"], 3)
        assert (kept.tolist(), numbers.tolist()) == ([1], [list(number[-3:])])
    assert (units.stamps("stamps") != 0).all()


def test_what_is_off_the_grid_is_of_another_array():
    scale = {"size": [9, 8, 8], "chunk_sizes": [[4, 4, 4]], "voxel_offset": [1, 0, 0]}
    names = ["1-5_0-4_0-4", "9-10_0-4_0-4", "0-4_0-4_0-4", "1-6_0-4_0-4", "-3-1_0-4_0-4"]
    assert units_of(scale).numbers(names, 3)[1].tolist() == [[0, 0, 0], [0, 0, 2]]
    sharding = {"preshift_bits": 1, "minishard_bits": 0, "shard_bits": 8, "hash": "identity"}
    names = ["00.shard", "07.shard", "08.shard", "0.shard"]
    assert units_of({**scale, "sharding": sharding}).numbers(names, 3)[0].tolist() == [0, 1]


@pytest.mark.parametrize("change", [{"hash": "murmurhash3_x86_128"}, {"shard_bits": 2}])
def test_where_shards_hold_chunks_from_anywhere_they_are_not_told_apart(change):
    sharding = {"preshift_bits": 1, "minishard_bits": 0, "shard_bits": 3, "hash": "identity"}
    scale = {"size": [9, 8, 8], "chunk_sizes": [[4, 4, 4]]}
    assert units_of({**scale, "sharding": sharding}) is not None
    assert units_of({**scale, "sharding": sharding | change}) is None


@given(GRIDS, st.data())
def test_codes_are_different_and_lead_back(grid, data):
    place = st.tuples(*(st.integers(0, n - 1) for n in grid))
    places = np.array(data.draw(st.lists(place, min_size=1, unique=True)))
    codes = morton.codes_of(places, grid)
    assert len(set(codes.tolist())) == len(places)
    assert codes.max() < 2 ** len(morton.axes_of_bits(grid))
    np.testing.assert_array_equal(morton.places_of(codes, grid), places)


def test_a_grid_has_a_rest():
    assert grid_of({"size": [9, 8, 1], "chunk_sizes": [[4, 4, 4]]}) == (3, 2, 1)
