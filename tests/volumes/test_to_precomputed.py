"""Precomputed data that is written here: what TensorStore and the format's own words make of it."""

import json

import numpy as np
import pytest
import tensorstore as ts

import dask_blockwise as dbw
from dask_blockwise import Volume

PLACE = {"voxel_size": (40, 4.5, 4), "offset": (200, -13.5, 28), "unit": "nanometer"}
LABELS = np.kron(np.random.default_rng(0).integers(0, 40, (5, 4, 6)), np.ones((4, 5, 5), int))
LABELS[:8, :, :10] = 0
RAW = np.random.default_rng(0).integers(0, 255, (20, 20, 30)).astype(np.uint8)


def labels(dtype="uint64", **place):
    return Volume.from_array(LABELS.astype(dtype), **{**PLACE, **place}, chunks=(8, 8, 16))


def read(root, **scale):
    """What TensorStore reads, with its bounds along x, y and z; a missing chunk is an error."""
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{root}/"},
        "fill_missing_data_reads": False,
        "scale_index": 0,
        **scale,
    }
    array = ts.open(spec, open=True).result()
    values = array.read().result().T
    return (values[0] if values.shape[0] == 1 else values), array.domain[:3]


def info_of(root):
    return json.loads((root / "info").read_text())


def keys_of(root):
    return [scale["key"] for scale in info_of(root)["scales"]]


def chunks_in(root, scale):
    """How many chunks are there, within shards too."""
    folder = root / scale["key"]
    if "sharding" not in scale:
        return sum(1 for path in folder.iterdir() if path.is_file())
    spec = {"driver": "neuroglancer_uint64_sharded", "metadata": scale["sharding"]}
    return len(ts.KvStore.open({**spec, "base": f"file://{folder}/"}).result().list().result())


KINDS = {
    "labels": (LABELS, "uint64", {}, "compressed_segmentation", "segmentation"),
    "labels of 32 bits": (LABELS, "uint32", {}, "compressed_segmentation", "segmentation"),
    "labels of 16 bits": (LABELS, "uint16", {"segmentation": True}, "raw", "segmentation"),
    "labels as an image": (LABELS, "uint32", {"segmentation": False}, "raw", "image"),
    "raw": (RAW, "uint8", {}, "raw", "image"),
    "png": (RAW, "uint8", {"encoding": "png"}, "png", "image"),
    "floats": (RAW, "float32", {}, "raw", "image"),
    "signed": (RAW, "int16", {}, "raw", "image"),
    "channels": (np.stack([RAW, RAW + 7]), "uint8", {}, "raw", "image"),
}


@pytest.mark.parametrize("sharded", [True, False], ids=["sharded", "a file a chunk"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(kind, sharded, tmp_path, near):
    values, dtype, options, encoding, type_ = KINDS[kind]
    values = values.astype(dtype)
    volume = Volume.from_array(values, **PLACE)
    root = tmp_path / "made"
    options |= {"sharded": sharded, "block_shape": (8, 8, 16)}
    summary = volume.to_precomputed(root, client=near, progress=False, **options)
    assert summary.tasks[0].completed == 3 * 3 * 2
    info = info_of(root)
    scale = info["scales"][0]
    assert (info["type"], info["data_type"], info["num_channels"]) == (
        *(type_, dtype),
        len(values) if values.ndim == 4 else 1,
    )
    assert (scale["resolution"], scale["voxel_offset"], scale["size"], scale["encoding"]) == (
        *([4, 4.5, 40], [7, -3, 5], [30, 20, 20]),
        encoding,
    )
    found, domain = read(root)
    np.testing.assert_array_equal(found, values)
    assert (domain.origin, domain.shape) == ((7, -3, 5), (30, 20, 20))
    # Zeros too, which others read as missing where they aren't there.
    assert chunks_in(root, scale) == 18
    again = dbw.open_volume(root)
    np.testing.assert_array_equal(again[:], values)
    assert (again.roi, again.unit, again.axes) == (volume.roi, volume.unit, volume.axes)
    assert again.placement.written_size == (40, 4.5, 4)


def test_jpeg_is_near(tmp_path, near):
    smooth = (np.add.outer(np.arange(16), np.arange(16))[None] * 4).repeat(16, 0).astype(np.uint8)
    volume = Volume.from_array(smooth, unit="nanometer", chunks=(8, 8, 8))
    how = {"client": near, "progress": False, "encoding": "jpeg"}
    volume.to_precomputed(tmp_path / "made", **how)
    found = read(tmp_path / "made")[0].astype(int)
    assert 0 < np.abs(found - smooth).max() < 30
    assert not volume.to_precomputed(tmp_path / "made", **how).tasks[0].completed
    with pytest.raises(ValueError, match='choose encoding="png"'):
        volume.to_precomputed(tmp_path / "other", verify="content", **how)


@pytest.mark.parametrize("unit", ["nanometer", "micrometer", "angstrom", "meter"])
def test_numbers_are_nanometers_and_the_world_stays(unit, tmp_path, near):
    length = {"nanometer": 1, "micrometer": 1000, "angstrom": 0.1, "meter": 1e9}[unit]
    made = Volume.from_array(RAW, voxel_size=(2, 0.5, 0.25), offset=(4, 1, -1), unit=unit)
    made.to_precomputed(tmp_path / "made", client=near, progress=False)
    scale = info_of(tmp_path / "made")["scales"][0]
    assert scale["resolution"] == [0.25 * length, 0.5 * length, 2 * length]
    assert scale["voxel_offset"] == [-4, 2, 2]
    found = dbw.open_volume(tmp_path / "made")
    assert (found.roi, found.unit) == (made.roi, made.unit)
    summary = made.to_precomputed(tmp_path / "made", client=near, progress=False)
    assert not summary.tasks[0].completed
    assert dbw.status(tmp_path / "made").is_current
    # Without what is kept for its own, it is read by the numbers that others see.
    info = info_of(tmp_path / "made")
    del info["scales"][0]["dask_blockwise"]
    (tmp_path / "made/info").write_text(json.dumps(info))
    place = dbw.open_volume(tmp_path / "made").placement
    assert [float(n) for n in place.written_size] == scale["resolution"][::-1]
    assert place.as_written[0].unit == "nanometer"


REFUSED = {
    "bool": (Volume.from_array(RAW > 3, **PLACE), {}, r"astype\('uint8'\)"),
    "int64": (labels("int64"), {}, r"astype\('uint64'\)"),
    "float64": (labels("float64"), {}, r"astype\('float32'\)"),
    "plane": (Volume.from_array(RAW[0], unit="nm"), {}, "a third axis"),
    "time": (Volume.from_array(RAW[None], axes="tzyx", unit="nm"), {}, r"isel\(t=0\)"),
    "no unit": (Volume.from_array(RAW), {}, 'unit="nanometer"'),
    "odd unit": (Volume.from_array(RAW, unit="pixel"), {}, "'pixel'"),
    "half a voxel": (labels(offset=(0, 0, 2)), {}, "0, 0, 0.5 voxels"),
    "no encoding": (labels(), {"encoding": "zip"}, "encoding is one of raw, png"),
    "encoding": (labels(), {"encoding": "png"}, "holds uint8 or uint16 of 1 or 2 or 3 or 4"),
    "labels as jpeg": (
        Volume.from_array(RAW, unit="nm"),
        {"encoding": "jpeg", "segmentation": True},
        "segmentation=False for an image",
    ),
    "signed labels": (labels("int32"), {"segmentation": True}, r"astype\('uint64'\)"),
    "block": (labels(), {"block_shape": (4, 4)}, "block_shape must be 3"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_it_can_not_hold_is_refused_before_anything_is_there(kind, tmp_path):
    volume, options, message = REFUSED[kind]
    with pytest.raises(ValueError, match=message):
        volume.to_precomputed(tmp_path / "made", progress=False, **options)
    assert not list(tmp_path.iterdir())


def test_the_mend_of_half_a_voxel_works(tmp_path, near):
    volume = labels(offset=(0, 0, 2))
    with pytest.raises(ValueError, match="from_array") as raised:
        volume.to_precomputed(tmp_path / "made", progress=False)
    mend = str(raised.value).partition("such as ")[2].rstrip(".")
    moved = eval(mend, {"Volume": Volume, "volume": volume})  # what it tells people to do
    moved.to_precomputed(tmp_path / "made", client=near, progress=False)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "made")[:], LABELS)


def test_what_is_missing_is_done_again(tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    labels().to_precomputed(root, **how)
    shards = sorted((root / "4_4.5_40").glob("*.shard"))
    shards[3].unlink()
    assert "1 of 18 blocks lack files" in str(dbw.status(root))
    assert labels().to_precomputed(root, **how).tasks[0].completed == 1
    shards[4].write_bytes(shards[5].read_bytes())
    with pytest.raises(dbw.OutputChanged, match="aren't the files that were written"):
        labels().to_precomputed(root, **how)
    assert labels().to_precomputed(root, on_change="redo", **how).tasks[0].completed == 1
    np.testing.assert_array_equal(read(root)[0], LABELS)


def test_another_computation_is_asked_about(tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    raw = Volume.from_array(RAW, **PLACE)
    dbw.threshold(raw, 100).to_precomputed(root, **how)
    changed = dbw.threshold(raw, 120)
    with pytest.raises(dbw.OutputChanged, match="threshold 100"):
        changed.to_precomputed(root, **how)
    changed.to_precomputed(root, on_change="redo", **how)
    np.testing.assert_array_equal(read(root)[0], RAW > 120)
    assert dbw.provenance(root).stages[-1]["stage"] == "threshold"
    dbw.rerun(root, to=tmp_path / "again", **how)
    np.testing.assert_array_equal(read(tmp_path / "again")[0], RAW > 120)


OTHERWISE = {
    "encoding": {"encoding": "png"},
    "sharded": {"sharded": False},
    "segmentation": {"segmentation": True},
}


@pytest.mark.parametrize("otherwise", OTHERWISE)
def test_what_is_stored_otherwise_is_asked_about(otherwise, tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    raw = Volume.from_array(RAW, **PLACE, chunks=(8, 8, 16))
    raw.to_precomputed(root, **how)
    how |= OTHERWISE[otherwise]
    with pytest.raises(dbw.OutputChanged):
        raw.to_precomputed(root, **how)
    assert raw.to_precomputed(root, on_change="redo", **how).tasks[0].completed == 18
    np.testing.assert_array_equal(read(root)[0], RAW)
    assert not raw.to_precomputed(root, **how).tasks[0].completed


def foreign(root, **changed):
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": {"driver": "file", "path": f"{root}/"},
        "multiscale_metadata": {"type": "image", "data_type": "uint8", "num_channels": 1},
        "scale_metadata": {"key": "4_4.5_40", "size": [4, 4, 4], "resolution": [4, 4.5, 40],
                           "chunk_size": [4, 4, 4], "encoding": "raw"} | changed,
    }  # fmt: skip
    ts.open(spec, create=True).result()[...].write(3).result()


@pytest.mark.parametrize("key", ["4_4.5_40", "other"])
def test_what_others_wrote_is_replaced_only_when_asked(key, tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    foreign(root, key=key)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.raises(FileExistsError, match="overwrite=True"):
        labels().to_precomputed(root, **how)
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before
    labels().to_precomputed(root, overwrite=True, **how)
    assert keys_of(root)[0] == "4_4.5_40"
    assert "other" not in keys_of(root)
    assert not (root / "other").exists()
    np.testing.assert_array_equal(read(root)[0], LABELS)


def test_a_volume_of_other_voxels_does_not_join_it(tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    labels().to_precomputed(root, **how)
    other = labels(voxel_size=(8, 8, 8), offset=(0, 0, 0))
    with pytest.raises(FileExistsError, match="very computation, 4_4"):
        other.to_precomputed(root, **how)
    other.to_precomputed(root, overwrite=True, **how)
    assert keys_of(root)[0] == "8_8_8"
    assert not (root / "4_4.5_40").exists()


def test_other_folders_and_meshes_stay(tmp_path, near):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes/a.txt").touch()
    with pytest.raises(FileExistsError, match="isn't overwritten"):
        labels().to_precomputed(tmp_path / "notes", overwrite=True, progress=False)
    with pytest.raises(FileExistsError, match="in, a file"):
        labels().to_precomputed(tmp_path / "notes/a.txt/b", overwrite=True, progress=False)
    root = tmp_path / "made"
    labels().to_precomputed(root, client=near, progress=False)
    (root / "info").write_text(json.dumps(info_of(root) | {"mesh": "mesh"}))
    with pytest.raises(FileExistsError, match="names mesh"):
        labels().to_precomputed(root, overwrite=True, progress=False)


def test_a_region_is_computed_again(tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    volume = labels()
    volume.to_precomputed(root, **how)
    roi = dbw.Roi(volume.offset, volume.voxel_size)
    assert volume.to_precomputed(root, roi=roi, **how).tasks[0].completed == 1


def test_a_checkpoint_is_read_on_the_way(tmp_path, client):
    raw = Volume.from_array(RAW, **PLACE, chunks=(8, 8, 16))
    mask = dbw.threshold(raw.checkpoint(tmp_path / "in.zarr/raw"), 100)
    cells = dbw.relabel(dbw.connected_components(mask))
    cells.to_precomputed(tmp_path / "cells", client=client, progress=False)
    cells.to_zarr(tmp_path / "in.zarr/cells", client=client, progress=False)
    np.testing.assert_array_equal(
        read(tmp_path / "cells")[0], dbw.open_volume(tmp_path / "in.zarr/cells")[:]
    )
    assert dbw.status(tmp_path / "cells").is_current
    # What it is stored as can be read on, by its marks.
    larger = dbw.open_volume(tmp_path / "cells") + 1
    larger.to_zarr(tmp_path / "in.zarr/larger", client=client, progress=False)
    assert dbw.provenance(tmp_path / "in.zarr/larger").inputs[0]["called"] == "blocks"


def cells_of(values, phase, factors):
    """The voxels of each coarser one, which lies whole ones from the origin, by its number."""
    ends = [np.arange(-p, n, f) for p, n, f in zip(phase, values.shape, factors)]
    for number in np.ndindex(*map(len, ends)):
        begins = [(e[i], e[i] + f) for e, i, f in zip(ends, number, factors)]
        yield number, values[tuple(slice(max(0, b), e) for b, e in begins)]


@pytest.mark.parametrize("kind", ["raw", "channels", "labels"])
def test_coarser_scales_lie_where_they_say(kind, tmp_path, near):
    values, dtype, options, _, _ = KINDS[kind]
    values = values.astype(dtype)
    volume = Volume.from_array(values, **PLACE, chunks=(2, 8, 8, 8)[-values.ndim :])
    root, steps = tmp_path / "made", [(1, 2, 2), (2, 2, 2), (1, 3, 2)]
    volume.to_precomputed(root, pyramid=steps, client=near, progress=False, **options)
    assert keys_of(root) == ["4_4.5_40", "8_9_40", "16_18_80", "32_54_80"]
    begin, finer = [5, -3, 7], values
    for n, step in enumerate(steps, 1):
        found, domain = read(root, scale_index=n)
        phase = [b % f for b, f in zip(begin, step)]
        begin = [b // f for b, f in zip(begin, step)]
        assert domain.origin == tuple(begin[::-1])
        channels = finer.reshape(-1, *finer.shape[-3:])
        for channel, made in zip(channels, found.reshape(-1, *found.shape[-3:])):
            seen = 0
            for number, cell in cells_of(channel, phase, step):
                seen += 1
                if kind == "labels":
                    ids, counts = np.unique(cell[cell > 0], return_counts=True)
                    best = ids[counts == counts.max()] if len(ids) else [0]
                    assert made[number] in best
                else:
                    assert made[number] == np.rint(cell.mean())
            assert made.size == seen
        finer = found
    status = dbw.status(root)
    assert status.is_current, status
    assert [each.path for each in status.levels] == keys_of(root)[1:]


def test_within_a_mask(tmp_path, near):
    """What is left out is 0, in coarser scales too; the plan has a row for each task."""
    inside = np.zeros(LABELS.shape, bool)
    inside[:8, :8] = True
    mask = Volume.from_array(inside, **PLACE)
    how = {"mask": mask, "client": near, "progress": False}
    summary = labels().to_precomputed(tmp_path / "made", report=tmp_path / "run.json", **how)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "made")[:], LABELS * inside)
    assert summary.tasks[0].empty > 0
    assert json.loads((tmp_path / "run.json").read_text())["tasks"]
    planned = labels().masked(mask).plan(to="precomputed")
    assert [stage.blocks for stage in planned.stages] == [task.blocks for task in summary.tasks]
    assert [stage.name.split(": ")[1] for stage in planned.stages[1:]] == keys_of(
        tmp_path / "made"
    )[1:]
    labels().to_precomputed(
        tmp_path / "dull",
        skip_if=(mask, lambda values: not values.any()),
        client=near,
        progress=False,
    )
    assert not dbw.open_volume(tmp_path / "dull")[8:].any()
    with pytest.raises(ValueError, match="to is one of ome-zarr, precomputed"):
        labels().plan(to="n5")


def test_scales_follow_what_changes(tmp_path, near):
    root, how = tmp_path / "made", {"client": near, "progress": False}
    volume = labels()
    volume.to_precomputed(root, pyramid=2, **how)
    full = keys_of(root)
    shard = next((root / full[1]).glob("*.shard"))
    shard.unlink()
    summary = volume.to_precomputed(root, pyramid=2, **how)
    assert [task.completed for task in summary.tasks][:2] == [0, 1]
    # By other factors they are others, and those that were further on are made of them.
    volume.to_precomputed(root, pyramid=[(2, 2, 2)], on_change="redo", **how)
    assert keys_of(root) == ["4_4.5_40", "8_9_80", "16_18_80"]
    assert not (root / full[1]).exists()
    volume.to_precomputed(root, pyramid=False, overwrite=True, **how)
    assert keys_of(root) == ["4_4.5_40"]


def test_objects_are_told_of_beside_their_ids(tmp_path, near):
    how = {"client": near, "progress": False}
    table = labels().objects(raw=Volume.from_array(RAW, **PLACE), path=tmp_path / "cells", **how)
    labels().to_precomputed(tmp_path / "made", objects=table, **how)
    info = info_of(tmp_path / "made")
    told = info_of(tmp_path / "made" / info["segment_properties"])
    assert told["@type"] == "neuroglancer_segment_properties"
    assert list(map(int, told["inline"]["ids"])) == table["id"].tolist()
    by_name = {each["id"]: each for each in told["inline"]["properties"]}
    assert set(by_name) == set(table.columns) - {"id", "unit"}
    np.testing.assert_array_equal(by_name["voxels"]["values"], table["voxels"])
    np.testing.assert_allclose(by_name["mean_raw"]["values"], table["mean_raw"], rtol=1e-6)
    assert by_name["centroid_z"]["description"] == "centroid_z, in nanometer"
    with pytest.raises(ValueError, match="segmentation=True if"):
        Volume.from_array(RAW, **PLACE).to_precomputed(tmp_path / "raw", objects=table)
    # What is made anew doesn't keep what was told of other voxels.
    labels("uint32").to_precomputed(tmp_path / "made", on_change="redo", **how)
    assert "segment_properties" not in info_of(tmp_path / "made")
    assert not (tmp_path / "made/segment_properties").exists()


def test_in_a_bucket(bucket, near):
    root, how = f"{bucket}/precomputed/cells", {"client": near, "progress": False}
    labels().to_precomputed(root, **how)
    np.testing.assert_array_equal(dbw.open_volume(root)[:], LABELS)
    assert not labels().to_precomputed(root, **how).tasks[0].completed
    with pytest.raises(FileExistsError, match="overwrite=True"):
        labels(voxel_size=(1, 1, 1), offset=(0, 0, 0)).to_precomputed(root, **how)
    labels("uint32").to_precomputed(root, overwrite=True, **how)
    np.testing.assert_array_equal(dbw.open_volume(root)[:], LABELS)


def test_on_missing_is_refused_of_shards_and_kept_of_chunks(tmp_path, near):
    how = {"client": near, "progress": False, "pyramid": False}
    labels().to_precomputed(tmp_path / "sharded", **how)
    with pytest.raises(ValueError, match="leave on_missing out"):
        dbw.open_volume(tmp_path / "sharded", on_missing="raise")
    labels().to_precomputed(tmp_path / "plain", sharded=False, **how)
    strict = dbw.open_volume(tmp_path / "plain", on_missing="raise")
    np.testing.assert_array_equal(strict[:], LABELS)
    next((tmp_path / "plain/4_4.5_40").glob("7-*")).unlink()
    with pytest.raises(OSError, match="missing"):
        strict[:]


def test_zarr_and_precomputed_do_not_lie_in_one_folder(tmp_path, near):
    how = {"client": near, "progress": False, "pyramid": False}
    labels().to_precomputed(tmp_path / "made", **how)
    with pytest.raises(FileExistsError, match="overwrite=True"):
        labels().to_zarr(tmp_path / "made", **how)
    labels().to_zarr(tmp_path / "made", overwrite=True, **how)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "made")[:], LABELS)
    assert not (tmp_path / "made/info").exists()
    with pytest.raises(FileExistsError, match="no precomputed data"):
        labels().to_precomputed(tmp_path / "made", overwrite=True, **how)


def test_it_is_not_stored_over_its_own_input(tmp_path, near):
    how = {"client": near, "progress": False, "pyramid": False}
    labels().to_precomputed(tmp_path / "made", **how)
    larger = dbw.open_volume(tmp_path / "made") + np.uint64(1)
    with pytest.raises(ValueError, match="computed from"):
        larger.to_precomputed(tmp_path / "made", overwrite=True, **how)
    np.testing.assert_array_equal(read(tmp_path / "made")[0], LABELS)


@pytest.mark.parametrize("damage", ["cut", "empty", "other bytes", "zeros"])
def test_a_damaged_shard_is_written_anew(tmp_path, near, damage):
    labels = np.random.default_rng(0).integers(0, 9, (16, 16, 16)).astype(np.uint64)
    volume = Volume.from_array(labels, voxel_size=(8, 8, 8), unit="nm", chunks=(8, 16, 16))
    how = {"client": near, "progress": False, "pyramid": False}
    volume.to_precomputed(tmp_path / "a", **how)
    shards = sorted((tmp_path / "a/8_8_8").glob("*.shard"))
    kept = shards[0].read_bytes()
    damaged = {
        "cut": kept[:-5],
        "empty": b"",
        "other bytes": bytes(255 - n for n in kept),
        "zeros": bytes(len(kept)),
    }
    shards[0].write_bytes(damaged[damage])
    assert len(shards) == 2
    summary = volume.to_precomputed(tmp_path / "a", on_change="redo", **how)
    assert summary.tasks[0].completed == 1
    assert np.array_equal(dbw.open_volume(tmp_path / "a")[:], labels)
    assert shards[0].read_bytes() == kept
