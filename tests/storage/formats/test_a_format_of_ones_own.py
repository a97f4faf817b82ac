"""Formats from outside the package: registered, opened, read by workers, and forgotten again."""

import json
import pickle
import sys
from dataclasses import dataclass
from io import UnsupportedOperation
from itertools import product
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from dask.base import tokenize
from regions import box, whole

import dask_blockwise as dbw
from dask_blockwise.storage.arrays import create_array, open_array
from dask_blockwise.storage.arrays_below import array_paths
from dask_blockwise.storage.formats import Layout, Zarr2, register, registered, unregister


@dataclass(frozen=True)
class OpenBricks:
    """A folder of raw chunks, each in a file that its index names."""

    folder: Path
    layout: Layout

    def read(self, region):
        values = np.zeros([s.stop - s.start for s in region], self.layout.dtype)
        sizes = self.layout.chunks
        touched = (range(s.start // n, -(-s.stop // n)) for s, n in zip(region, sizes))
        for index in product(*touched):
            begin = [i * n for i, n in zip(index, sizes)]
            brick = np.memmap(self._file(index), self.layout.dtype, "r", shape=sizes)
            shared = [
                (max(b, s.start), min(b + n, s.stop)) for b, n, s in zip(begin, sizes, region)
            ]
            to = box(*((low - s.start, high - s.start) for (low, high), s in zip(shared, region)))
            values[to] = brick[box(*((lo - b, hi - b) for (lo, hi), b in zip(shared, begin)))]
        return values

    def write(self, region, values):
        """One whole chunk, which is all that this test writes."""
        index = [s.start // n for s, n in zip(region, self.layout.chunks)]
        self._file(index).write_bytes(np.ascontiguousarray(values).tobytes())

    def _file(self, index):
        return self.folder / ".".join(map(str, index))


@dataclass(frozen=True)
class Bricks:
    """Raw chunks beside a JSON header."""

    name = "bricks"
    title = "bricks"
    noticed_by = ("header.json",)

    def find(self, location):
        header = Path(location) / "header.json"
        return json.loads(header.read_text())["attributes"] if header.is_file() else None

    def open(self, location, rechecks):
        header = json.loads((Path(location) / "header.json").read_text())
        shape, chunks = (tuple(header[name]) for name in ("shape", "chunks"))
        return OpenBricks(Path(location), Layout(shape, np.dtype(header["dtype"]), chunks))


@dataclass(frozen=True)
class OpenDump:
    """What numpy.save has written, by another name."""

    values: np.ndarray

    @property
    def layout(self):
        return Layout(self.values.shape, self.values.dtype, (1, *self.values.shape[1:]))

    def read(self, region):
        return np.array(self.values[region])


# Not frozen, so that it has no hash.
@dataclass
class Dump:
    """Single files, only read."""

    name = "dump"
    title = "dump"
    noticed_by = ("*.dump",)

    def find(self, location):
        return {} if location.endswith(".dump") and Path(location).is_file() else None

    def open(self, location, rechecks):
        return OpenDump(np.load(location, mmap_mode="r"))


@pytest.fixture(autouse=True)
def _formats():
    """Both are known here alone; what is sent to workers is sent as from a notebook."""
    built_in = registered()
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    register(Bricks())
    register(Dump())
    yield
    unregister("dump")
    unregister("bricks")
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])
    assert registered() == built_in


def dump(path, values):
    with path.open("wb") as file:
        np.save(file, values)


@pytest.fixture
def values():
    return np.random.default_rng(0).integers(0, 255, (8, 12, 10)).astype(np.uint8)


@pytest.fixture
def bricks(tmp_path, values):
    """A folder of bricks."""
    folder, chunks = tmp_path / "data/raw", (4, 4, 5)
    folder.mkdir(parents=True)
    header = {"shape": values.shape, "chunks": chunks, "dtype": "uint8"}
    attributes = {"resolution": [40, 4, 4], "offset": [80, 0, 8], "units": "nm"}
    (folder / "header.json").write_text(json.dumps(header | {"attributes": attributes}))
    for index in product(*(range(n // c) for n, c in zip(values.shape, chunks))):
        part = box(*((i * c, (i + 1) * c) for i, c in zip(index, chunks)))
        (folder / ".".join(map(str, index))).write_bytes(values[part].tobytes())
    return folder


def test_a_stage_reads_it_in_worker_processes(tmp_path, client, bricks, values):
    raw = dbw.open_volume(bricks)
    assert (raw.chunks, raw.voxel_size, raw.offset) == ((4, 4, 5), (40, 4, 4), (80, 0, 8))
    assert raw.unit == "nanometer"
    np.testing.assert_array_equal(raw[1:7, 3:9, 4:], values[1:7, 3:9, 4:])
    mask = dbw.map_overlap(lambda a: (a > 99).astype(np.uint8), raw, halo=1, dtype="uint8")
    assert mask.to_zarr(tmp_path / "out.zarr/mask", client=client, progress=False)
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr/mask")[:], values > 99)
    # Functions with a name would be imported there.
    here, known = __name__, client.run(lambda: [format.name for format in registered()])
    assert {names[-1] for names in known.values()} == {"npy"}
    assert not any(client.run(lambda: here in sys.modules).values())
    np.testing.assert_array_equal(client.compute(raw.data).result(), values)


def test_a_single_file_is_read_in_worker_processes(tmp_path, client, values):
    dump(tmp_path / "raw.dump", values)
    copied = dbw.open_volume(tmp_path / "raw.dump").to_zarr(
        tmp_path / "out.zarr/raw", client=client, progress=False
    )
    assert copied
    np.testing.assert_array_equal(dbw.open_volume(tmp_path / "out.zarr/raw")[:], values)


def test_whole_chunks_are_written(bricks, values):
    array = open_array(bricks, writable=True)
    array.write(box((4, 8), (0, 4), (5, 10)), np.zeros((4, 4, 5), np.uint8))
    values[4:, :4, 5:] = 0
    np.testing.assert_array_equal(open_array(bricks).read(whole(array)), values)
    with pytest.raises(ValueError, match="whole chunks"):
        array.write(box((4, 8), (0, 4), (4, 9)), np.zeros((4, 4, 5), np.uint8))


def test_every_opening_has_the_same_token(bricks):
    array = open_array(bricks)
    assert array.zarr_format is None
    again = pickle.loads(cloudpickle.dumps(array))
    assert tokenize(array) == tokenize(open_array(bricks)) == tokenize(again)


def test_it_is_opened_once_for_each_opening(tmp_path, values, monkeypatch):
    dump(tmp_path / "raw.dump", values)
    load, loaded = np.load, []
    monkeypatch.setattr(np, "load", lambda *args, **how: loaded.append(args) or load(*args, **how))
    array = open_array(tmp_path / "raw.dump").steady()
    for _ in range(3):
        pickle.loads(pickle.dumps(array)).read(whole(array))
    assert len(loaded) == 1
    open_array(tmp_path / "raw.dump")
    assert len(loaded) == 2


def test_what_is_only_read_says_so(tmp_path, values):
    dump(tmp_path / "raw.dump", values)
    array = open_array(tmp_path / "raw.dump")
    for act in (
        lambda: array.write(box((0, 1), (0, 12), (0, 10)), values[:1]),
        lambda: open_array(tmp_path / "raw.dump", writable=True),
    ):
        with pytest.raises(UnsupportedOperation, match=r"raw\.dump can't be .* dump is only read"):
            act()


def test_a_listing_and_messages_know_it(tmp_path, bricks, values):
    dump(tmp_path / "data/b.dump", values)
    create_array(tmp_path / "data/c.zarr/raw", (4,), "u1", chunks=(4,))
    assert array_paths(tmp_path) == ["data/b.dump", "data/c.zarr/raw", "data/raw"]
    with pytest.raises(FileNotFoundError, match=r"below it: data/b\.dump.* npy, bricks or"):
        dbw.open_volume(tmp_path)
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(FileNotFoundError, match=r"is a file, .* OME-Zarr, N5, .*bricks or dump"):
        dbw.open_volume(tmp_path / "a.txt")


def test_a_file_is_never_overwritten(tmp_path, values):
    dump(tmp_path / "raw.dump", values)
    with pytest.raises(FileExistsError, match="is no zarr"):
        create_array(tmp_path / "raw.dump", (4,), "u1", chunks=(4,), overwrite=True)
    np.testing.assert_array_equal(np.load(tmp_path / "raw.dump"), values)


def test_what_cannot_be_read_is_named(bricks):
    (bricks / "0.0.0").unlink()
    with pytest.raises(FileNotFoundError, match=r"data/raw can't be read: No such file"):
        open_array(bricks).read(box((0, 4), (0, 4), (0, 5)))


@dataclass(frozen=True)
class Dialect(Zarr2):
    """zarr 2 by another name."""

    name = "dialect"


def test_the_order_in_which_formats_are_asked(tmp_path):
    create_array(tmp_path / "a.zarr/x", (4,), "u1", chunks=(4,), zarr_format=2)
    names = [format.name for format in registered()]
    register(Dialect(), before="zarr")
    try:
        assert [format.name for format in registered()] == ["zarr3", "dialect", *names[1:]]
        array = open_array(tmp_path / "a.zarr/x")
        assert (array.format, array.zarr_format) == (Dialect(), 2)
        assert not array.read(box((0, 4))).any()
        register(Dialect())
        assert [format.name for format in registered()] == ["zarr3", "dialect", *names[1:]]
    finally:
        unregister("dialect")
    assert [format.name for format in registered()] == names
    assert open_array(tmp_path / "a.zarr/x").format == Zarr2()


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda: register(Dump), TypeError, "is an instance that has name"),
        (lambda: register("dump"), TypeError, "noticed_by, find and open, got 'dump'"),
        (lambda: register(Dump(), before="none"), ValueError, "called 'none': there are zarr3"),
        (
            lambda: register(Dump(), before="dump"),
            ValueError,
            "called 'dump': there are .*, bricks",
        ),
        (lambda: unregister("none"), ValueError, "No format is called 'none'"),
    ],
)
def test_mistakes(mistake, error, message):
    with pytest.raises(error, match=message):
        mistake()
