"""Reading a file of a pipeline: checked as a whole, before anything of it is made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from .lines import Document, FileError, read_document
from .refusals import no_such, sentences, short
from .schema import key_of, parameters_of, schema_of, takes_volume
from .stages import Stage, all_stages

__all__ = ["Entry", "Output", "Part", "PipelineFile", "first_of", "read_pipeline"]

_PARTS = ("volumes", "store", "cluster")
# What is masked is a volume of the file.
_NOT_TO_STORE = ("volume", "client", "progress", "objects", "mask")


@dataclass(frozen=True)
class Part:
    """What a function is to be given."""

    arguments: Mapping[str, Any]
    # Where that stands in the file, for people.
    place: str


@dataclass(frozen=True)
class Output(Part):
    """What a function is to be given that stores a volume."""

    # Which function, by name.
    to: str


@dataclass(frozen=True)
class Entry:
    """A volume of a file: its stage, and what that is given."""

    stage: Stage
    given: Part
    # Parameters that are volumes of the file, by name or names; numbers may be among these.
    inputs: Mapping[str, Any]

    @property
    def needs(self) -> list[str]:
        """Names of the volumes that it is made of."""
        return [name for value in self.inputs.values() for name in _names_in(value)]


@dataclass(frozen=True)
class PipelineFile:
    """What a file says, checked."""

    document: Document
    entries: Mapping[str, Entry]
    # What is stored, by name of its volume.
    stored: Mapping[str, Output]
    cluster: Part | None

    @property
    def order(self) -> list[str]:
        """Names of volumes, each after those that it is made of."""
        found: dict[str, None] = {}
        for name in self.entries:
            self._after_its_inputs(name, found, ())
        return list(found)

    def _after_its_inputs(self, name: str, found: dict[str, None], above: tuple[str, ...]) -> None:
        if name in found:
            return
        if name in above:
            circle = " < ".join((*above[above.index(name) :], name))
            raise FileError(f"{self.entries[name].given.place}: is made of itself: {circle}.")
        for needed in self.entries[name].needs:
            self._after_its_inputs(needed, found, (*above, name))
        found[name] = None


def read_pipeline(
    text: str,
    name: str,
    storing: Mapping[str, Callable[..., Any]],
    cluster: Callable[..., Any],
) -> PipelineFile:
    """Check what a file says.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for people.
    storing : mapping of callable
        Functions whose keywords ``store`` takes, by what it calls them under ``to``; the first
        unless given.
    cluster : callable
        A function whose keywords ``cluster`` takes.

    Raises
    ------
    FileError
        With all that is wrong, each with its line and key.
    """
    document = read_document(text, name)
    wrong: list[str] = []
    parts = _parts(document, wrong)
    entries = {
        key: entry
        for key, value in parts["volumes"].items()
        if (entry := _entry(document, key, value, wrong)) is not None
    }
    wrong.extend(_unknown_inputs(document, entries, parts["volumes"]))
    stored = _stored(document, parts, storing, wrong)
    of_cluster = _cluster(document, parts["cluster"], cluster, wrong)
    if wrong:
        raise FileError("\n".join(dict.fromkeys(wrong)))
    found = PipelineFile(document, entries, stored, of_cluster)
    _ = found.order  # which refuses circles
    return found


def _parts(document: Document, wrong: list[str]) -> dict[str, dict[Any, Any]]:
    """The file's three parts, empty where one isn't there."""
    values = document.values
    if not isinstance(values, dict) or not values.get("volumes"):
        raise FileError(
            f"{document.place(())} a pipeline has volumes, each with its stage, such as "
            "{volumes: {raw: {open: in.zarr/raw}}}."
        )
    for key in values:
        if key not in _PARTS:
            wrong.append(f"{document.place((key,))}: {no_such(key, _PARTS, 'a pipeline')}")
    parts = {key: values.get(key) or {} for key in _PARTS}
    for key, value in parts.items():
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            needed = "needs names, and what each is"
            wrong.append(f"{document.place((key,))}: {needed}, got {short(value)}.")
            parts[key] = {}
    return parts


def _entry(document: Document, key: Any, value: Any, wrong: list[str]) -> Entry | None:
    path, stages = ("volumes", key), all_stages()
    if not isinstance(value, dict):
        wrong.append(
            f"{document.place(path)}: a volume is its stage and what that is given, such as "
            f"{{open: in.zarr/raw}}, got {short(value)}."
        )
        return None
    chosen = [word for word in value if word in stages]
    if not chosen:
        near = [near for word in value for near in get_close_matches(str(word), stages, 1)]
        hint = f" Did you mean {near[0]}?" if near else ""
        if any(":" in str(word) for word in value):
            hint = " Behind a name stand ': ', with a space, and its value."
        wrong.append(
            f"{document.place(path)}: has no stage, got {', '.join(map(str, value))}: it needs one "
            f"of {', '.join(sorted(stages))}.{hint}"
        )
        return None
    # A stage may have a parameter that is called as another stage is, such as threshold.
    stage = stages[chosen[0]]
    parameters = parameters_of(stage.function)
    first = first_of(parameters)
    model = schema_of(stage.name, stage.function, but=("client", "progress"), first=first)
    found = _checked(document, path, model, value, wrong)
    if found is None:
        return None
    inputs = {
        name: found[name]
        for name, (_, annotation) in parameters.items()
        if takes_volume(annotation) and _names_in(found.get(name))
    }
    others = {name: value for name, value in found.items() if name not in inputs}
    return Entry(stage, Part(others, document.place(path)), inputs)


def _names_in(value: Any) -> list[str]:
    """The volumes that are named, among which numbers or regions may be."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def first_of(parameters: Mapping[str, tuple[Any, Any]]) -> str:
    """The parameter that is given under a stage's name: its first volume, or its first."""
    volumes = [name for name, (_, annotation) in parameters.items() if takes_volume(annotation)]
    return volumes[0] if volumes else next(iter(parameters))


def _unknown_inputs(
    document: Document, entries: Mapping[str, Entry], volumes: Mapping[Any, Any]
) -> Iterator[str]:
    for key, entry in entries.items():
        first = first_of(parameters_of(entry.stage.function))
        for parameter, value in entry.inputs.items():
            path = ("volumes", key, key_of(entry.stage.name, parameter, first))
            for needed in _names_in(value):
                if needed not in volumes:
                    unknown = no_such(needed, list(volumes), "volumes")
                    yield f"{document.place(path)}: {unknown}"


def _stored(
    document: Document,
    parts: Mapping[str, dict[Any, Any]],
    storing: Mapping[str, Callable[..., Any]],
    wrong: list[str],
) -> dict[str, Output]:
    found = {}
    for name, value in parts["store"].items():
        path = ("store", name)
        if name not in parts["volumes"]:
            wrong.append(f"{document.place(path)}: {no_such(name, parts['volumes'], 'volumes')}")
        given = dict(value) if isinstance(value, dict) else {"path": value}
        to = given.pop("to", next(iter(storing)))
        if to not in storing:
            wrong.append(f"{document.place((*path, 'to'))}: {no_such(to, storing, 'to')}")
            continue
        model = schema_of("store", storing[to], but=_NOT_TO_STORE)
        if (checked := _checked(document, path, model, given, wrong)) is not None:
            found[name] = Output(checked, document.place(path), to)
    return found


def _cluster(
    document: Document, value: dict[Any, Any], cluster: Callable[..., Any], wrong: list[str]
) -> Part | None:
    if not value:
        return None
    model = schema_of("cluster", cluster)
    found = _checked(document, ("cluster",), model, value, wrong)
    return None if found is None else Part(found, document.place(("cluster",)))


def _checked(
    document: Document,
    path: tuple[Any, ...],
    model: type[BaseModel],
    given: dict[Any, Any],
    wrong: list[str],
) -> dict[str, Any] | None:
    """What a function is given, by its parameters; none where something is wrong."""
    odd = [key for key in given if not isinstance(key, str)]
    if odd:
        wrong.append(f"{document.place((*path, odd[0]))}: keys are names.")
        return None
    try:
        made = model.model_validate(given)
    except ValidationError as error:
        wrong.extend(sentences(document, path, model, given, error))
        return None
    given_fields = made.model_fields_set & set(model.model_fields)
    return {name: getattr(made, name) for name in given_fields} | (made.model_extra or {})
