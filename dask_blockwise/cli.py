"""The command line, ``dask-blockwise``: each command is a function of `dask_blockwise.commands`."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

from cyclopts import App, CycloptsError, Group

from .commands.spoken import in_options
from .engine.stopping import exit_codes

__all__ = ["main"]

_NAME = "dask-blockwise"
# Files and functions of `dask_blockwise.commands`, imported where they are run or told of.
_GROUPS = {
    "Pipelines": ("pipeline:run", "pipeline:plan"),
    "Stages": (
        *("prediction:predict", "prediction:argmax", "prediction:threshold"),
        *("segmentation:watershed", "segmentation:segment", "segmentation:connected_components"),
        *("relabelling:relabel", "relabelling:agglomerate", "relabelling:renumber"),
    ),
    "Of what is stored": (
        *("stored:info", "viewing:view", "stored:status", "stored:rerun", "measuring:objects"),
        *("measuring:seams", "measuring:evaluate", "stored:pyramid", "stored:convert"),
        *("shapes:meshes", "shapes:skeletons"),
    ),
    "To begin with": ("demo:demo",),
}
# What a person can mend, as `exit_codes` has it.
_USAGE = (ValueError, TypeError, OSError, ImportError)
_EPILOGUE = (
    "Ends with 0 where all is done, 1 where blocks failed, 2 where a call makes no sense, and 75 "
    "where it was stopped and the same call goes on."
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process unless given.

    Raises
    ------
    SystemExit
        0 where all is done, 1 where blocks failed, 2 where the call makes no sense, 75 where it was
        stopped and the same call goes on.

    Examples
    --------
    >>> main(["status"])
    Traceback (most recent call last):
    SystemExit: 2
    """
    given, commands = list(sys.argv[1:] if arguments is None else arguments), app()
    if not given or given[0] in commands.help_flags:
        commands.resolved_commands()  # Help has a line of each.
    command = given[0] if given and given[0] in commands else None
    with exit_codes(f"{_NAME}: "), _warnings_in_a_line():
        try:
            commands(given, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            raise ValueError(_in_a_sentence(error, command)) from None
        except _USAGE as error:
            if command is None or hasattr(error, "exit_code"):
                raise
            raise ValueError(in_options(str(error), _options_of(commands[command]))) from error


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Within the body, warnings are for people, who need no line of code."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"{_NAME}: Warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = before


def app() -> App:
    """All commands, for `main` and for the reference."""
    made = App(
        name=_NAME,
        help="Segment volumes that do not fit one machine, block by block, with Dask.",
        help_format="markdown",
        help_epilogue=_EPILOGUE,
        version=lambda: version("dask_blockwise"),
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for place, (title, commands) in enumerate(_GROUPS.items()):
        group = Group(title, sort_key=place)
        for order, command in enumerate(commands):
            place_of_it = f"{__package__}.commands.{command}"
            made.command(place_of_it, group=group, sort_key=order)
    made.register_install_completion_command()
    return made


def _options_of(command: App) -> list[str]:
    names = (argument.name for argument in command.assemble_argument_collection())
    return [name for name in names if name.startswith("--")]


def _in_a_sentence(error: CycloptsError, command: str | None) -> str:
    """What is wrong, and where to read on."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    return f"{text}\nSee {' '.join(filter(None, (_NAME, command)))} --help."
