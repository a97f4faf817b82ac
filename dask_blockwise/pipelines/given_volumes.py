"""What is given to a stage as a volume, and is none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from typing import Any

__all__ = ["check_volumes", "volume_check"]

# Annotations of arguments that are volumes, or may be left out.
_VOLUMES = ("Volume", "Volume | None")


def volume_check(name: str, function: Callable[..., Any]) -> Callable[..., None]:
    """A function that refuses what a stage's function is called with, where that is no volume.

    Parameters
    ----------
    name : str
        What the stage is called.
    function : callable
        Its arguments that are annotated as ``Volume`` are looked at, and as ``Volume | None``.

    Examples
    --------
    >>> def smooth(volume: Volume, sigma=1): ...
    >>> volume_check("smooth", smooth)([[1, 2]], {"sigma": 2})
    Traceback (most recent call last):
    TypeError: smooth needs a Volume as its volume, got list: open what is stored with
    open_volume(path), or make a volume of an array with Volume.from_array(array).
    """
    called = signature(function)
    volumes = {key for key, each in called.parameters.items() if each.annotation in _VOLUMES}

    def check(given: Sequence[Any], named: Mapping[str, Any]) -> None:
        try:
            arguments = called.bind_partial(*given, **named).arguments
        except TypeError:
            # Which the function says itself.
            return
        for key in volumes & arguments.keys():
            parameter = called.parameters[key]
            several = parameter.kind is Parameter.VAR_POSITIONAL
            for value in arguments[key] if several else [arguments[key]]:
                if value is not parameter.default:
                    check_volumes(name, **{key: value})

    return check


def check_volumes(name: str, **given: Any) -> None:
    """Refuse what a function is given as volumes, and is none, such as a path or an array.

    Parameters
    ----------
    name : str
        Of the function.
    **given
        By the names of its arguments.

    Raises
    ------
    TypeError

    Examples
    --------
    >>> check_volumes("evaluate", truth="truth.zarr")
    Traceback (most recent call last):
    TypeError: evaluate needs a Volume as its truth, got str: open what is stored with
    open_volume(path), or make a volume of an array with Volume.from_array(array).
    """
    for key, value in given.items():
        if not hasattr(value, "frame"):
            raise TypeError(
                f"{name} needs a Volume as its {key}, got {type(value).__name__}: open what is "
                "stored with open_volume(path), or make a volume of an array with "
                "Volume.from_array(array)."
            )
