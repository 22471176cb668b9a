"""Sync of sound and picture within a file, by the recording's flashes and their beeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from capbench.quality.reading.observed_frame import FrameRecord
from capbench.quality.reading.sound_envelope import BIN_S, Sound
from capbench.recordings.marks import FLASH_LENGTH_S

__all__ = ["FlashSync", "beep_onsets_s", "measure_flash_sync"]

_FLASH_ON = 0.5
_QUIETEST_BEEP = 0.01
"""-40 dB of full scale; the recordings' beeps are at -9."""
_LENGTH_TOLERANCE = 0.3
"""A beep that was cut or smeared by more than this share of its length has no onset that can be trusted."""
_FARTHEST_S = 0.5
"""Flashes come once a second: a beep farther away may belong to another one."""


@dataclass(frozen=True, slots=True)
class FlashSync:
    """Sound against picture within one file."""

    start_ms: float
    """How late the sound is at the first flash; negative where it is early."""
    end_ms: float
    """The same at the last one."""
    flashes: int
    """Number of flashes with a beep. A single one does not show drift."""


def beep_onsets_s(sound: Sound) -> list[float]:
    """Times by the file's time stamps at which beeps start: where the level passes half of the loudest, to 1 ms."""
    loudest = float(sound.level.max(initial=0.0))
    if loudest < _QUIETEST_BEEP:
        return []
    loud = np.concatenate([[False], sound.level > loudest / 2, [False]]).astype(np.int8)
    rises, falls = np.flatnonzero(np.diff(loud) > 0), np.flatnonzero(np.diff(loud) < 0)
    lengths = (falls - rises) * BIN_S
    whole = np.abs(lengths / FLASH_LENGTH_S - 1) <= _LENGTH_TOLERANCE
    return [(sound.start_bin + int(start)) * BIN_S for start in rises[whole]]


def measure_flash_sync(
    frames: Sequence[FrameRecord], shown: Sequence[int | None], reference: Sequence[FrameRecord], sound: Sound
) -> FlashSync | None:
    """Offset and drift of a file's sound; None without a flash that has a beep.

    `frames` are the file's, `shown` says for each which one of `reference` it shows. An output of a lower rate may show
    a flash first by a later frame of it: that frame's place in the flash is taken off.
    """
    starts = _flash_starts(reference)
    onsets = np.array(beep_onsets_s(sound))
    if not onsets.size:
        return None
    times, offsets = [], []
    for before, frame in pairwise([None, *frames]):
        match = shown[frame.index] if frame is not None else None
        if frame is None or match is None or not _is_on(frame) or match not in starts:
            continue
        if before is not None and (before.flash is None or _is_on(before)):
            continue
        flash_s = float(frame.time_s - (reference[match].time_s - reference[starts[match]].time_s))
        nearest = float(onsets[np.abs(onsets - flash_s).argmin()])
        if abs(nearest - flash_s) <= _FARTHEST_S:
            times.append(flash_s)
            offsets.append(nearest - flash_s)
    if not times:
        return None
    if len(times) == 1:
        return FlashSync(offsets[0] * 1e3, offsets[0] * 1e3, 1)
    # The median of the slopes between all pairs (Theil 1950, Sen 1968): one flash that is shown late moves nothing.
    # `scipy.stats.theilslopes` gives the same and takes a second to load.
    later, earlier = np.triu_indices(len(times), 1)
    apart_s, shifts_s = (
        np.subtract(*np.array(times)[[later, earlier]]),
        np.subtract(*np.array(offsets)[[later, earlier]]),
    )
    slope = float(np.median(shifts_s[apart_s != 0] / apart_s[apart_s != 0]))
    middle = float(np.median(offsets)) - slope * float(np.median(times))
    ends_ms = [(middle + slope * at) * 1e3 for at in (times[0], times[-1])]
    return FlashSync(ends_ms[0], ends_ms[1], len(times))


def _is_on(frame: FrameRecord) -> bool:
    return frame.flash is not None and frame.flash > _FLASH_ON


def _flash_starts(frames: Sequence[FrameRecord]) -> dict[int, int]:
    """For each frame in a flash the frame that the flash begins with."""
    starts: dict[int, int] = {}
    for index, frame in enumerate(frames):
        if _is_on(frame):
            starts[index] = starts.get(index - 1, index)
    return starts
