"""Single files that are written for people beside what is stored: reports, pictures, pipelines."""

from __future__ import annotations

import os
from pathlib import Path

from .location import is_remote, location_of, plain_path

__all__ = ["file_to_write"]


def file_to_write(path: str | os.PathLike[str], what: str) -> Path:
    """The path of such a file, seen to be one that can be written.

    Parameters
    ----------
    path : path
    what : str
        What it will be, for people, such as ``"the report"``.

    Raises
    ------
    ValueError
        If it is no path of this system's disks.
    FileNotFoundError
        If its folder isn't there.

    Examples
    --------
    >>> file_to_write("run.html", "the report").name
    'run.html'
    >>> file_to_write("s3://bucket/run.html", "the report")
    Traceback (most recent call last):
    ValueError: s3://bucket/run.html is in no folder of this machine, where the report is written...
    """
    if is_remote(location_of(path)):
        raise ValueError(
            f"{path} is in no folder of this machine, where {what} is written: give a local path, "
            "and copy it from there."
        )
    file = Path(plain_path(path)).expanduser()
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{file.parent}, where {what} is to go, isn't there: make it.")
    return file
