"""Where a store lies: on a disk, in a bucket, on a web server or in an archive."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from io import UnsupportedOperation
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

__all__ = [
    "archive_of",
    "can_be_listed",
    "check_may_be_written",
    "folders_above",
    "given_as",
    "groups_above",
    "is_only_read",
    "is_remote",
    "kvstore_spec",
    "location_of",
    "nearest_names",
    "on_disk",
    "plain_path",
    "same_place",
]

_DRIVERS = {"s3": "s3", "gs": "gcs"}
_WEB = ("http", "https")
_ARCHIVES = (".zip", ".ozx")
_ON_THE_WEB = tuple(f"{scheme}://" for scheme in _WEB)
_HINTS_SHOWN = 8


def plain_path(path: str | os.PathLike[str]) -> str:
    """A path as it was given, but for a file:// URL, of which it is what that stands for.

    Examples
    --------
    >>> plain_path("file:///data/a%20b.zarr"), plain_path("/data/50%20.zarr")
    ('/data/a b.zarr', '/data/50%20.zarr')
    """
    text = path if isinstance(path, str) else _text_of(path)
    if isinstance(path, PurePath):
        # Of two slashes it keeps one.
        text = re.sub(rf"^({'|'.join((*_DRIVERS, *_WEB))}):/(?!/)", r"\1://", text)
    if not text.startswith(("file://", "file:/")):
        return text
    whole = text.removeprefix("file:").removeprefix("//")
    return unquote(whole.removeprefix("localhost") if whole.startswith("localhost/") else whole)


def given_as(path: str | os.PathLike[str]) -> str:
    """A path as it was given, for people, without what is nothing but its form.

    Examples
    --------
    >>> given_as("file:///data/a%20b.zarr/"), given_as("a.zarr")
    ('/data/a b.zarr', 'a.zarr')
    """
    text = plain_path(path)
    return text.rstrip("/") or text[:1]


def location_of(path: str | os.PathLike[str]) -> str:
    """An absolute path, the same in every process whatever its working folder, or a URL.

    A path may begin with ``~``, the home folder.

    Raises
    ------
    ValueError
        If it is empty, a path of Windows, or a URL of another kind than s3://, gs://, http:// and
        https://, or with one slash.

    Examples
    --------
    >>> location_of("s3://bucket/out.zarr/raw/"), location_of("file:///data/../in.zarr")
    ('s3://bucket/out.zarr/raw', '/in.zarr')
    """
    text = plain_path(path)
    scheme, separator, rest = text.partition("://")
    if not text.strip():
        raise ValueError("A path is needed, got an empty text.")
    _check_not_of_windows(text)
    _check_slashes(text)
    if not separator or "/" in scheme:
        # Path.absolute() keeps "..", and abspath two slashes at the beginning.
        whole = os.path.abspath(os.path.expanduser(text))  # noqa: PTH100, PTH111
        return f"/{whole.lstrip('/')}"
    if scheme not in (*_DRIVERS, *_WEB):
        mend = f"leave {scheme}:// out" if "://" in rest else "copy it to a disk or bucket"
        raise ValueError(
            f"{text} can't be opened: give a local path, or s3://, gs://, http:// or https://; "
            f"{mend}."
        )
    if scheme in _WEB and ("?" in rest or "#" in rest):
        raise ValueError(
            f"{text} can't be opened: what lies below an address with '?' or '#' has none. Leave "
            "what comes after it out, or write %3F and %23 where it belongs to a name."
        )
    return text.rstrip("/")


def _check_slashes(text: str) -> None:
    """Refuse what is nearly a URL, and would be a folder called s3: here."""
    scheme, _, rest = text.partition(":/")
    if scheme in (*_DRIVERS, *_WEB) and not rest.startswith("/"):
        raise ValueError(
            f"{text} has one slash behind {scheme}:, where a URL has two: give {scheme}://{rest}."
        )


def _check_not_of_windows(text: str) -> None:
    """Refuse what would be the name of a single file or folder here."""
    drive = re.match(r"([A-Za-z]):[\\/]", text)
    if os.name != "nt" and (drive or "\\" in text):
        rest = text[drive.end() - 1 if drive else 0 :].replace("\\", "/")
        where = f"/mnt/{drive[1].lower()}" if drive else ""
        raise ValueError(
            f"{text} is a path as Windows has it, and here names are parted by '/': give it so, "
            f"such as {where}{rest}{' (as WSL has it)' if drive else ''}."
        )


def is_remote(location: str) -> bool:
    """Whether it is a URL."""
    return "://" in location


def same_place(one: str, other: str) -> bool:
    """Whether two locations are one, by way of links of the file system too.

    Examples
    --------
    >>> Path("data").mkdir()
    >>> Path("link").symlink_to("data")
    >>> same_place(location_of("link/a.zarr"), location_of("data/a.zarr"))
    True
    """
    if one == other or is_remote(one) or is_remote(other):
        return one == other
    try:
        return os.path.samefile(one, other)  # noqa: PTH121
    except OSError:  # What isn't there yet.
        return os.path.realpath(one) == os.path.realpath(other)


def archive_of(location: str) -> tuple[str, str] | None:
    """The zip file in which it lies, or which it is, and the path from there; None elsewhere.

    On a disk there has to be such a file; of a URL its name alone says so.

    Examples
    --------
    >>> archive_of("s3://bucket/a.zarr.zip/labels/cells")
    ('s3://bucket/a.zarr.zip', 'labels/cells')
    """
    if not any(ending in location.lower() for ending in _ARCHIVES):
        return None
    for file, inner in ((location, ""), *folders_above(location)):
        if file.lower().endswith(_ARCHIVES) and (is_remote(file) or Path(file).is_file()):
            return file, inner
    return None


def on_disk(location: str) -> bool:
    """Whether it is a folder or file of a disk, such as Python's own functions take."""
    return not is_remote(location) and archive_of(location) is None


def can_be_listed(location: str) -> bool:
    """Whether a store tells what it has; web servers give only what is asked for by its name."""
    return not location.startswith(_ON_THE_WEB) or archive_of(location) is not None


def is_only_read(location: str) -> bool:
    """Whether it lies where nothing can be written: on a web server or in a zip archive.

    Examples
    --------
    >>> is_only_read("https://host/a.zarr"), is_only_read("s3://bucket/a.zarr")
    (True, False)
    """
    return location.startswith(_ON_THE_WEB) or archive_of(location) is not None


def check_may_be_written(location: str) -> None:
    """Refuse to write where that can't be done at all.

    Raises
    ------
    io.UnsupportedOperation
        If it lies on a web server or in a zip archive, or would be one by its name.
    """
    archive = archive_of(location)
    above = [location, *(folder for folder, _ in folders_above(location))]
    meant = [name for name in above if name.lower().endswith(_ARCHIVES)]
    if not is_remote(location) and any(not Path(name).exists() for name in meant):
        raise UnsupportedOperation(
            f"{location} can't be written: by its name {meant[0]} would be a zip, and these "
            "are only read. Choose another name, and pack the folder when it is done."
        )
    if is_only_read(location):
        what = f"{archive[0]} is a zip archive" if archive else "it lies on a web server"
        raise UnsupportedOperation(
            f"{location} can't be written: {what}, which is only read. Store what is computed "
            "on a disk, or in s3:// or gs://."
        )


def kvstore_spec(location: str, environ: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What TensorStore calls it; an S3 endpoint and region come from the usual AWS variables.

    Examples
    --------
    >>> kvstore_spec("gs://bucket/out.zarr/raw")
    {'driver': 'gcs', 'bucket': 'bucket', 'path': 'out.zarr/raw/'}
    >>> kvstore_spec("https://host/a%20b.zarr")
    {'driver': 'http', 'base_url': 'https://host/', 'path': 'a b.zarr/'}
    """
    archive = archive_of(location)
    if archive is None:
        spec = _spec(location, environ)
        below = f"{spec['path'].rstrip('/')}/"
        return spec | {"path": below if spec["path"] else ""}
    file, inner = archive
    base = _spec(file, environ)
    return {"driver": "zip", "base": base, "path": f"{inner}/" if inner else ""}


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


def _text_of(path: Any) -> str:
    text = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(text, str):
        array = hasattr(path, "shape")
        how = ": take an array in memory with Volume.from_array(array)" if array else f" {path!r}"
        raise TypeError(f"A path is a text, or one of pathlib, got {type(path).__name__}{how}.")
    return text


def _spec(location: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Of a folder, file or object itself."""
    if not is_remote(location):
        return {"driver": "file", "path": location}
    scheme, _, rest = location.partition("://")
    top, _, key = rest.partition("/")
    if scheme in _WEB:
        return {"driver": "http", "base_url": f"{scheme}://{top}/", "path": unquote(key)}
    spec = {"driver": _DRIVERS[scheme], "bucket": top, "path": key}
    return spec | (_s3_options(environ) if scheme == "s3" else {})


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
