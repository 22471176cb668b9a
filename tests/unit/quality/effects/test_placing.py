"""Where a recording lies in a picture: found anywhere, and registered to a tenth of a pixel."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from capbench.quality.effects.mark_reading import read_marks
from capbench.quality.effects.placing.find_recording import find_recording
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.luma_pyramid import LumaPyramid
from capbench.quality.effects.placing.placement_tracker import PlacementTracker
from capbench.quality.effects.placing.register_picture import register_picture
from capbench.quality.effects.placing.warped_pictures import coverage, onto_canvas, rectified
from capbench.quality.reading.planes import Planes
from capbench.recordings.spec import RecordingSpec
from tests.effect_clips import recorded

_SIZE = (640, 360)
_FRAME = 30


@cache
def _recording() -> Planes:
    return recorded(RecordingSpec("placing", *_SIZE, 30, 2.0), _FRAME)


def _place(scale: float, centre: tuple[float, float] = (320.0, 180.0), turn: float = 0.0) -> FramePlacement:
    return FramePlacement(
        recording_size=_SIZE,
        scale=(scale, scale),
        rotation_degrees=turn,
        centre=centre,
        uncertainty_px=0.0,
        agreeing=1.0,
    )


def _shown(place: FramePlacement, seed: int = 0) -> NDArray[np.uint8]:
    """Luma of an output that shows the recording there, on a gradient, with coding noise."""
    rng = np.random.default_rng(seed)
    behind = np.linspace(60, 160, _SIZE[0])[None, :] + np.zeros((_SIZE[1], 1))
    drawn = np.where(coverage(place, _SIZE), onto_canvas(_recording(), place, _SIZE).luma, behind)
    noisy: NDArray[np.uint8] = np.rint(drawn + rng.normal(0, 2, drawn.shape)).clip(0, 255).astype(np.uint8)
    return noisy


def _apart_px(found: FramePlacement, wanted: FramePlacement) -> float:
    """Largest distance of the corners that can be seen, and of the middle."""
    points = [(x, y) for x in (0.0, 0.5, 1.0) for y in (0.0, 0.5, 1.0)]
    seen = [p for p in points if 0 <= wanted.point(*p)[0] <= _SIZE[0] and 0 <= wanted.point(*p)[1] <= _SIZE[1]]
    return max(math.dist(found.point(*point), wanted.point(*point)) for point in seen)


def test_a_placement_leads_there_and_back() -> None:
    place = replace(_place(0.8, (300.0, 200.0), turn=3.0), scale=(0.8, 0.9))

    across, down = place.fractions(*place.point(0.3, 0.7))

    assert (across, down) == pytest.approx((0.3, 0.7))
    assert place.point(0.5, 0.5) == pytest.approx((300.0, 200.0))


def test_a_positive_rotation_is_clockwise() -> None:
    x, y = _place(1.0, turn=90.0).point(1.0, 0.5)

    assert (x, y) == pytest.approx((320.0, 500.0))  # the right end of the middle row points down


@pytest.mark.parametrize("seed", range(12))
def test_registering_is_exact_from_two_percent_away(seed: int) -> None:
    rng = np.random.default_rng([seed, 1])
    wanted = _place(
        float(rng.uniform(0.5, 2.0)),
        (float(rng.uniform(290, 350)), float(rng.uniform(160, 200))),
        float(rng.uniform(-2, 2)),
    )
    start = replace(
        wanted,
        scale=(wanted.scale[0] * 1.01, wanted.scale[1] * 1.01),
        rotation_degrees=0.0,
        centre=(wanted.centre[0] + 3.0, wanted.centre[1] - 2.0),
    )

    found = register_picture(LumaPyramid(_shown(wanted, seed)), LumaPyramid(_recording().luma), start)

    assert found is not None
    # A tenth of a pixel; where little is seen of the recording, as much more as the estimate says itself.
    assert _apart_px(found, wanted) < max(0.15, 5 * found.uncertainty_px)


@pytest.mark.parametrize("scale", [0.3, 0.6, 0.94, 1.5, 3.0, 6.0])
def test_the_recording_is_found_without_any_idea(scale: float) -> None:
    wanted = _place(scale, (330.0, 170.0))
    output, recording = LumaPyramid(_shown(wanted)), LumaPyramid(_recording().luma)

    best = find_recording(output, recording)[0]

    assert best.scale[0] == pytest.approx(scale, rel=0.04)
    found = register_picture(output, recording, best)
    assert found is not None
    assert _apart_px(found, wanted) < 0.3


@pytest.mark.parametrize("size", [(96, 1), (1, 96), (16320, 64), (64, 16320)])
@pytest.mark.parametrize("other", [(96, 64), (64, 4000)])
def test_what_a_file_says_of_its_shape_is_borne(size: tuple[int, int], other: tuple[int, int]) -> None:
    """A pixel aspect of 1:255 makes a picture of one column, or of many columns and few rows."""
    noise = np.random.default_rng(1)
    output, recording = (noise.integers(0, 255, each[::-1], dtype=np.uint8) for each in (size, other))
    tracker = PlacementTracker(size, other, lambda _time_s: None)
    assert tracker.place(output, recording, 0.0, recording_key=0) is None
    start = replace(_place(size[0] / other[0]), recording_size=other, centre=(size[0] / 2, size[1] / 2))
    assert register_picture(LumaPyramid(output), LumaPyramid(recording), start) != start


def test_another_picture_is_not_found() -> None:
    rng = np.random.default_rng(5)
    noise = rng.integers(16, 236, (_SIZE[1], _SIZE[0]), np.uint8)
    tracker = PlacementTracker(_SIZE, _SIZE)

    assert tracker.place(noise, _recording().luma, 0.0, recording_key=0) is None
    assert tracker.place(np.full_like(noise, 16), _recording().luma, 0.1, recording_key=0) is None


def test_a_tracker_follows_a_jump_and_comes_back_from_a_black_frame() -> None:
    tracker, black = PlacementTracker(_SIZE, _SIZE), np.full((_SIZE[1], _SIZE[0]), 16, np.uint8)
    places = [_place(0.9), _place(2.2, (100.0, 300.0)), None, _place(0.9)]

    found = [
        tracker.place(black if place is None else _shown(place), _recording().luma, number / 30, recording_key=_FRAME)
        for number, place in enumerate(places)
    ]

    for place, there in zip(places, found, strict=True):
        assert (place is None) == (there is None)
        if place is not None and there is not None:
            assert _apart_px(there, place) < 0.3


@pytest.mark.parametrize("turn", [0.0, 1.5])
def test_marks_are_read_where_the_recording_lies(turn: float) -> None:
    place = _place(0.85, (325.0, 176.0), turn)

    marks = read_marks(_shown(place), place, (0.0, 0.0, 0.0, 0.0))

    assert marks.number == _FRAME
    assert marks.number_visible
    assert marks.flash is not None
    assert marks.flash > 0.5  # frame 30 begins the second flash


def test_marks_out_of_sight_are_no_unreadable_marks() -> None:
    assert not read_marks(_shown(_place(2.0)), _place(2.0), (0.0, 0.0, 0.0, 0.0)).number_visible
    assert not read_marks(_shown(_place(0.9)), _place(0.9), (0.0, 0.06, 0.0, 0.0)).number_visible
    assert not read_marks(_shown(_place(0.9)), None, (0.0, 0.0, 0.0, 0.0)).number_visible


def test_a_rectified_picture_is_the_recording_again() -> None:
    place = _place(0.9, (310.0, 185.0))
    again = rectified(onto_canvas(_recording(), place, _SIZE), place)
    inner = np.s_[20:-20, 20:-20]

    off = np.abs(again.luma.astype(int) - _recording().luma)[inner]

    assert np.median(off) <= 1
