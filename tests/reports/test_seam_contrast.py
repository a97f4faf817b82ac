"""Measures at faces beside those elsewhere."""

import numpy as np
import pytest

from dask_blockwise.reports.seam_contrast import contrast


@pytest.mark.parametrize(
    "shift, count, verdict", [(1, 30, "seams"), (0, 30, "clean"), (1, 4, "unclear")]
)
@pytest.mark.parametrize("paired", [True, False])
def test_intervals_decide(shift, count, verdict, paired):
    rng = np.random.default_rng(0)
    values = rng.normal(0, 0.1, (2, count))
    comparison = contrast("", values[0] + shift, values[1], rng, 0.2, paired)
    assert comparison.verdict == verdict
    assert count < 5 or comparison.interval[0] < shift < comparison.interval[1]
