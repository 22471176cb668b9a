"""The radius of a recording's corners, by least squares: inside lies the recording, outside something smooth.

For each radius that is tried, what is covered must show the recording, and the rest a polynomial of the second degree,
which background and shadow are over so few pixels. The radius that leaves the least is right. All planes count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.framing.resting_picture import RestingPicture, rounded_distance
from capbench.recordings.layout import LayoutRectangle
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_look import ExpectedLook

__all__ = ["CornerFit", "fit_corners", "judge_corners"]

Field = NDArray[np.float64]

_EFFECT: Final = "corner_radius"
_WINDOW: Final = 0.1
"""Of the recording's shorter side: the part of it that is looked at about a corner, at first."""
_RING_PX: Final = 10.0
"""Beyond the recording's edges, where there is so much, in pixels of a canvas 1080 lines high, 4 of the output at
least: a shadow is no polynomial over much more."""
_LEAST_RING_PX: Final = 4.0
_CORRELATED: Final = 4.0
"""Neighbouring pixels are off alike, by coding and by how the recording was scaled: as if there were a quarter."""
_FEWEST_OUTSIDE: Final = 24
"""Pixels from which the polynomial's six coefficients are fitted; fewer are compared with their mean."""
_CAP_CODES: Final = 16.0
"""A difference counts no more than this: a border, a cursor in a corner and text that was scaled otherwise."""
_PRIOR_CODES: Final = 1.0
"""Noise that is assumed at least, where the pictures have none."""
_LEAST_SEEN: Final = 0.3
"""Share of the pixels about a corner that nothing else covers, from which it is looked at."""
_STEPS: Final = 28
_TOLERANCE_PX: Final = 2.0
"""Output pixels: edges are drawn with or without a smooth border of one pixel, and registered to 0.1."""
_TOLERANCE: Final = 0.15
"""Relative: a corner whose curvature is continuous, of the same nominal radius, cuts off a seventh less or more."""
_FOUND_PX: Final = 2.0
"""Output pixels: what an encoder makes of a square corner."""
_MEASURABLE_PX: Final = 5.0
"""Output pixels: a coarse encoding leaves nothing of the corner that a smaller radius cuts off, an area of 5 pixels."""
_SURE: Final = 3.0
"""Standard errors that a radius may be off besides."""
_OUTLIER: Final = 3.0
"""Standard errors by which a corner is off the mean of all to be left out."""
_MOST_UNCERTAIN: Final = 0.5
"""Of the tolerance: a radius whose standard error is larger was not measured."""


@dataclass(frozen=True, slots=True)
class CornerFit:
    """One corner."""

    radius_px: float
    """Radius in output pixels."""
    uncertainty_px: float
    """Its standard error."""


def judge_corners(picture: RestingPicture, look: ExpectedLook) -> tuple[EffectFinding, float]:
    """The finding, and the radius in output pixels that is taken for what surrounds the recording."""
    asked = None if look.rounding_px == "any" else float(look.rounding_px)
    shortest = min(picture.edges.width, picture.edges.height)
    # A radius beyond the half of a side gives half circles.
    asked_px = None if asked is None else min(asked * picture.unit_px, shortest / 2)
    tolerance_px = max(_TOLERANCE_PX, _TOLERANCE * (asked_px or 0.0))
    joined = _joined(fit_corners(picture))
    if joined is None or joined[0].uncertainty_px > _MOST_UNCERTAIN * tolerance_px:
        reason = "no corner of the recording stands out against what lies behind it"
        if asked_px is not None and asked_px < _MEASURABLE_PX:
            is_asked = asked_px >= _FOUND_PX
            return EffectFinding(effect=_EFFECT, outcome="not_applicable", message=reason, asked=is_asked), asked_px
        finding = EffectFinding(effect=_EFFECT, outcome="unchecked", message=reason, asked=asked_px is not None or None)
        return finding, asked_px or 0.0
    fit, corners = joined
    radius_px = fit.radius_px
    unit = picture.unit_px
    # Two causes that know nothing of one another: how a corner is drawn, and what coding leaves of it.
    tolerance_px = float(np.hypot(tolerance_px, _SURE * fit.uncertainty_px))
    parameter = MeasuredParameter(
        name="radius_px",
        asked=None if asked_px is None else asked_px / unit,
        measured=radius_px / unit,
        uncertainty=fit.uncertainty_px / unit,
        tolerance=tolerance_px / unit,
        reason="2 output pixels, or 15%: another curve of the same nominal radius; and three standard errors, as the "
        "root of the sum of squares",
    )
    words = f"the corners have a radius of {radius_px / unit:.1f} px at 1080 lines"
    if parameter.is_wrong:
        words += f" instead of {parameter.asked:.1f}"
    elif asked is not None:
        words += ", as asked"
    finding = EffectFinding(
        effect=_EFFECT,
        outcome="fail" if parameter.is_wrong else "pass",
        message=f"{words} ({corners} of 4 corners)",
        asked=None if asked_px is None else asked_px >= _FOUND_PX,
        found=radius_px >= float(np.hypot(_FOUND_PX, _SURE * fit.uncertainty_px)),
        parameters=(parameter,),
    )
    return finding, radius_px


def _joined(fits: Sequence[CornerFit]) -> tuple[CornerFit, int] | None:
    """The mean of the corners by their certainty, and of how many; None where none is known.

    One that is far off the others, such as under a camera, is left out. Where they disagree by more than their errors
    say, the error of the mean is as much larger.
    """
    kept = [fit for fit in fits if np.isfinite(fit.uncertainty_px)]
    while kept:
        weights = np.array([1 / max(fit.uncertainty_px, 0.1) ** 2 for fit in kept])
        radii = np.array([fit.radius_px for fit in kept])
        mean = float(np.average(radii, weights=weights))
        off = weights * (radii - mean) ** 2
        if len(kept) > 2 and off.max() > _OUTLIER**2:
            kept.pop(int(off.argmax()))
            continue
        disagreement = max(1.0, float(off.sum()) / (len(kept) - 1)) if len(kept) > 1 else 1.0
        return CornerFit(mean, float(np.sqrt(disagreement / weights.sum()))), len(kept)
    return None


def fit_corners(picture: RestingPicture) -> list[CornerFit]:
    """The corners that can be seen, from the top left clockwise."""
    found = []
    for right, bottom in ((False, False), (True, False), (True, True), (False, True)):
        fit = _fit_corner(picture, right=right, bottom=bottom)
        if fit is not None:
            found.append(fit)
    return found


def _fit_corner(picture: RestingPicture, *, right: bool, bottom: bool) -> CornerFit | None:
    edges = picture.edges
    shortest = min(edges.width, edges.height)
    window_px = max(16.0, _WINDOW * shortest)
    while True:
        most_px = min(shortest / 2, window_px)
        window = _window(picture, window_px, right=right, bottom=bottom)
        if window is None:
            return None
        fit = _best_radius(window, edges, most_px)
        # A radius near the end of what was looked at may be a larger one.
        if fit is None or fit.radius_px < 0.8 * most_px or most_px >= shortest / 2:
            return fit
        window_px *= 2


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Pixels about one corner: their coordinates, and codes of both pictures for each plane."""

    x: Field
    y: Field
    output: Sequence[Field]
    recording: Sequence[Field]
    seen: NDArray[np.bool_]
    """Where nothing else lies over both."""


def _window(picture: RestingPicture, window_px: float, *, right: bool, bottom: bool) -> _Window | None:
    edges, (width, height) = picture.edges, picture.context.canvas
    ring_px = max(_LEAST_RING_PX, _RING_PX * picture.unit_px)
    columns = _span((edges.left, edges.left + edges.width), window_px, ring_px, width, at_end=right)
    rows = _span((edges.top, edges.top + edges.height), window_px, ring_px, height, at_end=bottom)
    if columns is None or rows is None:
        return None  # out of sight
    half = (slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2))
    x, y = np.meshgrid(np.arange(columns.start, columns.stop) + 0.5, np.arange(rows.start, rows.stop) + 0.5)
    seen = ~picture.context.coverings.standing(x / width, y / height)
    if seen.mean() < _LEAST_SEEN:
        return None
    planes = []
    for source in (picture.output, picture.recording):
        luma = source.luma[rows, columns].astype(np.float64)
        # Chroma counts once a sample: repeated, it would count four times.
        chroma = [np.repeat(np.repeat(plane[half].astype(np.float64), 2, 0), 2, 1) for plane in (source.cb, source.cr)]
        planes.append((luma, *chroma))
    return _Window(x, y, planes[0], planes[1], seen)


def _span(sides: tuple[float, float], window_px: float, ring_px: float, length: int, *, at_end: bool) -> slice | None:
    start, end = sides
    low, high = (end - window_px, end + ring_px) if at_end else (start - ring_px, start + window_px)
    if (at_end and end > length + 1) or (not at_end and start < -1):
        return None
    first, last = max(0, int(low) // 2 * 2), min(length, -int(-high // 2) * 2)
    return slice(first, last) if last - first >= 8 else None


def _best_radius(window: _Window, edges: LayoutRectangle, most_px: float) -> CornerFit | None:
    offsets = _offsets(window, edges, most_px)

    def cost(radius_px: float) -> float:
        return _cost(window, edges, radius_px, offsets)

    tried = np.unique(np.concatenate([[0.0], np.geomspace(1.0, most_px, _STEPS)]))
    costs = np.array([cost(float(radius)) for radius in tried])
    best = int(costs.argmin())
    low, high = tried[max(0, best - 1)], tried[min(len(tried) - 1, best + 1)]
    fine = np.linspace(low, high, 13)
    fine_costs = np.array([cost(float(radius)) for radius in fine])
    radius_px = _lowest(fine, fine_costs)
    step_px = max(1.0, 0.1 * radius_px)
    there = cost(radius_px)
    sides = [cost(max(0.0, radius_px + side)) for side in (-step_px, step_px)]
    # Twice the noise's variance over the curvature of the sum of squares, as for any least-squares estimate; a parabola
    # through the lower side, for costs are capped.
    rise = min(sides) - there if radius_px > step_px else sides[1] - there
    variance = _CORRELATED * max(_PRIOR_CODES**2, there / int(window.seen.sum()))
    if rise <= 0:
        return CornerFit(radius_px, float("inf"))
    return CornerFit(radius_px, 2 * step_px * float(np.sqrt(variance / rise)))


def _lowest(radii: Field, costs: Field) -> float:
    """The bottom of a parabola through the lowest cost and its neighbours."""
    at = int(costs.argmin())
    if at in (0, len(radii) - 1):
        return float(radii[at])
    (a, b, c), step = costs[at - 1 : at + 2], radii[1] - radii[0]
    bend = a - 2 * b + c
    return float(radii[at] + (0.5 * step * (a - c) / bend if bend > 0 else 0.0))


def _offsets(window: _Window, edges: LayoutRectangle, most_px: float) -> list[float]:
    """Median difference of each plane where the recording certainly is: a slight change of colours is no corner."""
    inside = (rounded_distance(window.x, window.y, edges, most_px) < -2) & window.seen
    return [
        float(np.median((output - recording)[inside])) if inside.sum() > _FEWEST_OUTSIDE else 0.0
        for output, recording in zip(window.output, window.recording, strict=True)
    ]


def _cost(window: _Window, edges: LayoutRectangle, radius_px: float, offsets: Sequence[float]) -> float:
    """Sum of squared differences, each capped, of the pictures from what a radius makes of them."""
    distance = rounded_distance(window.x, window.y, edges, radius_px)
    covered = (0.5 - distance).clip(0, 1)
    outside = (covered == 0) & window.seen
    total = 0.0
    for plane, (output, recording) in enumerate(zip(window.output, window.recording, strict=True)):
        behind = _smooth(window, output, outside)
        drawn = covered * (recording + offsets[plane]) + (1 - covered) * behind
        capped = np.minimum(np.abs(output - drawn)[window.seen], _CAP_CODES) ** 2
        total += float(capped.sum()) / (1 if plane == 0 else 4)
    return total


def _smooth(window: _Window, output: Field, outside: NDArray[np.bool_]) -> Field:
    """What lies behind, everywhere, from the pixels outside."""
    count = int(outside.sum())
    if count < _FEWEST_OUTSIDE:
        return np.full_like(output, output[outside].mean() if count else 0.0)
    x = (window.x - window.x.mean()) / window.x.shape[1]
    y = (window.y - window.y.mean()) / window.x.shape[0]
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    coefficients, *_ = np.linalg.lstsq(basis[outside], output[outside], rcond=None)
    smooth: Field = basis @ coefficients
    return smooth
