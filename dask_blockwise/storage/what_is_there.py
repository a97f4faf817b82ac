"""Why no array can be opened at a path, and which could be."""

from __future__ import annotations

from pathlib import Path

from .arrays_below import may_be_array
from .documents import has_document, is_denied, list_names
from .formats import arrays_within, is_noticed, titles
from .groups import some_of
from .level_paths import images_below
from .location import archive_of, can_be_listed, location_of, nearest_names, on_disk

__all__ = ["what_is_there"]

_TELLING = ("zarr.json", ".zarray", "attributes.json", "info")
# A home folder or the root may hold millions.
_FOLDERS_SEARCHED = 2000
_LIBRARIES = {
    (".npz",): "numpy (np.load)",
    (".nii", ".nii.gz"): "nibabel",
    (".nrrd", ".nhdr", ".mha", ".mhd"): "SimpleITK",
    (".czi", ".lif", ".nd2", ".oib", ".ims"): "bioio",
    (".png", ".jpg", ".jpeg", ".bmp", ".gif"): "imageio",
}


def what_is_there(given: str) -> str:
    """Why no array can be opened at a path, and which could be."""
    location = location_of(given)
    if not on_disk(location):
        return f"No array at {given}{_why_not_there(location)}"
    within = arrays_within(location)
    if within is not None:
        return f"No array at {given}. Its file has {some_of(within)}."
    if not Path(location).exists():
        return f"No array at {given}: there is no such file or folder. {nearest_names(location)}."
    if Path(location).is_file():
        return (
            f"{given} is a file, and arrays are opened from {titles()}: "
            f"read it with a library for its kind, such as {_library_for(given)}, and make a "
            "volume of what that gives, Volume.from_array(array, voxel_size=...)."
        )
    below = images_below(given, _FOLDERS_SEARCHED)
    hint = f"Arrays below it: {some_of(below)}." if below else "Nor was one found below it."
    return f"No array at {given}. {hint} Open one of {titles()}."


def _library_for(name: str) -> str:
    known = (library for ends, library in _LIBRARIES.items() if name.lower().endswith(ends))
    return next(known, "mrcfile")


def _why_not_there(location: str) -> str:
    """What is to be done where nothing was found in a bucket, on a web server or in an archive."""
    archive = archive_of(location)
    file, inner = archive or (location, location)
    if any(is_noticed(part) for part in inner.split("/")):
        return ": single files are opened from a disk, copy it to one."
    if archive is not None and has_document(*file.rsplit("/", 1)):
        within = _arrays_in_archive(file)
        return f". Its archive has {some_of(within) if within else 'no array'}."
    if any(is_denied(location, name) for name in _TELLING):
        return ": its metadata may not be read. Check the address, and ask for access."
    if not can_be_listed(location):
        return ": check the address; of an image below it, give the path to the end."
    return ": check the path, and that its bucket may be read."


def _arrays_in_archive(file: str) -> list[str]:
    folders = (name.rpartition("/")[0] for name in list_names(file) if is_noticed(Path(name).name))
    return [folder for folder in dict.fromkeys(folders) if may_be_array(f"{file}/{folder}")]
