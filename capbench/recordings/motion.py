"""Motion: the cursor takes one window after another by its title bar and drags it elsewhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

__all__ = ["Motion", "Pose", "scroll_px"]

_TURN_S: Final = 2.0
_REACH: Final = 0.35
"""Share of a turn that the cursor takes to reach the window."""
_DRAG: Final = 0.85
"""Share of a turn at which the window has arrived; then all rest."""

_Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where things are in one frame, in pixels from the top left of the area that windows move in."""

    windows: tuple[tuple[int, int], ...]
    """Left and top of each window, even."""
    order: tuple[int, ...]
    """Numbers of the windows, the topmost last."""
    cursor: tuple[int, int]
    """Tip of the cursor."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Seeded positions of `windows` windows over time. A longer recording starts like a shorter one."""

    stops: tuple[tuple[_Point, ...], ...]
    """For each turn, and one more, where each window rests at its start; 0..1 of the room that it has."""

    @classmethod
    def seeded(cls, windows: int, duration_s: float, *, seed: int) -> Motion:
        """Plan enough turns for a recording of that length."""
        rng = np.random.default_rng([seed, 3])
        # Near the right, the middle and the bottom: all are seen at the start.
        stops = [tuple((0.25 + 0.75 * (n % 2), n / max(1, windows - 1)) for n in range(windows))]
        for turn in range(math.ceil(duration_s / _TURN_S) + 1):
            places = list(stops[-1])
            x, y = rng.uniform(0, 1, 2)
            places[turn % windows] = (float(x), float(y))
            stops.append(tuple(places))
        return cls(tuple(stops))

    def at(self, time_s: float, room: tuple[int, int], grip: tuple[int, int]) -> Pose:
        """Pose at a time. `room` is how far a window can go in pixels, `grip` where the cursor holds it."""
        turn = int(time_s / _TURN_S)
        share = time_s / _TURN_S - turn
        count = len(self.stops[0])
        dragged = turn % count
        before, after = self.stops[turn], self.stops[turn + 1]
        moved = _between(before[dragged], after[dragged], _ease((share - _REACH) / (_DRAG - _REACH)))
        windows = [_even(place, room) for place in before]
        windows[dragged] = _even(moved, room)
        last = before[(turn - 1) % count]
        reached = _between(last, before[dragged], _ease(share / _REACH)) if share < _REACH else moved
        return Pose(
            windows=tuple(windows),
            order=tuple((turn + 1 + n) % count for n in range(count)),
            cursor=(round(reached[0] * room[0]) + grip[0], round(reached[1] * room[1]) + grip[1]),
        )


def scroll_px(time_s: float, scale_px: int) -> int:
    """How far the text has scrolled, even, never backwards: 60 pixels a second at 1080 on average, in waves."""
    waves = time_s - 0.8 * math.sin(2 * math.pi * time_s / 4) * 4 / (2 * math.pi)
    return 2 * int(waves * scale_px / 36)


def _ease(share: float) -> float:
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def _between(start: _Point, end: _Point, share: float) -> _Point:
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _even(place: _Point, room: tuple[int, int]) -> tuple[int, int]:
    return round(place[0] * room[0] / 2) * 2, round(place[1] * room[1] / 2) * 2
