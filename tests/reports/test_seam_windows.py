"""Windows astride faces."""

import numpy as np

from dask_blockwise.reports.seam_windows import window_shape, windows_astride


def test_windows_have_a_face_in_their_middle():
    shape, block = (100, 70), (24, 32)
    size = window_shape(shape, block, (True, True))
    assert size == (12, 16)
    rng = np.random.default_rng(0)
    found = windows_astride(shape, block, size, (True, True), 1000, rng)
    for window in found:
        middle = window.begin[window.axis] + size[window.axis] // 2
        assert middle % block[window.axis] == 0
        assert all(b >= 0 and e <= n for b, e, n in zip(window.begin, window.end, shape))
    assert {w.begin[0] + 6 for w in found if w.axis == 0} == {24, 48, 72}
