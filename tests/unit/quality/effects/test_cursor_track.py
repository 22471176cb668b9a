"""A cursor of unknown look is found, timed, measured and missed, in pictures whose truth is known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from capbench.colour import ColourSpec
from capbench.quality.effects.effect_meter import EffectContext
from capbench.quality.effects.overlays.cursor_finding import cursor_finding, track_cursor, where_it_rests
from capbench.quality.effects.overlays.cursor_track import follow_cursor
from capbench.results.appearance.expected_layers import ExpectedCursor
from capbench.results.appearance.expected_look import ExpectedLook
from tests.unit.quality.effects.drawn_frames import CURSOR_PX, HEIGHT, WIDTH, frames, way


@pytest.mark.parametrize("late", [0, 2, 5, -1])
def test_lag_is_found_to_a_tenth_of_a_frame(late: int) -> None:
    track = follow_cursor(frames(lambda time_s: way(time_s - late / 30)), CURSOR_PX, way)

    assert track is not None
    assert track.follows
    assert track.lag_s is not None
    assert track.lag_s * 30 == pytest.approx(late, abs=0.1)


def test_place_and_size_are_found_to_a_pixel() -> None:
    track = follow_cursor(frames(way), CURSOR_PX, way)

    assert track is not None
    assert track.size == pytest.approx((0.7 * CURSOR_PX, CURSOR_PX), abs=1)
    assert track.offset == pytest.approx((0, 0), abs=1)


def test_a_constant_offset_is_found() -> None:
    def aside(time_s: float) -> tuple[float, float]:
        across, down = way(time_s)
        return across + 30 / WIDTH, down - 12 / HEIGHT

    track = follow_cursor(frames(aside), CURSOR_PX, way)

    assert track is not None
    assert track.offset == pytest.approx((30, -12), abs=1)


def test_another_size_than_the_asked_one_is_measured() -> None:
    track = follow_cursor(frames(way, height=1.6 * CURSOR_PX), CURSOR_PX, way)

    assert track is not None
    assert track.size[1] == pytest.approx(1.6 * CURSOR_PX, abs=1.5)


def test_frames_without_it_are_named() -> None:
    lost = (3, 11, 12, 13)
    track = follow_cursor(frames(way, lost=lost), CURSOR_PX, way)

    assert track is not None
    assert tuple(each.index for each in track.sightings if each.is_lost) == lost


def test_frames_in_which_something_lies_over_it_are_not_lost() -> None:
    track = follow_cursor(frames(way, lost=(3,)), CURSOR_PX, way, hides=lambda *place: place[2] < 0.12)

    assert track is not None
    assert not any(each.is_lost for each in track.sightings)


def test_without_a_cursor_there_is_none() -> None:
    assert follow_cursor(frames(None), CURSOR_PX, way) is None
    assert follow_cursor(frames(None, noise=4.0), CURSOR_PX, None) is None


def test_a_cursor_is_found_without_telemetry() -> None:
    track = follow_cursor(frames(way), CURSOR_PX, None)

    assert track is not None
    assert track.lag_s is None
    places = np.array([each.point for each in track.sightings if each.point is not None])
    truth = np.array([way(index / 30) for index in range(24)]) * (WIDTH, HEIGHT)
    assert np.median(np.hypot(*(places - truth).T)) < 1.5


def test_one_that_goes_its_own_way_does_not_follow() -> None:
    track = follow_cursor(frames(lambda time_s: (0.8 - 0.5 * time_s, 0.5 + 0.2 * np.sin(9 * time_s))), CURSOR_PX, way)

    assert track is None or not track.follows or (track.residual or 0) > CURSOR_PX / 2


def test_a_cursor_at_rest_has_no_lag() -> None:
    track = follow_cursor(frames(lambda _: (0.5, 0.5)), CURSOR_PX, lambda _: (0.5, 0.5))

    assert track is not None
    assert track.lag_s is None


def test_two_frames_are_too_few() -> None:
    assert follow_cursor(frames(way, count=2), CURSOR_PX, way) is None
    assert follow_cursor([], CURSOR_PX, way) is None


@pytest.mark.parametrize(("height", "blur", "outcome"), [(8, True, "pass"), (12, True, "pass"), (8, False, "fail")])
def test_a_cursor_that_asked_blur_smears_is_not_lost(height: int, blur: bool, outcome: str) -> None:
    """It moves by 18 pixels a frame, and then by 6."""
    drawn = frames(way, height=height, shutter=1.0)
    path = tuple((at, *way(at)) for at in (0.1, 0.4, 0.7))
    look = ExpectedLook(cursor=ExpectedCursor(path=path, size_px=6 * height), motion_blur=blur)
    context = EffectContext(look, (WIDTH, HEIGHT), (WIDTH, HEIGHT), ColourSpec(), Fraction(30), len(drawn))

    finding = cursor_finding(track_cursor(drawn, context, None), drawn, context)

    assert finding.outcome == outcome
    gone = frames(way, height=height, shutter=1.0, lost=tuple(range(18, 24)))
    assert cursor_finding(track_cursor(gone, context, None), gone, context).outcome == "fail"


def _blurred_context(count: int) -> EffectContext:
    path = tuple((at, *way(at)) for at in (0.1, 0.4, 0.7))
    look = ExpectedLook(cursor=ExpectedCursor(path=path, size_px=6 * CURSOR_PX), motion_blur=True)
    return EffectContext(look, (WIDTH, HEIGHT), (WIDTH, HEIGHT), ColourSpec(), Fraction(30), count)


def test_a_cursor_that_is_seen_at_rest_alone_is_found_where_blur_was_asked_for() -> None:
    drawn = frames(way, lost=tuple(range(4, 21)), shutter=1.0)
    context = _blurred_context(len(drawn))

    track = where_it_rests(drawn, context, None)
    assert track is not None
    assert track.size[1] == pytest.approx(CURSOR_PX, abs=1.5)
    assert all(drawn[number].index == number for number in track.patch_numbers)
    assert set(track.patch_numbers) <= {0, 1, 2, 3, 21, 22, 23}
    assert where_it_rests(frames(None), context, None) is None


def test_a_cursor_that_rests_behind_something_is_not_lost() -> None:
    """A camera covers it for the last third of a second."""
    drawn = frames(way, count=36, lost=(*range(4, 21), *range(26, 36)), shutter=1.0)
    context = _blurred_context(len(drawn))

    hidden = where_it_rests(drawn, context, lambda _x, _y, time_s: time_s > 25.5 / 30)
    bare = where_it_rests(drawn, context, None)

    assert hidden is not None
    assert bare is not None
    assert [each.index for each in bare.sightings if each.is_lost] == list(range(26, 36))
    assert not any(each.is_lost for each in hidden.sightings)
