"""FFmpeg's own psnr, ssim and xpsnr filters over a sequence of picture pairs, under FFmpeg's name."""

from __future__ import annotations

import math
from contextlib import suppress
from fractions import Fraction

import av
from av.filter import filters_available

from capbench.quality.metrics.background_meters import Measured
from capbench.quality.metrics.psnr_ssim import PSNR_CEILING_DB

__all__ = ["FFMPEG_METRICS", "FfmpegMeter", "unmeasured_metrics"]

_FILTERS = ("psnr", "ssim", "xpsnr")
_METADATA = {
    "ffmpeg_psnr_y": "lavfi.psnr.psnr.y",
    "ffmpeg_psnr_cb": "lavfi.psnr.psnr.u",
    "ffmpeg_psnr_cr": "lavfi.psnr.psnr.v",
    "ffmpeg_ssim_y": "lavfi.ssim.Y",
    "ffmpeg_ssim_cb": "lavfi.ssim.U",
    "ffmpeg_ssim_cr": "lavfi.ssim.V",
    "xpsnr_y": "lavfi.xpsnr.xpsnr.y",
    "xpsnr_cb": "lavfi.xpsnr.xpsnr.u",
    "xpsnr_cr": "lavfi.xpsnr.xpsnr.v",
}
FFMPEG_METRICS = tuple(_METADATA)
"""Metrics that `FfmpegMeter` gives, in order."""


def unmeasured_metrics() -> dict[str, str]:
    """Metrics that the FFmpeg inside PyAV was built without, and the reason in words."""
    return {
        name: f"the FFmpeg inside PyAV has no filter {key.split('.')[1]}"
        for name, key in _METADATA.items()
        if key.split(".")[1] not in filters_available
    }


class FfmpegMeter:
    """A filter graph that is fed pairs. Holds FFmpeg state: it changes."""

    def __init__(self, width: int, height: int) -> None:
        """For yuv420p frames of that size in pixels."""
        names = [name for name in _FILTERS if name in filters_available]
        self._graph = av.filter.Graph()
        self._graph.threads = 0  # one a core
        time_base = Fraction(1, 1000)
        form = av.VideoFormat("yuv420p", width, height)
        self._got = self._graph.add_buffer(width=width, height=height, format=form, time_base=time_base, name="got")
        self._want = self._graph.add_buffer(width=width, height=height, format=form, time_base=time_base, name="want")
        self._time_base = time_base
        branches = self._graph.add("split", str(max(1, len(names))))
        self._want.link_to(branches)
        # Each filter passes its first input on with its figures added, so they can stand in a row.
        last = self._got
        for number, name in enumerate(names):
            meter = self._graph.add(name)
            last.link_to(meter, 0, 0)
            branches.link_to(meter, number, 1)
            last = meter
        self._sink = self._graph.add("buffersink")
        last.link_to(self._sink)
        self._graph.configure()
        self._pushed = 0
        self._series: dict[str, list[float]] = {name: [] for name in FFMPEG_METRICS}

    def push(self, got: av.VideoFrame, want: av.VideoFrame) -> None:
        """Add one pair."""
        for frame, buffer in ((want, self._want), (got, self._got)):
            frame.pts, frame.time_base = self._pushed, self._time_base
            buffer.push(frame)
        self._pushed += 1
        self._take_what_is_ready()

    def finish(self) -> Measured:
        """End of input; every filter's values."""
        if self._pushed:
            self._want.push(None)
            self._got.push(None)
            self._take_what_is_ready()
        return Measured({name: values for name, values in self._series.items() if values}, {}, unmeasured_metrics())

    def close(self) -> None:
        """Nothing outlives the graph."""

    def _take_what_is_ready(self) -> None:
        with suppress(av.BlockingIOError, av.EOFError):
            while True:
                metadata = self._sink.pull().metadata
                for name, key in _METADATA.items():
                    if key in metadata:
                        self._series[name].append(_value(metadata[key]))


def _value(text: str) -> float:
    value = float(text)
    return PSNR_CEILING_DB if math.isinf(value) else value
