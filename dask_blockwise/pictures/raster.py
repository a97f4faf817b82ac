"""Images as PNG: resized, with a scale bar, as a URL that holds them. The one door to Pillow."""

from __future__ import annotations

from base64 import b64encode
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["data_url", "png", "resized", "with_bar"]

_MARGIN = 8


def resized(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The image in so many pixels, each that of the nearest one.

    Parameters
    ----------
    image : ndarray of uint8, shape (y, x, 3)

    Examples
    --------
    >>> resized(np.arange(12, dtype=np.uint8).reshape(1, 4, 3), 1, 2)[0, :, 0].tolist()
    [3, 9]
    """
    return image[np.ix_(_nearest(len(image), height), _nearest(image.shape[1], width))]


def _nearest(there: int, wanted: int) -> NDArray[np.intp]:
    return ((np.arange(wanted) + 0.5) * there / wanted).astype(np.intp)


def with_bar(image: NDArray[np.uint8], pixels: float, caption: str) -> NDArray[np.uint8]:
    """The image with a scale bar of so many pixels in its lower left corner.

    Parameters
    ----------
    image : ndarray of uint8, shape (y, x, 3)
    """
    from PIL import Image, ImageDraw, ImageFont

    drawn = Image.fromarray(image)
    draw = ImageDraw.Draw(drawn)
    bottom = drawn.height - _MARGIN
    end = _MARGIN + max(1, round(pixels)) - 1
    draw.rectangle((_MARGIN - 1, bottom - 4, end + 1, bottom + 1), fill="black")
    draw.rectangle((_MARGIN, bottom - 3, end, bottom), fill="white")
    style: dict[str, Any] = {"fill": "white", "stroke_width": 2, "stroke_fill": "black"}
    font = ImageFont.load_default(13)
    draw.text((_MARGIN, bottom - 7), _plain(caption), anchor="lb", font=font, **style)
    return np.asarray(drawn)


def _plain(caption: str) -> str:
    """In letters that Pillow's own font has, which are those of ASCII: "2 um"."""
    return caption.replace("µ", "u").encode("ascii", "replace").decode()


def png(image: NDArray[np.uint8]) -> bytes:
    """The image as PNG.

    Parameters
    ----------
    image : ndarray of uint8, shape (y, x, 3)

    Examples
    --------
    >>> png(np.zeros((2, 2, 3), np.uint8))[:4]
    b'\\x89PNG'
    """
    from PIL import Image

    is_grey = (image == image[..., :1]).all()
    file = BytesIO()
    # A grey one takes a third.
    Image.fromarray(image[..., 0] if is_grey else image).save(file, "PNG", optimize=True)
    return file.getvalue()


def data_url(content: bytes, kind: str) -> str:
    """A URL that holds what it leads to.

    Examples
    --------
    >>> data_url(b"<svg/>", "image/svg+xml")
    'data:image/svg+xml;base64,PHN2Zy8+'
    """
    return f"data:{kind};base64,{b64encode(content).decode()}"
