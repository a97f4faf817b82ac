"""What a notebook shows of a volume: right, safe, and without computing anything."""

import base64
import io
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import browsers
import dask.array as da
import numpy as np
import pytest
from matplotlib.image import imread

import dask_blockwise as dbw
from dask_blockwise import Roi, Volume


def images(html: str, kind: str = "png") -> list[bytes]:
    found = re.findall(rf'src="data:image/{re.escape(kind)};base64,([^"]*)"', html)
    return [base64.b64decode(content) for content in found]


def pictures(html: str) -> list[np.ndarray[Any, Any]]:
    """Red, green and blue in [0, 1], also of those that are stored as grey."""
    found = (imread(io.BytesIO(content), "png") for content in images(html))
    return [np.stack([one] * 3, -1) if one.ndim == 2 else one[..., :3] for one in found]


def drawing(html: str) -> str:
    (svg,) = images(html, "svg+xml")
    return svg.decode()


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.depth: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: Any) -> None:
        self.opened.append(tag)
        if tag != "img":
            self.depth.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.depth.pop() == tag


@pytest.fixture
def halves() -> np.ndarray[Any, Any]:
    """Dark where x is small."""
    array = np.zeros((40, 60, 80), np.uint8)
    array[..., 40:] = 200
    return array


def test_sections_through_the_middle_are_in_the_worlds_proportions(halves: Any) -> None:
    volume = Volume.from_array(halves, voxel_size=(40, 4, 4), unit="nanometer")
    html = volume._repr_html_()
    shapes = [picture.shape[:2] for picture in pictures(html)]
    # 1600 nm along z are 256 pixels.
    assert shapes == [(38, 51), (256, 51), (256, 38)]
    for title in "y, x at z = 800 nanometer", "z, x at y = 120 nanometer", "z, y at x = 160":
        assert title in html
    across = pictures(html)[1][100, :, 0]
    assert across[:20].max() < 0.1
    assert across[30:].min() > 0.9


def test_what_show_draws_is_a_picture_in_a_notebook_that_has_imported_nothing(halves: Any) -> None:
    assert Volume.from_array(halves).show()._repr_png_().startswith(b"\x89PNG")


def test_a_scale_bar_is_as_long_as_it_says() -> None:
    grey = np.full((300, 300), 128, np.uint8)
    grey[0, 0], grey[0, 1] = 0, 255
    volume = Volume.from_array(grey, voxel_size=(10, 10), unit="nanometer")
    (picture,) = pictures(volume._repr_html_())
    # 1 µm of 3 in 256 pixels.
    assert (picture[-11, :, 0] > 0.99).sum() == pytest.approx(256 / 3, abs=1)


def test_neighbouring_labels_are_told_apart(data: Path) -> None:
    labels = np.load(data / "fib25/labels.npz")
    array = labels[labels.files[0]][100]
    from dask_blockwise.pictures.colours import label_colours

    for shift in (0, 2**40, 2**60):
        ids = np.where(array == 0, 0, array.astype(np.uint64) + np.uint64(shift))
        colours = label_colours(ids)
        beside = (ids[:, 1:] != ids[:, :-1]) & (ids[:, 1:] != 0) & (ids[:, :-1] != 0)
        apart = np.abs(colours[:, 1:] - colours[:, :-1]).max(-1)[beside]
        assert beside.sum() > 500
        assert np.percentile(apart, 1) > 0.05


@pytest.mark.parametrize(
    ("channels", "said"),
    [(1, ""), (2, "Channels 0 red, 1 green."), (9, "Channels 0 red, 1 green, 2 blue.")],
    ids=["one", "two", "nine"],
)
def test_channels_are_colours(channels: int, said: str) -> None:
    array = np.zeros((channels, 32, 64), np.float32)
    array[-1 if channels < 3 else 2, :, 32:] = 1
    volume = Volume.from_array(array, axes="cyx")
    html = volume._repr_html_()
    (picture,) = pictures(html)
    expected = {1: [1, 1, 1], 2: [0, 1, 0], 9: [0, 0, 1]}[channels]
    np.testing.assert_allclose(picture[20, 200], expected)
    assert said in html


def test_a_lazy_volume_is_not_computed_by_being_shown(halves: Any) -> None:
    def never(array: Any) -> Any:
        raise AssertionError("computed")

    raw = Volume.from_array(halves, chunks=(20, 30, 40))
    lazy = dbw.map_overlap(never, raw, halo=(4, 8, 8), dtype=np.uint8)
    stored = lazy.checkpoint("nowhere.zarr/smooth")
    html = dbw.relabel(dbw.connected_components(stored), match="touch")._repr_html_()
    assert len(pictures(html)) == 3
    assert "Computed when asked" in html
    assert "computed</td>" not in html
    drawn = drawing(html)
    for text in "never", "halo 4 x 8 x 8", "checkpoint", "nowhere.zarr/smooth", "components":
        assert text in drawn
    assert drawn.count("8 blocks of 20 x 30 x 40") == 2  # the checkpoint's and the result's
    assert drawn.count("stroke-dasharray") == 1
    assert "recompute factor" in html
    assert not Path("nowhere.zarr").exists()


def test_an_array_of_dask_is_not_computed_by_being_shown() -> None:
    def never(block: Any) -> Any:
        raise AssertionError("computed")

    array = da.map_blocks(never, da.zeros((64, 64), chunks=32), dtype=float)
    html = (Volume.from_array(array) + 1)._repr_html_()
    assert "Computed when asked" in html
    assert not images(html)


def test_an_expression_of_what_is_stored_is_shown_itself(halves: Any) -> None:
    html = (Volume.from_array(halves) > 100)._repr_html_()
    picture = pictures(html)[0]
    assert set(np.unique(picture[:100])) <= {0.0, 1.0}
    assert "Computed when asked" not in html


def test_an_image_of_several_levels_is_shown_by_a_coarse_one(tmp_path: Path, near: Any) -> None:
    array = np.zeros((1200, 1200), np.uint8)
    array[600:] = 255
    path = tmp_path / "a.zarr/raw"
    Volume.from_array(array, chunks=(256, 256)).to_zarr(
        path, client=near, progress=False, pyramid=2
    )
    html = dbw.open_volume(path)._repr_html_()
    (picture,) = pictures(html)
    assert "Level of y 300, x 300." in html
    assert picture[:120].max() < 0.1
    assert picture[130:200].min() > 0.9


def test_of_a_large_array_no_more_is_read_than_a_part(tmp_path: Path) -> None:
    volume = dbw.create_volume(
        tmp_path / "a.zarr/raw", shape=(40_000,) * 3, dtype="uint16", block_shape=(512,) * 3
    )
    begin = time.monotonic()
    html = volume._repr_html_()
    assert time.monotonic() - begin < 30
    assert len(pictures(html)) == 3


def test_chunks_too_large_to_be_read_at_once_are_not(tmp_path: Path) -> None:
    from dask_blockwise.storage.arrays import create_array

    create_array(tmp_path / "a.zarr", (5000, 5000, 500), "float32", chunks=(5000, 5000, 500))
    html = dbw.open_volume(tmp_path / "a.zarr")._repr_html_()
    assert not images(html)
    assert "volume.show(roi) looks at a region" in html


ALLOWED = {"div", "p", "img", "figure", "figcaption", "table", "tr", "th", "td", "pre"}
HOSTILE = "<script>alert('x')</script>\"&"


def test_names_and_paths_are_escaped(tmp_path: Path, near: Any, halves: Any) -> None:
    def function(array: Any) -> Any:
        return array

    function.__name__ = HOSTILE
    folder = tmp_path / "a.zarr" / "<img src=x onerror=alert(1)>"
    raw = Volume.from_array(halves, unit="nm")
    raw.to_zarr(folder, client=near, progress=False)
    for file in (tmp_path / "a.zarr").rglob("zarr.json"):
        file.write_text(file.read_text().replace('"nanometer"', json.dumps(HOSTILE)))
    assert dbw.open_volume(folder).unit == HOSTILE
    lazy = dbw.map_overlap(function, dbw.open_volume(folder), halo=1, dtype=np.uint8)
    html = lazy.checkpoint(tmp_path / "b.zarr" / "<b>")._repr_html_()
    assert len(pictures(html)) == 3
    tags = Tags(html)
    assert not tags.depth
    assert set(tags.opened) <= ALLOWED
    assert set(Tags(drawing(html)).opened) <= {"svg", "rect", "path", "text"}
    assert "<img src=x" not in drawing(html)
    assert "http" not in html


@pytest.mark.parametrize(
    ("array", "axes"),
    [
        (np.zeros((7,)), "x"),
        (np.full((3, 30, 40), np.nan), "zyx"),
        (np.full((30, 40), -3.5), "yx"),
        (np.arange(1200).reshape(30, 40) * (1 + 2j), "yx"),
        (np.arange(2 * 3 * 4 * 5 * 6).reshape(2, 3, 4, 5, 6) - 300, "tczyx"),
        (np.array([[-np.inf, np.inf], [0, 1]]), "yx"),
        (np.ones((2, 900, 5), bool), "tyx"),
        (np.array([[2**64 - 1, 0]], np.uint64), "yx"),
        (np.zeros((1, 1, 1), np.float16), "zyx"),
    ],
    ids=["line", "nan", "constant", "complex", "all-axes", "infinite", "bool-strip", "ids", "one"],
)
def test_whatever_values_are_shown_without_a_warning(array: Any, axes: str) -> None:
    html = Volume.from_array(array, axes=axes)._repr_html_()
    assert "No picture: volume.show" in html if axes == "x" else pictures(html)


def test_what_cant_be_read_is_said_in_its_place(tmp_path: Path, near: Any, halves: Any) -> None:
    path = tmp_path / "a.zarr/raw"
    Volume.from_array(halves).to_zarr(path, client=near, progress=False)
    volume = dbw.open_volume(path, on_missing="raise")
    for chunk in (path / "s0/c").rglob("*"):
        if chunk.is_file():
            chunk.unlink()
    html = volume._repr_html_()
    assert "No picture: " in html
    assert "z 40, y 60, x 80" in html


def test_a_store_that_does_not_answer_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, halves: Any
) -> None:
    from dask_blockwise.volumes.kinds import InMemory
    from dask_blockwise.volumes.seen import html

    monkeypatch.setattr(html, "_MOST_SECONDS", 0.1)
    monkeypatch.setattr(InMemory, "read", lambda *_: time.sleep(1))
    assert "took 0.1 s and more" in Volume.from_array(halves)._repr_html_()


def test_stages_that_are_shared_are_walked_once(halves: Any) -> None:
    volume = Volume.from_array(halves.astype(np.float32))
    for _ in range(40):
        volume = volume + volume
    html = volume._repr_html_()
    assert "volume.plan() says what storing it takes" in html


def test_show_draws_sections_of_a_region(halves: Any) -> None:
    volume = Volume.from_array(halves, voxel_size=(40, 4, 4), unit="nanometer")
    figure = volume.show(Roi((400, 40, 160), (400, 80, 80)))
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[0] == "y, x at z = 600 nanometer"
    assert len(titles) == 3
    image = figure.axes[0].images[0]
    assert image.get_array().shape == (20, 20, 3)
    assert tuple(image.get_extent()) == (160, 240, 120, 40)


def test_show_computes_what_it_draws(halves: Any) -> None:
    inverted = dbw.map_overlap(lambda a: 255 - a, Volume.from_array(halves), dtype=np.uint8, halo=0)
    (axes,) = inverted.show(axis="z").axes
    assert axes.images[0].get_array()[5, 5].tolist() == [255, 255, 255]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"axis": "c"}, "axis is one of 'z', 'y', 'x'"),
        ({"roi": Roi((0, 0, 0), (1000, 1, 1))}, "isn't within the volume"),
    ],
    ids=["axis", "roi"],
)
def test_show_refuses_what_isnt_there(halves: Any, options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Volume.from_array(halves).show(**options)


def test_voxel_sizes_are_those_of_the_file() -> None:
    volume = Volume.from_array(
        np.zeros((4, 4, 4)), voxel_size=(0.2837, 0.5, 0.5), unit="micrometer"
    )
    assert "z 0.2837, y 0.5, x 0.5 micrometer" in volume._repr_html_()


def test_a_long_pipeline_stays_readable() -> None:
    volume = Volume.from_array(np.zeros((4, 4), np.uint8))
    for _ in range(8):
        volume = dbw.map_overlap(np.copy, volume)
    html = volume._repr_html_()
    (least,) = map(int, re.findall(r"min-width:(\d+)px", html))
    width = float(re.findall(r'width="(\d+)"', drawing(html))[0])
    assert width > 900
    assert least == round(0.8 * width)


@pytest.mark.browser
def test_a_browser_draws_all_pictures_and_nothing_is_wider_than_a_narrow_page() -> None:
    volume = Volume.from_array(np.zeros((40, 60, 80), np.uint8), voxel_size=(8, 4, 4), unit="nm")
    for _ in range(8):
        volume = dbw.map_overlap(np.copy, volume)
    with browsers.page(700, 900) as page:
        page.set_content(volume._repr_html_())
        widths = page.evaluate("Array.from(document.images, image => image.naturalWidth)")
        assert len(widths) == 4
        assert min(widths) > 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 700
        letters = page.evaluate("document.images[3].width / document.images[3].naturalWidth")
        assert letters == pytest.approx(0.8, abs=0.01)
