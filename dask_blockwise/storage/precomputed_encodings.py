"""What precomputed data can hold, and in which encoding."""

from __future__ import annotations

from collections.abc import Collection, Mapping

__all__ = ["check_encoding", "usual_encoding"]

# By encoding, the types of values that it holds, and the numbers of channels; none for any.
_ENCODINGS: Mapping[str, tuple[Collection[str], Collection[int]]] = {
    "raw": (("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "float32"), ()),
    "png": (("uint8", "uint16"), (1, 2, 3, 4)),
    "jpeg": (("uint8",), (1, 3)),
    "compressed_segmentation": (("uint32", "uint64"), ()),
}
_NEAREST = {"bool": "uint8", "int64": "uint64", "float16": "float32", "float64": "float32"}


def usual_encoding(dtype: str, segmentation: bool) -> str:
    """That of which a viewer reads least, without loss.

    Examples
    --------
    >>> usual_encoding("uint64", True), usual_encoding("uint8", False)
    ('compressed_segmentation', 'raw')
    """
    wide = dtype in _ENCODINGS["compressed_segmentation"][0]
    return "compressed_segmentation" if segmentation and wide else "raw"


def check_encoding(encoding: str, dtype: str, channels: int, segmentation: bool) -> None:
    """Refuse what precomputed data can't hold, or not in this encoding.

    Raises
    ------
    ValueError
    """
    if encoding not in _ENCODINGS:
        raise ValueError(f"encoding is one of {', '.join(_ENCODINGS)}, got {encoding!r}.")
    everything = _ENCODINGS["raw"][0]
    if dtype not in everything:
        raise ValueError(
            f"Precomputed data hold {', '.join(everything)}, and this volume is {dtype}: convert "
            f"it, such as volume.astype({_NEAREST.get(dtype, 'float32')!r})."
        )
    dtypes, counts = _ENCODINGS[encoding]
    if dtype not in dtypes or (counts and channels not in counts):
        held = " or ".join(dtypes) + (
            f" of {' or '.join(map(str, counts))} channels" * bool(counts)
        )
        raise ValueError(
            f"encoding={encoding!r} holds {held}, and this volume is {dtype} of {channels}: leave "
            "encoding out, or give 'raw'."
        )
    if segmentation and (channels != 1 or not dtype.startswith("uint") or encoding == "jpeg"):
        raise ValueError(
            "A segmentation has one channel of unsigned integers, which jpeg would change, and "
            f"this volume has {channels} of {dtype}, as {encoding}: convert it, "
            "volume.astype('uint64'), or give segmentation=False for an image."
        )
