"""Notes are kept as they are, or refused before anything is touched."""

import json
from datetime import date

import numpy as np
import pytest

from dask_blockwise import Volume, open_volume, provenance

VALUES = np.arange(16, dtype=np.uint8).reshape(4, 4)


def strict(constant):
    raise AssertionError(f"{constant} is no JSON")


@pytest.mark.parametrize(
    "notes", [object(), {"day": date(2020, 1, 1)}, [np.float32(1.5)], {"loss": float("nan")}]
)
def test_what_json_can_t_hold_is_refused_and_what_is_there_stays(tmp_path, notes):
    path = tmp_path / "a.zarr/raw"
    Volume.from_array(VALUES).to_zarr(path, progress=False)
    with pytest.raises(ValueError, match="notes are texts, finite numbers of Python, lists"):
        Volume.from_array(VALUES).to_zarr(path, progress=False, overwrite=True, notes=notes)
    assert np.array_equal(open_volume(path)[:], VALUES)


def test_what_json_holds_is_kept(tmp_path):
    notes = {"by": "Träger", "tries": [1, 2.5, None, True]}
    Volume.from_array(VALUES).to_zarr(tmp_path / "a.zarr/raw", progress=False, notes=notes)
    assert provenance(tmp_path / "a.zarr/raw").notes == notes
    text = (tmp_path / "a.zarr/raw/zarr.json").read_text("utf-8")
    json.loads(text, parse_constant=strict)


@pytest.mark.parametrize("span", [(0, float("inf")), (float("-inf"), 1), (0, float("nan")), (1, 1)])
def test_bytes_stand_for_finite_values(span):
    with pytest.raises(ValueError, match="stands_for says what 0 and 255 of uint8 stand for"):
        Volume.from_array(VALUES, stands_for=span)
