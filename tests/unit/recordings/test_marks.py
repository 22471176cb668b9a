"""The frame number and the flash: read where they are intact, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from capbench.recordings.layout import FLASH, FRAME_NUMBER, LayoutRectangle
from capbench.recordings.marks import MAX_FRAME_NUMBER, flash_level, frame_number_cells, read_frame_number

SIZES = [(160, 90), (192, 108), (640, 360), (1366, 768), (1080, 1920)]
NUMBERS = [0, 1, 29, 2**15, 0x5A5A5, MAX_FRAME_NUMBER]

Luma = NDArray[np.uint8]


def picture_of(cells: NDArray[np.uint8], width: int = 640, height: int = 360, *, flash: bool = False) -> Luma:
    """A grey luma plane with these cells in the frame number's place, drawn without any of the generator's code."""
    luma = np.full((height, width), 90, np.uint8)
    luma[FLASH.pixels(width, height)] = 235 if flash else 26
    y, x = np.mgrid[0:height, 0:width] + 0.5
    column = np.floor((x / width - FRAME_NUMBER.left) / (FRAME_NUMBER.right - FRAME_NUMBER.left) * cells.shape[1])
    row = np.floor((y / height - FRAME_NUMBER.top) / (FRAME_NUMBER.bottom - FRAME_NUMBER.top) * 2)
    inside = (column >= 0) & (column < cells.shape[1]) & (row >= 0) & (row < 2)
    codes = np.where(cells[row[inside].astype(int), column[inside].astype(int)], 235, 16)
    luma[inside] = codes
    return luma


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("number", NUMBERS)
def test_number_is_read_at_any_size(number: int, width: int, height: int) -> None:
    assert read_frame_number(picture_of(frame_number_cells(number), width, height)) == number


@pytest.mark.parametrize("number", [-1, MAX_FRAME_NUMBER + 1])
def test_number_that_does_not_fit_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match=str(number)):
        frame_number_cells(number)


@pytest.mark.parametrize("column", range(44))
def test_one_wrong_cell_is_noticed(column: int) -> None:
    cells = frame_number_cells(12345)
    cells[:, column] = 1 - cells[:, column]

    assert read_frame_number(picture_of(cells)) is None


def test_two_to_four_wrong_cells_are_noticed() -> None:
    """A 16-bit CRC lets one wrong word of 65536 through: of 500 none may be read as another number."""
    rng = np.random.default_rng(5)
    for _ in range(500):
        cells = frame_number_cells(int(rng.integers(MAX_FRAME_NUMBER)))
        wrong = rng.choice(44, rng.integers(2, 5), replace=False)
        cells[:, wrong] = 1 - cells[:, wrong]
        assert read_frame_number(picture_of(cells, 192, 108)) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda luma: luma[:, ::-1], id="mirrored"),
        pytest.param(lambda luma: 251 - luma, id="inverted"),
        pytest.param(lambda luma: luma[::-1], id="upside-down"),
        pytest.param(lambda luma: luma // 2 + picture_of(frame_number_cells(78)) // 2, id="blended"),
        pytest.param(lambda luma: np.roll(luma, 14, axis=1), id="moved"),
        pytest.param(lambda luma: luma // 16 + 100, id="faint"),
        pytest.param(np.zeros_like, id="black"),
        pytest.param(lambda luma: np.random.default_rng(1).integers(0, 256, luma.shape, np.uint8), id="noise"),
        pytest.param(lambda luma: luma[:2, :2], id="tiny"),
    ],
)
def test_no_number_where_there_is_none_intact(change: Callable[[Luma], Luma]) -> None:
    assert read_frame_number(change(picture_of(frame_number_cells(77)))) is None


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda luma: luma // 2, id="dimmed"),
        pytest.param(lambda luma: luma // 2 + 120, id="faded"),
        pytest.param(lambda luma: ((luma.astype(int) - 16).clip(0) * 255 // 219).astype(np.uint8), id="full-range"),
    ],
)
def test_number_and_flash_survive_a_change_of_brightness(change: Callable[[Luma], Luma]) -> None:
    luma = change(picture_of(frame_number_cells(4321), flash=True))

    assert read_frame_number(luma) == 4321
    assert flash_level(luma) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize("scale", [0.6, 0.75, 0.9])
def test_number_and_flash_are_read_inside_a_rectangle(scale: float) -> None:
    """Scaled to a width that is no whole number, with padding and rounded corners, over a bright background."""
    width, height = 640, 360
    recording = LayoutRectangle(31.3, 22.6, width * scale, height * scale)
    source = Image.fromarray(picture_of(frame_number_cells(987654), width, height, flash=True))
    inverse = (1 / scale, 0, -recording.left / scale, 0, 1 / scale, -recording.top / scale)
    moved = source.transform((width, height), Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
    mask = Image.new("L", (width, height), 0)
    box = (recording.left, recording.top, recording.left + recording.width, recording.top + recording.height)
    ImageDraw.Draw(mask).rounded_rectangle(box, radius=24, fill=255)
    luma = np.asarray(Image.composite(moved, Image.new("L", (width, height), 200), mask))

    assert read_frame_number(luma, recording) == 987654
    assert flash_level(luma, recording) == pytest.approx(1.0, abs=0.02)
    assert read_frame_number(luma) is None


def test_flash_level_without_a_flash_and_without_marks() -> None:
    assert flash_level(picture_of(frame_number_cells(3))) == pytest.approx(10 / 219, abs=0.01)
    assert flash_level(np.full((90, 160), 235, np.uint8)) is None
