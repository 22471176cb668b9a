"""Captions: texts that are shown for a time, found by what lies over the recording and over the background, and when.

The canvas is cut into cells. On the recording a cell's figure is how far the output is from the recording there; beside
it, the output's own mean, whose change counts. A caption is a wide group of cells that change together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from capbench.quality.effects.caption_regions import GAP_CELLS, SeenCells, unasked_text, widest_text
from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
from capbench.quality.effects.placing.coverings import CoveredArea
from capbench.quality.effects.placing.frame_placement import FramePlacement
from capbench.quality.effects.placing.warped_pictures import coverage, warped
from capbench.results.appearance.effect_finding import EffectFinding, MeasuredParameter
from capbench.results.appearance.expected_layers import ExpectedCaption

__all__ = ["CaptionMeter"]

Field = NDArray[np.float64]

_EFFECT: Final = "captions"
_WIDTH: Final = 320
"""Samples across the canvas in which the pictures are compared."""
_CELL: Final = 4
"""Samples a side of a cell: a letter of a caption is about one cell high at 1080 lines."""
_MOST_FRAMES: Final = 2000
"""Kept, 7 kB each; of a longer clip every second, every fourth and so on, and times are known less exactly."""
_ON_CODES: Final = 10.0
"""Mean difference of a cell on which something lies: coding at CRF 38 leaves 5 in text, and a plate of half its opacity
has 40."""
_OFF_RECORDING_CODES: Final = 6.0
"""The same beside the recording, where nothing else has detail."""
_AROUND_S: Final = 1.0
"""Before and after a caption in which it must not be there."""
_QUIET_S: Final = 0.25
"""From a caption to the times that show what is there without it: it may be late or early."""
_FEWEST_QUIET: Final = 3
"""Such times, of which one may show it: where so many are not as far away, the farthest count."""
_MOSTLY, _RARELY = 0.6, 0.4
"""Share of the asked time that a cell must be on, and of the time around it that it may be: a caption that is a few
frames late is one that is there and late."""
_SHADOW_PX: Final = 100.0
"""How far a shadow of a recording that is not magnified reaches, in pixels of a canvas 1080 lines high: its blur and
its shift."""
_ZOOMED: Final = 1.01
"""Magnification over rest from which a shadow moves by a pixel."""
_PLATE_CELLS: Final = 2
"""Around the cells in which a text is seen: what is left of its plate, or of its shadow."""
_HIDDEN: Final = 0.6
"""Share of a caption's middle in which nothing can be told, from which it need not be seen."""
_NEAR: Final = 0.15
"""Of the canvas's height and half its width: how far a caption may lie from where it was asked to be found."""
_PLACE: Final = 0.1
"""Of the canvas: an exporter that breaks lines otherwise moves a caption's middle, and coarse coding hides its ends."""
_LAG_FRAMES: Final = 1.2
"""A time between two frames is shown from the earlier or from the later one on; a fade is measured to a tenth."""
_BLURRED_FRAMES: Final = 1.0
"""More of it where motion blur was asked for: under a text that comes while a zoom moves, the recording is not as sharp
as the one that it is compared with, and a shutter may be open as the text comes."""


class CaptionMeter:
    """Keeps a small picture a frame, at most `_MOST_FRAMES` of them."""

    def __init__(self, context: EffectContext) -> None:
        self._context = context
        self._step = max(1, round(context.canvas[0] / _WIDTH))
        self._times_s: list[float] = []
        self._indices: list[int] = []
        self._figures: list[NDArray[np.float16]] = []
        self._inside: list[NDArray[np.bool_]] = []
        self._places: list[FramePlacement] = []
        self._seen, self._every = 0, 1

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        if self._seen % self._every == 0 and frame.placement is not None and frame.source is not None:
            self._keep(frame)
        self._seen += 1
        if len(self._figures) > _MOST_FRAMES:
            for kept in (self._times_s, self._indices, self._figures, self._inside, self._places):
                del kept[1::2]
            self._every *= 2

    def _keep(self, frame: PlacedFrame) -> None:
        assert frame.placement is not None
        assert frame.source is not None
        step, canvas = self._step, self._context.canvas
        small = np.asarray(Image.fromarray(frame.planes.luma).reduce(step), np.float32)
        drawn = _drawn(frame.source.luma, frame.placement, step, (small.shape[1], small.shape[0]))
        # Half a sample inside its edges, where neither rounding nor a border lies.
        radius_px = 0.0 if self._context.look.rounding_px == "any" else float(self._context.look.rounding_px)
        on_recording = coverage(frame.placement, canvas, step + 0.3 * radius_px * self._context.unit_px, step)
        rows, columns = (side // _CELL for side in on_recording.shape)
        whole = np.s_[: rows * _CELL, : columns * _CELL]

        def cells(values: NDArray[np.float32] | NDArray[np.bool_]) -> NDArray[np.float32]:
            blocks = values[whole].reshape(rows, _CELL, columns, _CELL)
            return np.asarray(blocks.mean(axis=(1, 3)), np.float32)

        share = cells(on_recording)
        is_inside = share > 0.99
        difference = np.abs(small - drawn)
        self._figures.append(np.where(is_inside, cells(difference), cells(small)).astype(np.float16))
        # A cell that the edge of the recording runs through says nothing.
        magnified = max(1.0, *(side / of for side, of in zip(frame.placement.size, canvas, strict=True)))
        near_px = _SHADOW_PX * self._context.unit_px * magnified
        near = cells(coverage(frame.placement, canvas, -near_px, step)) > 0
        self._inside.append(np.stack([is_inside, share < 0.01, near]))
        self._places.append(frame.placement)
        self._times_s.append(frame.time_s)
        self._indices.append(frame.index)

    def finish(self) -> Sequence[EffectFinding]:
        """One finding for all captions."""
        asked = self._context.look.caption
        captions = () if isinstance(asked, str) else asked
        is_asked = None if isinstance(asked, str) else bool(captions)
        if len(self._figures) < 2:
            reason = "the recording was found in too few frames to see what lies over it"
            return [EffectFinding(effect=_EFFECT, outcome="unchecked", message=reason, asked=is_asked)]
        seen = self._presence(captions)
        lag_frames = _LAG_FRAMES + (_BLURRED_FRAMES if self._context.look.motion_blur else 0.0)
        found = [_measured(seen, caption, number, lag_frames) for number, caption in enumerate(captions)]
        self._tell(found, captions)
        unasked = (
            None if is_asked is None else unasked_text(seen, [one.region for one in found if one.region is not None])
        )
        words = [one.words for one in found]
        frames: list[int] = []
        for one, caption in zip(found, captions, strict=True):
            if one.is_wrong:
                frames += [
                    index
                    for index, time_s in zip(self._indices, self._times_s, strict=True)
                    if caption.start_s <= time_s and (caption.end_s is None or time_s < caption.end_s)
                ]
        if unasked is not None:
            first_s, last_s = (seen.times_s[at] for at in unasked)
            words.append(f"a text that was not asked for, from {first_s:.2f} s to {last_s:.2f} s")
            frames += self._indices[unasked[0] : unasked[1] + 1]
        is_wrong = unasked is not None or any(one.is_wrong for one in found)
        if not words:
            words = ["captions are left open"] if is_asked is None else ["no caption, as asked"]
        return [
            EffectFinding(
                effect=_EFFECT,
                outcome="fail" if is_wrong else "pass",
                message="; ".join(words),
                asked=is_asked,
                found=unasked is not None or any(one.region is not None for one in found),
                parameters=tuple(parameter for one in found for parameter in one.parameters),
                frames=tuple(sorted(set(frames))[:20]),
            )
        ]

    def _presence(self, captions: Sequence[ExpectedCaption]) -> SeenCells:
        figures, kinds = np.stack(self._figures).astype(np.float32), np.stack(self._inside)
        times_s = np.array(self._times_s)
        covered, standing = self._covered(kinds.shape[2:])
        # A zoom takes the recording's shadow with it, to cells that are light at rest.
        scales = np.array([place.scale[0] for place in self._places])
        is_shaded = kinds[:, 2] & (scales > _ZOOMED * scales.min())[:, None, None]
        inside, outside = kinds[:, 0] & ~covered, kinds[:, 1] & ~covered & ~is_shaded
        # Beside the recording what is there without a caption is what is there when none was asked for. Where one is
        # asked for throughout, it would be its own background: there nothing is known.
        quiet = _quiet(captions, times_s)
        outside &= quiet.any()
        usual = np.median(figures[quiet] if quiet.any() else figures, axis=0)
        change = np.abs(figures - usual)
        strength = np.where(inside, figures / _ON_CODES, np.where(outside, change / _OFF_RECORDING_CODES, 0.0))
        frame_s = float(self._every / self._context.frame_rate)
        return SeenCells(times_s, strength.astype(np.float64), inside, outside, covered, standing, frame_s, self._every)

    def _covered(self, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which cells other layers cover at each time, shape (times, rows, columns), and which something stands in."""
        rows, columns = shape
        side, canvas = _CELL * self._step, self._context.canvas
        x, y = np.meshgrid((np.arange(columns) + 0.5) * side, (np.arange(rows) + 0.5) * side)
        coverings = self._context.coverings
        standing = coverings.standing(x / canvas[0], y / canvas[1])
        covered = np.repeat(standing[None], len(self._places), axis=0)
        if coverings.cursor is not None:
            for at, (time_s, place) in enumerate(zip(self._times_s, self._places, strict=True)):
                covered[at] |= coverings.cursor.covers(x, y, time_s, place)
        return covered, standing

    def _tell(self, found: Sequence[_MeasuredCaption], captions: Sequence[ExpectedCaption]) -> None:
        """What captions cover, for the layers beneath."""
        side, canvas = _CELL * self._step, self._context.canvas
        for one, caption in zip(found, captions, strict=True):
            if one.region is not None:
                rows, columns = (np.flatnonzero(one.region.any(axis=axis)) for axis in (1, 0))
                self._context.coverings.areas.append(
                    CoveredArea(
                        (columns[0] - _PLATE_CELLS) * side / canvas[0],
                        (rows[0] - _PLATE_CELLS) * side / canvas[1],
                        (columns[-1] + 1 + _PLATE_CELLS) * side / canvas[0],
                        (rows[-1] + 1 + _PLATE_CELLS) * side / canvas[1],
                        caption.start_s,
                        np.inf if caption.end_s is None else caption.end_s,
                    )
                )


def _drawn(luma: NDArray[np.uint8], placement: FramePlacement, step: int, size: tuple[int, int]) -> NDArray[np.float32]:
    """The recording alone in samples of `step` output pixels a side, a mean of at least four places in each.

    Taken at one place in a sample, of a recording that is as much reduced as can be by whole numbers, magnified text is
    so much smoother or sharper than in the output that it would be taken for another one.
    """
    fine = next(each for each in range(max(1, step // 2), 0, -1) if step % each == 0)
    of_recording = max(1, round(fine / placement.scale[0]))
    reduced = np.asarray(Image.fromarray(luma).reduce(of_recording))
    matrix = placement.inverse * (1 / of_recording)
    matrix[:, :2] *= fine
    times = step // fine
    whole = warped(reduced, matrix, (size[0] * times, size[1] * times))
    return np.asarray(Image.fromarray(whole).reduce(times), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _MeasuredCaption:
    words: str
    is_wrong: bool
    parameters: tuple[MeasuredParameter, ...] = ()
    region: NDArray[np.bool_] | None = None


def _is_asked(caption: ExpectedCaption, times_s: Field, margin_s: float = 0.0) -> NDArray[np.bool_]:
    end_s = np.inf if caption.end_s is None else caption.end_s
    asked: NDArray[np.bool_] = (times_s >= caption.start_s - margin_s) & (times_s < end_s + margin_s)
    return asked


def _quiet(captions: Sequence[ExpectedCaption], times_s: Field) -> NDArray[np.bool_]:
    """Which times count for what is there without a caption: those far from all that were asked for, or a few."""
    is_asked, away_s = np.zeros(times_s.size, bool), np.full(times_s.size, np.inf)
    for caption in captions:
        is_asked |= _is_asked(caption, times_s)
        end_s = np.inf if caption.end_s is None else caption.end_s
        away_s = np.minimum(away_s, np.maximum(caption.start_s - times_s, times_s - end_s))
    farthest_s = float(np.sort(away_s)[-min(_FEWEST_QUIET, times_s.size)])
    quiet: NDArray[np.bool_] = ~is_asked & (away_s >= min(_QUIET_S, farthest_s))
    return quiet


def _measured(seen: SeenCells, caption: ExpectedCaption, number: int, lag_frames: float) -> _MeasuredCaption:
    name = f"caption {number + 1}"
    times_s = seen.times_s
    during = _is_asked(caption, times_s)
    if not during.any():
        return _MeasuredCaption(f"{name}: the output ends before it", is_wrong=False)
    around = _is_asked(caption, times_s, _AROUND_S) & ~during
    on = seen.on_share(during) >= _MOSTLY
    if around.any():
        on &= seen.on_share(around) <= _RARELY
    rows, columns = on.shape
    if caption.position is not None:
        y, x = np.mgrid[0:rows, 0:columns]
        on &= np.abs((y + 0.5) / rows - caption.position[1]) <= _NEAR
        on &= np.abs((x + 0.5) / columns - caption.position[0]) <= 0.5
    region = widest_text(on)
    if region is None:
        if _is_hidden(seen.standing, caption):
            return _MeasuredCaption(f"{name} is hidden by what stands over it", is_wrong=False)
        if _is_hidden((seen.inside | seen.outside)[during].sum(axis=0) == 0, caption):
            return _MeasuredCaption(f"{name} cannot be told from what lies behind it", is_wrong=False)
        return _MeasuredCaption(f"{name} is missing", is_wrong=True)
    lags = _lags(seen, caption, seen.shares(region, during), tolerance=max(lag_frames, float(seen.every)))
    parameters = [*lags, *_place(caption, region, seen.standing)]
    wrong = [parameter for parameter in parameters if parameter.is_wrong]
    named = tuple(one.model_copy(update={"name": f"caption[{number}].{one.name}"}) for one in parameters)
    words = f"{name} is there" + ("" if not wrong else ", " + ", ".join(_wrong_words(parameter) for parameter in wrong))
    return _MeasuredCaption(words, bool(wrong), named, region)


def _lags(seen: SeenCells, caption: ExpectedCaption, share: Field, *, tolerance: float) -> list[MeasuredParameter]:
    asked = []
    last_s = float(seen.times_s[-1])
    middle_s = (caption.start_s + min(last_s, np.inf if caption.end_s is None else caption.end_s)) / 2
    if caption.start_s > float(seen.times_s[0]):
        crossed = _crossing(seen.times_s, share, middle_s, rising=True)
        asked.append(("lag_in_frames", caption.start_s + caption.fade_s / 2, crossed))
    if caption.end_s is not None and caption.end_s < last_s:
        crossed = _crossing(seen.times_s, share, middle_s, rising=False)
        asked.append(("lag_out_frames", caption.end_s - caption.fade_s / 2, crossed))
    found = []
    for name, at_s, crossed_s in asked:
        # What appears between two frames is first seen in the later one.
        shown_s = at_s if caption.fade_s > 0 else float(seen.times_s[np.searchsorted(seen.times_s, at_s - 1e-6)])
        late = None if crossed_s is None else (crossed_s - shown_s) / (seen.frame_s / seen.every)
        reason = "a time between two frames is shown from the earlier or the later one on; under blur, a frame more"
        found.append(MeasuredParameter(name=name, asked=0.0, measured=late, tolerance=tolerance, reason=reason))
    return found


def _crossing(times_s: Field, share: Field, middle_s: float, *, rising: bool) -> float | None:
    """The last time before the middle at which it appeared, or the first one behind it at which it went.

    What appears at once is there from its first frame on, and what goes at once is gone in the first one without it;
    between, time is interpolated.
    """
    middle = int(np.searchsorted(times_s, middle_s).clip(0, len(times_s) - 1))
    order = range(middle, 0, -1) if rising else range(middle + 1, len(times_s))
    for at in order:
        before, after = (share[at - 1], share[at]) if rising else (share[at], share[at - 1])
        if before < 0.5 <= after:
            inner = (0.5 - share[at - 1]) / (share[at] - share[at - 1])
            is_step = abs(share[at] - share[at - 1]) > 0.8
            return float(times_s[at] if is_step else times_s[at - 1] + inner * (times_s[at] - times_s[at - 1]))
    return None


def _is_hidden(unseen: NDArray[np.bool_], caption: ExpectedCaption) -> bool:
    """Whether its middle lies in cells, shape (rows, columns), of which nothing can be seen."""
    if caption.position is None:
        return False
    rows, columns = unseen.shape
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    middle = (np.abs(y / rows - caption.position[1]) <= _NEAR / 3) & (
        np.abs(x / columns - caption.position[0]) <= _NEAR
    )
    return bool(middle.any()) and float(unseen[middle].mean()) >= _HIDDEN


def _place(caption: ExpectedCaption, region: NDArray[np.bool_], standing: NDArray[np.bool_]) -> list[MeasuredParameter]:
    y, x = np.nonzero(region)
    # A text that goes on under what stands beside it has its middle elsewhere.
    around = standing[y.min() : y.max() + 1, max(0, x.min() - GAP_CELLS) : x.max() + 1 + GAP_CELLS].any()
    over = standing[max(0, y.min() - GAP_CELLS) : y.max() + 1 + GAP_CELLS, x.min() : x.max() + 1].any()
    middles = (
        ((x.min() + x.max() + 1) / 2) / region.shape[1],
        ((y.min() + y.max() + 1) / 2) / region.shape[0],
    )
    return [
        MeasuredParameter(
            name=name,
            asked=None if caption.position is None else caption.position[axis],
            measured=None if is_cut else float(middles[axis]),
            tolerance=_PLACE,
            reason="lines may be broken otherwise, and a plate is kept inside the canvas",
        )
        for axis, (name, is_cut) in enumerate((("across", around), ("down", over)))
    ]


def _wrong_words(parameter: MeasuredParameter) -> str:
    measured = parameter.measured or 0.0
    if parameter.name.endswith("_frames"):
        verb = "appears" if "in" in parameter.name.split("_") else "goes"
        return f"{verb} {abs(measured):.1f} frames {'late' if measured > 0 else 'early'}"
    return f"lies at {measured:.2f} {parameter.name} instead of {parameter.asked:g}"
