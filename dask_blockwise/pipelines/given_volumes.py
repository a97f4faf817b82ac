"""What is given to a stage as a volume, and is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

__all__ = ["volume_check"]


def volume_check(name: str, function: Callable[..., Any]) -> Callable[..., None]:
    """A function that refuses what a stage's function is called with, where that is no volume.

    Parameters
    ----------
    name : str
        What the stage is called.
    function : callable
        Its arguments that are annotated as ``Volume`` are looked at.

    Examples
    --------
    >>> def smooth(volume: Volume, sigma=1): ...
    >>> volume_check("smooth", smooth)([[1, 2]], {"sigma": 2})
    Traceback (most recent call last):
    TypeError: smooth takes a volume as volume, got list: open what is stored with
    open_volume(path), or make a volume of an array with Volume.from_array(array).
    """
    called = signature(function)
    volumes = {key for key, each in called.parameters.items() if each.annotation == "Volume"}

    def check(given: Sequence[Any], named: Mapping[str, Any]) -> None:
        try:
            arguments = called.bind_partial(*given, **named).arguments
        except TypeError:
            # Which the function says itself.
            return
        for key in volumes & arguments.keys():
            several = called.parameters[key].kind is Parameter.VAR_POSITIONAL
            for value in arguments[key] if several else [arguments[key]]:
                _refuse_none(name, key, value)

    return check


def _refuse_none(name: str, key: str, value: Any) -> None:
    if not hasattr(value, "frame"):
        raise TypeError(
            f"{name} takes a volume as {key}, got {type(value).__name__}: open what is stored "
            "with open_volume(path), or make a volume of an array with Volume.from_array(array)."
        )
