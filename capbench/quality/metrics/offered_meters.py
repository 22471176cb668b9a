"""Metrics of other packages, measured on every pair, on some, or on the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import av
from av.video.reformatter import VideoReformatter

from capbench.colour import ColourSpec
from capbench.quality.measurements import PictureMeasurements
from capbench.quality.metrics.background_meters import Measured
from capbench.quality.metrics.frame_pairs import KeptPair
from capbench.quality.reading.planes import as_frame, rgb_of
from capbench.results.metric_registry import MeasuredFrames, OfferedMetric

__all__ = ["OfferedMeter", "with_worst_pairs"]


class OfferedMeter:
    """One metric on every pair, or on one in so many. The first error of its package ends it, with the reason."""

    def __init__(self, offered: OfferedMetric, spec: ColourSpec, *, sample_every: int, first_pair: int = 0) -> None:
        """For frames in codes of `spec`; `sample_every` counts where the metric asks for sampled frames.

        `first_pair` is the number of the first pair, from 0, where a part is measured.
        """
        self._first = first_pair
        self._offered = offered
        self._every = sample_every if offered.metric.frames is MeasuredFrames.SAMPLED else 1
        self._measure = _Measure(offered, spec)
        self._values: list[float | None] = []

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Add a pair."""
        is_due = (self._first + len(self._values)) % self._every == 0
        self._values.append(self._measure(got, want) if is_due else None)

    def finish(self) -> Measured:
        """The values, or the reason why there are none."""
        name = self._offered.metric.name
        if not self._values:
            return Measured(unmeasured={name: "no frame was matched"})
        if self._measure.failure is not None:
            return Measured(unmeasured={name: self._measure.failure})
        return Measured({name: self._values}, {name: self._measure.how})

    def close(self) -> None:
        """Nothing is held."""


def with_worst_pairs(
    found: PictureMeasurements, pairs: Sequence[KeptPair], offered: Sequence[OfferedMetric], spec: ColourSpec
) -> PictureMeasurements:
    """The measurements with each of these metrics on the worst pairs, which are in codes of `spec`."""
    series, how, unmeasured = dict(found.series), dict(found.how), dict(found.unmeasured)
    for each in offered:
        name, measure = each.metric.name, _Measure(each, spec)
        values: list[float | None] = [None] * len(found.worst_cell_codes)
        for pair in pairs:
            values[pair.output_frame] = measure(as_frame(pair.got), as_frame(pair.want))
        if measure.failure is not None or not pairs:
            unmeasured[name] = measure.failure or "no frame was matched"
        else:
            series[name], how[name] = values, f"{measure.how}, on the {len(pairs)} frames of the lowest luma PSNR"
    return replace(found, series=series, how=how, unmeasured=unmeasured)


class _Measure:
    """Calls the package's function, and no longer once it raised."""

    def __init__(self, offered: OfferedMetric, spec: ColourSpec) -> None:
        self._offered = offered
        self._spec = spec
        self._scaler = VideoReformatter()
        self.failure: str | None = None
        self.how = f"by {offered.metric.computed_by}"

    def __call__(self, got: av.VideoFrame, want: av.VideoFrame) -> float | None:
        if self.failure is not None:
            return None
        pictures = (rgb_of(frame, self._spec, self._scaler) for frame in (got, want))
        try:
            return float(self._offered.measure(*pictures))
        except Exception as error:  # noqa: BLE001  a third party's function may raise anything
            first = (str(error).splitlines() or [""])[0]
            self.failure = f"{self._offered.metric.computed_by} failed: {type(error).__name__} {first}".strip()
            return None
