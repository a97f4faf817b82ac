"""What a stage takes for a volume, and which stages a file finds."""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import dask_blockwise as dbw

ARRAY = np.zeros((4, 4))
LABELS = dbw.Volume.from_array(ARRAY.astype(int))

WRONG: dict[str, Callable[[], Any]] = {
    "an array": lambda: dbw.threshold(ARRAY, 0.5),
    "a path": lambda: dbw.argmax("in.zarr/raw"),
    "by its name": lambda: dbw.connected_components(mask=ARRAY),
    "swapped": lambda: dbw.map_overlap(dbw.Volume.from_array(ARRAY), np.sin, halo=0),
    "to be evaluated": lambda: dbw.evaluate("out.zarr/segments", dbw.Volume.from_array(ARRAY)),
    "the truth": lambda: dbw.evaluate(LABELS, "truth.zarr"),
    "with seams": lambda: dbw.seams("out.zarr/segments"),
    "with a graph": lambda: dbw.fragment_graph("out.zarr/segments", stored="out.zarr/segments"),
    "with shapes": lambda: dbw.meshes("out.zarr/segments", "out.pre/mesh"),
    "with lines": lambda: dbw.skeletons(ARRAY, "out.pre/skeletons"),
    "one of several": lambda: dbw.map_overlap(np.add, dbw.Volume.from_array(ARRAY), ARRAY, halo=0),
}


@pytest.mark.parametrize("how", WRONG)
def test_what_is_no_volume_is_refused_in_words(how: str) -> None:
    with pytest.raises(TypeError, match=r"needs a Volume as its \w+, got \w+: .*from_array"):
        WRONG[how]()


def test_a_list_is_no_array() -> None:
    with pytest.raises(TypeError, match=r"an array of numpy or Dask, got list: give np.asarray"):
        dbw.Volume.from_array([[1, 2], [3, 4]])


def test_an_array_is_no_path() -> None:
    with pytest.raises(TypeError, match=r"got ndarray: take an array in memory with Volume"):
        dbw.open_volume(ARRAY)


def test_all_stages_are_known_where_none_was_used_yet() -> None:
    code = "from dask_blockwise.pipelines.stages import all_stages; print(*sorted(all_stages()))"
    command = [sys.executable, "-c", code]
    told = subprocess.run(command, capture_output=True, text=True, timeout=150, check=True).stdout
    assert {"agglomerate", "map_overlap", "predict", "relabel", "watershed"} <= set(told.split())


def test_a_keyword_of_an_earlier_version_is_taken_and_told() -> None:
    volume = dbw.Volume.from_array(np.arange(4.0).reshape(2, 2))
    with pytest.warns(DeprecationWarning, match="threshold calls threshold= now value="):
        made = dbw.threshold(volume, threshold=1.5)  # type: ignore[call-arg]
    np.testing.assert_array_equal(made[:], [[0, 0], [1, 1]])
    assert repr(made.call) == repr(dbw.threshold(volume, value=1.5).call)
