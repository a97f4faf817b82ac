"""Values: equal ones have equal digests, others don't, and JSON changes nothing."""

from __future__ import annotations

import datetime
import enum
import json
import threading
from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dask_blockwise.recipes import Verbatim, content_digest, digest_of, recipe_of


def digest(value: object) -> str:
    return digest_of(recipe_of(value))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
KEYS = st.text() | st.integers() | st.sampled_from(["@", "again", "~name", "items"])
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(KEYS, inner, max_size=4)
        | st.sets(st.text() | st.integers(), max_size=4)
    ),
    max_leaves=12,
)


@given(TREES)
def test_json_keeps_the_digest(value: object) -> None:
    recipe = recipe_of(value)
    text = json.dumps(recipe, allow_nan=False)
    text.encode()
    read = json.loads(text)
    assert digest_of(read) == digest_of(recipe)
    assert digest_of(json.loads(json.dumps(recipe, sort_keys=True))) == digest_of(recipe)


def unlike(left: object, right: object) -> bool:
    """By an independent text of a value, in which the order of sets and dicts has no part."""
    return canonical(left) != canonical(right)


def canonical(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(map(canonical, value))}]"
    if isinstance(value, set):
        return f"set({','.join(sorted(map(canonical, value)))})"
    if isinstance(value, dict):
        pairs = sorted(f"{canonical(key)}:{canonical(item)}" for key, item in value.items())
        return f"{{{','.join(pairs)}}}"
    return repr(value)


@given(TREES, TREES)
def test_digests_are_equal_where_values_are(left: object, right: object) -> None:
    assert (digest(left) != digest(right)) == unlike(left, right)


@given(TREES, SCALARS)
def test_a_changed_leaf_changes_it(value: object, leaf: object) -> None:
    assert digest([value, leaf]) != digest([value, [leaf]])
    assert digest({"a": value, "b": leaf}) != digest({"a": value, "b": [leaf]})


@given(st.dictionaries(KEYS, SCALARS))
def test_the_order_of_keys_does_not_count(value: dict) -> None:
    assert digest(value) == digest(dict(reversed(value.items())))


Point = namedtuple("Point", "x y")


class Mode(enum.Enum):
    WRAP = 1
    MIRROR = 2

    def twice(self) -> int:
        return 2 * self.value


class Bits(enum.Flag):
    A = 1
    B = 2


class Weird(set):
    pass


PAIRS = [
    (1, True),
    (1, 1.0),
    (0.0, -0.0),
    (float("nan"), float("inf")),
    ("1", 1),
    (2**70, 2**71),
    (1j, 2j),
    (b"a", b"b"),
    (b"a", bytearray(b"a")),
    (slice(1, 2), slice(1, 3)),
    (range(3), range(4)),
    (..., None),
    (Path("a"), Path("b")),
    (Path("a"), "a"),
    (Mode.WRAP, Mode.MIRROR),
    (Bits.A, Bits.A | Bits.B),
    (np.float32(1), np.float64(1)),
    (np.float64(1), 1.0),
    (np.int8(1), np.int8(2)),
    (np.str_("a"), "a"),
    (np.datetime64("2020-01-01"), np.datetime64("2020-01-02")),
    (np.dtype("f4"), np.dtype(">f4")),
    (np.dtype([("a", "i4")]), np.dtype([("b", "i4")])),
    (datetime.date(2020, 1, 1), datetime.date(2020, 1, 2)),
    (datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)),
    (datetime.timedelta(1), datetime.timedelta(2)),
    (Decimal("1.0"), Decimal("1.00")),
    (Fraction(1, 2), Fraction(1, 3)),
    (Point(1, 2), Point(1, 3)),
    (defaultdict(list, a=1), defaultdict(set, a=1)),
    (OrderedDict(a=1), OrderedDict(a=2)),
    (Counter("ab"), Counter("abb")),
    (deque([1]), deque([2])),
    ({1: 2}, {"1": 2}),
    ({"@": 1}, {"@": 2}),
    ({"~a": 1}, {"~a": 2}),
    ({"again": "00"}, {"again": "01"}),
    ({1, 2}, {1, 3}),
    ({1, 2}, frozenset({1, 2})),
    (Weird({"a", "b"}), Weird({"a", "c"})),
    (np.random.default_rng(1), np.random.default_rng(2)),
    (list[int], list[float]),
    (np.arange(3), np.arange(3.0)),
    (np.zeros((2, 3)), np.zeros((3, 2))),
    (np.array([1, "a"], object), np.array([1, "b"], object)),
    (np.array(["a"]), np.array(["b"])),
    (np.array([(1, 2)], "i4,i4"), np.array([(1, 3)], "i4,i4")),
    (np.array([(1, "a")], "i4,O"), np.array([(1, "b")], "i4,O")),
    (np.ma.array([1, 2], mask=[0, 1]), np.ma.array([1, 2], mask=[1, 0])),
    (np.ma.array([1, 2]), np.array([1, 2])),
    (np.array(1), np.array(2)),
    (np.array([[1]]).view(np.matrix), np.array([[1]])),
    (np.polynomial.Polynomial([1, 2]), np.polynomial.Polynomial([1, 3])),
    (np.array(["a", "bb"], np.dtypes.StringDType()), np.array(["a", "cc"], "T")),
    (threading.Lock(), threading.RLock()),
]


@pytest.mark.filterwarnings("ignore:the matrix subclass")
@pytest.mark.parametrize(
    ("left", "right"), PAIRS, ids=[f"{n}: {type(one).__name__}" for n, (one, _) in enumerate(PAIRS)]
)
def test_values_of_each_kind(left: object, right: object) -> None:
    assert digest(left) == digest(left)
    assert digest(left) != digest(right)
    recipe = recipe_of(left)
    assert digest_of(json.loads(json.dumps(recipe, allow_nan=False))) == digest_of(recipe)


def test_tuples_are_lists() -> None:
    assert recipe_of((1, (2, 3))) == [1, [2, 3]]
    assert recipe_of({"b": 1, "a": None}) == {"b": 1, "a": None}


def test_an_array_is_known_by_its_values_however_they_lie() -> None:
    array = np.arange(24, dtype="i4").reshape(2, 3, 4)
    assert digest(array) == digest(np.asfortranarray(array))
    assert digest(array[:, ::2]) == digest(array[:, ::2].copy())
    assert digest(array) != digest(array[::-1])
    assert content_digest(array) == content_digest(array.tobytes())
    assert content_digest(memoryview(array)) == content_digest(array)
    assert content_digest(memoryview(array.T)) == content_digest(array.T)


def test_large_arrays_are_digested_in_parts() -> None:
    array = np.arange(3 << 22, dtype="i4").reshape(2, -1, 3).swapaxes(1, 2)
    assert content_digest(array) == content_digest(array.tobytes())
    assert content_digest(array[:0]) == content_digest(b"")


def test_a_mapped_array_is_an_array(tmp_path: Path) -> None:
    array = np.arange(6.0)
    mapped = np.memmap(tmp_path / "a", float, "w+", shape=6)
    mapped[:] = array
    assert digest(mapped) == digest(array)


def test_what_lies_between_fields_or_under_a_mask_does_not_count() -> None:
    aligned = np.dtype([("a", "i1"), ("b", "i8")], align=True)
    left, right = (np.frombuffer(bytes([fill]) * 16, aligned).copy() for fill in (0, 255))
    for array in (left, right):
        array["a"], array["b"] = 1, 2
    assert digest(left) == digest(right)
    masked = [np.ma.array([1, hidden], mask=[0, 1]) for hidden in (2, 3)]
    assert digest(masked[0]) == digest(masked[1])


def test_objects_have_no_content() -> None:
    with pytest.raises(TypeError, match="objects"):
        content_digest(np.array([None]))


def test_tensors_by_dtype_shape_and_content() -> None:
    torch = pytest.importorskip("torch")
    ones = torch.ones(2, 3)
    assert digest(ones) == digest(torch.ones(2, 3, requires_grad=True))
    assert digest(ones) == digest(torch.ones(3, 2).T)
    halves = [torch.tensor([value], dtype=torch.bfloat16) for value in (1.0, 2.0)]
    others = [ones * 2, torch.ones(3, 2), ones.double(), ones.half(), ones * 1j, *halves]
    others += [torch.ones(2, 3, device="meta"), (ones * 1j).conj(), ones.to_sparse() * 3]
    assert len({digest(each) for each in [ones, *others]}) == 1 + len(others)


def test_a_member_of_an_enum_does_not_know_the_others() -> None:
    other = enum.Enum("Mode", {"WRAP": 1, "MIRROR": 3})
    another = enum.Enum("Mode", {"WRAP": 1})
    assert digest(other.WRAP) == digest(another.WRAP)
    assert digest(other) != digest(another)


def test_a_long_value_is_its_digest() -> None:
    for value in (
        list(range(5000)),
        "x" * 5000,
        {f"{n:04}": n for n in range(5000)},
        set(range(5000)),
    ):
        recipe = recipe_of({"a": value})
        assert recipe["a"]["~length"] == 5000
        assert digest_of(recipe["a"]) == digest(value)


def test_a_deep_value_can_be_written() -> None:
    value: list = []
    other: list = [1]
    for _ in range(5000):
        value, other = [value], [other]
    json.dumps(recipe_of(value))
    assert digest(value) != digest(other)


def test_a_recipe_stands_in_another_as_it_was_written() -> None:
    stored = json.loads(json.dumps(recipe_of({"f": digest, "of": [len, len]})))
    within = recipe_of({"input": Verbatim(stored)})
    assert digest_of(within["input"]) == digest_of(stored)
    assert digest_of(within) == digest({"input": {"f": digest, "of": [len, len]}})
