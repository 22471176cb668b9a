"""FFmpeg's own psnr, ssim and xpsnr filters over a sequence of picture pairs, under FFmpeg's name."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from fractions import Fraction

import av
from av.filter import filters_available

from capbench.quality.metrics.background_meters import Measured
from capbench.results.metric_registry import PSNR_CEILING_DB

__all__ = ["FFMPEG_METRICS", "FfmpegMeter", "missing_filter", "unmeasured_metrics"]

FFMPEG_METRICS = {"ffmpeg_psnr": "psnr", "ffmpeg_ssim": "ssim", "xpsnr": "xpsnr"}
"""Metrics that `FfmpegMeter` gives to their filters, in order."""
_LARGEST_TERM = 1_000_000  # FFmpeg's fractions are of 32 bits
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
_SMALLEST_XPSNR_PX = 2025
"""Luma samples below which FFmpeg's xpsnr counts blocks of no width and divides by their number, 0, which ends the
process (vf_xpsnr.c: a side of 4 * int(32 * sqrt(pixels / (3840 * 2160)) + 0.5))."""
_SMALLEST_SSIM_SIDE_PX = 16
"""Luma samples a side below which FFmpeg's ssim has no two adjacent blocks of 4 chroma samples."""


def unmeasured_metrics(width: int, height: int, names: Collection[str] = tuple(FFMPEG_METRICS)) -> dict[str, str]:
    """Columns of these metrics that are not available for pictures of that size in pixels, and the reason in words."""
    reasons = {FFMPEG_METRICS[name]: _why_not(FFMPEG_METRICS[name], width, height) for name in names}
    return {column: reason for column, key in _METADATA.items() if (reason := reasons.get(key.split(".")[1]))}


def missing_filter(filter_name: str) -> str | None:
    """Why no picture can be measured by a filter; None where PyAV's FFmpeg has it."""
    return None if filter_name in filters_available else f"PyAV's FFmpeg has no filter {filter_name}"


def _why_not(filter_name: str, width: int, height: int) -> str | None:
    """Why a filter cannot be run; None where it can."""
    if (missing := missing_filter(filter_name)) is not None:
        return missing
    if filter_name == "xpsnr" and width * height < _SMALLEST_XPSNR_PX:
        return f"FFmpeg's xpsnr divides by zero below {_SMALLEST_XPSNR_PX} pixels; the pictures are {width}x{height}"
    if filter_name == "ssim" and min(width, height) < _SMALLEST_SSIM_SIDE_PX:
        return (
            f"FFmpeg's ssim has no blocks below {_SMALLEST_SSIM_SIDE_PX} pixels a side; pictures are {width}x{height}"
        )
    return None


class FfmpegMeter:
    """A filter graph that is fed pairs. Holds FFmpeg state: it changes."""

    def __init__(
        self,
        width: int,
        height: int,
        *,
        rate: Fraction | None,
        names: Collection[str] = tuple(FFMPEG_METRICS),
        pixel_format: str = "yuv420p",
    ) -> None:
        """For frames of that size in pixels and planar format, shown at that rate: the metrics of these names.

        FFmpeg's xpsnr looks further back in time above 32 frames a second; without a rate it takes 25, as FFmpeg does.
        """
        self._unmeasured = unmeasured_metrics(width, height, names)
        filters = [filter_ for name, filter_ in FFMPEG_METRICS.items() if name in names]
        filters = [name for name in filters if _why_not(name, width, height) is None]
        self._graph = av.filter.Graph()
        self._graph.threads = 0  # one a core
        self._time_base = Fraction(1, 1000)
        shown = (rate or Fraction(25)).limit_denominator(_LARGEST_TERM)
        # PyAV's add_buffer takes no frame rate.
        arguments = f"video_size={width}x{height}:pix_fmt={pixel_format}:time_base=1/1000:frame_rate={shown}"
        self._got, self._want = (self._graph.add("buffer", arguments) for _ in range(2))
        branches = self._graph.add("split", str(max(1, len(filters))))
        self._want.link_to(branches)
        # Each filter passes its first input on with its figures added, so they can stand in a row.
        last = self._got
        for number, name in enumerate(filters):
            meter = self._graph.add(name)
            last.link_to(meter, 0, 0)
            branches.link_to(meter, number, 1)
            last = meter
        self._sink = self._graph.add("buffersink")
        last.link_to(self._sink)
        self._graph.configure()
        self._pushed = 0
        self._series: dict[str, list[float]] = {name: [] for name in _METADATA}

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
        series = {name: values for name, values in self._series.items() if values}
        return Measured(series, {}, self._unmeasured)

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
    # Deep samples that differ by a code now and then are above the ceiling, and must not be better than equal ones.
    return min(PSNR_CEILING_DB, float(text))
