"""How a notebook shows a volume: pictures, what is known of it, its pipeline, what a run takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from math import prod
from threading import Thread

from dask.utils import format_bytes

from ...geometry.placement import Placement
from ...pictures.flow import readable_width
from ...pictures.raster import data_url
from ...tables import by_axis, html_table
from ..frame import Frame
from ..kinds import InMemory
from ..planning import plan_without_files
from ..source import Voxels
from .at_once import is_walked_at_once, look_at, under
from .pipeline import pipeline_svg
from .sections import Section, data_urls, sections

__all__ = ["as_written", "known_of", "pictures_of", "repr_html"]

# A store that doesn't answer is not waited for.
_MOST_SECONDS = 10.0
# Arrays in memory are hashed for a plan; of more bytes it isn't made without being asked for.
_MOST_HASHED = 1 << 28
_COMPUTED = "Computed when asked: volume[roi], volume.show(roi)."


def repr_html(volume: Voxels) -> str:
    """What people want to know of a volume, in HTML that holds all of it.

    Nothing is computed for it: of a lazy volume the stored one is shown from which it is made.
    """
    parts = [pictures_of(volume), html_table(known_of(volume))]
    if volume.source.inputs:
        parts += [_drawn(volume), _planned(volume)]
    return f'<div style="max-width:100%;overflow-x:auto">{"".join(filter(None, parts))}</div>'


def known_of(volume: Voxels) -> dict[str, str]:
    """What is known of a volume without its values."""
    frame, axes = volume.frame, volume.frame.placement.block_axes
    spans = [f"{begin} to {end}" for begin, end in zip(frame.roi.begin, frame.roi.end)]
    return {
        "shape": by_axis(frame.axes, frame.shape),
        "values": f"{frame.dtype}, {format_bytes(_bytes(frame))}",
        "voxel size": as_written(frame.placement, frame.placement.written_size),
        "region": by_axis(axes, spans, frame.unit),
        "block": by_axis(axes, frame.block_shape),
        "computed from": " + ".join(map(repr, volume.source.inputs)) or "what is stored",
    }


def as_written(place: Placement, numbers: Sequence[int | float]) -> str:
    """Numbers along axes as containers write them, with their units."""
    units = [of.unit for of in place.as_written]
    if len(set(units)) == 1:
        return by_axis(place.block_axes, numbers, units[0])
    each = (f"{number} {unit}".rstrip() for number, unit in zip(numbers, units))
    return by_axis(place.block_axes, list(each))


def pictures_of(volume: Voxels) -> str:
    """Sections of the volume, or of the first that it is made from and that can be looked at."""
    found: list[str] = []
    looking = Thread(target=lambda: found.append(_looked_at(volume)), daemon=True)
    looking.start()
    looking.join(_MOST_SECONDS)
    return found[0] if found else _said(f"No picture: its store took {_MOST_SECONDS:g} s and more.")


def _looked_at(volume: Voxels) -> str:
    try:
        return next(_shown(volume), "") or _said(
            _COMPUTED if volume.source.inputs else "No picture: volume.show(roi) looks at a region."
        )
    except Exception as error:  # whatever a store or a person's source raises, the rest is shown
        return _said(f"No picture: {type(error).__name__}: {error}")


def _shown(asked: Voxels) -> Iterator[str]:
    """Of what can be looked at, the volume itself first."""
    for volume in under(asked):
        look = look_at(volume)
        if look is not None:
            planes = sections(look.volume, look.begin, look.end)
            figures = "".join(map(_figure, planes, data_urls(planes)))
            yield f"<div>{figures}</div>{_said(_about(volume, asked, look.volume.frame))}"


def _figure(plane: Section, url: str) -> str:
    title = escape(plane.title)
    return (
        f'<figure style="display:inline-block;margin:0 8px 4px 0"><img src="{url}" alt="{title}">'
        f'<figcaption style="font-size:80%">{title}</figcaption></figure>'
    )


def _about(shown: Voxels, asked: Voxels, level: Frame) -> str:
    said = []
    if shown is not asked:
        said.append(f"This is what it is computed from, {shown!r}. {_COMPUTED}")
    if level is not shown.frame:
        said.append(f"Level of {by_axis(level.axes, level.shape)}.")
    if (level.channels or 1) > 1 and not level.may_be_names:
        colours = zip(range(level.channels or 1), ("red", "green", "blue"))
        said.append(f"Channels {', '.join(f'{n} {name}' for n, name in colours)}.")
    return " ".join(said)


def _said(text: str) -> str:
    return f'<p style="margin:0 0 4px 0;font-size:80%">{escape(text)}</p>' if text else ""


def _drawn(volume: Voxels) -> str:
    svg = pipeline_svg(volume)
    url = data_url(svg.encode(), "image/svg+xml")
    # A long one is made smaller as long as it can be read, and is scrolled from there.
    style = f"max-width:100%;min-width:{readable_width(svg)}px"
    return f'<p><img src="{url}" alt="pipeline" style="{style}"></p>'


def _planned(volume: Voxels) -> str:
    """A table of what storing it takes, unless that itself takes long, or it can't be stored."""
    held = sum(_bytes(one.frame) for one in under(volume) if isinstance(one.source, InMemory))
    if held > _MOST_HASHED or not is_walked_at_once(volume):
        return _said("volume.plan() says what storing it takes.")
    try:
        return plan_without_files(volume).to_html()
    except Exception as error:  # refused for a reason that to_zarr gives too
        return _said(f"It can't be stored as it is: {error}")


def _bytes(frame: Frame) -> int:
    return prod(frame.shape) * frame.dtype.itemsize
