"""Text that cannot be read in a part of the picture, or part of the time; and coarse coding, which is no blur."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from capbench.quality.checks.pictures.sharpness_check import check_sharpness
from capbench.quality.measurements import BlurredPart, PictureMeasurements
from capbench.quality.validate import validate
from capbench.results import CheckStatus, ValidationReport

_WIDTH, _HEIGHT, _FRAMES = 320, 160, 12
Picture = NDArray[np.uint8]
_LIGHT = ((246, 246, 243), ((25, 25, 30), (150, 30, 40), (30, 60, 150)))
_DARK = ((30, 30, 30), ((212, 212, 212), (86, 156, 214), (106, 153, 85)))
_BLUE = ((0, 0, 0), ((0, 0, 255),))
"""Colour of the page and of its lines; of the last hardly any luma differs."""


def _page(number: int, colours: tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], height: int, step: int) -> Picture:
    """Lines of text, `step` pixels higher in each picture."""
    page = Image.new("RGB", (_WIDTH, _HEIGHT), colours[0])
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(height)
    pitch = round(1.35 * height)
    for row in range(-1, (_HEIGHT + step * number) // pitch + 1):
        text = "def export(source, target): return render(source)  # 0123456789"
        draw.text((6 + 9 * (row % 5), row * pitch - step * number), text, colours[1][row % len(colours[1])], font)
    return np.asarray(page)


def _written(path: Path, pictures: Sequence[Picture], crf: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _judged(
    folder: Path, pictures: Sequence[Picture], change: Callable[[int, Picture], Picture], crf: int = 14
) -> ValidationReport:
    changed = [change(number, picture) for number, picture in enumerate(pictures)]
    reference = _written(folder / "a.mp4", pictures, 8)
    return validate(reference, _written(folder / "b.mp4", changed, crf), with_vmaf=False)


def _blurred(picture: Picture, sigma: float, part: tuple[slice, slice]) -> Picture:
    changed = picture.copy()
    changed[part] = gaussian_filter(picture[part].astype(np.float64), (sigma, sigma, 0)).round()
    return changed


def _sharpness(report: ValidationReport) -> CheckStatus:
    return next(check.status for check in report.checks if check.name == "picture.sharpness")


@pytest.mark.parametrize(
    ("colours", "height", "step"),
    [(_LIGHT, 13, 2), (_LIGHT, 9, 0), (_DARK, 11, 1), (_BLUE, 14, 2)],
    ids=["scrolling", "small", "dark", "blue on black"],
)
def test_text_that_is_illegible_in_a_part_fails(
    colours: tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], height: int, step: int, tmp_path: Path
) -> None:
    pictures = [_page(number, colours, height, step) for number in range(_FRAMES)]

    report = _judged(tmp_path, pictures, lambda _, picture: _blurred(picture, 3, np.s_[40:90, 80:180]))

    assert [check.name for check in report.failures] == ["picture.sharpness"]


def test_one_line_that_is_illegible_for_a_third_of_the_time_fails(tmp_path: Path) -> None:
    pictures = [_page(number, _LIGHT, 13, 0) for number in range(_FRAMES)]

    report = _judged(
        tmp_path, pictures, lambda number, one: _blurred(one, 2, np.s_[70:90, :]) if 4 <= number < 8 else one
    )

    failed = next(check for check in report.failures if check.name == "picture.sharpness")
    assert failed.frames == (4, 5, 6, 7)


@pytest.mark.parametrize(("frames", "fails"), [((2, 5, 7, 9), False), ((2, 5, 6, 7), True)])
def test_what_is_soft_for_single_frames_can_be_read_in_the_next(frames: tuple[int, ...], *, fails: bool) -> None:
    """Coarse coding softens a star of a starfield for a frame, and another one some frames later."""
    soft = BlurredPart(beside_blur=0.01, error_codes=24.0, kept_error_codes=3.6, step_px=1, x=16, y=16)
    pictures = PictureMeasurements(blurred_parts=[(soft,) if number in frames else () for number in range(12)])

    found = check_sharpness(pictures)

    assert (found.status is CheckStatus.FAIL) is fails
    assert not fails or found.frames == (5, 6, 7)


@pytest.mark.parametrize("crf", [20, 30, 38])
@pytest.mark.parametrize(("colours", "height", "step"), [(_LIGHT, 13, 2), (_DARK, 11, 1)], ids=["light", "dark"])
def test_coarse_coding_is_no_blur(
    crf: int, colours: tuple[tuple[int, ...], tuple[tuple[int, ...], ...]], height: int, step: int, tmp_path: Path
) -> None:
    pictures = [_page(number, colours, height, step) for number in range(_FRAMES)]

    report = _judged(tmp_path, pictures, lambda _, picture: picture, crf)

    assert _sharpness(report) is not CheckStatus.FAIL


@pytest.mark.parametrize("crf", [14, 36])
@pytest.mark.parametrize(
    ("words", "turn"),
    [
        ("flipped vertically", lambda picture: picture[::-1]),
        ("flipped horizontally", lambda picture: picture[:, ::-1]),
        ("rotated by 180°", lambda picture: picture[::-1, ::-1]),
    ],
)
def test_a_page_that_scrolls_is_turned_and_not_shuffled(
    words: str, turn: Callable[[Picture], Picture], crf: int, tmp_path: Path
) -> None:
    """A page upside down resembles the page some lines later: frames were called lost, repeated and out of order."""
    pictures = [_page(number, _LIGHT, 13, 2) for number in range(_FRAMES)]

    report = _judged(tmp_path, pictures, lambda _, picture: turn(picture), crf)

    (failed,) = (check for check in report.checks if check.status is CheckStatus.FAIL)
    assert failed.name == "picture.orientation"
    assert words in failed.message
