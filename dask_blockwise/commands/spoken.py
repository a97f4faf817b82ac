"""What functions say of their keywords, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial

__all__ = ["behind_name", "in_options"]

_VALUE = "|".join(
    (
        r"(?P<quote>[\"'])(?P<text>[^\"']*)(?P=quote)",
        r"(?P<yes>True)",
        r"(?P<tuple>\([^()]*\))",
        r"(?P<number>[-+.\w]*\w\.?)",
        r"\.\.\.",
        r"(?=[,.: ])",
    )
)
# Code of Python, which stays as it is,
_IN_A_CALL = re.compile(r"\w\([^()]*$")
# but for what a command has options for.
_OPENED = re.compile(r"(?:(\w+) = )?open_volume\((?:path|\.\.\.), (\w+=(?:[^()]|\([^()]*\))*)\)")
_ISEL = re.compile(r"\w+\.isel\((\w+=-?\d+)\)")


def in_options(text: str, options: Iterable[str]) -> str:
    """A sentence in which keywords are named as options, where they are unmistakable.

    Parameters
    ----------
    text : str
    options : iterable of str
        Of the command, such as ``"--on-change"``.

    Examples
    --------
    >>> in_options('pass on_change="redo" or overwrite=True', ["--on-change", "--overwrite"])
    'pass --on-change redo or --overwrite'
    >>> in_options("min_iou must be in (0, 1], got 3: give min_iou=0.5.", ["--min-iou"])
    '--min-iou must be in (0, 1], got 3: give --min-iou 0.5.'
    >>> in_options("a class with weights=, or a file", ["--weights"])
    'a class with --weights, or a file'
    >>> in_options("timeout must be positive, got 0: a timeout is in seconds.", ["--timeout"])
    '--timeout must be positive, got 0: a timeout is in seconds.'
    >>> opening = ["--voxel-size", "--stands-for", "--truth.voxel-size"]
    >>> in_options("say open_volume(path, stands_for=(0, 1))", opening)
    'say --stands-for 0,1'
    >>> in_options("say truth = open_volume(path, voxel_size=...)", opening)
    'say --truth.voxel-size'
    """
    options = list(options)
    if "--stands-for" in options:
        text = _OPENED.sub(partial(_of_opening, options), text)
    if "--isel" in options:
        text = _ISEL.sub(r"--isel \1", text)
    for option in options:
        name = option.removeprefix("--").replace("-", "_")
        text = re.sub(rf"(?<![\w.-]){name}=(?:{_VALUE})", partial(_spoken, option), text)
        text = re.sub(rf"^{name}(?= (?:must|says) )", option, text)
        if "_" in name:
            text = re.sub(rf"(?<![\w./-]){name}(?![\w(.=])", option, text)
    return text


def behind_name(text: str, name: str, keywords: Iterable[str]) -> str:
    """A sentence that names keywords as those of one volume of several.

    Examples
    --------
    >>> behind_name("voxel_size must be positive", "truth", ["voxel_size"])
    'truth.voxel_size must be positive'
    >>> behind_name("2 axes were given: name so many, axes='yx'", "truth", ["axes"])
    "2 axes were given: name so many, truth.axes='yx'"
    """
    for keyword in keywords:
        # One word may be a word of the sentence.
        follows = "" if "_" in keyword else "(?==)"
        text = re.sub(rf"(?<![\w.(-]){keyword}\b{follows}", f"{name}.{keyword}", text)
    return text


def _of_opening(options: Iterable[str], match: re.Match[str]) -> str:
    """The keywords alone, behind the name of the volume where options have that."""
    name, keywords = match.groups()
    of_it = name is not None and f"--{name}.voxel-size" in options
    return re.sub(r"(\w+)=", rf"{name}.\1=", keywords) if of_it else str(keywords)


def _spoken(option: str, match: re.Match[str]) -> str:
    if _IN_A_CALL.search(match.string[: match.start()]):
        return match[0]
    found = match.groupdict()
    if found["tuple"]:
        return f"{option} {re.sub(r'[() ]', '', found['tuple'])}"
    value = found["text"] or (found["number"] or "").rstrip(".")
    end = "." if (found["number"] or "").endswith(".") else ""
    return f"{option} {value}".rstrip() + end
