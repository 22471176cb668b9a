"""Worst frames small enough for one page: cut around the worst region, and the page says what was cut."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from capbench.results import WorstFrame

__all__ = ["PICTURES_PER_FRAME", "FramePictures", "PictureBudget", "embed_frame", "find_worst_region"]

PICTURES_PER_FRAME = 4
"""Reference, output, difference, and the small whole frame."""
CROP_WIDTH_PX = 480
CROP_HEIGHT_PX = 270
_THUMBNAIL_WIDTH_PX = 160
_QUALITIES = (92, 80, 65)
"""JPEG qualities to try in turn when a lossless picture is over its budget."""


@dataclass(slots=True)
class PictureBudget:
    """Bytes that pictures may still take on the page."""

    left_bytes: int
    """What is left."""
    pictures_to_come: int
    """Pictures that still have to share it."""

    @property
    def share_bytes(self) -> int:
        """Even share of one picture."""
        return self.left_bytes // max(self.pictures_to_come, 1)

    def spend(self, size_bytes: int) -> None:
        """Book one picture."""
        self.left_bytes -= size_bytes
        self.pictures_to_come -= 1


@dataclass(frozen=True, slots=True)
class FramePictures:
    """Reference, output and difference of one frame as data URIs, with what was done to fit them in."""

    worst: WorstFrame
    """Which frame, by which metric."""
    reference_uri: str
    """Reference, cropped."""
    output_uri: str
    """Output, cropped to the same rectangle."""
    difference_uri: str
    """Amplified difference, cropped to the same rectangle."""
    thumbnail_uri: str
    """The whole output frame, small, to show where the crop lies."""
    frame_size: tuple[int, int]
    """Width and height of the saved frame in pixels."""
    crop: tuple[int, int, int, int]
    """Left, top, width and height of the crop in pixels of the frame."""
    note: str
    """What the reader sees: crop, compression."""


def find_worst_region(difference: NDArray[np.uint8], width: int, height: int) -> tuple[int, int]:
    """Left and top of the `width` x `height` rectangle with the largest sum of differences, the damage in its middle.

    Many rectangles hold a small damage whole: of those within 2% of the largest sum the middle one is taken.
    `difference` has shape (rows, columns) or (rows, columns, channels). Exact, by an integral image (Crow 1984,
    "Summed-area tables for texture mapping").
    """
    plane = difference.astype(np.int64)
    if plane.ndim == 3:
        plane = plane.sum(axis=2)
    rows, columns = plane.shape
    width, height = min(width, columns), min(height, rows)
    table = np.zeros((rows + 1, columns + 1), np.int64)
    table[1:, 1:] = plane.cumsum(axis=0).cumsum(axis=1)
    sums = table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
    tops, lefts = np.nonzero(sums >= sums.max() * 0.98)
    middle = int(np.hypot(tops - tops.mean(), lefts - lefts.mean()).argmin())
    return int(lefts[middle]), int(tops[middle])


def embed_frame(folder: Path, worst: WorstFrame, budget: PictureBudget) -> FramePictures | str:
    """The pictures of one frame within the budget, or the sentence that says why they are not shown."""
    if budget.left_bytes <= 0:
        return f"The pictures of frame {worst.frame} are omitted: the page has reached its limit for pictures"
    try:
        pictures = [_open(folder, name) for name in (worst.reference_png, worst.output_png, worst.difference_png)]
    except (OSError, UnidentifiedImageError, ValueError) as error:
        budget.pictures_to_come -= PICTURES_PER_FRAME
        return f"The pictures of frame {worst.frame} cannot be shown: {error}"
    if len({picture.size for picture in pictures}) > 1:
        budget.pictures_to_come -= PICTURES_PER_FRAME
        return f"The pictures of frame {worst.frame} cannot be shown: they differ in size"
    reference, output, difference = pictures
    width, height = min(CROP_WIDTH_PX, output.width), min(CROP_HEIGHT_PX, output.height)
    left, top = _place_crop(difference, width, height)
    box = (left, top, left + width, top + height)
    encoded = [_encode(picture.crop(box), budget) for picture in (reference, output, difference)]
    small = output.resize(
        (_THUMBNAIL_WIDTH_PX, max(round(output.height * _THUMBNAIL_WIDTH_PX / output.width), 1)), reducing_gap=2.0
    )
    thumbnail = _encode(small, budget)
    whole = (width, height) == output.size
    cut = (
        "whole frame" if whole else f"{width} x {height} pixels at ({left}, {top}) of {output.width} x {output.height}"
    )
    kinds = dict.fromkeys(kind for _, kind in encoded)
    return FramePictures(
        worst=worst,
        reference_uri=encoded[0][0],
        output_uri=encoded[1][0],
        difference_uri=encoded[2][0],
        thumbnail_uri=thumbnail[0],
        frame_size=output.size,
        crop=(left, top, width, height),
        note=f"{cut}; shown {' and '.join(kinds)}",
    )


def _place_crop(difference: Image.Image, width: int, height: int) -> tuple[int, int]:
    """Left and top of the worst region, found to within 8 pixels: a 4K frame needs no search of every pixel."""
    factor = min(max(difference.width // 480, 1), 8)
    small = np.asarray(difference.reduce(factor))
    left, top = find_worst_region(small, max(width // factor, 1), max(height // factor, 1))
    return min(left * factor, difference.width - width), min(top * factor, difference.height - height)


def _open(folder: Path, name: str) -> Image.Image:
    """A picture inside the result folder; a name that leads out of it is refused, the folder may be anybody's."""
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} lies outside the result folder")
    with Image.open(file) as picture:
        return picture.convert("RGB")


def _encode(picture: Image.Image, budget: PictureBudget) -> tuple[str, str]:
    """Data URI and the name of the compression: lossless where that fits, because JPEG adds errors of its own."""
    share_bytes = budget.share_bytes * 3 // 4  # base64 writes three bytes as four characters
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    mime, kind = "image/png", "lossless"
    if buffer.tell() > share_bytes:
        for quality in _QUALITIES:
            buffer = io.BytesIO()
            picture.save(buffer, "JPEG", quality=quality, subsampling=0)
            mime, kind = "image/jpeg", f"as JPEG of quality {quality}"
            if buffer.tell() <= share_bytes:
                break
    uri = f"data:{mime};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    budget.spend(len(uri))
    return uri, kind
