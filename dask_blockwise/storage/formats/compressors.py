"""How chunks of new arrays are compressed: by name and level, or by a codec's own settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numcodecs
from zarr.codecs import BloscCodec, Crc32cCodec, GzipCodec, ZstdCodec

__all__ = ["codec_for", "known_compressor"]

_Codecs = Mapping[str, tuple[range, int, Callable[[int], Any]]]

# Levels, the one unless given, and the codec. zstd ends each frame in its checksum, also within
# shards, so that a reader notices a bit that changed on disk; gzip too. blosc has none of its own.
_ZARR3: _Codecs = {
    "zstd": (range(1, 23), 3, lambda n: ZstdCodec(level=n, checksum=True)),
    "gzip": (range(10), 5, lambda n: GzipCodec(level=n)),
    "blosc": (range(10), 5, lambda n: _blosc_with_checksum("zstd", n)),
    "lz4": (range(10), 1, lambda n: _blosc_with_checksum("lz4", n)),
}
# TensorStore knows no checksum in zarr 2.
_ZARR2: _Codecs = {
    "zstd": (range(1, 23), 3, lambda n: numcodecs.Zstd(level=n)),
    "gzip": (range(10), 5, lambda n: numcodecs.GZip(level=n)),
    "zlib": (range(10), 5, lambda n: numcodecs.Zlib(level=n)),
    "bz2": (range(1, 10), 5, lambda n: numcodecs.BZ2(level=n)),
    "blosc": (range(10), 5, lambda n: numcodecs.Blosc("zstd", n, numcodecs.Blosc.SHUFFLE)),
    "lz4": (range(10), 1, lambda n: numcodecs.Blosc("lz4", n, numcodecs.Blosc.SHUFFLE)),
}
_OF_FORMAT = {2: _ZARR2, 3: _ZARR3}
_CLASSES: Mapping[str, Any] = {"zstd": ZstdCodec, "gzip": GzipCodec, "blosc": BloscCodec}


def known_compressor(given: Any) -> str | dict[str, Any] | None:
    """A compressor as JSON can hold it.

    Parameters
    ----------
    given : str, (str, int), mapping, codec or None
        A name such as ``"zstd"``, with a level ``"zstd:9"`` or ``("zstd", 9)``; the settings of a
        codec as metadata have them, ``{"name": "gzip", "configuration": {"level": 5}}`` in zarr 3
        and ``{"id": "zlib", "level": 1}`` in zarr 2; a codec of zarr or numcodecs, which is one of
        these; or None for none.

    Raises
    ------
    TypeError
        If it is something else.

    Examples
    --------
    >>> known_compressor(("zstd", 9)), known_compressor(numcodecs.Zlib(level=2))
    ('zstd:9', {'id': 'zlib', 'level': 2})
    """
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, tuple) and len(given) == 2:
        return f"{given[0]}:{given[1]}"
    for settings in ("to_dict", "get_config"):
        if hasattr(given, settings):
            given = getattr(given, settings)()
    if isinstance(given, Mapping):
        return dict(given)
    raise TypeError(
        f"compressor is a name such as 'zstd', with a level 'zstd:9', a codec of zarr or "
        f"numcodecs or its settings, or None for none; got {given!r}."
    )


def codec_for(compressor: str | Mapping[str, Any] | None, zarr_format: int) -> Any:
    """The codec, or codecs, that a compressor stands for; None for none.

    Raises
    ------
    ValueError
        If arrays of this format aren't written with it here, or the level isn't one of its.
    """
    if compressor is None:
        return None
    if isinstance(compressor, str):
        return _named(compressor, zarr_format)
    name = compressor.get("id" if zarr_format == 2 else "name")
    if name not in (_ZARR2 if zarr_format == 2 else _CLASSES):
        raise _unknown(compressor, zarr_format)
    try:
        if zarr_format == 2:
            codec = numcodecs.get_codec(dict(compressor))
            codec.encode(b"\0")  # which sees what it was made with
            return codec
        return _CLASSES[str(name)].from_dict(dict(compressor))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The compressor {dict(compressor)} isn't understood: {error}.") from error


def _blosc_with_checksum(name: Literal["zstd", "lz4"], level: int) -> Any:
    return BloscCodec(cname=name, clevel=level, shuffle="shuffle"), Crc32cCodec()


def _named(text: str, zarr_format: int) -> Any:
    name, _, level = text.partition(":")
    if name not in _OF_FORMAT[zarr_format]:
        raise _unknown(text, zarr_format)
    levels, usual, make = _OF_FORMAT[zarr_format][name]
    try:
        chosen = int(level) if level else usual
    except ValueError:
        chosen = levels.stop
    if chosen not in levels:
        raise ValueError(
            f"The level of {name} is a whole number from {levels.start} to {levels.stop - 1}, got "
            f"{text!r}."
        )
    return make(chosen)


def _unknown(compressor: Any, zarr_format: int) -> ValueError:
    keys = {2: "'id'", 3: "'name' and 'configuration'"}[zarr_format]
    if isinstance(compressor, Mapping) and zarr_format == 3:
        keys += f", of {', '.join(_CLASSES)}"
    return ValueError(
        f"Arrays of zarr {zarr_format} are written here with one of "
        f"{', '.join(_OF_FORMAT[zarr_format])}, by name, with a level as in 'zstd:9', or settings "
        f"with {keys}; or with None for no compression. Got {compressor!r}."
    )
