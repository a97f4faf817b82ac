"""Labels of images: listed where viewers look, whoever else adds to the list."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image_label import ImageLabel as ImageLabel04
from ome_zarr_models.v04.labels import Labels as Labels04
from ome_zarr_models.v05.image_label import ImageLabel as ImageLabel05
from ome_zarr_models.v05.labels import Labels as Labels05

from dask_blockwise.geometry.placement import Placement
from dask_blockwise.storage.arrays import create_image, open_array
from dask_blockwise.storage.documents import read_json
from dask_blockwise.storage.groups import read_attributes

ZYX = Placement(("z", "y", "x"), (4, 4, 4), (0, 0, 0), "nanometer")
MODELS = {2: (Labels04, ImageLabel04), 3: (Labels05, ImageLabel05)}


def image(path, zarr_format=None, dtype="uint8"):
    return create_image(path, ZYX, (4, 4, 4), dtype, chunks=(4, 4, 4), zarr_format=zarr_format)


def ome(path):
    attributes = zarr.open_group(str(path), mode="r").attrs.asdict()
    return attributes.get("ome", attributes)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_are_listed_and_say_what_they_label(tmp_path, zarr_format):
    image(tmp_path / "a.zarr", zarr_format)
    for name in "cells", "nuclei", "cells of 'a b'":
        image(tmp_path / f"a.zarr/labels/{name}", dtype="uint32")
    group = tmp_path / "a.zarr/labels"
    assert ome(group)["labels"] == ["cells", "nuclei", "cells of 'a b'"]
    version = {2: "0.4", 3: "0.5"}[zarr_format]
    label = ome(group / "cells")["image-label"]
    assert label == {"version": version, "source": {"image": "../../"}}
    labels, image_label = MODELS[zarr_format]
    labels.from_zarr(zarr.open_group(str(group), mode="r"))
    image_label.from_zarr(zarr.open_group(str(group / "cells"), mode="r"))


ALL = (slice(0, 4),) * 3


def filled(path, value, **how):
    array = create_image(path, ZYX, (4, 4, 4), "uint8", chunks=(2, 2, 2), **how)
    array.write(ALL, np.full((4, 4, 4), value, np.uint8))


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("where", ["tmp_path", "s3_bucket", "gs_bucket"])
def test_labels_stay_where_their_image_is_overwritten(request, where, zarr_format):
    top = f"{request.getfixturevalue(where)}/overwritten"
    path, how = f"{top}/{zarr_format}.zarr", {"zarr_format": zarr_format}
    filled(path, 1, **how)
    filled(f"{path}/labels/cells", 2)
    filled(path, 3, overwrite=True, **how)
    assert (open_array(path).read(ALL) == 3).all()
    assert (open_array(f"{path}/labels/cells").read(ALL) == 2).all()
    attributes = read_attributes(f"{path}/labels")
    assert attributes.get("ome", attributes)["labels"] == ["cells"]
    with pytest.raises(FileExistsError, match=f"labels.*zarr_format={zarr_format}"):
        filled(path, 4, overwrite=True, zarr_format=5 - zarr_format)
    filled(f"{path}/notes", 5)
    for overwrite in (True, False):
        with pytest.raises(FileExistsError, match="holds other arrays, notes"):
            filled(path, 4, overwrite=overwrite, **how)
    assert (open_array(path).read(ALL) == 3).all()


def test_what_is_no_label_is_none(tmp_path):
    image(tmp_path / "a.zarr/cells")
    image(tmp_path / "labels.zarr")
    image(tmp_path / "labels/raw.zarr")
    for path in "a.zarr/cells", "labels.zarr", "labels/raw.zarr":
        assert "image-label" not in ome(tmp_path / path)
    assert not (tmp_path / "labels/zarr.json").exists()


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_what_another_tool_wrote_into_the_list_stays(tmp_path, zarr_format):
    image(tmp_path / "a.zarr", zarr_format)
    group = zarr.open_group(str(tmp_path / "a.zarr/labels"), mode="w", zarr_format=zarr_format)
    listed = {"labels": ["theirs"], "colour": "red"}
    group.attrs.update(listed if zarr_format == 2 else {"ome": listed, "other": 1})
    image(tmp_path / "a.zarr/labels/ours")
    image(tmp_path / "a.zarr/labels/theirs")
    found = ome(tmp_path / "a.zarr/labels")
    assert (found["labels"], found["colour"]) == (["theirs", "ours"], "red")


def test_a_list_that_is_none_is_refused(tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr/labels"), mode="w")
    group.attrs["ome"] = {"labels": "cells"}
    with pytest.raises(ValueError, match=r"a\.zarr/labels .*labels should be a list"):
        image(tmp_path / "a.zarr/labels/ours")


ADD = """
import sys
from dask_blockwise.geometry.placement import Placement
from dask_blockwise.storage.arrays import create_image
path, first = sys.argv[1:]
place = Placement(("y", "x"), (4, 4), (0, 0), "")
for n in range(6):
    create_image(f"{path}/labels/{first}{n}", place, (4, 4), "u1", chunks=(4, 4))
"""


def test_all_that_are_added_at_the_same_time_are_listed(tmp_path):
    image(tmp_path / "a.zarr")
    with pytest.warns(UserWarning, match="Consolidated"):
        zarr.consolidate_metadata(str(tmp_path / "a.zarr"))
    image(tmp_path / "a.zarr/labels/first")
    runs = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", ADD, tmp_path / "a.zarr", name])
        for name in "abc"
    ]
    assert [run.wait() for run in runs] == [0, 0, 0]
    names = {"first", *(f"{run}{n}" for run in "abc" for n in range(6))}
    assert set(ome(tmp_path / "a.zarr/labels")["labels"]) == names
    document = json.loads((tmp_path / "a.zarr/zarr.json").read_text())
    known = document["consolidated_metadata"]["metadata"]
    assert {f"labels/{name}/s0" for name in names} <= known.keys()
    assert set(known["labels"]["attributes"]["ome"]["labels"]) == names
    assert not list(tmp_path.rglob("*.lock"))


def test_in_a_bucket(bucket):
    for name in "cells", "nuclei":
        image(f"{bucket}/lists/a.zarr/labels/{name}")
    found = read_json(f"{bucket}/lists/a.zarr/labels", "zarr.json")
    assert found["attributes"]["ome"]["labels"] == ["cells", "nuclei"]
    assert np.all(np.array(list(found)) != "")
