"""The command line, ``dask-blockwise``: each command is a function of `dask_blockwise.commands`."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version

from cyclopts import (
    App,
    CycloptsError,
    Group,
    MissingArgumentError,
    UnknownOptionError,
    UnusedCliTokensError,
)

from .commands.spoken import in_options
from .commands.unknown import arguments_of, options_of, unknown_options
from .engine.stopping import exit_codes

__all__ = ["main"]

_NAME = "dask-blockwise"
# Files and functions of `dask_blockwise.commands`, imported where they are run or told of.
_GROUPS = {
    "Pipelines": ("pipeline:run", "pipeline:plan"),
    "Stages": (
        *("prediction:predict", "prediction:activate", "prediction:argmax", "prediction:threshold"),
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
# Of what takes more arguments of a kind, which would be told as ARGS.
_USAGE_LINES = {"viewing:view": f"Usage: {_NAME} view [OPTIONS] PATH [OTHERS...]"}
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

    def spoken(text: str) -> str:
        return text if command is None else in_options(text, options_of(commands[command]))

    with exit_codes(f"{_NAME}: "), _warnings_for_people(spoken):
        try:
            commands(given, exit_on_error=False, print_error=False)
        except CycloptsError as error:
            raise ValueError(_in_a_sentence(error, given, commands, command)) from None
        except _USAGE as error:
            if command is None or hasattr(error, "exit_code"):
                raise
            raise ValueError(spoken(str(error))) from error


@contextmanager
def _warnings_for_people(spoken: Callable[[str], str]) -> Iterator[None]:
    """Within the body, a warning is a line; and an image is no labels, of which Python warns."""
    before = warnings.formatwarning
    warnings.formatwarning = lambda said, *_, **__: f"{_NAME}: Warning: {spoken(str(said))}\n"
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", ".* looks like an image", UserWarning)
            yield
    except UserWarning as warning:
        raise ValueError(spoken(str(warning))) from None
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
            usage = _USAGE_LINES.get(command)
            made.command(place_of_it, group=group, sort_key=order, usage=usage)
    made.register_install_completion_command()
    return made


def _in_a_sentence(
    error: CycloptsError, given: Sequence[str], commands: App, command: str | None
) -> str:
    """What is wrong, and where to read on; options that there aren't before what is missing."""
    said = unknown_options(given[1:], commands[command]) if command else []
    if not (said and isinstance(error, UnknownOptionError)):
        names = arguments_of(commands[command]) if command else []
        said.append(_in_plain_words(error, command or _NAME, names))
    read_on = f"See {' '.join(filter(None, (_NAME, command)))} --help."
    return "\n".join([*said, read_on])


def _in_plain_words(error: CycloptsError, command: str, names: Sequence[str]) -> str:
    """What cyclopts says, but for what is missing or too much, in which it speaks of tokens."""
    missing = error.argument if isinstance(error, MissingArgumentError) else None
    if missing is not None and not missing.tokens and getattr(error, "keyword", None) is None:
        return f"{command} needs {missing.name}."
    if isinstance(error, UnusedCliTokensError):
        more = ", ".join(map(repr, error.unused_tokens or ()))
        takes = f"{' and '.join(names)} alone" if names else "options alone"
        return (
            f"{command} takes {takes}, and was also given {more}. Numbers along axes have commas "
            "between and no spaces; what has spaces within stands in quotes."
        )
    return re.sub(r"\s+", " ", str(error)).strip()
