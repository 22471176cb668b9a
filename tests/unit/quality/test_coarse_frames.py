"""Frames that begin coarsely, and pictures of which nothing can be read: what may be, and what may not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.fft import dctn, idctn
from scipy.ndimage import gaussian_filter

from capbench.quality.expectation import Expectation
from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.validate import validate
from capbench.results import CheckStatus, ValidationReport

_WIDTH, _HEIGHT, _FRAMES, _RATE = 160, 96, 45, 30
Luma = NDArray[np.uint8]
_COARSE_STEP, _COARSEST_STEP = 60.0, 500.0


def _foliage(number: int) -> Luma:
    """Moves by a pixel a frame; another place from frame 30 on."""
    random = np.random.default_rng(6 if number < 30 else 7)
    wide = gaussian_filter(random.normal(0, 1, (_HEIGHT, _WIDTH + _FRAMES)), 0.8)
    shade = gaussian_filter(random.normal(0, 1, (_HEIGHT, _WIDTH + _FRAMES)), 12)
    luma = 120 + 55 * wide + 900 * shade
    return _codes(luma[:, number : number + _WIDTH])


def _page(number: int) -> Luma:
    page = Image.new("L", (_WIDTH, _HEIGHT), 235)
    draw = ImageDraw.Draw(page)
    for row, top in enumerate(range(-number % 13 - 13, _HEIGHT, 13)):
        draw.text((3 + 5 * (row % 3), top), "def export(source): return", fill=30, font=ImageFont.load_default(11))
    return np.asarray(page)


def _codes(values: NDArray[np.float64]) -> Luma:
    codes: Luma = values.round().clip(16, 235).astype(np.uint8)
    return codes


def _quantised(luma: Luma, step: float) -> Luma:
    """As a coder of 8x8 blocks does, with its dead zone; means of blocks are coded four times as finely."""
    blocks = luma.astype(np.float64).reshape(_HEIGHT // 8, 8, _WIDTH // 8, 8)
    coefficients = dctn(blocks, axes=(1, 3), norm="ortho")
    steps = np.full((1, 8, 1, 8), step)
    steps[0, 0, 0, 0] = step / 4
    levels = np.sign(coefficients) * np.floor(np.abs(coefficients) / steps + 1 / 3)
    return _codes(idctn(levels * steps, axes=(1, 3), norm="ortho").reshape(_HEIGHT, _WIDTH))


def _written(path: Path, pictures: Sequence[Luma], rate: Fraction = Fraction(_RATE)) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"qp": "4", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = _WIDTH, _HEIGHT, "yuv420p"
        for number, luma in enumerate(pictures):
            frame = as_frame(Planes(luma, *np.full((2, _HEIGHT // 2, _WIDTH // 2), 128, np.uint8)))
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _judged(
    folder: Path, source: Callable[[int], Luma], change: Callable[[int, Luma], Luma], every: int = 1
) -> ValidationReport:
    """What is said of changed pictures, of which each is kept or every second one, at half the rate."""
    pictures = [source(number) for number in range(_FRAMES)]
    changed = [change(number, luma) for number, luma in enumerate(pictures)][::every]
    return validate(
        _written(folder / "a.mp4", pictures),
        _written(folder / "b.mp4", changed, Fraction(_RATE, every)),
        expected=Expectation(rate=None if every == 1 else Fraction(_RATE, every)),
        with_vmaf=False,
    )


def _still(_: int) -> Luma:
    """A soft page with a few words."""
    page = Image.fromarray(_codes(np.tile(np.linspace(60.0, 90.0, _WIDTH), (_HEIGHT, 1))))
    ImageDraw.Draw(page).text((20, 40), "export", fill=200, font=ImageFont.load_default(11))
    return np.asarray(page)


def _noise(number: int) -> Luma:
    return _codes(np.random.default_rng(number).normal(125, 45, (_HEIGHT, _WIDTH)))


def _status(report: ValidationReport, name: str) -> CheckStatus:
    return next(check.status for check in report.checks if check.name == name)


@pytest.mark.parametrize(("first", "status"), [(0, "pass"), (30, "pass"), (15, "fail")], ids=["start", "cut", "middle"])
def test_rate_control_may_begin_coarsely_and_not_collapse(first: int, status: str, tmp_path: Path) -> None:
    """x264 at an average bit rate is 12 dB below the median in the first tenth of a second of real clips."""
    report = _judged(
        tmp_path,
        _foliage,
        lambda number, luma: _quantised(luma, _COARSE_STEP) if first <= number < first + 5 else luma,
    )

    assert _status(report, "picture.outliers").value == status
    assert status == "fail" or not report.failures, report.failures


@pytest.mark.parametrize("first", [25, 41], ids=["for long", "for two frames behind a cut that is left out"])
def test_content_that_is_harder_to_code_is_no_collapse(first: int, tmp_path: Path) -> None:
    """Noise at the quantiser of the rest has 32 dB, the rest 47. At half the rate the first frame of it is left out."""
    report = _judged(
        tmp_path,
        lambda number: _still(number) if number < first else _noise(number),
        lambda _, luma: _quantised(luma, 22.0),
        every=1 if first == 25 else 2,
    )

    psnr_db = [value for value in report.series["psnr_y"] if value is not None]
    assert min(psnr_db) < np.median(psnr_db) - 10
    assert _status(report, "picture.outliers") is CheckStatus.PASS


@pytest.mark.parametrize(
    ("coarse", "status"), [({20, 21, 22, 23}, "pass"), ({22, 23}, "fail"), ({30, 31, 32, 33}, "fail")]
)
def test_a_short_movement_is_compared_with_what_moves(coarse: set[int], status: str, tmp_path: Path) -> None:
    """One slide pushes another out in four frames, in which coding leaves out more than where nothing moves."""
    report = _judged(
        tmp_path,
        lambda number: _foliage(7 * min(max(0, number - 19), 4)),
        lambda number, luma: _quantised(luma, _COARSE_STEP) if number in coarse else luma,
    )

    assert _status(report, "picture.outliers").value == status


@pytest.mark.parametrize(
    "change",
    [lambda luma: _quantised(luma, _COARSE_STEP), lambda luma: _codes(luma + 12.0)],
    ids=["coarse", "brighter"],
)
def test_a_collapse_that_lasts_is_not_explained_by_content_that_goes_on(
    change: Callable[[Luma], Luma], tmp_path: Path
) -> None:
    report = _judged(tmp_path, _foliage, lambda number, luma: change(luma) if 14 <= number < 29 else luma)

    assert _status(report, "picture.outliers") is CheckStatus.FAIL


@pytest.mark.parametrize(
    "change",
    [lambda luma: luma[::-1], lambda luma: np.roll(luma, 5, axis=1), lambda luma: np.full_like(luma, 120)],
    ids=["foreign", "elsewhere", "grey"],
)
def test_a_first_frame_that_shows_something_else_is_not_coarse(change: Callable[[Luma], Luma], tmp_path: Path) -> None:
    report = _judged(tmp_path, _foliage, lambda number, luma: change(luma) if number == 0 else luma)

    assert _status(report, "picture.outliers") is CheckStatus.FAIL


@pytest.mark.parametrize(
    ("step", "share", "status"),
    [(_COARSEST_STEP, 1.0, "fail"), (_COARSEST_STEP, 0.2, "fail"), (140.0, 1.0, "not_applicable")],
    ids=["illegible", "a fifth of it", "coarse"],
)
def test_a_page_that_cannot_be_read_fails_however_it_was_coded(
    step: float, share: float, status: str, tmp_path: Path
) -> None:
    report = _judged(
        tmp_path, _page, lambda number, luma: _quantised(luma, step) if number >= (1 - share) * _FRAMES else luma
    )

    assert _status(report, "picture.quality").value == status
