"""Numbers that people give: refused where they make no sense, with what is needed."""

from __future__ import annotations

import threading
from contextlib import suppress
from numbers import Integral, Real
from typing import Any

from dask.utils import parse_bytes, parse_timedelta

__all__ = [
    "check_limits",
    "check_memory",
    "check_memory_of_worker",
    "check_seconds",
    "check_whole",
    "seconds_to_wait",
]

# Less than a Python process with Dask and numpy takes: more likely meant in GB.
_LEAST_MEMORY = 50_000_000


def check_limits(num_workers: int | None, max_retries: int, timeout: float | None) -> None:
    """Refuse a number of workers, retries or seconds that makes no sense.

    Raises
    ------
    TypeError, ValueError
        If it is no number, or out of range.
    """
    if num_workers is not None:
        instead = "None stands for as many as the cluster runs"
        check_whole("num_workers", num_workers, 1, instead)
    check_whole("max_retries", max_retries, 0)
    if timeout is not None:
        check_seconds("timeout", timeout, "None sets no limit")


def check_whole(name: str, value: Any, least: int, instead: str = "") -> None:
    """Refuse what is no whole number, or too small a one.

    Parameters
    ----------
    name
        Of the argument.
    value
        What was given.
    least
        The smallest that makes sense.
    instead
        What else may be given, in half a sentence.

    Raises
    ------
    TypeError, ValueError
        If it is no whole number, or too small.

    Examples
    --------
    >>> check_whole("cores", 0, 1)
    Traceback (most recent call last):
    ValueError: cores must be at least 1, got 0.
    """
    end = f"; {instead}." if instead else "."
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}{end}")
    if value < least:
        needed = f"at least {least}" if least else "0 or more"
        raise ValueError(f"{name} must be {needed}, got {value}{end}")


def check_memory(name: str, value: Any, instead: str) -> None:
    """Refuse a memory that is none, or in which no worker could start.

    Parameters
    ----------
    name
        Of the argument.
    value : str or int
        Text such as "4GB", or bytes.
    instead
        What else may be given, in half a sentence.

    Raises
    ------
    TypeError, ValueError
        If it is no memory, or too small.

    Examples
    --------
    >>> check_memory("memory", "16", "the memory of a job")
    Traceback (most recent call last):
    ValueError: memory must be text such as "4GB"; the memory of a job. Got '16', which is 16 bytes.
    """
    needed = f'{name} must be text such as "4GB"; {instead}. Got {value!r}'
    if not isinstance(value, str | Real) or isinstance(value, bool):
        raise TypeError(f"{needed}.")
    try:
        size = parse_bytes(value) if isinstance(value, str) else int(float(value))
    except (ValueError, OverflowError):
        raise ValueError(f"{needed}, which is no size.") from None
    if size < _LEAST_MEMORY:
        raise ValueError(f"{needed}, which is {size} bytes.")


def check_memory_of_worker(name: str, memory: Any) -> None:
    """Refuse what is no memory of a worker on this machine.

    Raises
    ------
    TypeError, ValueError
    """
    is_share = isinstance(memory, float) and 0 < memory <= 1
    if memory not in (None, "auto", 0) and not is_share:
        instead = "a share of the machine's memory such as 0.5; 0 for no limit"
        check_memory(name, memory, instead)


def check_seconds(name: str, value: Any, instead: str) -> None:
    """Refuse what is no length of time, or one that no timer takes.

    Parameters
    ----------
    name
        Of the argument.
    value
        What was given.
    instead
        What else may be given, in half a sentence.

    Raises
    ------
    TypeError, ValueError
        If it is no number, or not a positive one.

    Examples
    --------
    >>> check_seconds("timeout", 0, "None sets no limit")
    Traceback (most recent call last):
    ValueError: timeout must be a positive number of seconds, got 0; None sets no limit.
    """
    needed = f"{name} must be a positive number of seconds, got {value!r}; {instead}."
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(needed)
    if not 0 < float(value) <= threading.TIMEOUT_MAX:
        raise ValueError(needed)


def seconds_to_wait(workers_timeout: float | str | None) -> float | None:
    """Seconds that a run may wait while it has no worker; None where nobody sets a limit.

    Raises
    ------
    TypeError, ValueError
        If it is no length of time.

    Examples
    --------
    >>> seconds_to_wait("2h"), seconds_to_wait(90)
    (7200.0, 90.0)
    """
    if workers_timeout is None:
        return None
    seconds: Any = workers_timeout
    if isinstance(workers_timeout, str):
        with suppress(KeyError, ValueError):
            seconds = parse_timedelta(workers_timeout)
    check_seconds("workers_timeout", seconds, 'or text such as "2h"; None waits without end')
    return float(seconds)
