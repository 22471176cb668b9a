"""Zooms and padding judged from placements alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest

from capbench.colour import ColourSpec
from capbench.quality.effects.asked_path import asked_placement
from capbench.quality.effects.ease_fit import EASINGS, fit_ease
from capbench.quality.effects.effect_meter import EffectContext, EffectMeter, PlacedFrame
from capbench.quality.effects.padding_meter import PaddingMeter
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.zoom_path import ZoomMeter
from capbench.quality.reading.planes import Planes
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_layers import ExpectedZoom
from capbench.results.appearance.expected_look import ExpectedLook

_SIZE = (1280, 720)
_ZOOM = ExpectedZoom(start_s=0.5, end_s=2.0, amount=1.8, centre=(0.3, 0.6), ease_in_s=0.4, ease_out_s=0.4)
_LOOK = ExpectedLook(padding=0.06, zoom=(_ZOOM,))
_NOTHING = Planes(*(np.zeros((2, 2), np.uint8) for _ in range(3)))


def _context(look: ExpectedLook) -> EffectContext:
    return EffectContext(look, _SIZE, _SIZE, ColourSpec(), Fraction(30), 75)


def _judged(
    meter: Callable[[EffectContext], EffectMeter], asked: ExpectedLook, shown: ExpectedLook, *, late_frames: float = 0.0
) -> EffectFinding:
    """What a meter finds where `asked` was asked for and `shown` is seen, so many frames late."""
    places = [asked_placement(shown, _SIZE, _SIZE, (number - late_frames) / 30) for number in range(75)]
    return _found(meter, asked, places)


def _found(
    meter: Callable[[EffectContext], EffectMeter], asked: ExpectedLook, places: Sequence[FramePlacement | None]
) -> EffectFinding:
    opened = meter(_context(asked))
    for number, place in enumerate(places):
        opened.add(PlacedFrame(number, number / 30, _NOTHING, place, None))
    (finding,) = opened.finish()
    return finding


def _measured(finding: EffectFinding) -> dict[str, float | None]:
    return {parameter.name: parameter.measured for parameter in finding.parameters}


def _with_zoom(**changes: object) -> ExpectedLook:
    return _LOOK.model_copy(update={"zoom": (_ZOOM.model_copy(update=changes),)})


def test_the_zoom_that_was_asked_for_passes_with_its_numbers() -> None:
    finding = _judged(ZoomMeter, _LOOK, _LOOK)

    assert finding.outcome == "pass"
    measured = _measured(finding)
    assert measured["zoom[0].amount"] == pytest.approx(1.8, abs=0.001)
    assert measured["zoom[0].centre_x"] == pytest.approx(0.3, abs=0.001)
    assert measured["zoom[0].centre_y"] == pytest.approx(0.6, abs=0.001)
    assert measured["zoom[0].lag_in_frames"] == pytest.approx(0, abs=0.1)
    assert measured["zoom[0].ease_in_s"] == pytest.approx(0.4, abs=0.01)
    assert "smoothstep" in finding.message


@pytest.mark.parametrize(
    ("shown", "wrong"),
    [
        (_with_zoom(amount=1.5), "zoom[0].amount"),
        (_with_zoom(centre=(0.5, 0.6)), "zoom[0].centre_x"),
        (_with_zoom(centre=(0.3, 0.4)), "zoom[0].centre_y"),
        (_with_zoom(ease_in_s=0.05), "zoom[0].ease_in_s"),
        (_with_zoom(ease_out_s=0.8), "zoom[0].ease_out_s"),
        (_LOOK.model_copy(update={"zoom": ()}), "zoom[0].amount"),
    ],
)
def test_another_zoom_fails_by_the_number_that_is_wrong(shown: ExpectedLook, wrong: str) -> None:
    finding = _judged(ZoomMeter, _LOOK, shown)

    assert finding.outcome == "fail"
    assert wrong in [parameter.name for parameter in finding.parameters if parameter.is_wrong]


@pytest.mark.parametrize("late", [-3.0, 2.0, 3.0])
def test_a_zoom_that_is_frames_late_fails_and_says_how_many(late: float) -> None:
    finding = _judged(ZoomMeter, _LOOK, _LOOK, late_frames=late)

    assert finding.outcome == "fail"
    assert _measured(finding)["zoom[0].lag_in_frames"] == pytest.approx(late, abs=0.2)
    assert f"{abs(late):.1f} frames {'late' if late > 0 else 'early'}" in finding.message


def test_half_a_frame_is_the_exporters_choice() -> None:
    assert _judged(ZoomMeter, _LOOK, _LOOK, late_frames=0.5).outcome == "pass"


def test_a_zoom_that_was_not_asked_for_fails_and_one_that_is_left_open_does_not() -> None:
    still = _LOOK.model_copy(update={"zoom": ()})

    assert _judged(ZoomMeter, still, still).outcome == "pass"
    assert _judged(ZoomMeter, still, _LOOK).outcome == "fail"
    assert _judged(ZoomMeter, _LOOK.model_copy(update={"zoom": "any"}), _LOOK).outcome == "pass"


def test_an_overshoot_fails_unless_springs_are_allowed() -> None:
    places = []
    for number in range(75):
        place = asked_placement(_LOOK, _SIZE, _SIZE, number / 30)
        assert place is not None
        more = 1.12 if 27 <= number < 32 else 1.0
        places.append(
            FramePlacement(_SIZE, (place.scale[0] * more, place.scale[1] * more), 0.0, place.centre, 0.0, 1.0)
        )

    assert _found(ZoomMeter, _LOOK, places).outcome == "fail"
    assert _measured(_found(ZoomMeter, _LOOK, places))["zoom[0].overshoot"] == pytest.approx(0.19, abs=0.03)
    assert _found(ZoomMeter, _with_zoom(overshoot=None), places).outcome == "pass"


def test_a_recording_that_was_never_found_is_not_judged() -> None:
    for meter in (ZoomMeter, PaddingMeter):
        assert _found(meter, _LOOK, [None] * 10).outcome == "unchecked"


def test_frames_without_a_place_do_not_matter() -> None:
    places = [None if number % 7 == 3 else asked_placement(_LOOK, _SIZE, _SIZE, number / 30) for number in range(75)]

    assert _found(ZoomMeter, _LOOK, places).outcome == "pass"


def test_padding_is_measured_at_rest() -> None:
    finding = _judged(PaddingMeter, _LOOK, _LOOK)

    assert finding.outcome == "pass"
    assert _measured(finding)["padding"] == pytest.approx(0.06, abs=1e-6)


@pytest.mark.parametrize("padding", [0.0, 0.05, 0.08])
def test_another_padding_fails(padding: float) -> None:
    assert _judged(PaddingMeter, _LOOK, _LOOK.model_copy(update={"padding": padding})).outcome == "fail"


def test_padding_with_a_crop_is_that_of_what_is_left() -> None:
    cropped = _LOOK.model_copy(update={"crop": (0.0, 0.1, 0.2, 0.05)})

    assert _judged(PaddingMeter, cropped, cropped).outcome == "pass"
    assert _judged(PaddingMeter, cropped, _LOOK).outcome == "fail"


def test_padding_that_is_left_open_passes_and_is_shown() -> None:
    finding = _judged(PaddingMeter, _LOOK.model_copy(update={"padding": "any"}), _LOOK)

    assert finding.outcome == "pass"
    assert _measured(finding)["padding"] == pytest.approx(0.06, abs=1e-6)


@pytest.mark.parametrize("shift", [(3.0, 0.0), (0.0, -3.0)])
def test_a_recording_aside_of_its_place_fails(shift: tuple[float, float]) -> None:
    rest = asked_placement(_LOOK, _SIZE, _SIZE, 0.0)
    assert rest is not None
    aside = FramePlacement(_SIZE, rest.scale, 0.0, (rest.centre[0] + shift[0], rest.centre[1] + shift[1]), 0.0, 1.0)

    assert _found(PaddingMeter, ExpectedLook(padding=0.06), [aside] * 10).outcome == "fail"


@pytest.mark.parametrize("shape", ["linear", "smoothstep", "ease-out cubic", "ease-in cubic", "ease-in-out cubic"])
def test_the_shape_of_an_easing_is_told(shape: str) -> None:
    times_s = np.arange(60) / 30

    fit = fit_ease(times_s, EASINGS[shape](((times_s - 0.42) / 0.7).clip(0, 1)), 1 / 30)

    assert fit is not None
    assert fit.shape == shape
    assert fit.start_s == pytest.approx(0.42, abs=0.01)
    assert fit.duration_s == pytest.approx(0.7, abs=0.01)


def test_a_step_has_no_duration_and_a_motion_that_never_gets_there_no_fit() -> None:
    times_s = np.arange(30) / 30
    step = fit_ease(times_s, (times_s >= 0.5).astype(float), 1 / 30)

    assert step is not None
    assert step.duration_s == 0
    assert fit_ease(times_s, np.full(30, 0.2), 1 / 30) is None
