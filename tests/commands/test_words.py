"""How one word on the command line is read."""

from fractions import Fraction
from typing import Any

import pytest
from cyclopts import App, CycloptsError

from dask_blockwise import Roi
from dask_blockwise.commands import words
from dask_blockwise.commands.spoken import in_options


def read(kind: Any, *given: str) -> Any:
    app = App(result_action="return_value")

    def command(*, it: kind) -> Any:
        return it

    app.default(command)
    return app(
        [part for word in given for part in ("--it", word)], exit_on_error=False, print_error=False
    )


@pytest.mark.parametrize(
    "kind, given, value",
    [
        ("Halo", "16", 16),
        ("Memory", "8GB", "8GB"),
        ("Memory", "0.5", 0.5),
        ("Halo", "8,16,16", (8, 16, 16)),
        ("Halo", "auto", "auto"),
        ("Numbers", "0.5", 0.5),
        ("Numbers", "1,0.5", (1, 0.5)),
        ("Size", "64,32", (64, 32)),
        ("Fractions", "5.24,1/3", (Fraction(131, 25), Fraction(1, 3))),
        ("Offsets", "-1,0 0,-1", ((-1, 0), (0, -1))),
        ("Region", "-8:8,0:4", Roi((-8, 0), (16, 4))),
        ("Region", "[0:320, 0:640]", Roi((0, 0), (320, 640))),
        ("Span", "-1,1", (-1, 1)),
        ("Parts", "c=0", [("c", 0)]),
        ("Parts", "z=1:30", [("z", slice(1, 30))]),
        ("Outputs", "1", 1),
        ("Outputs", "logits/0", ("logits", 0)),
        ("Outputs", "0,fine", [0, "fine"]),
        ("Workers", "20", 20),
        ("Workers", "0:50", (0, 50)),
        ("Named", "sigma=2.0", [("sigma", 2.0)]),
        ("Named", "name=a=b", [("name", "a=b")]),
        ("Named", "empty=", [("empty", None)]),
    ],
    ids=str,
)
def test_what_is_understood(kind: str, given: str, value: Any) -> None:
    assert read(getattr(words, kind), given) == value


@pytest.mark.parametrize(
    "kind, given",
    [
        ("Halo", "8;8"),
        ("Halo", ""),
        ("Size", "0,4"),
        ("Size", "4.5"),
        ("Fractions", "1/0"),
        ("Offsets", "1,a"),
        ("Region", "0:4,8"),
        ("Region", "8:4"),
        ("Span", "1"),
        ("Parts", "c=a:b"),
        ("Parts", "c"),
        ("Outputs", "a,"),
        ("Workers", "-1"),
        ("Workers", "2:0:1"),
        ("Named", "=3"),
        ("Named", "a b=3"),
        ("Named", "a=[1"),
    ],
    ids=str,
)
def test_what_is_not_is_named(kind: str, given: str) -> None:
    with pytest.raises(CycloptsError, match=r"it takes .*, got") as caught:
        read(getattr(words, kind), given)
    assert "--it" in str(caught.value)


def test_code_is_never_run_by_a_value() -> None:
    with pytest.raises(CycloptsError, match="it takes"):
        read(words.Named, "a=!!python/object/apply:os.system ['true']")


def test_a_name_that_is_given_twice_has_its_last_value() -> None:
    assert words.named_values(read(words.Named, "a=1", "b=2", "a=3")) == {"a": 3, "b": 2}


def test_other_words_are_left_as_they_are() -> None:
    text = "block_shape of my_block_shape.zarr, and a/block_shape: give block_shape=(8, 8)."
    expected = "--block-shape of my_block_shape.zarr, and a/block_shape: give --block-shape 8,8."
    assert in_options(text, ["--block-shape"]) == expected
    code = "name the axis (Volume.from_array(..., axes=...)), or give axes=..."
    assert in_options(code, ["--axes"]) == code.replace("give axes=...", "give --axes")
    other = 'store that as it is, predict(..., output_dtype="float32").'
    assert in_options(other, ["--output-dtype"]) == other


def test_what_is_opened_otherwise_is_an_option() -> None:
    text = "choose a channel, volume.isel(c=0), or say open_volume(path, stands_for=(0, 1))."
    expected = "choose a channel, --isel c=0, or say --stands-for 0,1."
    assert in_options(text, ["--isel", "--stands-for"]) == expected
    assert in_options(text, ["--workers"]) == text
    assert in_options("or seeds='distance' of", ["--seeds"]) == "or --seeds distance of"
