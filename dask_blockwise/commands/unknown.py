"""Options that a command hasn't, and those that were meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from cyclopts import App

__all__ = ["arguments_of", "options_of", "unknown_options"]

# By which a command gives its function what has no option.
_ANY_OTHER = "--parameter"


def options_of(command: App) -> list[str]:
    """Options of a command, by the names that functions have for them.

    Examples
    --------
    >>> app = App()
    >>> @app.command
    ... def smooth(path: str, /, *, sigma: float, in_place: bool = False): ...
    >>> options_of(app["smooth"])
    ['--sigma', '--in-place']
    """
    names = (argument.name for argument in command.assemble_argument_collection())
    return [name for name in names if name.startswith("--")]


def arguments_of(command: App) -> list[str]:
    """What a command takes without a name, in order.

    Examples
    --------
    >>> app = App()
    >>> @app.command
    ... def smooth(path: str, output: str, /, *, sigma: float = 1): ...
    >>> arguments_of(app["smooth"])
    ['PATH', 'OUTPUT']
    """
    names = (argument.name for argument in command.assemble_argument_collection())
    return [name for name in names if name[:1].isalpha()]


def unknown_options(given: Sequence[str], command: App) -> list[str]:
    """A sentence for each option that was given and that the command hasn't.

    Parameters
    ----------
    given : sequence of str
        Words behind the command's name.
    command : App

    Examples
    --------
    >>> app = App()
    >>> @app.command
    ... def smooth(path: str, /, *, sigma: float): ...
    >>> unknown_options(["a.zarr", "--sigm=2"], app["smooth"])
    ['Unknown option: --sigm. Did you mean --sigma?']
    """
    known = [name for argument in command.assemble_argument_collection() for name in argument.names]
    flags = (*command.help_flags, *command.version_flags)
    words = dict.fromkeys(_options_in(given))
    return [_sentence(word, known) for word in words if word not in (*known, *flags)]


def _options_in(given: Sequence[str]) -> Iterator[str]:
    for word in given:
        if word == "--":
            return
        if word.startswith("--"):
            yield word.partition("=")[0]


def _sentence(word: str, known: Sequence[str]) -> str:
    near = get_close_matches(word, known, 1, 0.7)
    if near:
        return f"Unknown option: {word}. Did you mean {near[0]}?"
    name = word.removeprefix("--").replace("-", "_")
    other = f" What its function takes beside is {_ANY_OTHER} {name}=VALUE."
    return f"Unknown option: {word}.{other if _ANY_OTHER in known else ''}"
