"""By which stages a volume is made: each as a person calls it, with what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from json import dumps
from typing import Any

from ..pipelines.calls import Call
from ..recipes import recipe_of
from ..recipes.sentences import shown
from .lineage import call_of, place_of
from .options import OF_THE_RUN
from .source import Voxels

__all__ = ["parameters_in_words", "stages_of"]

_NO_PARAMETERS = {"inputs", "frame", "array", "stored", "axes", "of"}


def stages_of(volume: Voxels) -> Iterator[dict[str, Any]]:
    """Each stage once, after those that it is computed from, as records have it.

    A stage of a file goes by the name that it has there, and by what it was given; another source
    by its title and all that its values depend on.

    Examples
    --------
    >>> import numpy as np
    >>> from dask_blockwise import Volume, connected_components, relabel
    >>> mask = Volume.from_array(np.eye(4, dtype=np.uint8))
    >>> objects = relabel(connected_components(mask), match="touch", min_size=2)
    >>> for stage in stages_of(objects):
    ...     print(stage["stage"], parameters_in_words(stage["parameters"]))
    array
    connected_components connectivity=1
    relabel match="touch", min_size=2
    """
    yield from _stages(volume, set())


def parameters_in_words(parameters: Any) -> str:
    """What a record has of a stage's parameters, as a call has them."""
    given = parameters.items() if isinstance(parameters, Mapping) else ()
    return ", ".join(f"{name}={_word(value)}" for name, value in given)


def _word(value: Any) -> str:
    return dumps(value, ensure_ascii=False) if isinstance(value, str) else shown(value)


def _stages(volume: Voxels, seen: set[int]) -> Iterator[dict[str, Any]]:
    if id(volume) in seen:
        return
    seen.add(id(volume))
    call = call_of(volume)
    # What relabel is given, say, and not what it reads of that.
    for inner in (call.volumes if call else ()) or volume.source.inputs:
        yield from _stages(inner, seen)
    path = place_of(volume)
    yield {
        "stage": volume.source.title if call is None else call.stage,
        "path": path,
        "shape": volume.frame.shape,
        "dtype": volume.frame.dtype.str,
        "token": volume.token,
        "parameters": _of_source(volume) if call is None else _given(call, path),
    }


def _given(call: Call, path: str | None) -> Any:
    """What is known of what is stored by its array is said if it was given, but not its path."""
    parameters = {n: value for n, value in call.parameters.items() if n not in OF_THE_RUN}
    if path is not None:
        asked = {*call.arguments} - {"path"}
        parameters = {name: value for name, value in parameters.items() if name in asked}
    return recipe_of(parameters)


def _of_source(volume: Voxels) -> dict[str, Any]:
    """All that its values depend on but what it is computed from."""
    of: Any = recipe_of(volume.source)
    return {key: part for key, part in of.get("state", of).items() if key not in _NO_PARAMETERS}
