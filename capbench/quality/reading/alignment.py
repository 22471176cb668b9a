"""Which reference frame does an output frame show? Decided while both files stream past, with a bounded window.

By the burnt-in number if the reference has them; otherwise by content around the frame that the time stamps predict.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from capbench.quality.reading.observed_frame import FrameRecord, ObservedPicture
from capbench.quality.reading.orientation import UPRIGHT, OrientationVote, turn_back
from capbench.quality.reading.planes import planes_of
from capbench.recordings.layout import LayoutRectangle
from capbench.recordings.marks import cell_size_px

__all__ = ["Aligner", "Match", "window_frames"]

_WINDOW_BUDGET_BYTES = 96 * 2**20
_SAME_PICTURE_FACTOR = 1.6
_SAME_PICTURE_CODES = 0.15
"""Coding noise moves the mean block difference by a tenth of a code, and a wrong colour is as wrong in every frame; a
frame must fit clearly better than the one that the time stamps predict to be preferred."""

_CLOSER_ERROR = 0.25
"""Share of the squared error of luma below which another frame is the one that is shown, where means of blocks do not
tell: a slow pan moves these by less than its pixels. A coarse encoder that leaves out what moved leaves out no more
than it is off by in any case, which makes it half of the error at most."""

_NO_LESS_ALIKE = 0.9
"""The same below which a frame that seemed late, or early, is the one that is due, where means of blocks hardly tell:
what is late is off from what it shows by its coding alone, and from what is due by movement too."""

_TOLD_APART = 4.0
"""Squared error of luma, two codes, from which a picture is told from another: sparks that fade are off by less at
CRF 30, and look more like those of the next frame."""

_THING_CODES = 24.0
"""Difference of a block of 8x8 pixels from which it shows another thing, or another place of it."""

_AS_GOOD_FACTOR, _AS_GOOD_CODES = 1.05, 0.01
"""How much worse another picture may fit and still be as likely: coding noise is the same against either, so that what
is left of a difference is between the two."""
_STRANGER_CODES = 3.0
"""Mean block difference from which no frame of the window is trusted: CRF 36 gives 1, wrong colours 4 to 10, and what
is wrong in every frame must not be taken for frames out of place."""

_FOUND_CODES = _STRANGER_CODES / 2
"""Difference up to which a picture beyond the window is the one that was looked for."""
_FARTHEST_FRAMES = 1800
"""How far beyond the window it is looked for: a minute at 30 fps."""
_MOST_SEARCHES = 4
"""Each reads the reference again from its start; a file with many cuts is not an export of it."""

_SMALLEST_CELL_PX = 5.0
"""Shorter side of a number's cell from which coarse coding leaves it alone: in 320x180 (5.2) all numbers of low-quality
exports are read, in 256x144 (4.2) some are not, and in 160x90 (2.6) pictures keep the number of an earlier one."""

_RULE_FRAMES = 32
"""Numbered frames that show which rule an exporter follows; a clock that is 0.1% off moves by 1 ms meanwhile."""


def window_frames(width: int, height: int, native_bytes_per_px: int = 0) -> int:
    """Reference frames to keep for pictures of that size: 6 to 24, within 96 MiB.

    Each has 4:2:0 samples, and beside them as many bytes a pixel as a frame that is kept as it was decoded.
    """
    return max(6, min(24, _WINDOW_BUDGET_BYTES // (width * height * (3 + 2 * native_bytes_per_px) // 2)))


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """The reference frame that an output frame shows."""

    index: int | None
    """Its position in the reference; None where nothing fits."""
    picture: ObservedPicture | None
    """The frame itself; None where it has already left the window."""


class Aligner:
    """Reads the reference once. Changes with every match."""

    def __init__(
        self,
        reference: Iterator[ObservedPicture],
        window: int,
        *,
        can_compare: bool = True,
        by_order: bool = False,
        is_resampled: bool = False,
        again: Callable[[], Generator[ObservedPicture]] | None = None,
    ) -> None:
        """With at most `window` reference frames in memory.

        `can_compare`: whether pictures of the two files can be compared as they are. `by_order`: a frame
        is promised by its place in the file, because one of the files has no time stamps. `is_resampled`: whether
        the output has another rate, so that a neighbour of the promised frame may be shown. `again` reads the reference
        again from its start, to look for a picture that is beyond the window.
        """
        self._again = again
        self._searches_left = _MOST_SEARCHES
        self._is_lost = False
        self._can_compare = can_compare
        self._by_order = by_order
        self._is_resampled = is_resampled
        self._orientation = OrientationVote()
        self._last: tuple[NDArray[np.float32], int] | None = None
        self._reference = reference
        self._window: deque[ObservedPicture] = deque(maxlen=window)
        self._ahead = window // 2
        self._start_s: Fraction | None = None
        self._lag = 0
        self._ahead_s: deque[tuple[Fraction, Fraction]] = deque(maxlen=_RULE_FRAMES)
        self._index_of_number: dict[int, int] = {}
        self._times_s: list[float] = []
        self.records: list[FrameRecord] = []
        """Every reference frame that was read so far."""
        self._read_one()
        self.marked = bool(self._window) and self._window[0].record.number is not None
        """Whether the first reference frame carries a number."""
        self.small_marks = self._why_unnumbered()
        """Why frames are not matched by these numbers; None where they are, or where there are none."""
        self.ends_alike = False
        """After `finish`: whether the last output frame is as much like the reference's last as like its match."""

    @property
    def turned(self) -> str | None:
        """How the output's pictures are turned or flipped, in words; None where they are upright as far as is known."""
        return None if self._orientation.decided == UPRIGHT else self._orientation.decided

    @property
    def method(self) -> str:
        """How frames are matched, in words."""
        if self._is_numbered:
            return "burnt-in number"
        if self._can_compare:
            return "content"
        return "position in the file" if self._by_order else "time stamp"

    @property
    def _is_numbered(self) -> bool:
        return self.marked and self.small_marks is None

    def _why_unnumbered(self) -> str | None:
        # A scene is compared with a few rendered frames, and its numbers have no substitute.
        if not self.marked or not self._can_compare:
            return None
        frame = self._window[0].frame
        width, height = cell_size_px(LayoutRectangle(0, 0, frame.width, frame.height))
        if min(width, height) >= _SMALLEST_CELL_PX:
            return None
        return f"each cell of the burnt-in frame numbers is {width:.1f}x{height:.1f} px, too small for coarse coding"

    def match(self, got: ObservedPicture) -> Match:
        """The reference frame that `got` shows. Output frames must come in presentation order."""
        if self._start_s is None:
            self._start_s = got.record.time_s
        if not self.records:
            return Match(None, None)
        since_start_s = got.record.time_s - self._start_s
        promised = self._index_in_order(got.record.index) if self._by_order else self._promised_index(since_start_s)
        if self._is_numbered and got.record.number is not None:
            index = self._find_number(got.record.number)
            if index is not None:
                self._lag += index - promised
                self._note_time(index, got.record.time_s - self._start_s)
            return Match(index, self._held(index))
        if self._is_numbered or not self._can_compare:
            # Without a number whatever is shown stands in the place of the frame that belongs here.
            index = self._index_shown_at(got.record.time_s - self._start_s, promised)
            return Match(index, self._held(index))
        while len(self.records) <= promised + self._ahead and self._read_one():
            pass
        turn = self._turn_of(got)
        thumb = turn_back(got.thumb, turn)
        best = self._best_by_content(got, thumb, turn, promised)
        if self._last is not None and best < self._last[1]:
            best = self._not_before(self._last[1], best, got, thumb, turn)
        due = promised - self._lag
        if not self._is_resampled and best != due and self._is_in_time(got, turn, seeming=best, due=due):
            best = due
        self._last = thumb, best
        self._lag += best - promised
        return Match(best, self._held(best))

    def promised(self, got: ObservedPicture) -> ObservedPicture | None:
        """The reference frame that is due when `got` is shown, without a look at it; None where it is not held.

        For those who must see a reference frame to read the number of an output frame, before `match` is called.
        """
        if not self.records:
            return None
        if self._by_order:
            return self._held(self._index_in_order(got.record.index))
        start_s = got.record.time_s if self._start_s is None else self._start_s
        return self._held(self._promised_index(got.record.time_s - start_s))

    def finish(self) -> None:
        """Read the reference to its end, for its records."""
        matched = None if self._last is None else self._held(self._last[1])
        while self._read_one():
            pass
        if self._last is not None and matched is not None and self._window:
            got = self._last[0]
            apart = [_difference_codes(got, held.thumb) for held in (self._window[-1], matched)]
            self.ends_alike = apart[0] <= apart[1] * _AS_GOOD_FACTOR + _AS_GOOD_CODES

    def _read_one(self) -> bool:
        picture = next(self._reference, None)
        if picture is None:
            return False
        self._window.append(picture)
        self.records.append(picture.record)
        self._times_s.append(float(picture.record.time_s))
        if picture.record.number is not None:
            self._index_of_number.setdefault(picture.record.number, picture.record.index)
        return True

    def _index_in_order(self, index: int) -> int:
        promised = max(0, index + self._lag)
        while len(self.records) <= promised and self._read_one():
            pass
        return min(promised, len(self.records) - 1)

    def _promised_index(self, since_start_s: Fraction) -> int:
        origin_s = self.records[0].time_s
        while self.records[-1].time_s - origin_s < since_start_s and self._read_one():
            pass
        # The last few records hold the place, and those that missing frames left behind: output frames come in order.
        few = 2 * (self._window.maxlen or 1) + max(0, self._lag)
        recent = range(max(0, len(self.records) - few), len(self.records))
        wanted_s = float(origin_s + since_start_s)
        # Fractions are exact and slow: only the last choice is theirs.
        nearly = heapq.nsmallest(3, recent, key=lambda index: abs(self._times_s[index] - wanted_s))
        nearest = min(sorted(nearly), key=lambda index: abs(self.records[index].time_s - origin_s - since_start_s))
        promised = max(0, nearest + self._lag)
        while len(self.records) <= promised and self._read_one():
            pass
        return min(promised, len(self.records) - 1)

    def _note_time(self, index: int, since_start_s: Fraction) -> None:
        """Remember how far the output is ahead of the reference's clock, as a span: it shows `index` now."""
        while len(self.records) <= index + 1 and self._read_one():
            pass
        if index + 1 < len(self.records):
            here_s, next_s = (self.records[place].time_s - self.records[0].time_s for place in (index, index + 1))
            self._ahead_s.append((here_s - since_start_s, next_s - since_start_s))

    def _index_shown_at(self, since_start_s: Fraction, promised: int) -> int:
        """The frame that is due by the rule that the last numbered frames went by, or `promised` where they had none.

        At another rate an exporter shows what was due at its tick, half a tick later or earlier: the nearest frame, or
        the distance of one frame before, may be the neighbour.
        """
        if not self._ahead_s:
            return promised
        earliest_s, latest_s = max(low for low, _ in self._ahead_s), min(high for _, high in self._ahead_s)
        if earliest_s >= latest_s:  # frames were lost or exchanged
            return promised
        due_s = self.records[0].time_s + since_start_s + (earliest_s + latest_s) / 2
        while self.records[-1].time_s <= due_s and self._read_one():
            pass
        return next((record.index for record in reversed(self.records) if record.time_s <= due_s), promised)

    def _find_number(self, number: int) -> int | None:
        while number not in self._index_of_number and self._read_one():
            pass
        return self._index_of_number.get(number)

    def _turn_of(self, got: ObservedPicture) -> str:
        shape = self._window[-1].thumb.shape
        held = {each.record.index: each.thumb[..., 0] for each in self._window if each.thumb.shape == shape}
        return self._orientation.turn_of(got.thumb[..., 0], held)

    def _best_by_content(self, got: ObservedPicture, thumb: NDArray[np.float32], turn: str, promised: int) -> int:
        """Of an output frame and its thumbnail upright, which was turned by `turn`."""
        distances = {
            held.record.index: _difference_codes(thumb, held.thumb)
            for held in self._window
            if held.thumb.shape == thumb.shape
        }
        if not distances:
            return promised
        closest = min(distances.values())
        as_good = [index for index in distances if distances[index] <= closest * _AS_GOOD_FACTOR + _AS_GOOD_CODES]
        if self._is_resampled:
            as_good = [index for index in as_good if self._has_its_things(thumb, index, promised)] or as_good
        best = min(as_good, key=lambda index: (abs(index - promised), distances[index]))
        at_promised = distances.get(promised)
        if distances[best] > _STRANGER_CODES:
            # A black or torn frame fits nowhere: it stands in the place of the one that belongs here.
            found = None if self._is_lost else self._look_farther(thumb, promised + self._ahead + 1)
            self._is_lost = found is None
            return promised if found is None else found
        self._is_lost = False
        if at_promised is None or at_promised > distances[best] * _SAME_PICTURE_FACTOR + _SAME_PICTURE_CODES:
            return best
        if self._is_resampled and self._has_its_things(thumb, best, promised):
            return best
        is_as_good = at_promised <= distances[best] * _AS_GOOD_FACTOR + _AS_GOOD_CODES
        return promised if is_as_good or not self._is_closer(got, turn, best, promised) else best

    def _not_before(self, last: int, best: int, got: ObservedPicture, thumb: NDArray[np.float32], turn: str) -> int:
        """`best`, or a frame from `last` on, the one before, that is hardly less alike: output frames come in order."""
        behind = {
            held.record.index: _difference_codes(thumb, held.thumb)
            for held in self._window
            if held.record.index >= last or held.record.index == best
        }
        apart = behind.pop(best, np.inf)
        other = min(behind, key=lambda index: behind[index], default=best)
        is_clear = behind.get(other, np.inf) > apart * _SAME_PICTURE_FACTOR + _SAME_PICTURE_CODES
        return best if is_clear or self._is_closer(got, turn, best, other) else other

    def _is_closer(self, got: ObservedPicture, turn: str, one: int, other: int) -> bool:
        """Whether the samples of `got` are much more like those of the one frame than like those of the other."""
        errors = self._squared_errors(got, turn, (one, other))
        return errors is not None and errors[0] < _CLOSER_ERROR * errors[1] and errors[1] > _TOLD_APART

    def _squared_errors(
        self, got: ObservedPicture, turn: str, indices: tuple[int, int], *, is_level_free: bool = False
    ) -> list[float] | None:
        """Mean squared difference of luma from each of two frames; None where one is not held, or of another size.

        `is_level_free` leaves out what is off everywhere alike.
        """
        luma = turn_back(planes_of(got.frame).luma.astype(np.float32), turn)
        errors = []
        for index in indices:
            held = self._held(index)
            wanted = None if held is None else planes_of(held.frame).luma
            if wanted is None or wanted.shape != luma.shape:
                return None
            apart = luma - wanted
            errors.append(float(np.var(apart) if is_level_free else np.mean(np.square(apart))))
        return errors

    def _is_in_time(self, got: ObservedPicture, turn: str, *, seeming: int, due: int) -> bool:
        """Whether the frame that is due by the time stamps is shown, and not the `seeming` one, as far off as before.

        A picture that is darker, or has lost levels, resembles an earlier one as light comes up and a later one as it
        fades; but for the level of all of it, which counts for nothing here, its samples are like those of its own. An
        encoder that repeats one picture, or shows one too early, goes on in time, which means of blocks do not tell
        where little moves.
        """
        errors = self._squared_errors(got, turn, (seeming, due), is_level_free=True)
        return errors is not None and errors[1] < _NO_LESS_ALIKE * errors[0] and errors[0] > _TOLD_APART

    def _has_its_things(self, thumb: NDArray[np.float32], one: int, other: int) -> bool:
        """Whether a small thing is where the one frame has it, and not where the other has it.

        At the reference's own rate that may as well be what a coarse encoder left behind.
        """
        worst = [
            np.inf if held is None or held.thumb.shape != thumb.shape else float(np.abs(thumb - held.thumb).max())
            for held in map(self._held, (one, other))
        ]
        return worst[1] > _THING_CODES and worst[0] < _CLOSER_ERROR * worst[1]

    def _look_farther(self, thumb: NDArray[np.float32], start: int) -> int | None:
        """The frame from `start` on that `thumb` shows: where many are missing, it is beyond what is held."""
        if self._again is None or not self._searches_left:
            return None
        self._searches_left -= 1
        best: tuple[float, int] | None = None
        with closing(self._again()) as pictures:
            for index, picture in enumerate(pictures):
                if index > start + _FARTHEST_FRAMES or (best is not None and index > best[1] + 1):
                    break
                apart = _difference_codes(thumb, picture.thumb) if index >= start else np.inf
                if apart <= _FOUND_CODES and (best is None or apart < best[0]):
                    best = apart, index
        if best is None:
            return None
        while len(self.records) <= best[1] and self._read_one():
            pass
        return best[1] if self._held(best[1]) else None

    def _held(self, index: int | None) -> ObservedPicture | None:
        return next((held for held in self._window if held.record.index == index), None)


def _difference_codes(thumb: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean difference of two block means; infinite where the pictures are of different sizes."""
    return float(np.abs(thumb - other).mean()) if thumb.shape == other.shape else np.inf
