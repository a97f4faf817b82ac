"""Where a store lies: a folder on disk, or a bucket in the cloud, as TensorStore is told of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "folders_above",
    "groups_above",
    "is_remote",
    "kvstore_spec",
    "location_of",
    "nearest_names",
]

_DRIVERS = {"s3": "s3", "gs": "gcs"}
_HINTS_SHOWN = 8


def location_of(path: str | os.PathLike[str]) -> str:
    """An absolute path, the same in every process whatever its working folder, or a URL.

    A path may begin with ``~``, the home folder.

    Raises
    ------
    ValueError
        If it is empty, or a URL that is neither s3:// nor gs://.

    Examples
    --------
    >>> location_of("s3://bucket/out.zarr/raw/"), location_of("file:///data/../in.zarr")
    ('s3://bucket/out.zarr/raw', '/in.zarr')
    """
    text = os.fspath(path).removeprefix("file://")
    scheme, separator, _ = text.partition("://")
    if not text.strip():
        raise ValueError("A path is needed, got an empty text.")
    if not separator:
        # Path.absolute() keeps "..", and abspath two slashes at the beginning.
        whole = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111
        return f"/{whole.lstrip('/')}"
    if scheme not in _DRIVERS:
        raise ValueError(f"{text} can't be opened: give a local path, or s3:// or gs://.")
    return text.rstrip("/")


def is_remote(location: str) -> bool:
    """Whether it is a URL."""
    return "://" in location


def kvstore_spec(location: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What TensorStore calls it; an S3 endpoint and region come from the usual AWS variables.

    Examples
    --------
    >>> kvstore_spec("gs://bucket/out.zarr/raw")
    {'driver': 'gcs', 'bucket': 'bucket', 'path': 'out.zarr/raw/'}
    """
    if not is_remote(location):
        return {"driver": "file", "path": f"{location.rstrip('/')}/"}
    scheme, _, rest = location.partition("://")
    bucket, _, key = rest.partition("/")
    spec = {"driver": _DRIVERS[scheme], "bucket": bucket, "path": f"{key}/" if key else ""}
    return spec | (_s3_options(environ) if scheme == "s3" else {})


def groups_above(location: str) -> list[str]:
    """The groups that hold it, from the container down: the first whose name ends in .zarr.

    Examples
    --------
    >>> groups_above("/data/out.zarr/a/raw")
    ['/data/out.zarr', '/data/out.zarr/a']
    """
    parts = location.split("/")
    depths = [n for n, part in enumerate(parts[:-1], 1) if part.endswith(".zarr")]
    return ["/".join(parts[:n]) for n in range(depths[0], len(parts))] if depths else []


def folders_above(location: str) -> Iterator[tuple[str, str]]:
    """Each folder or prefix above, from the nearest to the root or bucket, and the path from it.

    Examples
    --------
    >>> list(folders_above("/data/raw")), list(folders_above("s3://bucket/raw"))
    ([('/data', 'raw'), ('/', 'data/raw')], [('s3://bucket', 'raw')])
    """
    scheme, separator, rest = location.rpartition("://")
    top, *names = rest.split("/")
    for depth in range(len(names) - 1, -1, -1):
        above = "/".join((top, *names[:depth]))
        yield f"{scheme}{separator}{above}" or "/", "/".join(names[depth:])


def nearest_names(location: str) -> str:
    """What lies in the nearest folder that there is above a local path."""
    folder = next(f for f in (*Path(location).parents, Path("/")) if f.is_dir())
    names = sorted(entry.name for entry in folder.iterdir())[:_HINTS_SHOWN]
    return f"{folder} has {', '.join(names) or 'nothing'}"


def _s3_options(environ: Mapping[str, str]) -> dict[str, Any]:
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    options: dict[str, Any] = {"aws_region": region} if region else {}
    if endpoint:
        options = {"endpoint": endpoint, "aws_region": region or "us-east-1"}
    if "AWS_ACCESS_KEY_ID" in environ:
        # Asked first, it needn't complain about files and services that aren't there.
        options["aws_credentials"] = {"type": "environment"}
    return options
