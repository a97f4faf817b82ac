"""Shards of precomputed data are whole blocks, as TensorStore has them."""

import numpy as np
import tensorstore as ts
from hypothesis import given, settings
from hypothesis import strategies as st

from dask_blockwise.storage.scale_cuts import scale_cut

SIZES = st.sampled_from([1, 2, 7, 32, 50, 64, 100, 128, 192, 256, 300, 512, 1000])
TRIPLES = st.tuples(SIZES, SIZES, SIZES)


def written_at_once(extent, cut):
    """Voxels along z, y and x."""
    scale = {"key": "s", "size": extent[::-1], "resolution": [1, 1, 1], "encoding": "raw",
             "chunk_size": cut.chunk[::-1], "sharding": cut.sharding}  # fmt: skip
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "memory"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {name: part for name, part in scale.items() if part},
    }
    return ts.open(spec, create=True).result().chunk_layout.write_chunk.shape[2::-1]


@given(TRIPLES, TRIPLES)
@settings(max_examples=60)
def test_a_block_is_a_shard(extent, block):
    cut = scale_cut(extent, block, "raw", sharded=True)
    assert written_at_once(extent, cut) == cut.unit
    for n, b, unit in zip(extent, block, cut.unit):
        assert unit == b if b < n else unit >= n


@given(TRIPLES, TRIPLES)
@settings(max_examples=60)
def test_without_shards_chunks_divide_a_block(extent, block):
    cut = scale_cut(extent, block, "raw", sharded=False)
    assert cut.sharding is None
    assert cut.unit == cut.chunk
    for n, b, chunk in zip(extent, block, cut.chunk):
        assert b % chunk == 0 if b < n else chunk <= n


def test_chunks_are_near_64_and_an_index_has_512_of_them():
    cut = scale_cut((10**5,) * 3, (1024,) * 3, "png", sharded=True)
    assert cut.chunk == (64, 64, 64)
    within = {name: cut.sharding[name] for name in ("preshift_bits", "minishard_bits")}
    assert within == {"preshift_bits": 9, "minishard_bits": 3}
    assert cut.sharding["data_encoding"] == "raw"
    assert np.prod(cut.unit) == 1024**3
