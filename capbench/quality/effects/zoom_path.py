"""Zooms: how far the recording is magnified over time and about which point, against what was asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from capbench.quality.effects.asked_path import eases_s
from capbench.quality.effects.ease_fit import EaseFit, fit_ease
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.placement_series import PlacementSeries, not_found_reason
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedZoom

__all__ = ["ZoomMeter"]

Field = NDArray[np.float64]

_EFFECT: Final = "zoom"
_SEEN: Final = 0.02
"""Logarithm of a magnification that is a zoom: 2%, twenty times what registering leaves of a coarse encoding."""
_FOUND_SHARE: Final = 0.25
"""Of an asked zoom's logarithm that must be reached for it to be there at all."""
_FEWEST_FRAMES: Final = 3
"""In a row that make an unasked zoom."""
_AROUND_S: Final = 1.0
"""Before and after an asked zoom in which it may still be going on: how late it is says another figure."""
_AMOUNT: Final = 0.02
"""Relative: exporters compute it exactly, and rounding the recording's sides to even is 2 pixels in 640."""
_LAG_FRAMES: Final = 1.2
"""An animation may be sampled at the start, the middle or the end of a frame, and motion blur is a mean over one; its
middle is measured to a tenth."""
_OVERSHOOT: Final = 0.05
"""Share of the magnification's logarithm: a hundred times the noise, a quarter of what a visible spring has."""
_CENTRE: Final = 0.02
"""Of the recording's width or height, and besides what two pixels of its place make of it."""
_EASE: Final = 0.2
"""Relative, besides two frames: another shape of the same length fits a duration that is up to 15% off."""


@dataclass(frozen=True, slots=True)
class _Path:
    """What is known of the recording's motion."""

    times_s: Field
    logs: Field
    """Logarithm of the magnification over rest."""
    places: Sequence[FramePlacement]
    rest: FramePlacement
    frame_s: float
    crop: tuple[float, float, float, float]


class ZoomMeter:
    """Keeps the placement of every frame."""

    def __init__(self, context: EffectContext) -> None:
        self._context = context
        self._series = PlacementSeries()

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        self._series.add(frame)

    def finish(self) -> Sequence[EffectFinding]:
        """One finding for all zooms."""
        zooms = self._context.look.zoom
        asked = None if isinstance(zooms, str) else bool(zooms)
        rest, known = self._series.at_rest(self._context.look), self._series.known()
        if rest is None:
            reason = not_found_reason(self._series)
            return [EffectFinding(effect=_EFFECT, outcome="unchecked", message=reason, asked=asked)]
        scale = rest.magnification
        logs = np.array([math.log(place.magnification / scale) for _, place in known])
        times_s = np.array([time_s for time_s, _ in known])
        path = _Path(
            times_s,
            logs,
            [place for _, place in known],
            rest,
            float(1 / self._context.frame_rate),
            self._context.look.crop,
        )
        return [_judged(path, self._series, () if isinstance(zooms, str) else zooms, asked)]


def _judged(path: _Path, series: PlacementSeries, zooms: Sequence[ExpectedZoom], asked: bool | None) -> EffectFinding:
    unasked = [] if asked is None else _unasked(path, zooms)
    words, parameters, wrong_frames, is_wrong, is_unknown = [], [], [], False, False
    last_s = series.times_s[-1] if series.times_s else 0.0
    for number, zoom in enumerate(zooms):
        if zoom.start_s > last_s:
            continue  # a clip that is cut short shows no more
        found = _measured(path, zoom, number, last_s)
        parameters += found.parameters
        words.append(found.words)
        is_wrong |= found.is_wrong
        is_unknown |= found.is_unknown
        if found.is_wrong:
            wrong_frames += [
                index for index, time_s in enumerate(series.times_s) if zoom.start_s <= time_s < zoom.end_s
            ]
    if unasked:
        times_s, most = [path.times_s[at] for at in unasked], math.exp(max(path.logs[at] for at in unasked))
        words.append(f"a zoom of {most:.2f} that was not asked for, from {times_s[0]:.2f} s to {times_s[-1]:.2f} s")
        wrong_frames += [series.times_s.index(time_s) for time_s in times_s]
    is_found = bool(np.any(path.logs > _SEEN))
    if asked is None:
        most = math.exp(float(path.logs.max()))
        words.append(f"the recording is magnified {most:.2f} times at most")
    elif not words:
        words.append("no zoom, as asked" if not zooms else "the output ends before the first zoom that was asked for")
    outcome = "fail" if is_wrong or unasked else "unchecked" if is_unknown else "pass"
    return EffectFinding(
        effect=_EFFECT,
        outcome=outcome,
        message="; ".join(words),
        asked=asked,
        found=is_found,
        parameters=tuple(parameters),
        frames=tuple(sorted(set(wrong_frames))[:20]),
    )


def _unasked(path: _Path, zooms: Sequence[ExpectedZoom]) -> list[int]:
    """Places in the series of an unasked zoom; empty where there is none."""
    outside = np.array(
        [not any(zoom.start_s - _AROUND_S <= at < zoom.end_s + _AROUND_S for zoom in zooms) for at in path.times_s]
    )
    run: list[int] = []
    for at in np.flatnonzero(outside & (path.logs > _SEEN)).tolist():
        if run and at == run[-1] + 1:
            run.append(at)
        elif len(run) < _FEWEST_FRAMES:
            run = [at]
        else:
            break
    return run if len(run) >= _FEWEST_FRAMES else []


@dataclass(frozen=True, slots=True)
class _Measured:
    parameters: list[MeasuredParameter]
    words: str
    is_wrong: bool
    is_unknown: bool = False


def _measured(path: _Path, zoom: ExpectedZoom, number: int, last_s: float) -> _Measured:
    name = f"zoom {number + 1}"
    middle_s = (zoom.start_s + zoom.end_s) / 2
    before = (path.times_s >= zoom.start_s - _AROUND_S) & (path.times_s <= middle_s)
    behind = (path.times_s > middle_s) & (path.times_s <= zoom.end_s + _AROUND_S)
    if not before.any():
        return _Measured([], f"{name}: the recording was not found while it lasts", is_wrong=False, is_unknown=True)
    ease_in_s, ease_out_s = eases_s(zoom)
    settled = (path.times_s >= zoom.start_s + ease_in_s) & (path.times_s <= zoom.end_s - ease_out_s)
    during = before | behind
    # A zoom that never rests has a peak; a clip that ends within it has got as far as it has.
    reached = (
        float(np.median(path.logs[settled])) if settled.sum() >= _FEWEST_FRAMES else float(path.logs[during].max())
    )
    wanted = math.log(zoom.amount)
    ends_early = last_s < zoom.start_s + ease_in_s
    if ends_early:
        return _Measured([], f"{name}: the output ends before it has eased in", is_wrong=False)
    if reached < max(_SEEN, _FOUND_SHARE * wanted):
        if wanted < _SEEN:
            return _Measured([], f"{name}: of {zoom.amount:g}, too small to be seen", is_wrong=False)
        missing = MeasuredParameter(
            name=f"zoom[{number}].amount",
            asked=zoom.amount,
            measured=math.exp(reached),
            tolerance=_AMOUNT * zoom.amount,
            reason="a recording's sides rounded to even",
        )
        return _Measured([missing], f"{name} of {zoom.amount:g} is missing: {math.exp(reached):.2f}", is_wrong=True)
    fit_in = fit_ease(path.times_s[before], path.logs[before] / reached, path.frame_s)
    fit_out = fit_ease(-path.times_s[behind][::-1], path.logs[behind][::-1] / reached, path.frame_s)
    overshoot = max(0.0, float(path.logs[during].max()) / reached - 1)
    parameters = [
        MeasuredParameter(
            name="amount",
            asked=zoom.amount,
            measured=math.exp(reached),
            tolerance=_AMOUNT * zoom.amount,
            reason="a recording's sides rounded to even",
        ),
        MeasuredParameter(
            name="overshoot",
            asked=zoom.overshoot,
            measured=overshoot,
            tolerance=_OVERSHOOT,
            reason="noise is a hundredth of it; a spring that is meant is asked for",
        ),
        *_lags(zoom, fit_in, fit_out, path.frame_s),
        *_eases(zoom, fit_in, fit_out, path.frame_s),
    ]
    at_amount = settled if settled.any() else during & (path.logs > 0.9 * reached)
    parameters += _centre(path, zoom, np.flatnonzero(at_amount))
    wrong = [parameter for parameter in parameters if parameter.is_wrong]
    named = [parameter.model_copy(update={"name": f"zoom[{number}].{parameter.name}"}) for parameter in parameters]
    shape = "" if fit_in is None else f", eased like {fit_in.shape} in {fit_in.duration_s:.2f} s"
    words = f"{name}: {math.exp(reached):.2f} times{shape}"
    if wrong:
        words += "; " + "; ".join(_wrong_words(parameter) for parameter in wrong)
    return _Measured(named, words, is_wrong=bool(wrong))


def _lags(
    zoom: ExpectedZoom, fit_in: EaseFit | None, fit_out: EaseFit | None, frame_s: float
) -> list[MeasuredParameter]:
    """How late the motions are: by their middle where their length was asked for, elsewhere by their outer end."""
    found = []
    ease_in_s, ease_out_s = eases_s(zoom)
    if fit_in is not None:
        known = zoom.ease_in_s is not None
        asked_s = zoom.start_s + (ease_in_s / 2 if known else 0)
        late_s = (fit_in.middle_s if known else fit_in.start_s) - asked_s
        found.append(("lag_in_frames", late_s / frame_s))
    if fit_out is not None:  # time runs backwards in this one
        known = zoom.ease_out_s is not None
        asked_s = zoom.end_s - (ease_out_s / 2 if known else 0)
        late_s = -(fit_out.middle_s if known else fit_out.start_s) - asked_s
        found.append(("lag_out_frames", late_s / frame_s))
    return [
        MeasuredParameter(
            name=name,
            asked=0.0,
            measured=lag,
            tolerance=_LAG_FRAMES,
            reason="where within a frame an animation is sampled is the exporter's choice",
        )
        for name, lag in found
    ]


def _eases(
    zoom: ExpectedZoom, fit_in: EaseFit | None, fit_out: EaseFit | None, frame_s: float
) -> list[MeasuredParameter]:
    return [
        MeasuredParameter(
            name=name,
            asked=asked_s,
            measured=fit.duration_s,
            tolerance=None if asked_s is None else 2 * frame_s + _EASE * asked_s,
            reason="two frames, and the length of another shape of easing",
        )
        for name, asked_s, fit in (
            ("ease_in_s", zoom.ease_in_s, fit_in),
            ("ease_out_s", zoom.ease_out_s, fit_out),
        )
        if fit is not None
    ]


def _centre(path: _Path, zoom: ExpectedZoom, at: NDArray[np.intp]) -> list[MeasuredParameter]:
    """The point that stays where it is at rest, as fractions of the recording."""
    if not at.size:
        return []
    rest, found = path.rest, []
    for axis, name in enumerate(("centre_x", "centre_y")):
        stays = []
        for index in at.tolist():
            place = path.places[index]
            grown = place.scale[axis] - rest.scale[axis]
            middle = -(place.centre[axis] - rest.centre[axis]) / grown
            whole = 0.5 + middle / rest.recording_size[axis]
            stays.append((whole - path.crop[axis]) / (1 - path.crop[axis] - path.crop[axis + 2]))
        grown_px = rest.size[axis] * (zoom.amount - 1)
        found.append(
            MeasuredParameter(
                name=name,
                asked=None if zoom.centre is None else zoom.centre[axis],
                measured=float(np.median(stays)),
                uncertainty=rest.uncertainty_px / max(grown_px, 1e-9),
                tolerance=_CENTRE + 2 / max(grown_px, 1e-9),
                reason="2 pixels of the recording's place, and what a viewer sees",
            )
        )
    return found


_SAID: Final = {
    "amount": "instead of {asked:g}",
    "overshoot": "it overshoots by {measured:.0%}",
    "lag_in_frames": "it begins {off:.1f} frames {side}",
    "lag_out_frames": "it ends {off:.1f} frames {side}",
    "ease_in_s": "it takes {measured:.2f} s to ease in instead of {asked:g}",
    "ease_out_s": "it takes {measured:.2f} s to ease out instead of {asked:g}",
    "centre_x": "its centre lies at {measured:.3f} across instead of {asked:g}",
    "centre_y": "its centre lies at {measured:.3f} down instead of {asked:g}",
}


def _wrong_words(parameter: MeasuredParameter) -> str:
    measured = parameter.measured or 0.0
    side = "late" if measured > 0 else "early"
    return _SAID[parameter.name].format(measured=measured, asked=parameter.asked, off=abs(measured), side=side)
