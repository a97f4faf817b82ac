"""The command line: ``dask-blockwise demo`` and ``dask-blockwise status``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from distributed import Client

from .demo.run import DEMOS, Result, run_demo
from .engine.cluster import local_cluster
from .engine.stopping import exit_codes
from .volumes.status import status

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process unless given.

    Examples
    --------
    >>> main(["--version"])
    Traceback (most recent call last):
    SystemExit: 0
    """
    options = _parser().parse_args(arguments)
    with exit_codes("dask-blockwise: "):
        options.command(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="dask-blockwise", description="Segment volumes block by block, with Dask."
    )
    parser.add_argument("--version", action="version", version=version("dask_blockwise"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo", help="segment a sample volume", description="Segment a sample volume."
    )
    demo.add_argument(
        "--sample", choices=sorted(DEMOS), default="mni152", help="which one (default: %(default)s)"
    )
    demo.add_argument(
        "--output", type=Path, default=Path(), help="folder for the results (default: this one)"
    )
    demo.add_argument(
        "--workers",
        type=_workers,
        help="worker processes (default: one for each core)",
        metavar="N",
    )
    demo.set_defaults(command=_demo)
    stands = commands.add_parser(
        "status",
        help="say how a stored volume stands",
        description="Say which blocks of a stored volume are done, and whether they still hold.",
    )
    stands.add_argument("path", metavar="PATH", help="what to_zarr or checkpoint stored")
    stands.add_argument(
        "--trust",
        action="store_true",
        help="run code that it brings even if it belongs to somebody else",
    )
    stands.set_defaults(command=_status)
    return parser


def _workers(text: str) -> int:
    try:
        given = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"invalid int value: {text!r}") from None
    if given < 1:
        raise argparse.ArgumentTypeError(
            f"must be at least 1, got {given}; leave it out for one process a core"
        )
    return given


def _demo(options: argparse.Namespace) -> None:
    with local_cluster(options.workers) as cluster, Client(cluster) as client:
        print(f"Watch the cluster at {client.dashboard_link}")
        _report(run_demo(options.sample, options.output, client))


def _status(options: argparse.Namespace) -> None:
    # Modules that lie here are what scripts that ran here have imported.
    sys.path.insert(0, str(Path.cwd()))
    found = status(options.path, trust=options.trust)
    print(found)
    if not found.is_current:
        raise SystemExit(1)


def _report(result: Result) -> None:
    scores = [f"{name:<22}{value:.3f}" for name, value in result.scores.items()]
    print(
        "",
        result.table(),
        "",
        "On the part that the network was not trained on:",
        *scores,
        "",
        sep="\n",
    )
    print(f"Volumes: {result.container}")
    print(f"Picture: {result.picture}")
