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
from scipy.ndimage import binary_closing, find_objects, label

from capbench.quality.effects.effect_meter import EffectContext, PlacedFrame
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
_MOSTLY, _RARELY = 0.6, 0.4
"""Share of the asked time that a cell must be on, and of the time around it that it may be: a caption that is a few
frames late is one that is there and late."""
_FEWEST_CELLS: Final = 5
_GAP_CELLS: Final = 2
"""On each side of a gap between words, which a plate without opacity shows."""
_NEAR: Final = 0.15
"""Of the canvas's height and half its width: how far a caption may lie from where it was asked to be found."""
_PLACE: Final = 0.1
"""Of the canvas: an exporter that breaks lines otherwise moves a caption's middle, and coarse coding hides its ends."""
_LAG_FRAMES: Final = 1.2
"""A time between two frames is shown from the earlier or from the later one on; a fade is measured to a tenth."""
_SHORTEST_S: Final = 0.25
"""Of an unasked caption: nobody could read it."""
_WIDE: Final = 3.0
"""Width over height of a caption that was not asked for: cameras are at most 16:9."""
_HIGHEST: Final = 0.25
"""Of the canvas, of such a caption."""


class CaptionMeter:
    """Keeps a small picture a frame, at most `_MOST_FRAMES` of them."""

    def __init__(self, context: EffectContext) -> None:
        self._context = context
        self._step = max(1, round(context.canvas[0] / _WIDTH))
        self._times_s: list[float] = []
        self._indices: list[int] = []
        self._figures: list[NDArray[np.float16]] = []
        self._inside: list[NDArray[np.bool_]] = []
        self._seen, self._every = 0, 1

    def add(self, frame: PlacedFrame) -> None:
        """The next frame."""
        if self._seen % self._every == 0 and frame.placement is not None and frame.source is not None:
            self._keep(frame)
        self._seen += 1
        if len(self._figures) > _MOST_FRAMES:
            for kept in (self._times_s, self._indices, self._figures, self._inside):
                del kept[1::2]
            self._every *= 2

    def _keep(self, frame: PlacedFrame) -> None:
        assert frame.placement is not None
        assert frame.source is not None
        step, canvas = self._step, self._context.canvas
        small = np.asarray(Image.fromarray(frame.planes.luma).reduce(step), np.float32)
        # Of the recording as many of its pixels are averaged as lie in one sample of the canvas.
        of_recording = max(1, round(step / frame.placement.scale[0]))
        reduced = np.asarray(Image.fromarray(frame.source.luma).reduce(of_recording))
        matrix = frame.placement.inverse * (1 / of_recording)
        matrix[:, :2] *= step
        drawn = warped(reduced, matrix, (small.shape[1], small.shape[0])).astype(np.float32)
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
        self._inside.append(np.stack([is_inside, share < 0.01]))
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
        found = [_measured(seen, caption, number) for number, caption in enumerate(captions)]
        unasked = None if is_asked is None else _unasked(seen, [one.region for one in found if one.region is not None])
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

    def _presence(self, captions: Sequence[ExpectedCaption]) -> _Seen:
        figures, kinds = np.stack(self._figures).astype(np.float32), np.stack(self._inside)
        times_s = np.array(self._times_s)
        inside, outside = kinds[:, 0], kinds[:, 1]
        # Beside the recording what is there without a caption is what is there when none was asked for.
        quiet = np.ones(times_s.size, bool)
        for caption in captions:
            quiet &= ~_is_asked(caption, times_s, margin_s=_AROUND_S / 4)
        still = figures[quiet] if quiet.sum() >= 3 else figures
        usual = np.median(still, axis=0)
        change = np.abs(figures - usual)
        strength = np.where(inside, figures / _ON_CODES, np.where(outside, change / _OFF_RECORDING_CODES, 0.0))
        frame_s = float(self._every / self._context.frame_rate)
        return _Seen(times_s, strength.astype(np.float64), inside, outside, frame_s, self._every)


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What lies over each cell at each kept time."""

    times_s: Field
    strength: Field
    """1 where something is just seen, shape (times, rows, columns)."""
    inside: NDArray[np.bool_]
    """Which cells lie on the recording, same shape."""
    outside: NDArray[np.bool_]
    """Which lie beside it; those that are neither are not known."""
    frame_s: float
    every: int
    """Frames from one kept to the next."""

    @property
    def is_on(self) -> NDArray[np.bool_]:
        return self.strength > 1

    def shares(self, region: NDArray[np.bool_], during: NDArray[np.bool_]) -> Field:
        """How much of what lies over the cells of a region during a time is there at each time, 0 to 1."""
        strength = self.strength[:, region]
        total, known = np.zeros(len(strength)), np.zeros(len(strength))
        for kind in (self.inside[:, region], self.outside[:, region]):
            # A cell's strength is another one when a zoom brings the recording under it.
            cells = zip(strength[during].T, kind[during].T, strict=True)
            full = np.array([float(np.median(values[of_kind])) if of_kind.any() else 0.0 for values, of_kind in cells])
            counts = kind & (full > 1)
            total += np.where(counts, (strength / np.maximum(full, 1)).clip(0, 1), 0).sum(axis=1)
            known += counts.sum(axis=1)
        return total / np.maximum(known, 1)


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


def _measured(seen: _Seen, caption: ExpectedCaption, number: int) -> _MeasuredCaption:
    name = f"caption {number + 1}"
    times_s = seen.times_s
    during = _is_asked(caption, times_s)
    if not during.any():
        return _MeasuredCaption(f"{name}: the output ends before it", is_wrong=False)
    around = _is_asked(caption, times_s, _AROUND_S) & ~during
    on = seen.is_on[during].mean(axis=0) >= _MOSTLY
    if around.any():
        on &= seen.is_on[around].mean(axis=0) <= _RARELY
    rows, columns = on.shape
    if caption.position is not None:
        y, x = np.mgrid[0:rows, 0:columns]
        on &= np.abs((y + 0.5) / rows - caption.position[1]) <= _NEAR
        on &= np.abs((x + 0.5) / columns - caption.position[0]) <= 0.5
    region = _widest(on)
    if region is None:
        return _MeasuredCaption(f"{name} is missing", is_wrong=True)
    parameters = [*_lags(seen, caption, seen.shares(region, during)), *_place(caption, region)]
    wrong = [parameter for parameter in parameters if parameter.is_wrong]
    named = tuple(one.model_copy(update={"name": f"caption[{number}].{one.name}"}) for one in parameters)
    words = f"{name} is there" + ("" if not wrong else ", " + ", ".join(_wrong_words(parameter) for parameter in wrong))
    return _MeasuredCaption(words, bool(wrong), named, region)


def _lags(seen: _Seen, caption: ExpectedCaption, share: Field) -> list[MeasuredParameter]:
    asked = []
    last_s = float(seen.times_s[-1])
    middle_s = (caption.start_s + min(last_s, np.inf if caption.end_s is None else caption.end_s)) / 2
    if caption.start_s > float(seen.times_s[0]):
        crossed = _crossing(seen.times_s, share, middle_s, rising=True)
        asked.append(("lag_in_frames", caption.start_s + caption.fade_s / 2, crossed))
    if caption.end_s is not None and caption.end_s < last_s:
        crossed = _crossing(seen.times_s, share, middle_s, rising=False)
        asked.append(("lag_out_frames", caption.end_s - caption.fade_s / 2, crossed))
    tolerance = max(_LAG_FRAMES, float(seen.every))
    found = []
    for name, at_s, crossed_s in asked:
        # What appears between two frames is first seen in the later one.
        shown_s = at_s if caption.fade_s > 0 else float(seen.times_s[np.searchsorted(seen.times_s, at_s - 1e-6)])
        late = None if crossed_s is None else (crossed_s - shown_s) / (seen.frame_s / seen.every)
        reason = "a time between two frames is shown from the earlier or the later one on"
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


def _place(caption: ExpectedCaption, region: NDArray[np.bool_]) -> list[MeasuredParameter]:
    y, x = np.nonzero(region)
    middles = (
        ((x.min() + x.max() + 1) / 2) / region.shape[1],
        ((y.min() + y.max() + 1) / 2) / region.shape[0],
    )
    return [
        MeasuredParameter(
            name=name,
            asked=None if caption.position is None else caption.position[axis],
            measured=float(middles[axis]),
            tolerance=_PLACE,
            reason="lines may be broken otherwise, and a plate is kept inside the canvas",
        )
        for axis, name in enumerate(("across", "down"))
    ]


def _wrong_words(parameter: MeasuredParameter) -> str:
    measured = parameter.measured or 0.0
    if parameter.name.endswith("_frames"):
        verb = "appears" if "in" in parameter.name.split("_") else "goes"
        return f"{verb} {abs(measured):.1f} frames {'late' if measured > 0 else 'early'}"
    return f"lies at {measured:.2f} {parameter.name} instead of {parameter.asked:g}"


def _widest(on: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The largest group of cells, over the gaps between words. None where it is no text."""
    joined = binary_closing(np.pad(on, _GAP_CELLS), np.ones((1, 2 * _GAP_CELLS + 1), bool))
    groups, count = label(joined[_GAP_CELLS:-_GAP_CELLS, _GAP_CELLS:-_GAP_CELLS], structure=np.ones((3, 3)))
    if not count:
        return None
    sizes = np.bincount(groups[on], minlength=count + 1)[1:]
    best = int(sizes.argmax())
    rows = find_objects(groups)[best][0]
    region = on & (groups == best + 1)
    columns = np.flatnonzero(region.any(axis=0))
    is_text = region.sum() >= _FEWEST_CELLS and len(columns) >= 1.5 * (rows.stop - rows.start)
    return region if is_text else None


def _unasked(seen: _Seen, regions: Sequence[NDArray[np.bool_]]) -> tuple[int, int] | None:
    """First and last kept time of a text that was not asked for; None where there is none."""
    on = seen.is_on.copy()
    for region in regions:
        rows = np.flatnonzero(region.any(axis=1))
        on[:, max(0, rows[0] - 2) : rows[-1] + 3] = False  # its rim and its shadow come and go with it
    shortest = max(3, round(_SHORTEST_S / seen.frame_s))
    count = on.sum(axis=0)
    first = on.argmax(axis=0)
    last = len(on) - 1 - on[::-1].argmax(axis=0)
    # On once, without a gap: what moves comes and goes at other times in each cell.
    # What is always there is no text for a time, and may be the edge of what was cropped.
    once = (count >= shortest) & (count >= 0.9 * (last - first + 1)) & (count < len(on) - shortest)
    times = {(int(a), int(b)) for a, b in zip(first[once], last[once], strict=True)}
    for a, b in sorted(times):
        together = once & (np.abs(first - a) <= 1) & (np.abs(last - b) <= 1)
        groups, _ = label(together, structure=np.ones((3, 3)))
        for part in find_objects(groups):
            height, width = (side.stop - side.start for side in part)
            filled = together[part].mean()
            is_text = width >= max(8, _WIDE * height) and height <= _HIGHEST * on.shape[1]
            if is_text and filled >= 0.6 and height >= 2:
                return a, b
    return None
