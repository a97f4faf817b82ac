"""A table isn't made of ids that mean other objects in each block."""

import numpy as np
import pytest

from dask_blockwise import Volume, connected_components

MASK = Volume.from_array(np.eye(8, dtype=bool)[:, ::2], chunks=(4, 2))


@pytest.mark.parametrize("of", [lambda v: v.astype("uint32"), lambda v: v * 2], ids=["as", "times"])
def test_computed_from_labels_of_blocks(of, tmp_path):
    with pytest.raises(ValueError, match=r"ids of .* are those of single blocks"):
        of(connected_components(MASK)).objects(path=tmp_path / "cells", progress=False)
    assert not list(tmp_path.iterdir())


def test_labels_of_blocks_themselves_have_ids_of_their_own(threads, tmp_path):
    with threads.as_current():
        table = connected_components(MASK).objects(path=tmp_path / "cells", progress=False)
    assert table.voxels.tolist() == [1] * 4
