"""What the tree says about itself in several places is the same everywhere."""

import configparser
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import dask_blockwise

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "xxhash": "python-xxhash",
}


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def lines(text: str) -> set[str]:
    return set(text.split("\n")) - {""}


def conda_name(requirement: str) -> str:
    name, version = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()
    return CONDA_NAMES.get(name, name) + version


def test_environment_has_what_setup_asks_for(setup: configparser.ConfigParser) -> None:
    extras = setup["options.extras_require"]
    wanted = lines(setup["options"]["install_requires"]) | lines(extras["demo"])
    wanted |= lines(extras["notebooks"])
    *conda, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    listed = {*conda, *pip["pip"]} - {"pip", f"python{setup['options']['python_requires']}"}
    assert listed == set(map(conda_name, wanted))


def test_constraints_hold_only_what_is_required(setup: configparser.ConfigParser) -> None:
    requirements = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
    names = {re.split(r"[=<>\[]", line)[0] for text in requirements for line in lines(text)}
    text = (ROOT / "constraints.txt").read_text()
    held = {line.split("==")[0] for line in lines(text) if not line.startswith("#")}
    assert held <= names
    assert "torch==2.13.0" in lines(text)


@pytest.mark.parametrize("network", ["fib25", "mni152"])
def test_networks_are_small(network: str) -> None:
    limit = {"fib25": 3e6, "mni152": 1e6}[network]
    networks = Path(dask_blockwise.__file__).with_name("demo") / "networks"
    assert 0 < (networks / f"{network}.pt").stat().st_size < limit


def test_changelog_starts_with_this_version(setup: configparser.ConfigParser) -> None:
    versions = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == setup["metadata"]["version"]


def test_readme_gives_the_commands_that_ci_runs() -> None:
    readme, script = ((ROOT / name).read_text() for name in ("README.md", ".ci/run"))
    commands = re.findall(r"^(python -m pip .*)$", readme, re.MULTILINE)
    assert len(commands) == 2
    for command in commands:
        assert all(part in script for part in command.split(" && "))


def test_it_is_cited_as_this_version(setup: configparser.ConfigParser) -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == setup["metadata"]["version"]
    assert cited["license"] == setup["metadata"]["license"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)


def test_version_is_that_of_the_distribution() -> None:
    assert dask_blockwise.__version__ == importlib.metadata.version("dask_blockwise")
    assert not hasattr(dask_blockwise, "__versions__")


def test_each_dependency_has_its_reason(setup: configparser.ConfigParser) -> None:
    extras = setup["options.extras_require"]
    texts = [setup["options"]["install_requires"], *(extras[name] for name in extras)]
    names = {re.split(r"[=<>\[]", line)[0] for text in texts for line in lines(text)}
    told = re.findall(r"^\| `([\w.-]+)`", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE)
    assert len(told) == len(set(told))
    assert set(told) == names - {"dask_blockwise"}


def test_command_is_an_entry_point() -> None:
    commands = importlib.metadata.entry_points(group="console_scripts", name="dask-blockwise")
    if not commands:
        pytest.skip("dask_blockwise is not installed, only on the path")
    assert [command.value for command in commands] == ["dask_blockwise.cli:main"]


def test_importing_it_brings_no_library_that_is_only_used_later() -> None:
    code = """
import sys, zarr, distributed
before = set(sys.modules)
from dask_blockwise import *
print(*(name for name in sys.modules if name not in before))
"""
    command = [sys.executable, "-c", code]
    brought = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "dask.array" not in brought
    later = {"pandas", "pyarrow", "scipy", "skimage", "torch", "numba", "matplotlib", "IPython"}
    later |= {
        "h5py",
        "tifffile",
        "xarray",
        "openvino",
        "dask_jobqueue",
        "s3fs",
        "gcsfs",
        "pydantic",
    }
    assert "dask_blockwise.volumes.volume" in brought
    assert not [name for name in brought if name.partition(".")[0] in later]
