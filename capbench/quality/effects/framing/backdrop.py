"""What lies behind the recording: one colour, a gradient or a picture."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.framing.resting_picture import RestingPicture
from capbench.quality.effects.framing.surroundings import Surroundings
from capbench.quality.oracle.reference_nv12 import LUMA_WEIGHTS, QUANTISATION
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_look import BackgroundKind, ExpectedBackground, ExpectedLook

__all__ = ["background_kind", "judge_background"]

Field = NDArray[np.float64]

_EFFECT: Final = "background"
_FLAT_CODES: Final = 1.2
"""Root mean square difference from one colour: coding leaves 0.5 at CRF 38, where nothing is to be coded."""
_LINEAR_CODES: Final = 4.0
"""The same from a linear gradient, which coding at CRF 38 turns into bands: it leaves 2.8. A photograph leaves 20."""
_CUBIC_CODES: Final = 4.0
"""The same from a gradient of another kind."""
_SMOOTH_DETAIL_CODES: Final = 1.2
"""Detail from one sample to the next, of a gradient of any kind: 0.9 where it is coded coarsely, several of a
photograph."""
_COLOUR_CODES: Final = 10.0
"""Of 255: ends of a gradient lie in the corners of the canvas, where a shadow and coding are extrapolated from."""


def background_kind(around: Surroundings) -> BackgroundKind:
    """What the surroundings are, by the simplest that fits."""
    rms = around.rms_codes
    # Where a plane fits clearly better, the slight difference from one colour has a direction.
    if rms["colour"] <= _FLAT_CODES or (rms["colour"] <= _LINEAR_CODES and rms["plane"] > 0.7 * rms["colour"]):
        return "colour"
    if rms["plane"] <= _LINEAR_CODES:
        return "gradient"
    if rms["cubic"] <= _CUBIC_CODES and around.detail_codes <= _SMOOTH_DETAIL_CODES:
        return "gradient"
    return "picture"


def judge_background(picture: RestingPicture, look: ExpectedLook, around: Surroundings | None) -> EffectFinding:
    """The finding."""
    wanted = look.background if isinstance(look.background, ExpectedBackground) else None
    asked = None if wanted is None else True
    if around is None:
        message = "nothing is seen beside the recording"
        return EffectFinding(effect=_EFFECT, outcome="not_applicable", message=message, asked=asked, found=False)
    kind = background_kind(around)
    is_linear = around.rms_codes["plane"] <= _LINEAR_CODES
    # A picture without detail cannot be told from a gradient that is not linear.
    fits = wanted is None or kind == wanted.kind or (wanted.kind == "picture" and kind == "gradient" and not is_linear)
    parameters = _colours(picture, around, wanted) if wanted is not None and kind == wanted.kind and is_linear else []
    wrong = [parameter for parameter in parameters if parameter.is_wrong]
    words = f"a {kind} lies behind the recording"
    if not fits and wanted is not None:
        words += f" instead of a {wanted.kind}"
    elif wrong:
        words += "; " + "; ".join(f"{one.name} is off by {one.measured:.0f} codes" for one in wrong)
    elif wanted is not None:
        words += ", as asked"
    return EffectFinding(
        effect=_EFFECT,
        outcome="pass" if fits and not wrong else "fail",
        message=words,
        asked=asked,
        found=True,
        parameters=tuple(parameters),
    )


def _colours(picture: RestingPicture, around: Surroundings, wanted: ExpectedBackground) -> list[MeasuredParameter]:
    """How far the ends of the gradient, or the one colour, are off, in codes of R'G'B'."""
    if not wanted.colours:
        return []
    corners = {(u, v): _rgb(picture, around.plane.T @ (1.0, u, v)) for u in (-0.5, 0.5) for v in (-0.5, 0.5)}
    asked = [np.array(tuple(bytes.fromhex(colour.removeprefix("#")))) for colour in wanted.colours]
    if len(asked) == 1:
        found = [_rgb(picture, around.plane.T @ (1.0, 0.0, 0.0))]
    else:
        # The ends are level with two opposite corners (CSS Images 3, 3.1): those that differ most. Which of them comes
        # first is the direction's, which is not asked.
        pairs = [[corners[u, v], corners[-u, -v]] for u, v in ((0.5, 0.5), (0.5, -0.5))]
        found = max(pairs, key=lambda pair: float(np.abs(pair[0] - pair[1]).sum()))
        if _apart(found[::-1], asked) < _apart(found, asked):
            found = found[::-1]
    return [
        MeasuredParameter(
            name=f"colour {number + 1}",
            asked=0.0,
            measured=float(np.abs(a - b).max()),
            tolerance=_COLOUR_CODES,
            reason="extrapolated to the corners of the canvas",
        )
        for number, (a, b) in enumerate(zip(found, asked, strict=True))
    ]


def _apart(found: list[Field], asked: list[NDArray[np.int64]]) -> float:
    return sum(float(np.abs(a - b).sum()) for a, b in zip(found, asked, strict=True))


def _rgb(picture: RestingPicture, codes: Field) -> Field:
    """R'G'B' of 0..255 for Y above black and Cb, Cr about neutral (ITU-R BT.709-6, item 3)."""
    spec = picture.context.spec
    _, luma_span, chroma_span = QUANTISATION[spec.range]
    kr, kg, kb = LUMA_WEIGHTS[spec.matrix]
    y, blue, red = codes[0] / luma_span, codes[1] / chroma_span, codes[2] / chroma_span
    r, b = y + 2 * (1 - kr) * red, y + 2 * (1 - kb) * blue
    rgb: Field = np.array([r, (y - kr * r - kb * b) / kg, b]).clip(0, 1) * 255
    return rgb
