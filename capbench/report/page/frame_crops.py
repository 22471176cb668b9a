"""The same part of every picture of a frame, lossless: inside the page while there is room, then in files beside it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops

__all__ = [
    "CROP_HEIGHT_PX",
    "CROP_WIDTH_PX",
    "Crop",
    "PictureStore",
    "encode_lossless",
    "encode_map",
    "find_worst_region",
    "open_picture",
    "place_crop",
]

CROP_WIDTH_PX = 480
"""Two of them fit beside each other on a laptop, one at 2 to 1 fills it."""
CROP_HEIGHT_PX = 270
_MAP_WIDTH_PX = 120
_MAP_QUALITY = 60
"""The whole frame, small, says only where the crop lies; nobody judges quality by it."""
_SEARCHED_WIDTH_PX = 480
"""Width to which a difference is reduced before its worst region is looked for."""
_LARGEST_STEP_PX = 8
_ALIKE = 0.98
"""Of the largest sum of differences: a small damage lies whole in many rectangles, and noise must not choose one."""
_WEBP_METHOD = 3
"""Of 0 to 6: half a second for a dozen pictures, and within 2% of the smallest size."""

Crop = tuple[int, int, int, int]
"""Left, top, width and height in pixels of the frame."""


class PictureStore:
    """Where the pictures of a page go. It changes: it counts what is placed, and keeps files until they are written.

    Every case has an even share of the bytes inside the page; what a case leaves is shared by those after it.
    """

    def __init__(self, page_bytes: int, *, cases: int, files_url: str | None) -> None:
        """`page_bytes` is for all pictures inside the page, as the page writes them.

        `files_url` is the relative URL of a folder for the others; None where the page travels alone.
        """
        self._left_bytes = page_bytes
        self._cases_to_come = cases
        self._share_bytes = 0
        self._files_url = files_url
        self.files: dict[str, bytes] = {}
        """Name inside the folder of files to content."""

    def begin_case(self) -> None:
        """Share out what is left."""
        self._share_bytes = self._left_bytes // max(self._cases_to_come, 1)
        self._cases_to_come -= 1

    def place(self, name: str, pictures: Sequence[bytes | None]) -> tuple[str | None, ...] | None:
        """A URL for each picture, all inside the page or all beside it; None where there is no room for them.

        `name` begins the names of their files. A picture that is None has no URL.
        """
        uris = [None if picture is None else data_uri(picture) for picture in pictures]
        size_bytes = sum(len(uri) for uri in uris if uri)
        if size_bytes <= self._share_bytes:
            self._share_bytes -= size_bytes
            self._left_bytes -= size_bytes
            return tuple(uris)
        if self._files_url is None:
            return None
        urls: list[str | None] = []
        for number, picture in enumerate(pictures):
            file = f"{name}-{number}.{'webp' if _is_webp(picture) else 'png'}"
            if picture is not None:
                self.files[file] = picture
            urls.append(None if picture is None else f"{self._files_url}/{file}")
        return tuple(urls)


def data_uri(picture: bytes) -> str:
    """A picture as text inside the page."""
    kind = "webp" if _is_webp(picture) else "png"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')}"


def _is_webp(picture: bytes | None) -> bool:
    return picture is not None and picture[8:12] == b"WEBP"


def open_picture(folder: Path, name: str) -> Image.Image:
    """A picture inside the result folder as R'G'B'. Raises `ValueError` or `OSError` where it cannot be shown.

    A name that leads out of the folder is refused: the folder may be anybody's.
    """
    file = (folder / name).resolve()
    if not file.is_relative_to(folder.resolve()):
        raise ValueError(f"{name} lies outside the result folder")
    try:
        with Image.open(file) as picture:
            return picture.convert("RGB")
    except Image.DecompressionBombError as error:
        raise ValueError(f"{name} has too many pixels") from error


def place_crop(reference: Image.Image, outputs: Sequence[Image.Image]) -> Crop:
    """The region in which any of the outputs differs most from the reference, found to within 8 pixels."""
    width, height = min(CROP_WIDTH_PX, reference.width), min(CROP_HEIGHT_PX, reference.height)
    factor = min(max(reference.width // _SEARCHED_WIDTH_PX, 1), _LARGEST_STEP_PX)
    differences = [np.asarray(ImageChops.difference(reference, output).reduce(factor)) for output in outputs]
    largest = np.maximum.reduce(differences)
    left, top = find_worst_region(largest, max(width // factor, 1), max(height // factor, 1))
    return min(left * factor, reference.width - width), min(top * factor, reference.height - height), width, height


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
    tops, lefts = np.nonzero(sums >= sums.max() * _ALIKE)
    middle = int(np.hypot(tops - tops.mean(), lefts - lefts.mean()).argmin())
    return int(lefts[middle]), int(tops[middle])


def encode_lossless(picture: Image.Image, crop: Crop) -> bytes:
    """The cropped pixels, exactly, as WebP, or as PNG where Pillow was built without it."""
    left, top, width, height = crop
    part = picture.crop((left, top, left + width, top + height))
    buffer = io.BytesIO()
    try:
        part.save(buffer, "WEBP", lossless=True, quality=100, method=_WEBP_METHOD)
    except (KeyError, OSError):  # Pillow's words for a format that it was built without
        buffer = io.BytesIO()
        part.save(buffer, "PNG")
    return buffer.getvalue()


def encode_map(picture: Image.Image) -> str:
    """The whole frame, small, as text inside the page."""
    height = max(round(picture.height * _MAP_WIDTH_PX / picture.width), 1)
    buffer = io.BytesIO()
    picture.resize((_MAP_WIDTH_PX, height), reducing_gap=2.0).save(buffer, "JPEG", quality=_MAP_QUALITY)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
