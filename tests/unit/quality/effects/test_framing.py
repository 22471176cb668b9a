"""Corners, shadow and background measured from one picture that the oracle composed."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import pytest

from capbench.colour import ColourSpec
from capbench.pipeline.scene import Scene
from capbench.quality.effects.asked_path import asked_look, asked_placement
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.framing_meter import FramingMeter
from capbench.quality.reading.planes import Planes
from capbench.recordings.spec import RecordingSpec
from capbench.results.appearance.effect_finding import EffectFinding
from capbench.results.appearance.expected_look import ExpectedBackground, ExpectedLook, ExpectedShadow
from tests.effect_clips import composed, recorded

_SIZE = (640, 360)
_BACKGROUND: dict[str, Any] = {"gradient": ["#4158d0", "#c850c0"], "angle_degrees": 135}
_SHADOW: dict[str, Any] = {"opacity": 0.5, "blur_px": 40, "offset_px": (0, 12)}
_STUDIO: dict[str, Any] = {
    "background": _BACKGROUND,
    "display": {"padding": 0.1, "rounding_px": 36, "shadow": _SHADOW},
}


@cache
def _recording() -> Planes:
    return recorded(RecordingSpec("framing", *_SIZE, 30, 1.0), 10)


def _scene(**display: Any) -> Scene:
    return Scene.model_validate(_STUDIO | {"display": _STUDIO["display"] | display})


def _judged(
    shown: Scene,
    asked: ExpectedLook | None = None,
    *,
    noise_codes: float = 1.0,
    size: tuple[int, int] = _SIZE,
) -> dict[str, EffectFinding]:
    """What is found in an output of a scene, `size` large, where that or something else was asked for."""
    rng = np.random.default_rng(3)
    look = asked_look(shown) if asked is None else asked
    picture = composed(shown, _recording(), size, 0.0)
    meter = FramingMeter(EffectContext(look, size, _SIZE, ColourSpec(), Fraction(30), 9))
    place = asked_placement(asked_look(shown), _SIZE, size, 0.0)
    for number in range(9):
        noisy = Planes(
            *(
                np.rint(plane + rng.normal(0, noise_codes, plane.shape)).clip(0, 255).astype(np.uint8)
                for plane in picture.all
            )
        )
        meter.add(PlacedFrame(number, number / 30, noisy, place, _recording()))
    return {finding.effect: finding for finding in meter.finish()}


def _measured(finding: EffectFinding, name: str) -> float:
    (value,) = (one.measured for one in finding.parameters if one.name == name)
    assert value is not None
    return value


def test_a_studio_look_passes_with_its_numbers() -> None:
    found = _judged(_scene())

    assert {name: finding.outcome for name, finding in found.items()} == dict.fromkeys(
        ("corner_radius", "shadow", "background"), "pass"
    )
    assert _measured(found["corner_radius"], "radius_px") == pytest.approx(36, abs=1.5)
    assert _measured(found["shadow"], "opacity") == pytest.approx(0.5, abs=0.05)
    assert _measured(found["shadow"], "blur_px") == pytest.approx(40, abs=4)
    assert _measured(found["shadow"], "down_px") == pytest.approx(12, abs=3)


@pytest.mark.parametrize(("radius", "size"), [(18, _SIZE), (60, _SIZE), (120, _SIZE), (400, (320, 180))])
def test_radii_of_any_size_are_measured(radius: int, size: tuple[int, int]) -> None:
    """The last leaves little straight at either side; in a small picture, as all pixels of the corners are fitted."""
    found = _judged(_scene(rounding_px=radius), size=size)["corner_radius"]

    assert found.outcome == "pass"
    assert found.found


@pytest.mark.parametrize("radius", [18, 54])
def test_another_radius_than_asked_fails(radius: int) -> None:
    assert _judged(_scene(rounding_px=radius), asked_look(_scene()))["corner_radius"].outcome == "fail"


def test_rounded_corners_that_were_not_asked_for_fail() -> None:
    assert _judged(_scene(), asked_look(_scene(rounding_px=0)))["corner_radius"].outcome == "fail"


def test_a_missing_shadow_fails_and_so_does_one_that_was_not_asked_for() -> None:
    with_shadow, without = _scene(), _scene(shadow=None)

    assert _judged(without)["shadow"].outcome == "pass"
    assert _judged(without, asked_look(with_shadow))["shadow"].outcome == "fail"
    assert _judged(with_shadow, asked_look(without))["shadow"].outcome == "fail"


@pytest.mark.parametrize(
    "shadow", [{"opacity": 0.9}, {"opacity": 0.15}, {"blur_px": 12}, {"blur_px": 90}, {"offset_px": (40, 12)}]
)
def test_another_shadow_than_asked_fails(shadow: dict[str, Any]) -> None:
    found = _judged(_scene(shadow=_SHADOW | shadow), asked_look(_scene()))["shadow"]

    assert found.outcome == "fail"


@pytest.mark.parametrize("padding", [0.1, 0.125, 0.137])
def test_a_narrow_shadow_is_seen_wherever_the_samples_beside_it_lie(padding: float) -> None:
    narrow = _scene(padding=padding, shadow={"opacity": 0.38, "blur_px": 25, "offset_px": (0, 10)})

    assert _judged(narrow)["shadow"].outcome == "pass"
    assert _judged(_scene(padding=padding, shadow=None))["shadow"].outcome == "pass"


@pytest.mark.parametrize("blur", [20, 32])
def test_blocks_of_pixels_do_not_lengthen_a_shadow(blur: int) -> None:
    shown = _scene(shadow={"opacity": 0.6, "blur_px": blur, "offset_px": (0, 10)})

    found = _judged(shown, noise_codes=0.3)["shadow"]

    assert _measured(found, "blur_px") == pytest.approx(blur, abs=1)
    assert _measured(found, "opacity") == pytest.approx(0.6, abs=0.03)


def test_a_shadow_whose_numbers_are_left_open_must_only_be_there() -> None:
    look = asked_look(_scene()).model_copy(update={"shadow": True})

    assert _judged(_scene(shadow=_SHADOW | {"opacity": 0.9}), look)["shadow"].outcome == "pass"
    assert _judged(_scene(shadow=None), look)["shadow"].outcome == "fail"


def test_a_shadow_cannot_be_seen_on_black() -> None:
    scene = Scene.model_validate({"background": {"colour": "#000000"}, "display": _STUDIO["display"]})

    assert _judged(scene)["shadow"].outcome == "not_applicable"


@pytest.mark.parametrize(
    ("background", "kind"), [({"colour": "#6a8caf"}, "colour"), (_BACKGROUND, "gradient"), (None, "picture")]
)
def test_the_kind_of_background_is_told(background: dict[str, Any] | None, kind: str) -> None:
    scene = Scene.model_validate({"background": background or {}, "display": _STUDIO["display"]})
    picture = _scene()
    judged = _judged(scene if background else picture)
    if background is None:
        judged = _with_detail()
    others = {"colour", "gradient", "picture"} - {kind}

    assert f"a {kind} lies" in judged["background"].message
    for other in others:
        asked = asked_look(scene).model_copy(update={"background": ExpectedBackground(kind=other)})
        again = _judged(scene, asked) if background else _with_detail(asked)
        assert again["background"].outcome == "fail"


def _with_detail(asked: ExpectedLook | None = None) -> dict[str, EffectFinding]:
    """A photograph, or what is as little like a gradient, behind the recording."""
    rng = np.random.default_rng(1)
    look = asked or asked_look(_scene()).model_copy(update={"background": ExpectedBackground(kind="picture")})
    place = asked_placement(asked_look(_scene()), _SIZE, _SIZE, 0.0)
    picture = composed(_scene(shadow=None), _recording(), _SIZE, 0.0)
    blocks = np.kron(rng.integers(40, 200, (_SIZE[1] // 8, _SIZE[0] // 8)), np.ones((8, 8))).astype(np.uint8)
    behind = np.ones_like(picture.luma, bool)
    behind[36:-36, 64:-64] = False
    luma = np.where(behind, blocks, picture.luma)
    meter = FramingMeter(EffectContext(look, _SIZE, _SIZE, ColourSpec(), Fraction(30), 3))
    for number in range(3):
        meter.add(PlacedFrame(number, number / 30, Planes(luma, picture.cb, picture.cr), place, _recording()))
    return {finding.effect: finding for finding in meter.finish()}


def test_other_colours_than_asked_fail() -> None:
    other = ExpectedBackground(kind="gradient", colours=("#4158d0", "#50c850"))

    assert _judged(_scene(), asked_look(_scene()).model_copy(update={"background": other}))["background"].outcome == (
        "fail"
    )


def test_nothing_lies_beside_a_recording_that_fills_the_canvas() -> None:
    look = ExpectedLook(shadow=ExpectedShadow(opacity=0.5))
    found = _judged(Scene(), look)

    assert found["shadow"].outcome == "not_applicable"
    assert found["background"].outcome == "not_applicable"


def test_without_a_frame_at_rest_nothing_is_judged() -> None:
    meter = FramingMeter(EffectContext(ExpectedLook(), _SIZE, _SIZE, ColourSpec(), Fraction(30), 3))
    meter.add(PlacedFrame(0, 0.0, _recording(), None, None))

    assert {finding.outcome for finding in meter.finish()} == {"unchecked"}
