"""What one layer covers is no evidence of another: camera, cursor and captions are found once, by their own checks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.effects.asked_path import asked_look, asked_placement
from capbench.quality.effects.caption_times import CaptionMeter
from capbench.quality.effects.effect_meter import EffectContext, EffectMeter, PlacedFrame
from capbench.quality.effects.framing_meter import FramingMeter
from capbench.quality.effects.measure_effects import EffectWalk
from capbench.quality.effects.overlays.camera_finding import standing_area
from capbench.quality.effects.overlays.cursor_finding import cursor_finding, track_cursor
from capbench.quality.effects.overlays.overlay_areas import camera_area, cursor_cover
from capbench.quality.effects.placing.coverings import CoveredArea, CoveringCursor
from capbench.quality.reading.planes import Planes
from capbench.recordings.spec import RecordingSpec
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_layers import ExpectedCamera, ExpectedCaption, ExpectedCursor
from capbench.results.appearance.expected_look import ExpectedLook
from tests.effect_clips import composed, recorded
from tests.unit.quality.effects.drawn_frames import HEIGHT, WIDTH, frames, screen, way

_SIZE = (320, 180)
_FRAMES = 24
_ZOOM = {"start_s": 0.1, "end_s": 0.7, "amount": 1.6, "centre": (0.5, 0.6), "ease_in_s": 0.15, "ease_out_s": 0.15}
_PLAIN: dict[str, Any] = {"background": {"colour": "#6a8caf"}, "display": {"padding": 0.14, "rounding_px": 30}}
_SHADED: dict[str, Any] = _PLAIN | {
    "display": _PLAIN["display"] | {"shadow": {"opacity": 0.6, "blur_px": 40, "offset_px": (0, 15)}}
}
_CAMERA = (60, 20, 320, 180)
"""Left, top, right and bottom in pixels: over three corners of the recording, and over most of what lies beside it."""
_CAMERA_AREA = CoveredArea(*(side / _SIZE[axis % 2] for axis, side in enumerate(_CAMERA)))
Paint = Callable[[Planes, int], None]


def _context(look: ExpectedLook) -> EffectContext:
    return EffectContext(look, _SIZE, _SIZE, ColourSpec(), Fraction(30), _FRAMES)


@cache
def _recording() -> Planes:
    return recorded(RecordingSpec("covered", *_SIZE, 30, 1.0), 3)


def _measured(
    meter: EffectMeter, scene: Scene, paint: Paint | None = None, *, zoomed: bool = True
) -> dict[str, EffectFinding]:
    """What a meter finds in an output of a scene, over which something is painted."""
    for number in range(_FRAMES if zoomed else 5):
        picture = composed(scene, _recording(), _SIZE, number / 30)
        if paint is not None:
            paint(picture, number)
        place = asked_placement(asked_look(scene), _SIZE, _SIZE, number / 30)
        meter.add(PlacedFrame(number, number / 30, picture, place, _recording()))
    return {finding.effect: finding for finding in meter.finish()}


def _camera(picture: Planes, _: int) -> None:
    left, top, right, bottom = _CAMERA
    rng = np.random.default_rng(4)
    blocks = np.kron(rng.integers(60, 220, (23, 40)), np.ones((8, 8))).astype(np.uint8)
    picture.luma[top:bottom, left:right] = blocks[: bottom - top, : right - left]


@pytest.mark.parametrize("is_known", [True, False])
def test_what_comes_and_goes_under_something_known_is_no_text(is_known: bool) -> None:
    scene = Scene.model_validate(_PLAIN)
    context = _context(asked_look(scene))
    if is_known:
        context.coverings.areas.append(_CAMERA_AREA)

    def paint(picture: Planes, number: int) -> None:
        if 6 <= number < 18:
            picture.luma[130:142, 214:268] = 235

    found = _measured(CaptionMeter(context), scene, paint)["captions"]

    assert (found.outcome == "pass") == is_known


def test_the_shadow_of_a_magnified_recording_is_no_text() -> None:
    scene = Scene.model_validate(_SHADED | {"zoom": [_ZOOM]})

    assert _measured(CaptionMeter(_context(asked_look(scene))), scene)["captions"].outcome == "pass"


@pytest.mark.parametrize("is_known", [True, False])
def test_a_cursor_that_passes_over_a_caption_does_not_end_it(is_known: bool) -> None:
    scene = Scene.model_validate(_PLAIN)
    look = asked_look(scene).model_copy(
        update={"caption": (ExpectedCaption(start_s=0.1, end_s=0.7, position=(0.5, 0.5)),)}
    )
    context = _context(look)
    if is_known:
        context.coverings.cursor = CoveringCursor(lambda time_s: (0.1 + time_s, 0.9), 0.1)

    def paint(picture: Planes, number: int) -> None:
        if 3 <= number < 21:
            picture.luma[82:98, 100:220] = 30
            picture.luma[86:94, 104:216:6] = 235
        place = asked_placement(look, _SIZE, _SIZE, 0.0)
        assert place is not None
        x, y = place.point(0.1 + number / 30, 0.9)
        picture.luma[round(y) - 6 : round(y) + 6, round(x) - 6 : round(x) + 6] = 250

    found = _measured(CaptionMeter(context), scene, paint)["captions"]

    assert found.outcome == "pass"
    assert [one for one in found.parameters if one.is_wrong] == []


@pytest.mark.parametrize("is_known", [True, False])
def test_a_camera_changes_neither_background_nor_shadow_nor_radius(is_known: bool) -> None:
    scene = Scene.model_validate(_SHADED)
    context = _context(asked_look(scene))
    if is_known:
        context.coverings.areas.append(_CAMERA_AREA)

    found = _measured(FramingMeter(context), scene, _camera, zoomed=False)

    assert (found["background"].outcome == "pass") == is_known
    if is_known:
        assert {finding.outcome for finding in found.values()} == {"pass"}


def test_a_shadow_that_is_too_faint_on_a_dark_background_is_not_missed() -> None:
    dark = _SHADED | {"background": {"colour": "#181818"}}
    asked = asked_look(Scene.model_validate(dark))
    faint = asked.model_copy(update={"shadow": asked.shadow.model_copy(update={"opacity": 0.3})})  # type: ignore[union-attr]
    bare = Scene.model_validate(_PLAIN | {"background": {"colour": "#181818"}})

    assert _measured(FramingMeter(_context(faint)), bare, zoomed=False)["shadow"].outcome == "not_applicable"


def test_what_lies_on_top_is_finished_first_and_shown_last() -> None:
    order: list[str] = []

    class Layer:
        def __init__(self, name: str) -> None:
            self._name = name

        def add(self, frame: PlacedFrame) -> None:
            """Nothing to see."""

        def finish(self) -> Sequence[EffectFinding]:
            order.append(self._name)
            return [EffectFinding(effect=self._name, outcome="pass", message="")]

    found = EffectWalk([Layer("below"), Layer("above")]).finish()

    assert order == ["above", "below"]
    assert [finding.effect for finding in found.findings] == ["below", "above"]


def test_a_camera_that_nobody_named_covers_what_lies_beside_the_recording_too() -> None:
    drawn = frames(None)
    for frame in drawn:
        frame.inside[:20], frame.inside[-20:], frame.inside[:, :30], frame.inside[:, -30:] = (False,) * 4
        frame.shown[110:, 230:] = 250 - screen(5).clip(0, 120)[110:, 230:].astype(np.uint8)
    standing = standing_area(drawn)

    area = camera_area(None, standing, drawn, _context(ExpectedLook()))

    assert area is not None
    assert (area.right, area.bottom) == (1.0, 1.0)
    assert area.left == pytest.approx(230 / WIDTH, abs=0.06)
    assert area.top == pytest.approx(110 / HEIGHT, abs=0.1)


@pytest.mark.parametrize("position", ["bottom-right", (0.85, 0.75)])
def test_a_camera_without_its_file_covers_the_asked_place(position: Any) -> None:
    camera = ExpectedCamera(position=position, size=0.3, aspect=1.0)

    area = camera_area(None, None, frames(None), _context(ExpectedLook(camera=camera)))

    assert area is not None
    assert area.covers(np.array([0.85, 0.85, 0.5]), np.array([0.75, 0.65, 0.5])).tolist() == [True, True, False]
    assert camera_area(None, None, frames(None), _context(ExpectedLook(camera=True))) is None


def test_a_cursor_covers_its_way_with_its_lag_and_without_telemetry() -> None:
    drawn = frames(lambda time_s: way(time_s - 2 / 30), height=12)
    points = tuple((at, *way(at)) for at in (0.1, 0.4, 0.7))
    asked = _context(ExpectedLook(cursor=ExpectedCursor(path=points, size_px=72)))
    unasked = _context(ExpectedLook())
    for context in (asked, unasked):
        cover = cursor_cover(track_cursor(drawn, context, None), drawn, context)

        assert cover is not None
        assert cover.place(0.4)[0] == pytest.approx(way(0.4 - 2 / 30)[0], abs=0.04)
        assert cover.place(0.4)[1] == pytest.approx(way(0.4 - 2 / 30)[1] + 6 / HEIGHT, abs=0.04)


@pytest.mark.parametrize("height", [5, 8, 13])
def test_a_cursor_of_any_usual_size_that_nobody_asked_for_is_found(height: int) -> None:
    drawn, context = frames(way, height=height), _context(ExpectedLook())

    finding = cursor_finding(track_cursor(drawn, context, None), drawn, context)

    assert (finding.outcome, finding.found) == ("fail", True)


@pytest.mark.parametrize("asked", [ExpectedCursor(path=((0.0, 0.9, 0.9), (1.0, 0.1, 0.9))), ExpectedCursor()])
def test_a_cursor_that_is_seen_in_no_frame_covers_nothing(asked: ExpectedCursor) -> None:
    """Learnt from what would change too little to be seen: of black on black, say."""
    drawn = frames(way)
    context = _context(ExpectedLook(cursor=asked))
    track = track_cursor(drawn, context, None)
    assert track is not None
    unseen = tuple(replace(each, share=None, point=None) for each in track.sightings)

    assert cursor_cover(replace(track, sightings=unseen, follows=False), drawn, context) is None
