"""Scene keys of motion blur and of the cursor's telemetry: limits, exposures, smoothing, seeds."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from capbench.pipeline.compositor.exposure import moments_at
from capbench.pipeline.compositor.layers.cursor_path import cursor_position
from capbench.pipeline.scene import MAX_MOMENTS, Cursor, Scene, load_scene
from capbench.quality.oracle.placement import Placement
from capbench.quality.oracle.scene_timing import cursor_place
from capbench.quality.oracle.shutter import exposed_moments

ZOOM = {"start_s": 1.0, "end_s": 3.0}
FRAME_S = 1 / 30
SEED_19_FIRST = [0.0, 0.634616, 0.716533]
SEED_19_CLICKS_S = [1.592855, 2.385435, 3.160065]


@pytest.mark.parametrize(
    "wrong",
    [
        {"motion_blur": {}},
        {"motion_blur": {"zoom": False}, "zoom": [ZOOM]},
        {"motion_blur": {"cursor": False}, "cursor": {"path": [(0, 0, 0)]}},
        {"motion_blur": {"shutter_degrees": 0}, "zoom": [ZOOM]},
        {"motion_blur": {"shutter_degrees": 361}, "zoom": [ZOOM]},
        {"motion_blur": {"samples": 1}, "zoom": [ZOOM]},
        {"motion_blur": {"samples": MAX_MOMENTS + 1}, "zoom": [ZOOM]},
        {"motion_blur": {"shutter": 180}, "zoom": [ZOOM]},
        {"cursor": {"seed": 1, "path": [(0, 0, 0)]}},
        {"cursor": {"seed": 1, "clicks_s": [1]}},
        {"cursor": {"seed": -1}},
        {"cursor": {"seed": "one"}},
        {"cursor": {}},
        {"cursor": {"seed": 1, "smoothing_s": 2}},
    ],
)
def test_a_scene_that_cannot_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Scene.model_validate(wrong)


def test_the_shutter_is_open_for_its_angle_around_the_frame() -> None:
    values = {"zoom": [ZOOM], "cursor": {"path": [(0, 0, 0), (9, 1, 1)]}, "motion_blur": {"shutter_degrees": 90}}
    scene = Scene.model_validate(values)

    times_s = [moment.cursor_s for moment in moments_at(scene, FRAME_S, 1.2)]

    open_s = FRAME_S / 4
    assert len(times_s) == 8
    assert sum(times_s) / 8 == pytest.approx(1.2)
    assert times_s[0] == pytest.approx(1.2 - open_s / 2 + open_s / 16)
    assert all(after - before == pytest.approx(open_s / 8) for before, after in pairwise(times_s))


@pytest.mark.parametrize(("time_s", "count"), [(0.5, 1), (0.995, 8), (1.3, 8), (2.0, 1), (2.9, 8), (3.5, 1)])
def test_a_frame_in_which_nothing_moves_is_one_moment(time_s: float, count: int) -> None:
    scene = Scene.model_validate({"zoom": [ZOOM], "motion_blur": {}})

    assert len(moments_at(scene, FRAME_S, time_s)) == count

    def place(at_s: float) -> Placement:
        return Placement(0, 0, 1, 1, 2.0 if 1.6 <= at_s <= 2.4 else 1 + max(0.0, at_s - 1) * (at_s < 3))

    assert len(exposed_moments(scene, place, FRAME_S, time_s)) == count


@pytest.mark.parametrize("smoothing_s", [0.0, 0.05, 0.3, 1.0])
def test_smoothing_is_the_mean_of_the_path(smoothing_s: float) -> None:
    """Pipeline, oracle and a plain sum over a thousand places agree."""
    cursor = Cursor.model_validate({"seed": 3, "smoothing_s": smoothing_s})
    path = Cursor.model_validate({"seed": 3})
    for time_s in (0.0, 0.2, 0.41, 0.9, 1.7, 3.33, 599.9, 700.0):
        places = [cursor_position(path, time_s + ((number + 0.5) / 1000 - 0.5) * smoothing_s) for number in range(1000)]
        mean = tuple(sum(values) / 1000 for values in zip(*places, strict=True))
        assert cursor_position(cursor, time_s) == pytest.approx(mean, abs=2e-5)
        assert cursor_place(cursor, time_s) == pytest.approx(cursor_position(cursor, time_s), abs=1e-9)


def test_telemetry_of_a_seed_is_the_same_everywhere() -> None:
    """Figures of this seed, as they were first made: a result of another version compares with them."""
    cursor = Cursor.model_validate({"seed": 19})

    assert list(cursor.path[0]) == SEED_19_FIRST
    assert list(cursor.clicks_s[:3]) == SEED_19_CLICKS_S
    assert cursor.path != Cursor.model_validate({"seed": 20}).path
    assert all(0 <= point.x <= 1 and 0 <= point.y <= 1 for point in cursor.path)


def test_each_rung_of_the_ladder_adds_to_the_one_below() -> None:
    rungs = [load_scene(name) for name in ("bare", "ladder-framed", "ladder-zooms", "ladder-cursor", "ladder-motion")]
    for below, above in pairwise(rungs):
        changed = {key for key in Scene.model_fields if getattr(below, key) != getattr(above, key)}
        assert changed
        assert all(getattr(below, key) == getattr(Scene(), key) for key in changed), "a rung only adds"
