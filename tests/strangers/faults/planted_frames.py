"""Whether a fault of frames or times is in the file that was made: by what its frames show, and when."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np

from tests.strangers.faults.fault_tools import Base, Maker
from tests.strangers.stream_facts import StreamFacts, decode_pictures, picture_size, probe
from tests.strangers.tool_programs import ToolError

__all__ = ["Check", "counted", "damaged", "is_shown_instead", "planted", "times_are"]

_CLEARLY: Final = 0.8
"""Share of its difference from the frame whose place it took that a frame may have from what it should be: what coding
again adds is part of both."""
_TICKS: Final = 2
"""Roundings of a time: of the filter's and of the container's."""

_BLOCK: Final = 8
_BLOCK_CODES: Final = 24.0
"""Size in pixels, and difference of its mean, of a block from which damage is promised to be seen."""

Check = Callable[[Base, StreamFacts, float], str | None]
"""Says of a base, a faulty file and a strength what is not as it was to be; None where all is."""


def planted(make: Maker, check: Check) -> Maker:
    """A fault that is in the file, or `ToolError`: what a tool did not plant must not count as missed."""

    def checked(base: Base, strength: float, path: Path) -> None:
        make(base, strength, path)
        problem = check(base, probe(path), strength)
        if problem is not None:
            message = f"{path.name}: {problem}"
            raise ToolError(message)

    return checked


def counted(left: Callable[[Base, float], int]) -> Check:
    """So many frames are left."""

    def check(base: Base, faulty: StreamFacts, strength: float) -> str | None:
        wanted = left(base, strength)
        return None if faulty.frame_count == wanted else f"{faulty.frame_count} frames instead of {wanted}"

    return check


def is_shown_instead(places: Callable[[Base, float], dict[int, int]]) -> Check:
    """Frames of the file (keys) show what the base has in others (values), and not what it has in their own place."""

    def check(base: Base, faulty: StreamFacts, strength: float) -> str | None:
        size = picture_size(base.output)
        was, now = (decode_pictures(facts, size).astype(np.float32) for facts in (base.output, faulty))
        if len(was) != len(now):
            return f"{len(now)} frames instead of {len(was)}"
        for place, origin in places(base, strength).items():
            wanted, own = (float(np.abs(now[place] - was[other]).mean()) for other in (origin, place))
            if wanted > _CLEARLY * own:
                return f"frame {place} is off by {wanted:.1f} codes from frame {origin}, by {own:.1f} from its own"
        return None

    return check


def times_are(
    expected_s: Callable[[Base, int, float, float], float], largest_s: Callable[[Base, float], float]
) -> Check:
    """Each frame is shown when it was to be, from the first one on, and one of them is off by as much as is claimed.

    `expected_s` of a base, a frame's number, its time there and a strength; `largest_s` is what the largest change is
    at least, but for ticks of both files.
    """

    def check(base: Base, faulty: StreamFacts, strength: float) -> str | None:
        if faulty.frame_count != base.frames:
            return f"{faulty.frame_count} frames instead of {base.frames}"
        was, now = (
            [float(frame.start_s - facts.frames[0].start_s) for frame in facts.frames]
            for facts in (base.output, faulty)
        )
        slack_s = float(_TICKS * max(faulty.time_base, base.output.time_base, Fraction(1, 90_000)))
        first_s = expected_s(base, 0, was[0], strength)
        for number, (old_s, new_s) in enumerate(zip(was, now, strict=True)):
            wanted_s = expected_s(base, number, old_s, strength) - first_s
            if abs(new_s - wanted_s) > slack_s:
                return f"frame {number} is shown at {new_s:.4f} s instead of {wanted_s:.4f}"
        changed_s = max(abs(new_s - old_s) for old_s, new_s in zip(was, now, strict=True))
        least_s = largest_s(base, strength) - slack_s
        return None if changed_s >= least_s else f"no frame is moved by more than {1e3 * changed_s:.2f} ms"

    return check


def damaged(make: Maker) -> Maker:
    """Damage that a decoder notices, or that shows: what was overwritten may be a part that nobody decodes."""

    def checked(base: Base, strength: float, path: Path) -> None:
        make(base, strength, path)
        try:
            faulty = probe(path)
        except ToolError:
            return  # nobody can read it at all
        if faulty.complaints or faulty.frame_count != base.frames or len(faulty.sounds) != len(base.output.sounds):
            return
        size = picture_size(base.output)
        was, now = (decode_pictures(facts, size).astype(np.float32) for facts in (base.output, faulty))
        if len(was) == len(now):
            rows, columns = was.shape[1] // _BLOCK, was.shape[2] // _BLOCK
            changed = (was - now)[:, : rows * _BLOCK, : columns * _BLOCK]
            blocks = changed.reshape(len(was), rows, _BLOCK, columns, _BLOCK, 3).mean(axis=(2, 4))
            if float(np.abs(blocks).max(initial=0.0)) < _BLOCK_CODES:
                message = f"{path.name}: no decoder notices anything, and nothing is seen"
                raise ToolError(message)

    return checked
