"""What an export counts while it runs, and the report made of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from capbench.pipeline.device import GpuContext
from capbench.pipeline.job import ExportJob
from capbench.pipeline.laps import LapClock, stage_times
from capbench.pipeline.pictures import PicturePool
from capbench.pipeline.render import Renderer
from capbench.results import ExportReport, LatencyPercentiles

__all__ = ["ExportAccount"]

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


class ExportAccount:
    """Filled by the stages, each of its fields by one thread; read when they ended."""

    def __init__(self, job: ExportJob, started_ns: int, on_frame: Callable[[int], None] | None) -> None:
        self._job = job
        self._started_ns = started_ns
        self._on_frame = on_frame
        self._lock = threading.Lock()
        self.clocks: list[LapClock] = []
        """One for each thread."""
        self._warnings: list[str] = []
        self._fallbacks: list[str] = []
        self._owned_bytes: dict[str, int] = {}
        self._decoded_ns: dict[int, int] = {}
        self._latencies_s: list[float] = []
        self._first_packet_ns: int | None = None
        self._frames = 0
        self._last_pts = 0
        self._gpu: dict[str, Any] = {}

    def warn(self, message: str) -> None:
        """Tell the user something; damage that `--salvage` accepts comes here."""
        with self._lock:
            self._warnings.append(message)

    def fell_back(self, wanted: str, taken: str, reason: Exception) -> None:
        """Note that another path runs than was asked for."""
        self._fallbacks.append(f"{wanted} could not start, took {taken}: {reason}")

    def own(self, owner: str, size_bytes: int) -> None:
        """Note the most bytes that an owner held."""
        self._owned_bytes[owner] = max(size_bytes, self._owned_bytes.get(owner, 0))

    def decoded(self, pts: int) -> None:
        """Note when a frame left the decoder."""
        with self._lock:
            self._decoded_ns[pts] = time.perf_counter_ns()

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
        self._last_pts = max(self._last_pts, pts)
        if self._on_frame is not None:
            self._on_frame(self._frames)

    def rendered(self, gpu: GpuContext, renderer: Renderer, pool: PicturePool) -> None:
        """Take over what the render thread counted."""
        statistics = renderer.statistics
        self.own("upload ring", renderer.uploader.ring_bytes)
        self.own("staging ring", renderer.staging_bytes)
        self.own("picture pool", pool.total_bytes)
        self._gpu = {
            "adapter": gpu.adapter,
            "adapter_is_software": gpu.is_software,
            "gpu_memory_bytes": gpu.allocated_bytes,
            "upload_bytes": renderer.uploader.uploaded_bytes,
            "readback_bytes": statistics.readback_bytes,
            "gpu_busy_s": statistics.gpu_ticks_ns / 1e9 if gpu.has_timestamps else None,
            "mapped_read_gb_per_s": statistics.readback_bytes / statistics.readback_s / 1e9
            if statistics.readback_s
            else None,
            "memcpy_gb_per_s": _memcpy_gb_per_s(),
        }

    def report(self, path_used: str) -> ExportReport:
        """The finished export's report."""
        wall_s = (time.perf_counter_ns() - self._started_ns) / 1e9
        duration_s = float((self._last_pts + 1) * self._job.time_base) if self._frames else 0.0
        duration_s = max(duration_s, float(self._frames / self._job.rate))
        busy_s = self._gpu.get("gpu_busy_s")
        return ExportReport(
            frames=self._frames,
            wall_s=wall_s,
            fps=self._frames / wall_s,
            times_realtime=duration_s / wall_s,
            width=self._job.canvas.width,
            height=self._job.canvas.height,
            frame_rate=str(self._job.rate),
            duration_s=duration_s,
            gpu_percent=None if busy_s is None else 100 * busy_s / wall_s,
            output_bytes=self._job.output.stat().st_size,
            path_requested=self._job.path_requested,
            path_used=path_used,
            fallbacks=tuple(self._fallbacks),
            encoder=self._job.options.encoder.name,
            swscale_threads=self._job.options.swscale_threads if path_used == "cpu" else None,
            stages=stage_times(self.clocks, STAGE_ORDER),
            pipeline_bytes=self._owned_bytes,
            latency=self._latency(),
            time_to_first_frame_s=None
            if self._first_packet_ns is None
            else (self._first_packet_ns - self._started_ns) / 1e9,
            warnings=tuple(self._warnings),
            unmeasured=self._unmeasured(path_used),
            **self._gpu,
        )

    def _latency(self) -> LatencyPercentiles | None:
        if not self._latencies_s:
            return None
        p50, p95, p99 = (float(value) for value in np.percentile(self._latencies_s, (50, 95, 99)))
        return LatencyPercentiles(p50_s=p50, p95_s=p95, p99_s=p99, max_s=max(self._latencies_s))

    def _unmeasured(self, path_used: str) -> dict[str, str]:
        if not self._gpu:
            reasons = dict.fromkeys(_GPU_FIELDS, "no GPU took part")
        elif self._gpu.get("gpu_busy_s") is None:
            reasons = dict.fromkeys(("gpu_busy_s", "gpu_percent"), "the adapter offers no timestamp queries")
        else:
            reasons = {}
        if path_used != "cpu":
            reasons["swscale_threads"] = "swscale took no part"
        return reasons


def _memcpy_gb_per_s() -> float:
    """Speed of an ordinary copy in this process, for comparison with reads of mapped memory."""
    source = np.ones(_MEMCPY_PROBE_BYTES, np.uint8)
    target = np.empty_like(source)
    np.copyto(target, source)  # touches the pages first
    started_ns = time.perf_counter_ns()
    np.copyto(target, source)
    return _MEMCPY_PROBE_BYTES / (time.perf_counter_ns() - started_ns)
