"""Pictures that are shown again: held by the reference, flickering by a code or two, or called interlaced."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from capbench.quality.expectation import Expectation
from capbench.quality.reading.planes import Planes, as_frame
from capbench.quality.validate import validate
from capbench.results import ValidationReport
from tests.moving_clips import moving_pictures, write_clip

_SIZE, _RATE = (96, 64), 60
_HELD_AT = [*range(0, 40, 2), *range(100, 140, 2)]
"""In sixtieths of a second: one second of a still in the middle."""
_BURST_AT = [*range(0, 40, 4), *range(40, 60)]
"""Fifteen frames a second, and sixty at the end: more than one a tick of 25."""


def _resampled(folder: Path, times: list[int], late: Callable[[int], int] = lambda _: 0) -> ValidationReport:
    """A clip with frames at these times, shown by the rule of the last one due at each tick, judged as 25 fps."""
    pictures = moving_pictures(_SIZE)[: len(times)]
    reference = write_clip(folder / "reference.mp4", pictures, crf=8, rate=_RATE, shown=times)
    ticks = range((times[-1] + 2) * 25 // _RATE)
    due = [max(n for n, time in enumerate(times) if Fraction(time, _RATE) <= Fraction(tick, 25)) for tick in ticks]
    shown = [due[max(0, tick - late(tick))] for tick in ticks]
    output = write_clip(folder / "output.mp4", [pictures[n] for n in shown], crf=8, rate=25)
    return validate(reference, output, expected=Expectation(rate=Fraction(25)), with_vmaf=False)


@pytest.mark.parametrize("times", [_HELD_AT, _BURST_AT], ids=["held", "burst"])
def test_variable_rate_made_constant_is_right(times: list[int], tmp_path: Path) -> None:
    assert [f"{check.name}: {check.message}" for check in _resampled(tmp_path, times).failures] == []


def test_a_picture_that_stays_when_the_next_is_due_is_late(tmp_path: Path) -> None:
    # From 1.68 s on the output shows what was due eight ticks before: the still, for 0.3 s too long.
    report = _resampled(tmp_path, _HELD_AT, late=lambda tick: 8 if tick >= 42 else 0)

    assert "frames.late" in {check.name for check in report.failures}


def _encoded(path: Path, lumas: list[NDArray[np.uint8]], **options: str) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "veryfast", "crf": "10", **options})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        for number, luma in enumerate(lumas):
            frame = as_frame(Planes(luma, *np.full((2, 48, 80), 128, np.uint8)), number)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _scene(number: int, flicker: int) -> NDArray[np.uint8]:
    """Blots that move for ten pictures and then stand still, but that a third of them flickers."""
    random = np.random.default_rng(2)
    wide = 120 + 260 * gaussian_filter(random.normal(0, 1, (96, 260)), 4)
    place = 4 * min(number, 10)
    luma: NDArray[np.uint8] = wide[:, place : place + 160].round().clip(16, 230).astype(np.uint8)
    luma[:32] += flicker * (number % 2)
    return luma


def test_a_flicker_of_a_code_that_was_left_out_is_no_freeze(tmp_path: Path) -> None:
    """Key frames of a source differ by a code from what they follow; x264 at CRF 14 leaves that out."""
    reference = _encoded(tmp_path / "a.mp4", [_scene(number, 1) for number in range(20)], qp="0", crf="0")
    output = _encoded(tmp_path / "b.mp4", [_scene(number, 0) for number in range(20)], qp="0", crf="0")

    report = validate(reference, output, with_vmaf=False)

    assert not {check.name for check in report.failures} & {"frames.frozen", "frames.missing"}


def test_a_frame_that_is_called_interlaced_is_compared_row_by_row(tmp_path: Path) -> None:
    """Swscale scales such a frame field by field: blocks of right exports were off by 80 codes."""
    page = np.full((96, 160), 230, np.uint8)
    page[::3] = 30
    reference = _encoded(tmp_path / "a.mp4", [page] * 4)

    output = _encoded(tmp_path / "b.mp4", [page] * 4, **{"x264-params": "tff=1"})

    with av.open(str(output)) as container:
        assert next(container.decode(video=0)).interlaced_frame
    report = validate(reference, output, with_vmaf=False)
    assert [check.message for check in report.failures] == []
