"""How a volume is stored and run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from json import dumps
from typing import Any, Literal, get_args

from ..engine.task import check_limits
from ..geometry.blocks import Roi
from .stored_as import HowStored, StoredAs

__all__ = ["OF_THE_RUN", "OnChange", "StoreOptions"]

OnChange = Literal["ask", "redo"]
# Of options that make a difference to what is stored, or that its record has.
_OF_THE_STORED = {"of": "the stored"}


@dataclass(frozen=True)
class StoreOptions:
    """How a volume is stored and run.

    Raises
    ------
    ValueError
        If a number is out of range, or notes can't be kept.
    """

    _: KW_ONLY
    # Voxels of a block along each axis but "c"; None for the volume's own.
    block_shape: Sequence[int] | None = field(default=None, metadata=_OF_THE_STORED)
    stored_as: HowStored = field(default_factory=StoredAs, metadata=_OF_THE_STORED)
    overwrite: bool = False
    resume: bool = True
    # At most so many blocks of a task at once; None for as many as the cluster runs.
    num_workers: int | None = None
    max_retries: int = 2
    # Seconds a block may take.
    timeout: float | None = None
    # What becomes of finished blocks that no longer hold; None for as the run has it.
    on_change: OnChange | None = None
    # Says of what a digest can't see.
    version: str | None = field(default=None, metadata=_OF_THE_STORED)
    # For whoever reads the record of what is stored.
    notes: Any = field(default=None, metadata=_OF_THE_STORED)
    # Where blocks are computed, also where they are done; everywhere that they aren't unless given.
    roi: Roi | None = None
    # The image beside which a run stores it by itself; what else lies there is never replaced.
    on_the_way_to: str | None = None

    def __post_init__(self) -> None:
        check_limits(self.num_workers, self.max_retries, self.timeout)
        if not isinstance(self.roi, Roi | None):
            raise TypeError(f"roi must be a Roi, in world units, got {self.roi!r}.")
        _check_notes(self.notes)
        if self.on_change not in (None, *get_args(OnChange)):
            raise ValueError(
                f"on_change must be one of {', '.join(get_args(OnChange))}, got {self.on_change!r}."
            )

    @property
    def goes_on(self) -> bool:
        """Whether what an earlier run left is gone on with."""
        return self.resume and not self.overwrite


def _check_notes(notes: Any) -> None:
    """Refuse what metadata can't hold, of which readers of JSON also refuse what is beside it."""
    try:
        dumps(notes, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f"notes are texts, finite numbers of Python, lists and mappings of these, as JSON has "
            f"them, got {notes!r:.200} ({error}): give str or float of what is none."
        ) from error


# Names of options that say how blocks are run alone.
OF_THE_RUN = frozenset(each.name for each in fields(StoreOptions) if not each.metadata)
