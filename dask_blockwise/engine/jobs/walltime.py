"""Time limits of jobs, as people and batch systems write them."""

from __future__ import annotations

import re

from dask.utils import parse_timedelta

__all__ = ["seconds_of", "written"]


def written(walltime: str, for_lsf: bool) -> str:
    """A time limit as a batch system writes it, where it is given as text that all understand.

    Parameters
    ----------
    walltime
        Such as ``"2h"``, ``"90 minutes"`` or ``"24:00:00"``; any other text is left as it is.
    for_lsf
        Whether the system counts in hours and minutes alone.

    Examples
    --------
    >>> written("90 minutes", for_lsf=False), written("24:00:00", for_lsf=True)
    ('01:30:00', '24:00')
    """
    seconds = _of_all(walltime)
    if seconds is None:
        return walltime
    hours, rest = divmod(seconds, 3600)
    if for_lsf:
        return f"{(seconds + 59) // 60 // 60:02d}:{(seconds + 59) // 60 % 60:02d}"
    return f"{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"


def seconds_of(walltime: str, first: str) -> int | None:
    """How long a job may last; None where that can't be told from the text.

    Parameters
    ----------
    walltime
        As the batch system writes it.
    first
        What a single number, or the first of two, counts to it: ``"minutes"``, ``"hours minutes"``
        (a single one minutes, the first of two hours) or ``"seconds"``.

    Examples
    --------
    >>> seconds_of("1-12:00", "minutes"), seconds_of("24:00", "hours minutes")
    (129600, 86400)
    """
    known = _of_all(walltime)
    if known is not None:
        return known
    text = walltime.strip()
    if not re.fullmatch(r"(\d+-)?\d+(:\d+){0,3}", text):
        return None
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":")]
    if dash:
        # Of days, what follows are hours, minutes and seconds, in this order.
        units = (3600, 60, 1)
    elif len(parts) > 3:
        units = (86400, 3600, 60, 1)  # type: ignore[assignment]
    elif first == "hours minutes":
        units = (3600, 60, 1) if len(parts) > 1 else (60,)  # type: ignore[assignment]
    elif first == "minutes":
        units = (60, 1)  # type: ignore[assignment]
    else:
        units = (60, 1) if len(parts) > 1 else (1,)  # type: ignore[assignment]
    return int(days or 0) * 86400 + sum(part * unit for part, unit in zip(parts, units))


def _of_all(walltime: str) -> int | None:
    """Seconds, of text that means the same everywhere."""
    text = walltime.strip()
    if clock := re.fullmatch(r"(\d+):(\d\d):(\d\d)", text):
        hours, minutes, seconds = map(int, clock.groups())
        return 3600 * hours + 60 * minutes + seconds
    if re.fullmatch(r"[\d.]+ *[a-zA-Z]+", text):
        try:
            return int(parse_timedelta(text))
        except (KeyError, ValueError):
            return None
    return None
