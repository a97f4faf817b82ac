"""Metadata of a bucket are asked for together and once, and never believed for too long."""

from typing import Any

import pytest

from dask_blockwise.storage import documents, edits, groups
from dask_blockwise.storage.arrays import create_array, open_array
from dask_blockwise.storage.asked_once import asked_once
from dask_blockwise.storage.documents import put, read_json, remove_documents

GROUP = b'{"zarr_format": 3, "node_type": "group", "attributes": {"by": "another"}}'


@pytest.fixture
def place(bucket: str, request: pytest.FixtureRequest) -> str:
    """A container that no other test has touched: buckets outlive a test."""
    return f"{bucket}/{request.node.originalname}.zarr"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of all documents that are read, in order."""
    names: list[str] = []
    opened = documents.kvstore_of

    class Counting:
        def __init__(self, location: str) -> None:
            self.location, self.store = location, opened(location)

        def read(self, name: str) -> Any:
            names.append(f"{self.location}/{name}")
            return self.store.read(name)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.store, name)

    monkeypatch.setattr(documents, "kvstore_of", Counting)
    return names


def test_no_document_is_read_twice_to_open_an_array(place: str, asked: list[str]) -> None:
    create_array(f"{place}/b/c", (4, 4), "u1", chunks=(2, 2))
    asked.clear()
    open_array(f"{place}/b/c")
    assert asked
    assert len(set(asked)) == len(asked)


def test_an_array_deep_in_a_bucket_is_made_by_few_reads(place: str, asked: list[str]) -> None:
    create_array(f"{place}/b/c", (4, 4), "u1", chunks=(2, 2))
    # What was written is read again: its group's document and its own.
    assert len(asked) <= len(set(asked)) + 8


def test_what_was_written_or_removed_meanwhile_is_read_anew(place: str) -> None:
    with asked_once():
        assert read_json(place, "zarr.json") == {}
        put(place, "zarr.json", GROUP)
        assert read_json(place, "zarr.json")["attributes"] == {"by": "another"}
        # By another name.
        bucket, _, name = place.rpartition("/")
        assert read_json(f"{bucket}/", f"{name}/zarr.json")["node_type"] == "group"
        remove_documents(bucket, [f"{name}/zarr.json"])
        assert read_json(place, "zarr.json") == {}


def test_an_edit_looks_at_what_is_there_now(place: str) -> None:
    with asked_once():
        assert read_json(place, "zarr.json") == {}
        _by_another(place)
        edits.edit_json(place, "zarr.json", lambda found: found | {"more": 1})
        assert read_json(place, "zarr.json")["attributes"] == {"by": "another"}
        assert read_json(place, "zarr.json")["more"] == 1


def test_a_group_that_another_run_has_just_made_keeps_its_attributes(place: str) -> None:
    with asked_once():
        assert not groups.exists(place)
        _by_another(place)
        groups.make_group(place, 3)
    assert read_json(place, "zarr.json")["attributes"] == {"by": "another"}


def test_after_the_call_all_is_asked_anew(place: str) -> None:
    with asked_once():
        assert read_json(place, "zarr.json") == {}
    _by_another(place)
    with asked_once():
        assert read_json(place, "zarr.json")


def _by_another(place: str) -> None:
    """What another process puts there, of which nothing is known here."""
    documents.kvstore_of(place).write("zarr.json", GROUP).result()
