"""Padding: how much of the canvas is left free around the recording at rest, and whether it lies where it should."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from capbench.quality.effects.asked_path import asked_placement
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.placement_series import PlacementSeries, not_found_reason
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter

__all__ = ["PaddingMeter"]

_EFFECT: Final = "padding"
_TOLERANCE_PX: Final = 2.0
"""Of each side: an exporter may round a side to even, which moves both its edges by one, and lays the recording on
whole pixels, which is half of one more. Registering is good to 0.1."""
_TURN_DEGREES: Final = 0.1
"""A side of 1920 pixels then ends 3.4 pixels off; registering is good to 0.01."""


class PaddingMeter:
    """Keeps the placement of every frame."""

    def __init__(self, context: EffectContext) -> None:
        self._context = context
        self._series = PlacementSeries()

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        self._series.add(frame)

    def finish(self) -> Sequence[EffectFinding]:
        """One finding."""
        context, look = self._context, self._context.look
        place = self._series.at_rest(look)
        asked = None if look.padding == "any" else float(look.padding) > 0
        if place is None:
            return [
                EffectFinding(effect=_EFFECT, outcome="unchecked", message=not_found_reason(self._series), asked=asked)
            ]
        measured = _padding(place, look.crop, context.canvas)
        tolerance = _TOLERANCE_PX / min(context.canvas)
        found = measured > tolerance
        parameters = [
            MeasuredParameter(
                name="padding",
                asked=None if asked is None else float(look.padding),
                measured=measured,
                uncertainty=place.uncertainty_px / min(context.canvas),
                tolerance=tolerance,
                reason="sides rounded to even and laid on whole pixels: 2 pixels",
            )
        ]
        rest = asked_placement(look.model_copy(update={"zoom": ()}), context.recording, context.canvas, 0.0)
        if rest is not None:
            parameters += _parameters(place, rest)
        wrong = [parameter for parameter in parameters if parameter.is_wrong]
        return [
            EffectFinding(
                effect=_EFFECT,
                outcome="fail" if wrong else "pass",
                message=_words(measured, look.padding, wrong),
                asked=asked,
                found=found,
                parameters=tuple(parameters),
            )
        ]


def _padding(place: FramePlacement, crop: tuple[float, float, float, float], canvas: tuple[int, int]) -> float:
    """Free border of the nearer pair of sides, as a fraction of the canvas's shorter side."""
    area = place.rectangle(crop)
    return min(canvas[0] - area.width, canvas[1] - area.height) / 2 / min(canvas)


def _parameters(place: FramePlacement, rest: FramePlacement) -> list[MeasuredParameter]:
    stretch = (place.scale[0] / place.scale[1]) / (rest.scale[0] / rest.scale[1])
    # Two pixels more of the shorter side than of the other.
    shortest = min(place.size)
    return [
        *(
            MeasuredParameter(
                name=f"{name}_px",
                asked=0.0,
                measured=place.centre[axis] - rest.centre[axis],
                uncertainty=place.uncertainty_px,
                tolerance=_TOLERANCE_PX,
                reason="laid on whole pixels",
            )
            for axis, name in enumerate(("right", "down"))
        ),
        MeasuredParameter(
            name="stretch",
            asked=1.0,
            measured=stretch,
            uncertainty=place.uncertainty_px / shortest * math.sqrt(2),
            tolerance=2 * _TOLERANCE_PX / shortest,
            reason="both sides rounded to even: 4 pixels of the shorter one",
        ),
        MeasuredParameter(
            name="rotation_degrees",
            asked=0.0,
            measured=place.rotation_degrees,
            uncertainty=math.degrees(place.uncertainty_px / shortest),
            tolerance=_TURN_DEGREES,
            reason="3 pixels from end to end",
        ),
    ]


_SAID: Final = {
    "right_px": "it lies {0:+.1f} px to the right of its place",
    "down_px": "it lies {0:+.1f} px below its place",
    "stretch": "it is {0:.3f} times as wide as it should be for its height",
    "rotation_degrees": "it is turned by {0:+.2f} degrees",
}


def _words(measured: float, asked: object, wrong: Sequence[MeasuredParameter]) -> str:
    words = f"the recording at rest leaves {measured:.2%} of the shorter side free"
    if asked == "any":
        return words
    names = {parameter.name: parameter.measured for parameter in wrong}
    if "padding" in names:
        words += f" instead of {asked:.2%}"
    rest = [said.format(names[name]) for name, said in _SAID.items() if name in names]
    return "; ".join([words, *rest]) if wrong else f"{words}, as asked"
