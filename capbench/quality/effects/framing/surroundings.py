"""What lies around the recording at rest: a smooth background, darkened by a shadow, fitted together.

A shadow of opacity a darkens a background B to B (1 - a f), where f falls from 1 inside the shadow's rounded rectangle
to 0 outside of it. For any opacity, blur and offset the background's coefficients follow by linear least squares
(variable projection; Golub and Pereyra 1973), so that only four numbers are searched for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares
from scipy.special import erfc

from capbench.quality.effects.framing.resting_picture import RestingPicture, rounded_distance
from capbench.recordings.layout import LayoutRectangle

__all__ = ["ShadowFit", "Surroundings", "surroundings_of"]

Field = NDArray[np.float64]

_GRID: Final = 107
"""Samples across the canvas: means of blocks, in which coding noise averages out."""
_CLEAR_PX: Final = 5.0
"""Pixels of a canvas 1080 lines high next to the recording that are left out: borders, rims of rounded corners."""
_FEWEST_SAMPLES: Final = 60
_FIRST_BLURS_PX: Final = (16.0, 48.0, 110.0)
"""Starts of the search, pixels of a canvas 1080 lines high."""
_LONGEST_PX: Final = 400.0
"""Of blur and of offset, likewise."""
_NEUTRAL: Final = 128.0
_OUTLIER: Final = 4.0
"""Samples this many times the typical residual off do not count in a second fit: a camera, a caption, a cursor."""
_GAUSSIAN_WIDTH: Final = 2.2361
"""Half width of a smoothstep over the standard deviation of a Gaussian of the same variance: the square root of 5."""


@dataclass(frozen=True, slots=True)
class ShadowFit:
    """A shadow. Lengths are output pixels."""

    opacity: float
    """Where it is fullest."""
    blur_px: float
    """Distance from its edge over which it fades, each way; of a Gaussian one, that of the same variance."""
    offset_px: tuple[float, float]
    """Right and down."""
    opacity_error: float
    """Standard error of the opacity."""
    blur_error_px: float
    """Standard error of the blur."""
    offset_error_px: float
    """Standard error of the offset, the larger one of both directions."""
    darkest: float
    """Largest share of light that it takes where it can be seen."""
    darkest_error: float
    """Its standard error."""


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """Samples of what can be seen around the recording, and what fits them."""

    shadow: ShadowFit
    """The best shadow, however faint."""
    of_other_shape: ShadowFit | None
    """One that fades otherwise and fits as well; None where none does."""
    rms_codes: dict[str, float]
    """Root mean square difference that the best shadow leaves on one colour, on a `plane` (a linear gradient) and on a
    `cubic`, in codes of the worst plane of the three."""
    detail_codes: float
    """Root mean square difference of neighbouring samples from what they have in common: what is not smooth."""
    level_codes: float
    """Typical luma above black: a black background shows no shadow."""
    plane: Field
    """Y, Cb, Cr of the linear gradient: constant, rightwards and downwards across the canvas from its middle."""


def _smoothstep(distance: Field, blur: float) -> Field:
    share = ((distance + blur) / (2 * blur)).clip(0, 1)
    under: Field = np.minimum(distance + blur, 0) + 2 * blur * (share - share**3 + share**4 / 2)
    return under


def _gaussian(distance: Field, blur: float) -> Field:
    sigma = blur / _GAUSSIAN_WIDTH
    z = distance / sigma
    under: Field = distance * erfc(z / np.sqrt(2)) / 2 - sigma * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    return under


_FADES: Final[dict[str, Callable[[Field, float], Field]]] = {"smoothstep": _smoothstep, "gaussian": _gaussian}
"""Integral of f over the signed distance from the shadow's edge: over a length it is what a block of pixels shows."""


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    x: Field
    y: Field
    codes: Field
    """Y above black, Cb and Cr about neutral, shape (n, 3)."""
    bases: dict[str, Field]
    edges: LayoutRectangle
    radius_px: float
    rim: tuple[Field, Field]
    """Places that can be seen along the recording's sides, as near as samples may be: x and y."""
    block_px: float
    """Side of the block of pixels that a sample is the mean of."""


def surroundings_of(picture: RestingPicture, radius_px: float) -> Surroundings | None:
    """What lies around a recording whose corners have a radius; None where too little of it can be seen."""
    samples = _samples(picture, radius_px)
    if samples is None:
        return None
    unit = picture.unit_px
    name = "plane"
    best, other = _best_shadows(samples, name, unit)
    if _rms(samples, best, name) > 2.0:
        of_cubic = _best_shadows(samples, "cubic", unit)
        if _rms(samples, of_cubic[0], "cubic") < 0.8 * _rms(samples, best, name):
            (best, other), name = of_cubic, "cubic"
    kept = _kept(samples, best, name)
    if kept is not samples:
        best, other = _by_cost(*(_refined(kept, name, each, unit) for each in (best, other)))
    rms = {basis: _rms(kept, best, basis) for basis in ("colour", "plane", "cubic")}
    return Surroundings(
        shadow=_described(kept, best, name, unit),
        of_other_shape=_described(kept, other, name, unit) if other.cost <= _AS_WELL * best.cost else None,
        rms_codes=rms,
        detail_codes=_detail(kept),
        level_codes=float(np.median(kept.codes[:, 0])),
        plane=_project(kept, best.values, best.shape, "plane")[1],
    )


def _samples(picture: RestingPicture, radius_px: float) -> _Samples | None:
    width, height = picture.context.canvas
    step = max(2, round(width / _GRID) // 2 * 2)
    columns, rows = width // step, height // step
    x, y = np.meshgrid((np.arange(columns) + 0.5) * step, (np.arange(rows) + 0.5) * step)
    clear_px = _CLEAR_PX * picture.unit_px + step / 2
    covered = picture.context.coverings.standing(x / width, y / height)
    outside = (rounded_distance(x, y, picture.edges, radius_px) > clear_px) & ~covered
    if outside.sum() < _FEWEST_SAMPLES:
        return None
    planes = picture.output
    codes = np.stack(
        [
            _means(planes.luma, step, rows, columns) - picture.context.spec.luma_offset_code,
            _means(planes.cb, step // 2, rows, columns) - _NEUTRAL,
            _means(planes.cr, step // 2, rows, columns) - _NEUTRAL,
        ],
        axis=-1,
    )
    x, y = x[outside], y[outside]
    bases = _bases(x / width - 0.5, y / height - 0.5)
    return _Samples(x, y, codes[outside], bases, picture.edges, radius_px, _rim(picture), step)


def _rim(picture: RestingPicture) -> tuple[Field, Field]:
    edges, (width, height), away = picture.edges, picture.context.canvas, _CLEAR_PX * picture.unit_px
    across = np.linspace(edges.left, edges.left + edges.width, _RIM_PLACES)
    down = np.linspace(edges.top, edges.top + edges.height, _RIM_PLACES)
    left, right = np.full_like(down, edges.left - away), np.full_like(down, edges.left + edges.width + away)
    above, below = np.full_like(across, edges.top - away), np.full_like(across, edges.top + edges.height + away)
    x, y = np.concatenate([across, across, left, right]), np.concatenate([above, below, down, down])
    seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    seen &= ~picture.context.coverings.standing(x / width, y / height)
    return x[seen], y[seen]


def _bases(u: Field, v: Field) -> dict[str, Field]:
    """Functions of fractions of the canvas from its middle, shape (n, functions)."""
    one = np.ones_like(u)
    return {
        "colour": one[:, None],
        "plane": np.stack([one, u, v], axis=1),
        "cubic": np.stack([one, u, v, u * u, u * v, v * v, u**3, u * u * v, u * v * v, v**3], axis=1),
    }


def _means(plane: NDArray[np.uint8], step: int, rows: int, columns: int) -> Field:
    whole = plane[: rows * step, : columns * step].reshape(rows, step, columns, step)
    means: Field = whole.mean(axis=(1, 3), dtype=np.float64)
    return means


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Opacity, blur, offset right and down."""

    values: Field
    shape: str
    jacobian: Field
    cost: float


def _shade(samples: _Samples, values: Field, shape: str, at: tuple[Field, Field] | None = None) -> Field:
    """Share of light that is left in the samples' blocks, or in single pixels at other places.

    The mean over a block is taken along the way from the edge alone: across straight edges that is exact, and about
    corners the variance is the same. As single points, blocks of 6 pixels would be taken for a longer blur.
    """
    opacity, blur, right, down = values
    (x, y), side = ((samples.x, samples.y), samples.block_px) if at is None else (at, 1.0)
    distance = rounded_distance(x - right, y - down, samples.edges, samples.radius_px)
    under, blur = _FADES[shape], max(float(blur), 0.5)
    fallen = (under(distance + side / 2, blur) - under(distance - side / 2, blur)) / side
    shade: Field = 1 - opacity * fallen
    return shade


def _project(samples: _Samples, values: Field, shape: str, basis: str) -> tuple[Field, Field]:
    """Residuals (n, 3), and the background's coefficients for each plane."""
    shaded = samples.bases[basis] * _shade(samples, values, shape)[:, None]
    # By normal equations, five times as fast as by an orthogonal decomposition: a basis of ten functions of numbers
    # below one is far from singular. The little that is added keeps one that is shaded to nothing solvable.
    normal = shaded.T @ shaded
    normal[np.diag_indices_from(normal)] += 1e-9 * len(shaded)
    coefficients = np.asarray(np.linalg.solve(normal, shaded.T @ samples.codes), np.float64)
    return shaded @ coefficients - samples.codes, coefficients


def _search(samples: _Samples, basis: str, shape: str, start: Field, unit: float) -> _Found:
    longest = _LONGEST_PX * unit

    def differences(values: Field) -> Field:
        return _project(samples, values, shape, basis)[0].ravel()

    solved = least_squares(
        differences,
        start,
        bounds=([0.0, 1.0, -longest, -longest], [1.0, longest, longest, longest]),
        x_scale=[0.1, 20 * unit, 10 * unit, 10 * unit],
        loss="soft_l1",
        f_scale=2.0,
        max_nfev=40,
    )
    return _Found(solved.x, shape, np.asarray(solved.jac, np.float64), float(solved.cost))


def _best_shadows(samples: _Samples, basis: str, unit: float) -> tuple[_Found, _Found]:
    """The best one of each shape, the better one first."""
    found = [
        _search(samples, basis, "smoothstep", np.array([0.3, blur * unit, 0.0, 6.0 * unit]), unit)
        for blur in _FIRST_BLURS_PX
    ]
    best = min(found, key=lambda one: one.cost)
    return _by_cost(best, _search(samples, basis, "gaussian", best.values.clip(0.01, None) * [1, 1, 0, 1], unit))


def _by_cost(one: _Found, another: _Found) -> tuple[_Found, _Found]:
    return (one, another) if one.cost <= another.cost else (another, one)


def _refined(samples: _Samples, basis: str, start: _Found, unit: float) -> _Found:
    longest = _LONGEST_PX * unit
    inside = start.values.clip([0.001, 1.0, -longest, -longest], [0.999, longest, longest, longest])
    return _search(samples, basis, start.shape, inside, unit)


def _rms(samples: _Samples, found: _Found, basis: str) -> float:
    residual, _ = _project(samples, found.values, found.shape, basis)
    return float(np.sqrt((residual**2).mean(axis=0)).max())


def _kept(samples: _Samples, found: _Found, basis: str) -> _Samples:
    """Without what is far off; all where nothing, or most of it, is."""
    residual, _ = _project(samples, found.values, found.shape, basis)
    off = np.abs(residual).max(axis=1)
    good = off <= max(3.0, _OUTLIER * float(np.median(off)))
    if good.all() or good.sum() < max(_FEWEST_SAMPLES, 0.5 * good.size):
        return samples
    bases = {name: values[good] for name, values in samples.bases.items()}
    return replace(samples, x=samples.x[good], y=samples.y[good], codes=samples.codes[good], bases=bases)


_DARK_SAMPLES: Final = 4
_DARK_SHARE: Final = 0.005
"""Of all samples, and at least so many, those that are darkest: a fiftieth of them is more than a shadow of 25 pixels
covers beside a recording with much padding."""
_RIM_PLACES: Final = 64
"""Along each side of the recording."""
_RIM_SHARE: Final = 0.9
"""Of these places the share that is lighter than where a shadow is said to be darkest: that is on one side of four."""
_AS_WELL: Final = 1.15
"""Cost of the other shape, over that of the better one, up to which both are possible: of a shadow whose tail alone is
seen it is 1.2 without loss, and 1.0 at CRF 28."""
_FAINT: Final = 0.01
"""Share of light, of the darkest samples, below which a shadow has neither blur nor offset that could be known."""
_USUAL_BLUR_PX: Final = 40.0
"""Of a shadow in a scene file that does not say, in pixels of a canvas 1080 lines high."""


def _faint(samples: _Samples, found: _Found, basis: str, unit: float) -> ShadowFit:
    """No shadow to speak of: how well a usual one would have been seen."""
    usual = np.array([0.0, _USUAL_BLUR_PX * unit, 0.0, 0.0])
    none, _ = _project(samples, usual, found.shape, basis)
    step = np.array([0.05, 0.0, 0.0, 0.0])
    slope = (_project(samples, usual + step, found.shape, basis)[0] - none) / step[0]
    energy = float((slope**2).sum())
    error = float(np.sqrt(4 * max(0.05, float((none**2).mean())) / energy)) if energy > 0 else np.inf
    darkest = _darkest(samples, found.values, found.shape)
    reach = _darkest(samples, usual + np.array([1.0, 0.0, 0.0, 0.0]), found.shape)
    return ShadowFit(
        opacity=float(found.values[0]),
        blur_px=float(found.values[1]),
        offset_px=(float(found.values[2]), float(found.values[3])),
        opacity_error=error,
        blur_error_px=np.inf,
        offset_error_px=np.inf,
        darkest=darkest,
        darkest_error=error * reach,
    )


def _described(samples: _Samples, found: _Found, basis: str, unit: float) -> ShadowFit:
    residual, _ = _project(samples, found.values, found.shape, basis)
    if _darkest(samples, found.values, found.shape) < _FAINT:
        return _faint(samples, found, basis, unit)
    # Neighbouring samples of a coded gradient are off alike: as if there were a quarter of them.
    variance = 4 * max(0.05, float((residual**2).mean()))
    normal = found.jacobian.T @ found.jacobian
    scale = np.sqrt(np.diag(normal)) + 1e-12
    covariance = np.linalg.pinv(normal / np.outer(scale, scale)) / np.outer(scale, scale) * variance
    errors = np.sqrt(np.diag(covariance).clip(0, None))
    opacity, blur, right, down = (float(value) for value in found.values)
    # Of the share of light: as if blur and offset were known. Where a tail is all that is seen, a narrower shadow that
    # is darker is as good, but there is a shadow.
    alone = float(np.sqrt(variance / (normal[0, 0] + 1e-12)))
    # Samples may lie on either side of a narrow shadow's reach: how dark it is, is said of its own edge.
    at_rim = 1 - _shade(samples, found.values, found.shape, samples.rim)
    darkest = float(np.quantile(at_rim, _RIM_SHARE)) if at_rim.size else _darkest(samples, found.values, found.shape)
    return ShadowFit(
        opacity=opacity,
        blur_px=blur,
        offset_px=(right, down),
        opacity_error=float(errors[0]),
        blur_error_px=float(errors[1]),
        offset_error_px=float(errors[2:].max()),
        darkest=darkest,
        darkest_error=alone * darkest / max(opacity, 1e-6),
    )


def _darkest(samples: _Samples, values: Field, shape: str) -> float:
    """A few samples are as dark: not a single one decides, and of a narrow shadow there are few."""
    taken = np.sort(1 - _shade(samples, values, shape))
    return float(taken[-max(_DARK_SAMPLES, round(_DARK_SHARE * taken.size))])


def _detail(samples: _Samples) -> float:
    """Of luma, from one sample to the next across: half of what two neighbours on each side leave."""
    order = np.lexsort((samples.x, samples.y))
    y, codes = samples.y[order], samples.codes[order, 0]
    x = samples.x[order]
    step = float(np.median(np.diff(x)[np.diff(y) == 0])) if len(x) > 1 else 1.0
    beside = (y[2:] == y[:-2]) & (np.abs(x[2:] - x[:-2] - 2 * step) < step / 2)
    bends = (codes[2:] - 2 * codes[1:-1] + codes[:-2])[beside]
    return float(np.sqrt((bends**2).mean() / 6)) if bends.size else 0.0
