"""Variable rate made constant: a picture that the reference holds is shown again, and not late."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from capbench.quality.expectation import Expectation
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
