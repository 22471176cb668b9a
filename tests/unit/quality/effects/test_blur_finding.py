"""Blur of a cursor is measured where it goes straight over a recording at rest, and judged by how well it is known."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from capbench.colour import ColourSpec
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.overlays.blur_finding import CursorMotion, MovingFrames, blur_finding
from capbench.quality.effects.overlays.blur_length import BlurEstimate
from capbench.quality.effects.overlays.cursor_track import follow_cursor
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.reading.planes import Planes
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_layers import ExpectedMotionBlur
from capbench.results.appearance.expected_look import ExpectedLook
from tests.unit.quality.effects.drawn_frames import CURSOR_PX, HEIGHT, WIDTH, frames

_FRAME_S = 1 / 30


def _way(time_s: float) -> tuple[float, float]:
    """Six pixels a frame to the right, then as many down; at rest before and after."""
    across = float(np.interp(time_s, [0.2, 0.5], [0.3, 0.3 + 54 / WIDTH]))
    return across, float(np.interp(time_s, [0.5, 0.8], [0.25, 0.25 + 54 / HEIGHT]))


def _moving_frames(count: int, *, zooms: bool = False) -> MovingFrames:
    moving = MovingFrames((WIDTH, HEIGHT))
    nothing = Planes(*(np.zeros((HEIGHT // by, WIDTH // by), np.uint8) for by in (1, 2, 2)))
    for index in range(count):
        scale = 1.0 + (0.02 * index if zooms else 0.0)
        place = FramePlacement((WIDTH, HEIGHT), (scale, scale), 0.0, (WIDTH / 2, HEIGHT / 2), 0.02, 1.0)
        moving.add(PlacedFrame(index, index * _FRAME_S, nothing, place, nothing))
    return moving


@cache
def _motion(shutter: float) -> CursorMotion:
    """Of a cursor that a shutter blurs, followed through thirty frames."""
    drawn = frames(_way, count=30, shutter=shutter)
    motion = CursorMotion.of(follow_cursor(drawn, CURSOR_PX, _way), drawn, _way, _FRAME_S)
    assert motion is not None
    return motion


def _blur_of_cursor(shutter: float, *, zooms: bool = False) -> BlurEstimate | None:
    motion = _motion(shutter)
    # The cursor's look is known from elsewhere: here it is only about which frames count.
    sharp = motion.resting_picture(_moving_frames(30))
    assert sharp is not None
    return motion.blur(sharp, _moving_frames(30, zooms=zooms))


@pytest.mark.parametrize("shutter", [0.0, 0.5, 1.0])
def test_a_cursors_shutter_is_found_without_the_frames_in_which_it_turns(shutter: float) -> None:
    found = _blur_of_cursor(shutter)

    assert found is not None
    assert found.share == pytest.approx(shutter, abs=0.15)
    turn = round(0.5 / _FRAME_S)
    assert turn not in found.frames
    assert len(found.frames) >= 8


def test_nothing_is_said_of_a_cursor_over_a_recording_that_moves() -> None:
    assert _blur_of_cursor(0.5, zooms=True) is None


def test_a_cursor_at_rest_is_as_large_as_without_blur() -> None:
    motion = _motion(1.0)
    sharp = motion.resting_picture(_moving_frames(30))
    assert sharp is not None

    assert motion.sized_as(sharp).size[1] == pytest.approx(CURSOR_PX, abs=1.5)


def _judged(share: float, *, error: float = 0.02, gain: float = 0.5, asked: float | bool = False) -> EffectFinding:
    look = ExpectedLook(
        motion_blur=asked if isinstance(asked, bool) else ExpectedMotionBlur(shutter_degrees=asked),
    )
    context = EffectContext(look, (640, 360), (640, 360), ColourSpec(), Fraction(30), 60)
    return blur_finding(BlurEstimate(share, error, 20 * share, 20.0, gain, (4, 5, 6)), None, context)


def test_a_shutter_may_be_as_far_off_as_it_is_uncertain() -> None:
    assert _judged(0.5, asked=180.0).outcome == "pass"
    assert _judged(0.68, asked=180.0).outcome == "pass"
    assert _judged(0.75, asked=180.0).outcome == "fail"
    assert _judged(0.75, error=0.06, asked=180.0).outcome == "pass"
    missing = _judged(0.0, gain=0.0, error=0.06, asked=180.0)
    assert (missing.outcome, missing.found) == ("fail", False)


def test_blur_that_was_not_asked_for_fails_where_it_is_certain() -> None:
    assert _judged(0.6).outcome == "fail"
    assert _judged(0.2, error=0.08).outcome == "pass"
    assert _judged(0.1).outcome == "pass"
    assert _judged(0.6, gain=0.1).outcome == "pass"


def test_a_shutter_that_is_not_known_is_not_judged() -> None:
    assert _judged(0.6, error=0.2).outcome == "not_applicable"
    assert _judged(0.6, error=0.2, asked=180.0).outcome == "unchecked"
    assert _judged(0.6, error=0.2, asked=True).outcome == "unchecked"


def test_blur_of_any_shutter_must_be_there() -> None:
    assert _judged(0.6, asked=True).outcome == "pass"
    assert _judged(0.0, gain=0.0, asked=True).outcome == "fail"
