"""What a sound must hold so that a fault of sound is in the file at all: a gap in silence is none."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from tests.strangers.faults.fault_tools import Base, heard, stereo
from tests.strangers.faults.planted_sound import Line, base_lag_ms, pitch_share
from tests.strangers.stream_facts import SOUND_RATE_HZ, decode_sound, windows

__all__ = [
    "clips_when_louder",
    "has_pitch",
    "has_two_sides",
    "heard_in_the_gap",
    "heard_long_enough_to_drift",
    "heard_to_its_end",
    "shows_when_it_is",
    "start_in_file_s",
]

_LOUD: Final = 0.01
"""Root mean square from which the referee counts a silence of 5 ms as one."""
_LONGEST_GAP_S: Final = 0.1
"""Of the gaps that are planted."""
_CLIPPED_SHARE: Final = 0.004
"""Four times what validation promises to see: the codec behind it smooths up to half of it."""
_SIDE_SHARE: Final = 0.01
"""Energy of the difference between left and right from which validation promises to tell them apart."""
_END_S: Final = 0.25
"""What the weakest judged cut takes away."""
_DRIFT_S: Final = 1.1
"""At 3% the middles of its halves move 16 ms apart: 8 ms are the limit."""
_LATE_SAMPLES: Final = 25 * SOUND_RATE_HZ // 1000
"""The weakest judged delay."""
_BASE_MS: Final = 7.0
"""By how much a base may be out of sync: of 25 ms 18 are left then, where 15 are promised; Opus in WebM is by 6.5."""
_ALIKE: Final = 0.8
"""Correlation with itself, so much later, from which nothing says when a sound is."""
_PITCHED: Final = 0.4
"""Likeness of its spectrum to itself, a tenth higher, from which another pitch would not show."""


def _sound(base: Base) -> NDArray[np.float32]:
    return decode_sound(base.output, 0, base.channels)


def _is_loud(part: NDArray[np.float32]) -> bool:
    return float(np.sqrt((part.astype(np.float64) ** 2).mean(axis=1)).max()) >= _LOUD


def heard_in_the_gap(base: Base) -> bool:
    """Whether it sounds all the time where a gap is planted, which FFmpeg counts from the start of the file."""
    if not heard(base) or base.output.sounds[0].start_s is None:
        return False
    start = round((base.gap[0] + 0.02 - start_in_file_s(base)) * SOUND_RATE_HZ)
    part = _sound(base)[:, max(0, start) : start + round(_LONGEST_GAP_S * SOUND_RATE_HZ)]
    return start >= 0 and all(_is_loud(part[:, window]) for window in windows(part.shape[1], SOUND_RATE_HZ // 200))


def clips_when_louder(base: Base) -> bool:
    """Whether enough samples are beyond full scale once they are 12 dB louder."""
    return heard(base) and float((np.abs(_sound(base)) > 10 ** (-12 / 20)).mean()) >= _CLIPPED_SHARE


def has_two_sides(base: Base) -> bool:
    """Whether left and right differ by more than what validation promises to tell apart."""
    if not stereo(base):
        return False
    left, right = _sound(base).astype(np.float64)
    return float(((left - right) ** 2).sum()) >= 2 * _SIDE_SHARE * float((left**2 + right**2).sum())


def heard_to_its_end(base: Base) -> bool:
    """Whether there is sound in the last quarter of a second."""
    return heard(base) and _is_loud(_sound(base)[:, -round(_END_S * SOUND_RATE_HZ) :])


def heard_long_enough_to_drift(base: Base) -> bool:
    """Whether there is sound to its end, and enough of it for another tempo to move its halves apart."""
    return heard_to_its_end(base) and _sound(base).shape[1] >= _DRIFT_S * SOUND_RATE_HZ


def start_in_file_s(base: Base) -> float:
    """When its sound begins, counted from the start of the file, as FFmpeg's filters count."""
    start_s = base.output.sounds[0].start_s or base.output.frames[0].start_s
    return float(start_s - min(base.output.frames[0].start_s, start_s))


def shows_when_it_is(base: Base) -> bool:
    """Whether it is another sound a little later, and in time: a steady tone is not another, but where it begins.

    What the base itself is off by would be added to a fault, or taken off.
    """
    if not heard(base):
        return False
    if abs(base_lag_ms(base)) > _BASE_MS:
        return False
    sound = _sound(base).astype(np.float64)
    one, other = sound[:, _LATE_SAMPLES:], sound[:, :-_LATE_SAMPLES]
    return float((one * other).sum()) < _ALIKE * float(np.sqrt((one**2).sum() * (other**2).sum()))


def has_pitch(base: Base) -> bool:
    """Whether its spectrum has lines, so that it is unlike itself a tenth higher."""
    return heard(base) and pitch_share(Line(_sound(base).astype(np.float64), 0)) < _PITCHED
