"""A store of zarr-python that reads and writes through TensorStore, wherever that can."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import (
    ByteRequest,
    OffsetByteRequest,
    RangeByteRequest,
    Store,
    SuffixByteRequest,
)
from zarr.core.buffer import Buffer, BufferPrototype

from ..documents import kvstore_of, list_names, store_error

__all__ = ["KvStore"]


class KvStore(Store):
    """Documents below a location: of a bucket, a web server or an archive."""

    supports_writes = supports_deletes = supports_listing = True

    def __init__(self, location: str) -> None:
        super().__init__(read_only=False)
        self._location = location

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KvStore) and other._location == self._location

    def __str__(self) -> str:
        return self._location

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """A document, or a part of it; None where there is none."""
        try:
            found = await kvstore_of(self._location).read(key)
        except (ValueError, OSError) as error:
            raise store_error(f"{self._location}/{key}", "read", error) from error
        if found.state != "value":
            return None
        return prototype.buffer.from_bytes(found.value[_slice(byte_range)])

    async def get_partial_values(
        self, prototype: BufferPrototype, key_ranges: Iterable[tuple[str, ByteRequest | None]]
    ) -> list[Buffer | None]:
        """Parts of documents."""
        return [await self.get(key, prototype, part) for key, part in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is a document."""
        return (await kvstore_of(self._location).read(key)).state == "value"  # type: ignore[no-any-return]

    async def set(self, key: str, value: Buffer) -> None:
        """Write a document."""
        await kvstore_of(self._location).write(key, value.to_bytes())

    async def delete(self, key: str) -> None:
        """Remove a document."""
        await kvstore_of(self._location).write(key, None)

    async def list(self) -> AsyncIterator[str]:
        """Names of all documents."""
        for name in list_names(self._location):
            yield name

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Names that begin so."""
        for name in list_names(self._location):
            if name.startswith(prefix):
                yield name

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Names of what lies directly below."""
        begin = f"{prefix.rstrip('/')}/" if prefix else ""
        inner = [name.removeprefix(begin) async for name in self.list_prefix(begin)]
        for name in dict.fromkeys(name.partition("/")[0] for name in inner):
            yield name


def _slice(part: ByteRequest | None) -> slice:
    if isinstance(part, RangeByteRequest):
        return slice(part.start, part.end)
    if isinstance(part, OffsetByteRequest):
        return slice(part.offset, None)
    if isinstance(part, SuffixByteRequest):
        return slice(-part.suffix, None)
    return slice(None)
