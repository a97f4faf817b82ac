"""Pieces of an axis, against what a network can be given."""

from hypothesis import assume, given
from hypothesis import strategies as st

from dask_blockwise.prediction.footprint import AxisFootprint
from dask_blockwise.prediction.tiling import AxisTiling

FOOTPRINTS = st.builds(
    lambda stride, step, halo, lost, rest: (
        AxisFootprint(halo, stride, step, lost * stride + (rest % stride) * step, rest % stride)
        if (stride, step) in ((1, 1), (2, 2), (4, 4))
        else AxisFootprint(halo, stride, step)
    ),
    st.sampled_from((1, 2, 4)),
    st.sampled_from((1, 2, 4)),
    st.tuples(st.integers(0, 5), st.integers(0, 5)),
    st.integers(0, 3),
    st.integers(0, 3),
)


@given(FOOTPRINTS, st.integers(8, 60), st.booleans(), st.none() | st.integers(1, 60), st.data())
def test_what_is_read_is_enough_and_begins_at_a_stride(network, size, cropped, given_, data):
    tiling = AxisTiling(size, network, cropped, given_)
    assume(given_ is None or given_ % network.stride == network.rest)
    assume(tiling.outputs > 0 and tiling.reach > 0)
    assume(not (cropped and given_ and given_ > tiling.end))
    begin = data.draw(st.integers(0, tiling.outputs - 1))
    end = data.draw(st.integers(begin + 1, tiling.outputs))
    pieces = list(tiling.tiles(begin, end))
    assert [b for b, _ in pieces[1:]] + [end] == [e for _, e in pieces]
    scale, ticks = network.scale, network.scale.denominator
    for first, last in pieces:
        low, high, origin = tiling.read(first, last)
        assert (low - tiling.begin) % network.stride == 0
        assert (high - low) % network.stride == network.rest
        made = ((high - low) * ticks - network.lost) // scale.numerator
        assert origin <= first
        assert last <= origin + made
        left = (tiling.origin + first * scale.numerator) // ticks
        over = -(-(tiling.origin + last * scale.numerator) // ticks)
        assert low == tiling.begin or low <= left - network.halo[0]
        assert high >= tiling.end or high >= over + network.halo[1]
        before, after = tiling.context
        assert low >= left - before
        assert high <= over + after
        assert not cropped or 0 <= low < high <= size
