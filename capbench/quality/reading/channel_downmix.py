"""Any channel layout as left and right: ITU-R BS.775-4, annex 4, table 2, without its scale factor."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Downmix", "channel_names"]

_HALF_POWER = 0.5**0.5
_SHARES: dict[str, tuple[float, float]] = {
    "FL": (1.0, 0.0),
    "FR": (0.0, 1.0),
    "FLC": (1.0, 0.0),
    "FRC": (0.0, 1.0),
    "FC": (_HALF_POWER, _HALF_POWER),
    "BL": (_HALF_POWER, 0.0),
    "BR": (0.0, _HALF_POWER),
    "SL": (_HALF_POWER, 0.0),
    "SR": (0.0, _HALF_POWER),
    "BC": (0.5, 0.5),
}
"""Share of a channel in left and right, by FFmpeg's names. What is not named, such as LFE, has none."""
_BY_COUNT = {
    3: ("FL", "FR", "LFE"),
    4: ("FL", "FR", "FC", "BC"),
    5: ("FL", "FR", "FC", "BL", "BR"),
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    7: ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}
"""The layout that FFmpeg assumes for a number of channels whose layout is not stated."""


def channel_names(channels: Sequence[str]) -> tuple[str, ...]:
    """FFmpeg's names of channels; where a file states none, as PCM in Matroska does not, those that FFmpeg assumes."""
    if set(channels) & set(_SHARES):
        return tuple(channels)
    return _BY_COUNT.get(len(channels)) or tuple(f"channel {number}" for number in range(1, len(channels) + 1))


class Downmix:
    """Left and right of a layout of channels. Mono is both; of two channels each is its own."""

    def __init__(self, channels: Sequence[str]) -> None:
        """`channels` are FFmpeg's names, in the order of the samples."""
        if len(channels) == 1:
            weights = np.ones((2, 1), np.float32)
        elif len(channels) == 2:
            weights = np.eye(2, dtype=np.float32)
        else:
            named = channels if set(channels) & set(_SHARES) else _BY_COUNT.get(len(channels), ("FL", "FR"))
            shares = [_SHARES.get(name, (0.0, 0.0)) for name in named]
            shares += [(0.0, 0.0)] * (len(channels) - len(shares))
            weights = np.array(shares, np.float32).T
        self._weights = weights
        self.largest_gain = max(1.0, float(weights.sum(axis=1).max())) if len(channels) > 2 else 1.0
        """What left or right can add up to from channels at full scale. Exporters divide by it or do not."""

    def __call__(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Left and right, shape (2, samples), of samples of shape (channels, samples)."""
        return self._weights @ samples
