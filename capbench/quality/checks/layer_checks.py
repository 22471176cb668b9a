"""Is each layer of the scene in the picture, where and when it should be?"""  # noqa: D400

from __future__ import annotations

from capbench.quality.checks import limits
from capbench.quality.checks.pictures.picture_checks import how_turned
from capbench.quality.measurements import MOTION_BLUR, LayerShare, Measurements
from capbench.results import Check

__all__ = ["check_layers"]

_NAME = "picture.layers"
_MOST_NAMED = 3
_MISSING_SHARE = 0.25
"""A smaller share is chance: a misplaced layer may overlap its proper place."""


def check_layers(evidence: Measurements) -> list[Check]:
    """One check: the share of each layer in each rendered frame."""
    if evidence.layers is None:
        return [Check.not_applicable(name=_NAME, reason="no scene was drawn over the reference")]
    if evidence.pictures is None or not evidence.pictures.sampled:
        return [
            Check.unchecked(name=_NAME, reason=evidence.no_pictures_reason or "no pair of pictures could be compared")
        ]
    if (turned := how_turned(evidence.pictures)) is not None:
        return [Check.unchecked(name=_NAME, reason=f"the picture is {turned} compared with the reference")]
    if not evidence.layers:
        return [
            Check.not_applicable(name=_NAME, reason="no layer of the scene changes the recording enough to be measured")
        ]
    psnr_y = evidence.pictures.series["psnr_y"]
    severity = {found: _severity(found, psnr_y[found.output_frame]) for found in evidence.layers}
    worst: dict[str, LayerShare] = {}
    for found in evidence.layers:
        if found.layer not in worst or severity[found] > severity[worst[found.layer]]:
            worst[found.layer] = found
    limit = limits.LAYER_OPACITY_ERROR
    wrong = sorted((found for found in worst.values() if severity[found] > 1), key=lambda found: -severity[found])
    largest = max(worst.values(), key=lambda found: severity[found]).opacity_error
    if not wrong:
        names = ", ".join(worst)
        return [
            Check.passed(name=_NAME, message=f"in place with the right opacity: {names}", value=largest, limit=limit)
        ]
    words = "; ".join(_in_words(found) for found in wrong[:_MOST_NAMED])
    more = f"; and {len(wrong) - _MOST_NAMED} more" if len(wrong) > _MOST_NAMED else ""
    frames = sorted(found.output_frame for found in wrong)
    return [Check.failed(name=_NAME, message=words + more, value=largest, limit=limit, frames=frames)]


def _severity(found: LayerShare, psnr_y_db: float | None) -> float:
    """Error relative to the tolerance, which is 1; the smaller of the layer's share and of its opacity."""
    is_coarse = psnr_y_db is None or psnr_y_db < limits.COARSE_PSNR_DB
    return min(
        abs(found.share - 1) / limits.LAYER_SHARE_ERROR,
        abs(found.opacity_error) / limits.LAYER_OPACITY_ERROR,
    ) / (limits.COARSE_FACTOR if is_coarse else 1.0)


def _in_words(found: LayerShare) -> str:
    where = f"in frame {found.output_frame}"
    if found.layer == MOTION_BLUR:
        if found.share < _MISSING_SHARE:
            return f"{found.layer} is missing {where}"
        return f"{found.layer} is at {found.share:.0%} of its strength {where}: another shutter angle or another time"
    if found.share < _MISSING_SHARE:
        return f"{found.layer} is missing, late or misplaced {where}"
    return f"{found.layer} is at {found.share:.0%} of its opacity {where}"
