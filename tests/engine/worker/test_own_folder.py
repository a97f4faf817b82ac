"""A folder that nobody else can put anything into."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dask_blockwise.engine.worker.own_folder import own_folder

NAME = f"dask-blockwise-{os.geteuid()}"


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_it_is_private_and_the_same_in_every_process(temporary: Path) -> None:
    folder = own_folder()
    assert folder == own_folder() == temporary / NAME
    found = folder.lstat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o700)
    module = own_folder.__module__
    told = subprocess.run(
        [sys.executable, "-c", f"import {module} as module; print(module.own_folder())"],
        env=os.environ | {"TMPDIR": str(temporary)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == str(folder)


def by_another(path: Path) -> None:
    if os.geteuid():
        pytest.skip("giving a folder to another user takes root")
    path.mkdir()
    os.chown(path, 12345, 12345)


def open_to_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def a_link(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    path.symlink_to(elsewhere)


TAKEN = [by_another, open_to_all, a_link, Path.touch]


@pytest.mark.parametrize("take", TAKEN, ids=lambda take: take.__name__)
def test_what_another_may_write_to_is_passed_over(
    take: Callable[[Path], None], temporary: Path
) -> None:
    take(temporary / NAME)
    assert own_folder() == own_folder() == temporary / f"{NAME}-2"
    assert not list((temporary / NAME).glob("*"))


def test_where_every_name_is_taken_it_is_a_new_one(temporary: Path) -> None:
    for name in (NAME, *(f"{NAME}-{number}" for number in range(2, 9))):
        (temporary / name).touch()
    folder = own_folder()
    assert folder == own_folder()
    assert folder.parent == temporary
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
