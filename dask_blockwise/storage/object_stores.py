"""Objects of buckets and web servers, with what TensorStore doesn't tell: tags and conditions.

The one door to obstore.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from configparser import ConfigParser
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, unquote
from urllib.request import Request, urlopen

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    GenericError,
    NotFoundError,
    NotSupportedError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import GCSStore, HTTPStore, ObjectStore, S3Store

from .documents import store_error

__all__ = [
    "NoConditions",
    "StoredObject",
    "delete_object",
    "find_object",
    "list_folder",
    "list_objects",
    "put_object",
    "read_object",
    "store_of",
]

# What a server says that doesn't know the request, or its conditions.
_UNKNOWN_REQUEST = ("400 Bad Request", "405 Method Not Allowed", "501 Not Implemented")

_LISTED_AT_ONCE = 1000
# Any of these leads to credentials that the library finds by itself.
_S3_KEYS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_GS_KEYS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_SERVICE_ACCOUNT",
    "GOOGLE_SERVICE_ACCOUNT_PATH",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
)
_GS_FILE = ".config/gcloud/application_default_credentials.json"
_ANONYMOUS = {"skip_signature": True}
# In a machine of the cloud, credentials come from the machine's own service.
_MACHINE = Path("/sys/class/dmi/id")


@dataclass(frozen=True)
class StoredObject:
    """What a store says of an object without reading it."""

    # Below the location that was asked.
    name: str
    size: int
    # Another one whenever the content is.
    tag: str
    # As the store's own clock has it.
    modified: datetime
    # What a put under a condition needs, of an object that was asked for by its name.
    version: Mapping[str, str]


def store_of(location: str, environ: Mapping[str, str] = os.environ) -> ObjectStore:
    """The store of all objects below a location in a bucket or on a web server.

    Endpoint, region and credentials are those of TensorStore: from the variables of AWS and
    Google, files of credentials, or the machine's service; without any it is asked anonymously.
    """
    scheme, _, rest = location.partition("://")
    if scheme.startswith("http"):
        return _web_store(location)
    bucket, _, prefix = rest.partition("/")
    options = _s3_options(bucket, environ) if scheme == "s3" else _gs_options(environ)
    return _store(scheme, bucket, prefix, tuple(sorted(options.items())))


def list_objects(location: str) -> Iterator[StoredObject]:
    """All objects below a location, in one listing.

    Raises
    ------
    OSError
        If it can't be listed.
    """
    with _errors(location, "listed"):
        for some in obstore.list(store_of(location), chunk_size=_LISTED_AT_ONCE):
            yield from (_told(each) for each in some)


def list_folder(location: str) -> tuple[list[str], list[str]]:
    """Names of what lies right below a location, of folders and of objects.

    Raises
    ------
    OSError
        If it can't be listed.
    """
    with _errors(location, "listed"):
        found = obstore.list_with_delimiter(store_of(location))
    folders = [prefix.rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"]]
    return folders, [each["path"].rpartition("/")[2] for each in found["objects"]]


def find_object(location: str, name: str) -> StoredObject | None:
    """What the store says of one object now; None where there is none."""
    with _errors(f"{location}/{name}", "read"):
        try:
            return _told(obstore.head(store_of(location), name))
        except (FileNotFoundError, NotFoundError):
            return None


class NoConditions(OSError):
    """A store doesn't know how to put an object only if nobody else did."""


def read_object(location: str, name: str) -> bytes | None:
    """Its content; None where there is none."""
    with _errors(f"{location}/{name}", "read"):
        try:
            return bytes(obstore.get(store_of(location), name).bytes())
        except (FileNotFoundError, NotFoundError):
            return None


def put_object(
    location: str, name: str, content: bytes, instead_of: Mapping[str, str] | None
) -> Mapping[str, str] | None:
    """Put an object where there is none, or in place of one very version.

    Parameters
    ----------
    location, name : str
    content : bytes
    instead_of : mapping or None
        The version that has to be there still; none may be there where it is None.

    Returns
    -------
    mapping or None
        The new version; None where another was first.

    Raises
    ------
    NoConditions
        If the store doesn't know of conditions.
    OSError
        If the store can't be written.
    """
    mode: Any = "create" if instead_of is None else dict(instead_of)
    with _errors(f"{location}/{name}", "written"):
        try:
            put = obstore.put(store_of(location), name, content, mode=mode, use_multipart=False)
        except (AlreadyExistsError, FileExistsError, PreconditionError):
            return None
        except (NotSupportedError, GenericError) as error:
            if any(answer in str(error) for answer in _UNKNOWN_REQUEST):
                raise NoConditions(f"{location} can't be written under conditions") from error
            raise
        except (FileNotFoundError, NotFoundError):
            if instead_of is None:
                raise
            return None
    return _version(put)


def delete_object(location: str, name: str) -> None:
    """Delete an object, if it is there."""
    with _errors(f"{location}/{name}", "removed"):
        try:
            obstore.delete(store_of(location), name)
        except (FileNotFoundError, NotFoundError):
            return


def _told(meta: Any) -> StoredObject:
    # Listings of Google have no quotes around it.
    tag = (meta["e_tag"] or str(meta["last_modified"])).strip('"')
    return StoredObject(meta["path"], meta["size"], tag, meta["last_modified"], _version(meta))


def _version(meta: Any) -> dict[str, str]:
    return {key: meta[key] for key in ("e_tag", "version") if meta[key]}


@contextmanager
def _errors(path: str, done: str) -> Iterator[None]:
    """What the library says, without its traces of requests, and of which path."""
    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise store_error(path, done, OSError("Permission denied")) from error
    except NoConditions:
        raise
    except (BaseError, OSError) as error:
        said = str(error).partition("\n")[0].partition("<?xml")[0]
        raise store_error(path, done, ValueError(said)) from error


@lru_cache(maxsize=256)
def _web_store(location: str) -> ObjectStore:
    scheme, _, rest = location.partition("://")
    host, _, path = rest.partition("/")
    options: Any = {"allow_http": True}
    url = f"{scheme}://{host}/{quote(unquote(path))}"
    return HTTPStore(url, client_options=options, retry_config={"max_retries": 2})


@lru_cache(maxsize=256)
def _store(scheme: str, bucket: str, prefix: str, options: tuple[Any, ...]) -> ObjectStore:
    settings: dict[str, Any] = dict(options)
    base = settings.get("endpoint", settings.get("base_url", ""))
    settings["client_options"] = {"allow_http": base.startswith("http://")}
    kind = S3Store if scheme == "s3" else GCSStore
    return kind(bucket, prefix=prefix or None, **settings)


def _s3_options(bucket: str, environ: Mapping[str, str]) -> dict[str, Any]:
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
    if not region:
        region = "us-east-1" if endpoint else _region_of(bucket)
    options: dict[str, Any] = {"region": region} | ({"endpoint": endpoint} if endpoint else {})
    if not any(environ.get(name) for name in _S3_KEYS):
        found: dict[str, Any] = dict(_profile(environ))
        options |= found or ({} if _is_machine_of("Amazon") else _ANONYMOUS)
    return options


def _profile(environ: Mapping[str, str]) -> dict[str, str]:
    """Keys of the file of credentials, which the library doesn't read."""
    files = ConfigParser(interpolation=None)
    files.read(environ.get("AWS_SHARED_CREDENTIALS_FILE") or Path.home() / ".aws/credentials")
    name = environ.get("AWS_PROFILE", "default")
    profile = dict(files[name]) if files.has_section(name) else {}
    keys = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key"}
    keys |= {"aws_session_token": "session_token"}
    return {ours: profile[theirs] for theirs, ours in keys.items() if theirs in profile}


@lru_cache
def _region_of(bucket: str) -> str:
    """A bucket's region, which S3 tells whoever asks."""
    asked = Request(f"https://s3.amazonaws.com/{bucket}", method="HEAD")
    try:
        with urlopen(asked, timeout=10) as answer:
            headers = answer.headers
    except HTTPError as error:
        headers = error.headers
    except OSError:
        return "us-east-1"
    return headers.get("x-amz-bucket-region") or "us-east-1"


def _gs_options(environ: Mapping[str, str]) -> dict[str, Any]:
    url, token = (
        environ.get(name) for name in ("TENSORSTORE_GCS_HTTP_URL", "GOOGLE_AUTH_TOKEN_FOR_TESTING")
    )
    options: dict[str, Any] = {"base_url": url} if url else {}
    if token:
        return options | {"bearer_token": token}
    known = any(environ.get(name) for name in _GS_KEYS) or (Path.home() / _GS_FILE).is_file()
    return options if known or _is_machine_of("Google") else options | _ANONYMOUS


def _is_machine_of(vendor: str) -> bool:
    try:
        return vendor in (_MACHINE / "sys_vendor").read_text()
    except OSError:
        return False
