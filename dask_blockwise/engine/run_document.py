"""The report of a run: one document, as JSON or as a page of HTML that holds all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from ..pictures.raster import data_url
from ..storage.files_beside import file_to_write
from ..tables import html_columns, without_columns
from .task_summary import TaskSummary
from .worker.failure import Failure
from .worker.spent import Spent

__all__ = ["Shown", "as_dict", "check_report_path", "tells_of", "write_report"]

# Of blocks that failed alike, and of failures that are told in full.
_MOST_BLOCKS, _MOST_FAILURES = 100, 50
# What earlier runs of the same took, too.
_IN_ALL = "in all runs"
_ALL_DONE = "blocks are done</b>", '"succeeded": true'
_COLOURS = {
    "starting": "#d5c8e4",
    "reading": "#5b8db8",
    "computing": "#e0a030",
    "writing": "#6aa56a",
    "waiting": "#cccccc",
}
_STYLE = """
body{font:15px/1.45 sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}
h1{font-size:1.5em}h2{font-size:1.2em;border-bottom:1px solid #ccc;margin-top:2em}
table{border-collapse:collapse;font-size:90%}td,th{padding:2px 9px;text-align:left}
tr:nth-child(even){background:#f4f4f4}pre{background:#f4f4f4;padding:8px;overflow-x:auto}
.bar{display:flex;height:1.1em;width:100%;background:#eee}.bad{color:#a00000}img{max-width:100%}
"""


class Shown(Protocol):
    """Something that was stored, as a report shows it."""

    @property
    def title(self) -> str:
        """What it is called."""

    @property
    def ended(self) -> str:
        """When it was computed last, if that is known."""

    def to_html(self) -> str:
        """All that is shown of it."""

    def to_dict(self) -> dict[str, Any]:
        """The same for JSON, without pictures."""


def check_report_path(path: str | PathLike[str]) -> Path:
    """The path of a report.

    Raises
    ------
    ValueError
        If its suffix isn't one of a report, or it is no path of this system's disks.
    FileNotFoundError
        If its folder isn't there.
    """
    if Path(path).suffix.lower() not in (".html", ".json"):
        raise ValueError(f"A report is .html or .json, got {path}: give it one of these suffixes.")
    return file_to_write(path, "the report")


def as_dict(
    tasks: Sequence[TaskSummary],
    told: Mapping[str, Any],
    outputs: Sequence[Shown],
    also: Sequence[Any],
) -> dict[str, Any]:
    """All of it, as JSON has it."""
    return {
        "succeeded": all(task.succeeded for task in tasks),
        **told,
        "tasks": list(map(_task, tasks)),
        "outputs": [output.to_dict() for output in outputs],
        "also": list(map(str, also)),
    }


def write_report(
    path: str | PathLike[str],
    document: Mapping[str, Any],
    outputs: Sequence[Shown],
    also: Sequence[Any],
) -> Path:
    """Write a document as its path's suffix says."""
    where = check_report_path(path)
    if where.suffix.lower() == ".json":
        where.write_text(json.dumps(document, indent=1, default=str), "utf-8")
    else:
        where.write_text("".join(_page(document, outputs, also)), "utf-8")
    return where


def tells_of(path: Path, outputs: Sequence[Shown]) -> bool:
    """Whether a report lies at a path that tells how all of the outputs, as they are, were made."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    quoted = escape if path.suffix.lower() == ".html" else _in_json
    said = [word for one in outputs for word in (one.title, one.ended)]
    named = bool(said) and all(word and quoted(word) in text for word in said)
    return named and any(done in text for done in _ALL_DONE)


def _in_json(text: str) -> str:
    return json.dumps(text)[1:-1]


def _task(task: TaskSummary) -> dict[str, Any]:
    in_all = task.spent_in_all if task.spent_in_all.seconds > task.spent.seconds else task.spent
    counts = ("blocks", "done", "completed", "skipped", "empty", "failed", "orphaned", "retries")
    known = (*counts, "seconds", "peak_memory", "voxels_written", "bytes_redundant", "log")
    return {
        "name": task.name,
        **{name: getattr(task, name) for name in known},
        "spent": task.spent.by_name,
        "shares": task.spent.shares,
        "spent_in_all": in_all.by_name,
        "shares_in_all": in_all.shares,
        "failures": list(_failures(task)),
    }


def _failures(task: TaskSummary) -> Iterator[dict[str, Any]]:
    """Failures of one cause together, with the first traceback."""
    alike: dict[tuple[str, str], list[int]] = {}
    for number, failure in sorted(task.failures.items()):
        alike.setdefault((failure.cause, failure.place), []).append(number)
    for blocks in list(alike.values())[:_MOST_FAILURES]:
        first: Failure = task.failures[blocks[0]]
        told = {"cause": first.cause, "place": first.place, "advice": first.advice}
        shown = {"count": len(blocks), "blocks": blocks[:_MOST_BLOCKS]}
        yield told | shown | {"traceback": first.traceback}


def _page(
    document: Mapping[str, Any], outputs: Sequence[Shown], also: Sequence[Any]
) -> Iterator[str]:
    title = escape(outputs[-1].title if outputs else "Run")
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield f"<style>{_STYLE}</style></head><body><h1>{title}</h1>{_verdict(document)}"
    yield from (f"<p>{escape(note)}</p>" for note in document["notes"])
    yield from _failures_told(document["tasks"])
    yield f"<h2>Time by stage</h2>{''.join(_times(document['tasks']))}"
    yield from (f"<h2>{escape(output.title)}</h2>{output.to_html()}" for output in outputs)
    yield from map(_more, also)
    yield "</body></html>\n"


def _verdict(document: Mapping[str, Any]) -> str:
    blocks = sum(task["blocks"] for task in document["tasks"])
    done = sum(task["done"] for task in document["tasks"])
    before = sum(task["skipped"] for task in document["tasks"])
    took = f"{document['seconds']:.1f} s on {document['threads']} threads of workers"
    if document["succeeded"]:
        number = "all" if before == blocks else f"{before:,}"
        earlier = f", {number} of them before this run" if before else ""
        return f"<p><b>All {blocks:,} blocks are done</b>{earlier}. {took}.</p>"
    return (
        f'<p class="bad"><b>{blocks - done:,} of {blocks:,} blocks are not done.</b></p>'
        f"<p>{took}.</p>"
    )


def _failures_told(tasks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    failed = [(task, failure) for task in tasks for failure in task["failures"]]
    if failed:
        yield "<h2>Failures</h2>"
    for task, failure in failed:
        numbers = ", ".join(map(str, failure["blocks"][:10]))
        more = ", ..." if failure["count"] > 10 else ""
        yield f'<p class="bad"><b>{escape(failure["cause"])}</b></p>'
        yield f"<p>{failure['count']:,} of {task['blocks']:,} blocks of {escape(task['name'])}"
        yield f" ({numbers}{more}) {escape(failure['place'])}. {escape(failure['advice'])}</p>"
        if failure["traceback"]:
            yield "<details open><summary>The first one's traceback</summary><pre>"
            yield f"{escape(failure['traceback'])}</pre></details>"
    for task in tasks:
        if task["orphaned"]:
            yield f"<p>{task['orphaned']:,} blocks of {escape(task['name'])} had no input.</p>"


def _times(tasks: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    names = (
        *("stage", "blocks", "done", "before", "empty", "retries"),
        *("seconds", "of workers", _IN_ALL, "peak MB"),
    )
    rows = [
        (
            *(
                task["name"],
                f"{task['blocks']:,}",
                f"{task['completed']:,}",
                f"{task['skipped']:,}",
                f"{task['empty']:,}",
            ),
            *(f"{task['retries']:,}", f"{task['seconds']:.1f}"),
            *(f"{_seconds(task):.1f}", f"{_seconds(task, 'spent_in_all'):.1f}"),
            f"{task['peak_memory'] / 1e6:.0f}",
        )
        for task in tasks
    ]
    more = any(task["spent_in_all"] != task["spent"] for task in tasks)
    yield html_columns(*((names, rows) if more else without_columns([_IN_ALL], names, rows)))
    longest = max((_seconds(task, "spent_in_all") for task in tasks), default=0.0)
    if not longest:
        return
    yield f"<p>Seconds of workers{f' {_IN_ALL}' if more else ''}:"
    yield from (f" {_spot(colour)} {kind}" for kind, colour in _COLOURS.items())
    yield '</p><table style="width:100%">'
    for task in tasks:
        if _seconds(task, "spent_in_all"):
            yield f"<tr><td>{escape(task['name'])}</td><td style='width:70%'>"
            bound = Spent.of_names(task["spent_in_all"]).bound_in_short
            yield f"{_bar(task, longest)}</td><td>{bound}</td></tr>"
    yield "</table>"


def _seconds(task: Mapping[str, Any], spent: str = "spent") -> float:
    return float(sum(task[spent][f"seconds_{kind}"] for kind in _COLOURS))


def _bar(task: Mapping[str, Any], longest: float) -> str:
    parts = "".join(
        f'<span style="background:{colour};width:{seconds / longest:.2%}" '
        f'title="{kind} {seconds:.3g} s"></span>'
        for kind, colour in _COLOURS.items()
        if (seconds := task["spent_in_all"][f"seconds_{kind}"])
    )
    return f'<div class="bar">{parts}</div>'


def _spot(colour: str) -> str:
    return f'<span style="background:{colour}">&emsp;</span>'


def _more(shown: Any) -> str:
    """As notebooks show it, with a picture of what can draw one."""
    told = getattr(shown, "_repr_html_", None)
    body = told() if told else f"<pre>{escape(str(shown))}</pre>"
    return f"<h2>{escape(type(shown).__name__)}</h2>{body}{_picture(shown)}"


def _picture(shown: Any) -> str:
    draw = getattr(shown, "picture", None)
    if draw is None:
        return ""
    with TemporaryDirectory() as folder:
        content = Path(draw(f"{folder}/picture.png")).read_bytes()
    return f'<img src="{data_url(content, "image/png")}" alt="picture">'
