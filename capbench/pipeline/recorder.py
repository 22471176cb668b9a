"""What an export counts while it runs, and the report made of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from capbench.pipeline.encode.frame_pool import PicturePool
from capbench.pipeline.gpu.device import GpuContext
from capbench.pipeline.job import ExportJob
from capbench.pipeline.render.renderer import Renderer
from capbench.pipeline.threads.stage_timer import StageTimer, stage_times
from capbench.results import ExportReport, LatencyPercentiles

__all__ = ["ExportRecorder"]

STAGE_ORDER = ("setup", "decode", "audio", "upload", "render", "readback", "convert", "encode")

_GPU_FIELDS = (
    "adapter",
    "adapter_is_software",
    "gpu_memory_bytes",
    "upload_bytes",
    "readback_bytes",
    "gpu_busy_s",
    "gpu_percent",
    "mapped_read_gb_per_s",
    "memcpy_gb_per_s",
)

_MEMCPY_PROBE_BYTES = 16 * 2**20
_MOST_STEPS = 1000
"""Different distances between frames that are kept; a variable rate shows long before."""
_VARIABLE_ABOVE = 0.35
"""Frames whose distances differ by more of a frame than this have no one rate; a coarse clock rounds by less."""


class ExportRecorder:
    """Filled by the stages, each of its fields by one thread; read when they ended."""

    def __init__(self, job: ExportJob, started_ns: int, on_frame: Callable[[int], None] | None) -> None:
        self._job = job
        self._started_ns = started_ns
        self._on_frame = on_frame
        self._lock = threading.Lock()
        self.clocks: list[StageTimer] = []
        """One for each thread."""
        self._warnings: list[str] = []
        self._fallbacks: list[str] = []
        self._owned_bytes: dict[str, int] = {}
        self._decoded_ns: dict[int, int] = {}
        self._latencies_s: list[float] = []
        self._first_packet_ns: int | None = None
        self._frames = 0
        self._first_pts: int | None = None
        self._last_pts: int | None = None
        self._end_pts = 0
        self._steps: set[int] = set()
        self._gpu: _GpuTotals | None = None

    def warn(self, message: str) -> None:
        """Tell the user something; damage that `--salvage` accepts comes here."""
        with self._lock:
            self._warnings.append(message)

    def fell_back(self, reason: str) -> None:
        """Note that something other than what was asked for runs."""
        self._fallbacks.append(reason)

    def own(self, owner: str, size_bytes: int) -> None:
        """Note the most bytes that an owner held."""
        self._owned_bytes[owner] = max(size_bytes, self._owned_bytes.get(owner, 0))

    def begin_pass(self) -> None:
        """Forget the times of a pass over the source before this one: a GIF takes two."""
        self._decoded_ns.clear()
        self._first_pts = self._last_pts = None

    def decoded(self, pts: int, duration: int) -> None:
        """Note when a frame left the decoder, and when it is shown."""
        with self._lock:
            self._decoded_ns[pts] = time.perf_counter_ns()
        if self._last_pts is None:
            self._first_pts = pts
        elif len(self._steps) < _MOST_STEPS:
            self._steps.add(pts - self._last_pts)
        self._last_pts, self._end_pts = pts, pts + duration

    def encoded(self, pts: int) -> None:
        """Note when a picture left the encoder."""
        now_ns = time.perf_counter_ns()
        with self._lock:
            started_ns = self._decoded_ns.pop(pts, None)
        if started_ns is not None:
            self._latencies_s.append((now_ns - started_ns) / 1e9)
        if self._first_packet_ns is None:
            self._first_packet_ns = now_ns
        self._frames += 1
        if self._on_frame is not None:
            self._on_frame(self._frames)

    def rendered(self, gpu: GpuContext, renderer: Renderer, pool: PicturePool) -> None:
        """Take over what the render thread counted."""
        self.own("upload ring", renderer.uploader.ring_bytes)
        self.own("staging ring", renderer.staging_bytes)
        self.own("picture pool", pool.total_bytes)
        if self._gpu is None:
            self._gpu = _GpuTotals()
        self._gpu.add(gpu, renderer)

    def report(self, path_used: str) -> ExportReport:
        """The finished export's report."""
        wall_s = (time.perf_counter_ns() - self._started_ns) / 1e9
        duration_s = float((self._end_pts - (self._first_pts or 0)) * self._job.time_base)
        gpu = self._gpu.values(wall_s) if self._gpu is not None else {}
        unmeasured = self._unmeasured(path_used, gpu)
        return ExportReport(
            frames=self._frames,
            wall_s=wall_s,
            fps=self._frames / wall_s,
            times_realtime=duration_s / wall_s,
            width=self._job.canvas.width,
            height=self._job.canvas.height,
            frame_rate=None if self._is_variable else str(self._job.rate),
            duration_s=duration_s,
            output_bytes=self._job.output.stat().st_size,
            path_requested=self._job.path_requested,
            path_used=path_used,
            fallbacks=tuple(self._fallbacks),
            encoder=self._job.options.encoder.name,
            swscale_threads=None if "swscale_threads" in unmeasured else self._job.options.swscale_threads,
            stages=stage_times(self.clocks, STAGE_ORDER),
            pipeline_bytes=self._owned_bytes,
            latency=self._latency(),
            time_to_first_frame_s=None
            if self._first_packet_ns is None
            else (self._first_packet_ns - self._started_ns) / 1e9,
            warnings=tuple(self._warnings),
            unmeasured=unmeasured,
            **gpu,
        )

    @property
    def _is_variable(self) -> bool:
        steps_s = [step * self._job.time_base for step in self._steps]
        return bool(steps_s) and float((max(steps_s) - min(steps_s)) * self._job.rate) > _VARIABLE_ABOVE

    def _latency(self) -> LatencyPercentiles | None:
        if not self._latencies_s:
            return None
        p50, p95, p99 = (float(value) for value in np.percentile(self._latencies_s, (50, 95, 99)))
        return LatencyPercentiles(p50_s=p50, p95_s=p95, p99_s=p99, max_s=max(self._latencies_s))

    def _unmeasured(self, path_used: str, gpu: dict[str, Any]) -> dict[str, str]:
        if not gpu:
            reasons = dict.fromkeys(_GPU_FIELDS, "no GPU took part")
        elif gpu["gpu_busy_s"] is None:
            reasons = dict.fromkeys(("gpu_busy_s", "gpu_percent"), "the adapter offers no timestamp queries")
        else:
            reasons = {}
        if path_used != "cpu" or self._job.is_gif:
            reasons["swscale_threads"] = "swscale took no part"
        if self._is_variable:
            reasons["frame_rate"] = "the source's frames come at a variable rate, which is kept"
        return reasons


class _GpuTotals:
    """What the render thread counted, over all devices that it used."""

    def __init__(self) -> None:
        self._ticks_ns = 0.0
        self._readback_s = 0.0
        self._has_timestamps = True
        self._values: dict[str, Any] = {"gpu_memory_bytes": 0, "upload_bytes": 0, "readback_bytes": 0}

    def add(self, gpu: GpuContext, renderer: Renderer) -> None:
        """Add one device's share."""
        statistics, values = renderer.statistics, self._values
        values["adapter"], values["adapter_is_software"] = gpu.adapter, gpu.is_software
        values["gpu_memory_bytes"] = max(values["gpu_memory_bytes"], gpu.allocated_bytes)
        values["upload_bytes"] += renderer.uploader.uploaded_bytes
        values["readback_bytes"] += statistics.readback_bytes
        self._ticks_ns += statistics.gpu_ticks_ns
        self._readback_s += statistics.readback_s
        self._has_timestamps = self._has_timestamps and gpu.has_timestamps

    def values(self, wall_s: float) -> dict[str, Any]:
        """Fields of the report."""
        busy_s = self._ticks_ns / 1e9 if self._has_timestamps else None
        read_bytes = self._values["readback_bytes"]
        return self._values | {
            "gpu_busy_s": busy_s,
            "gpu_percent": None if busy_s is None else 100 * busy_s / wall_s,
            "mapped_read_gb_per_s": read_bytes / self._readback_s / 1e9 if self._readback_s else None,
            "memcpy_gb_per_s": _memcpy_gb_per_s(),
        }


def _memcpy_gb_per_s() -> float:
    """Speed of an ordinary copy in this process, for comparison with reads of mapped memory."""
    source = np.ones(_MEMCPY_PROBE_BYTES, np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)  # touches the pages first
    started_ns = time.perf_counter_ns()
    np.copyto(target, source)
    return _MEMCPY_PROBE_BYTES / (time.perf_counter_ns() - started_ns)
