"""Meters that need every pair of pictures in order, and the thread that feeds them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Protocol

import av

__all__ = ["BackgroundMeters", "Measured", "SequenceMeter", "Unmeasured", "joined"]

_MOST_BEHIND = 3
"""Pairs that wait for the meters: enough to even out, few enough that the decoders need no more buffers."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a meter found."""

    series: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    """Metric to its value of each pair, in the order of the pairs, None where a pair was not measured; as many as there
    were pairs."""
    how: dict[str, str] = field(default_factory=dict)
    """Metric to how it was measured, where its name does not say."""
    unmeasured: dict[str, str] = field(default_factory=dict)
    """Metric to the reason why it was not measured."""


def joined(*found: Measured) -> Measured:
    """What several meters found; no metric is found twice."""
    return Measured(
        series={name: list(values) for part in found for name, values in part.series.items()},
        how={name: words for part in found for name, words in part.how.items()},
        unmeasured={name: why for part in found for name, why in part.unmeasured.items()},
    )


class SequenceMeter(Protocol):
    """Is fed pairs of frames of one size and planar format, in order: yuv420p unless it was made for another."""

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Add a pair: output and reference. May change the frames' time stamps."""

    def finish(self) -> Measured:
        """End of input."""

    def close(self) -> None:
        """Release resources, before or after `finish`."""


@dataclass(frozen=True, slots=True)
class Unmeasured:
    """Placeholder for a meter that is not available, with the reasons."""

    reasons: dict[str, str]
    """Metric to the reason."""

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Nothing is measured."""

    def finish(self) -> Measured:
        """The reasons."""
        return Measured(unmeasured=self.reasons)

    def close(self) -> None:
        """Nothing is held."""


class BackgroundMeters:
    """Feeds meters from one thread of their own, at most a few pairs behind. What they raise is raised later, here.

    One thread and not one a meter: they write time stamps into the frames that they share.
    """

    def __init__(self, meters: Sequence[SequenceMeter]) -> None:
        self._meters = tuple(meters)
        self._thread = ThreadPoolExecutor(1, "capbench-meters")
        self._behind: deque[Future[None]] = deque()

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Add a pair; waits while too many are behind."""
        while len(self._behind) >= _MOST_BEHIND:
            self._behind.popleft().result()
        self._behind.append(self._thread.submit(self._push, got, want))

    def finish(self) -> Measured:
        """End of input; everything that the meters found."""
        while self._behind:
            self._behind.popleft().result()
        return joined(*(meter.finish() for meter in self._meters))

    def close(self) -> None:
        """End the thread and the meters."""
        self._thread.shutdown(cancel_futures=True)
        for meter in self._meters:
            meter.close()

    def _push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        for meter in self._meters:
            meter.push(got, want)
