"""A shadow around the recording: whether it is there, how dark it is, how far it reaches and where it falls."""

from __future__ import annotations

from typing import Final

from capbench.quality.effects.framing.resting_picture import RestingPicture
from capbench.quality.effects.framing.surroundings import ShadowFit, Surroundings
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_look import ExpectedLook, ExpectedShadow

__all__ = ["judge_shadow"]

_EFFECT: Final = "shadow"
_FOUND: Final = 0.04
"""Share of light that is taken where the shadow is darkest: half of what the eye notices as a soft edge, ten times what
a coarse encoding makes of a gradient without a shadow."""
_SURE: Final = 4.0
"""Standard errors of that share from which a shadow is there."""
_DARKEST_BACKGROUND_CODES: Final = 12.0
"""Luma above black from which a shadow of a tenth changes a code."""
_LEAST_CODES: Final = 6.0
"""Of luma, what half of an asked shadow must take for it to be missed where it is not found: at CRF 36 nothing is left
of one that takes 4.1."""
_USUAL_OPACITY: Final = 0.3
"""Of a faint shadow that was asked for without its opacity."""
_MOST_UNCERTAIN: Final = 0.1
"""Standard error of that share beyond which the background tells nothing of a shadow."""
_OPACITY: Final = 0.12
_LENGTH_PX: Final = 8.0
_LENGTH: Final = 0.3


def judge_shadow(picture: RestingPicture, look: ExpectedLook, around: Surroundings | None) -> EffectFinding:
    """The finding."""
    asked = None if look.shadow == "any" else bool(look.shadow)
    if around is None:
        return EffectFinding(
            effect=_EFFECT,
            outcome="not_applicable",
            message="nothing is seen beside the recording that a shadow could fall on",
            asked=asked,
        )
    shadow = around.shadow
    if around.level_codes < _DARKEST_BACKGROUND_CODES:
        return EffectFinding(
            effect=_EFFECT, outcome="not_applicable", message="the background is too dark to show a shadow", asked=asked
        )
    if shadow.darkest_error > _MOST_UNCERTAIN:
        return EffectFinding(
            effect=_EFFECT,
            outcome="not_applicable",
            message="the background has too much detail to measure a shadow on: it takes "
            f"{shadow.darkest:.0%} ± {shadow.darkest_error:.0%} of the light",
            asked=asked,
        )
    found = shadow.darkest >= _FOUND and shadow.darkest > _SURE * shadow.darkest_error
    wanted = look.shadow if isinstance(look.shadow, ExpectedShadow) else ExpectedShadow()
    if asked and not found and around.level_codes * (wanted.opacity or _USUAL_OPACITY) / 2 < _LEAST_CODES:
        message = "the background is too dark to tell whether the shadow that was asked for is there"
        return EffectFinding(effect=_EFFECT, outcome="not_applicable", message=message, asked=asked)
    parameters: list[MeasuredParameter] = []
    if found:
        # Of a tail, one that fades otherwise explains as much by another opacity: either may be the one that was asked.
        possible = [each for each in (shadow, around.of_other_shape) if each is not None]
        judged = [(each, _parameters(picture, each, wanted)) for each in possible]
        shadow, parameters = min(judged, key=lambda each: max(1.0, *(one.excess for one in each[1])))
    wrong = [parameter for parameter in parameters if parameter.is_wrong]
    is_right = (asked is None or found == asked) and not (asked and wrong)
    return EffectFinding(
        effect=_EFFECT,
        outcome="pass" if is_right else "fail",
        message=_words(picture, shadow, asked=asked, found=found, wrong=wrong),
        asked=asked,
        found=found,
        parameters=tuple(parameters),
    )


def _parameters(picture: RestingPicture, shadow: ShadowFit, wanted: ExpectedShadow) -> list[MeasuredParameter]:
    unit = picture.unit_px
    offsets = (None, None) if wanted.offset_px is None else wanted.offset_px
    errors = "and four standard errors"
    length = max(_LENGTH_PX, _LENGTH * (wanted.blur_px or 0.0))
    # Beside a recording with little padding the tail of a shadow alone is seen, from which the rest follows badly.
    more = _SURE * shadow.opacity_error, _SURE * shadow.blur_error_px / unit, _SURE * shadow.offset_error_px / unit
    return [
        MeasuredParameter(
            name="opacity",
            asked=wanted.opacity,
            measured=shadow.opacity,
            uncertainty=shadow.opacity_error,
            tolerance=_OPACITY + more[0],
            reason=f"only the part beside the recording is seen: 0.12 {errors}",
        ),
        MeasuredParameter(
            name="blur_px",
            asked=wanted.blur_px,
            measured=shadow.blur_px / unit,
            uncertainty=shadow.blur_error_px / unit,
            tolerance=length + more[1],
            reason=f"8 px at 1080 lines, or 30%, for shadows of another shape with the same nominal blur, {errors}",
        ),
        *(
            MeasuredParameter(
                name=f"{name}_px",
                asked=offset,
                measured=shadow.offset_px[axis] / unit,
                uncertainty=shadow.offset_error_px / unit,
                tolerance=_LENGTH_PX + more[2],
                reason=f"8 px at 1080 lines {errors}",
            )
            for axis, (name, offset) in enumerate(zip(("right", "down"), offsets, strict=True))
        ),
    ]


def _words(
    picture: RestingPicture, shadow: ShadowFit, *, asked: bool | None, found: bool, wrong: list[MeasuredParameter]
) -> str:
    if not found:
        return (
            "the shadow that was asked for is missing"
            if asked
            else "no shadow" + (", as asked" if asked is False else "")
        )
    unit = picture.unit_px
    words = (
        f"a shadow of opacity {shadow.opacity:.2f} that fades over {shadow.blur_px / unit:.0f} px each way, "
        f"{shadow.offset_px[0] / unit:+.0f} px right and {shadow.offset_px[1] / unit:+.0f} px down"
    )
    if asked is False:
        return f"{words}, which was not asked for"
    if wrong:
        return f"{words}; asked were {', '.join(f'{one.name} {one.asked:g}' for one in wrong)}"
    return f"{words}, as asked" if asked else words
