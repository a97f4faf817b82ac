"""Options are called as the keywords of the functions that commands call, and stages have one."""

from __future__ import annotations

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import pytest

import dask_blockwise as dbw
from dask_blockwise import cli
from dask_blockwise.pipelines.stages import all_stages
from dask_blockwise.segmentation.watershed import segment_function

COMMANDS = [one.partition(":")[2].replace("_", "-") for of in cli._GROUPS.values() for one in of]
# Beside the function of the command's own name.
OTHERS: dict[str, tuple[Callable[..., Any], ...]] = {
    "watershed": (dbw.relabel, segment_function),
    "segment": (dbw.relabel,),
    "connected-components": (dbw.relabel,),
    "objects": (dbw.Volume.objects,),
    "info": (dbw.open_volume,),
    "convert": (dbw.Volume.to_zarr,),
    "run": (dbw.Volume.to_zarr,),
}
STORING = (dbw.Volume.to_zarr, dbw.Volume.to_precomputed, dbw.open_volume, dbw.cluster)
# What is a method, an object or a step of its own in Python, and what a shell alone has.
SHELL_ALONE = {
    "plan": "volume.plan()",
    "to": "to_zarr or to_precomputed",
    "within": "mask= of to_zarr, beside the mask= of a stage",
    "isel": "volume.isel()",
    "parameter": "others of the function's own keywords",
    "mean": "others of the function's own keywords",
    "fragments": "no relabel",
    "cluster": "system= of cluster, which names it there",
    "cluster_option": "others of the batch system's keywords",
    "scheduler": "client=",
    "picture": "report.picture()",
    "browser": "opening what view() returns",
    "trust": "of what seams computes again",
    "sample": "of the demo",
    "output": "of the demo, and of predict",
}
PYTHON_ALONE = {
    "client": "--cluster and --scheduler",
    "num_workers": "--workers",
    "path": "the last argument",
    "axis": "always c",
    "roi": "of a part; --roi is of what is stored",
    "volume": "what is about to be stored",
    "stored": "where the labels lie",
    "sharded": "as it should be",
    "tolerance": "of a seam report",
    "boundary_tolerance": "of a seam report",
    "flat_tolerance": "of a seam report",
    "halos": "of a seam report",
    "seed": "of a seam report",
    "on_change": "of pyramid, which a second call makes anew",
    "verify": "of pyramid",
    "halo": "of connected components, which need none",
    "model": "positional in Python",
}


def keywords(function: Callable[..., Any]) -> set[str]:
    return {
        name
        for name, parameter in signature(function).parameters.items()
        if parameter.kind in (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    }


def options(command: str) -> set[str]:
    arguments = cli.app()[command].assemble_argument_collection()
    names = [argument.name for argument in arguments if argument.name.startswith("--")]
    # Of a second volume, as --truth.voxel-size.
    return {name.removeprefix("--").rpartition(".")[2].replace("-", "_") for name in names}


def own(command: str) -> tuple[Callable[..., Any], ...]:
    function = getattr(dbw, command.replace("-", "_"), None)
    return (*([function] if callable(function) else []), *OTHERS.get(command, ()))


@pytest.mark.parametrize("command", COMMANDS)
def test_options_are_keywords(command: str) -> None:
    known = set().union(*map(keywords, (*own(command), *STORING)), SHELL_ALONE)
    assert options(command) <= known


@pytest.mark.parametrize("command", COMMANDS)
def test_keywords_are_options_or_arguments(command: str) -> None:
    function = getattr(dbw, command.replace("-", "_"), None)
    if not callable(function) or command == "run":
        return  # It runs a file; `dbw.run` runs tasks.
    arguments = cli.app()[command].assemble_argument_collection()
    positional = {a.name.lower().replace("-", "_") for a in arguments if a.name[0] != "-"}
    assert keywords(function) <= options(command) | positional | set(PYTHON_ALONE)


def test_each_stage_is_a_command() -> None:
    views = {"crop", "isel", "rechunk", "transpose", "astype", "downsample", "masked"}
    others = {"open", "checkpoint", "numpy", "map_overlap"}
    stages = {name for name in all_stages() if name.isidentifier()}
    made_here = {n for n in stages if all_stages()[n].function.__module__.startswith("dask_bl")}
    assert {name.replace("_", "-") for name in made_here - views - others} <= set(COMMANDS)


def test_no_stage_has_a_keyword_of_its_own_name() -> None:
    """Which a file of a pipeline couldn't say beside the stage's volume."""
    for name, stage in all_stages().items():
        assert name not in list(signature(stage.function).parameters)[1:]
