"""What an export counts while it runs, and the report made of it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from capbench.pipeline.decode.hdr.hdr_source import SDR_PEAK_CD_M2
from capbench.pipeline.encode.mux import EncodedPacket
from capbench.pipeline.job import ExportJob
from capbench.pipeline.threads.stage_timer import Span, StageTimer, stage_times
from capbench.results import ExportReport, LatencyPercentiles

__all__ = ["DeviceStatistics", "ExportRecorder", "RenderOutcome"]

STAGE_ORDER = ("setup", "decode", "audio", "upload", "render", "readback", "convert", "encode", "mux")

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
_TONE_MAP_FIELDS = ("tone_map", "source_peak_cd_m2", "source_peak_from")

_MEMCPY_PROBE_BYTES = 16 * 2**20
_MOST_STEPS = 1000
"""Different distances between frames that are kept; a variable rate shows long before."""
_VARIABLE_ABOVE = 0.35
"""Frames whose distances differ by more of a frame than this have no one rate; a coarse clock rounds by less."""


@dataclass(frozen=True, slots=True)
class DeviceStatistics:
    """What was counted on one GPU device."""

    adapter: str
    """Adapter and driver, in words."""
    adapter_is_software: bool
    """Whether the adapter runs on the CPU."""
    has_timestamps: bool
    """Whether passes were timed."""
    allocated_bytes: int
    """Bytes of all buffers and textures."""
    upload_ring_bytes: int
    """Bytes of the buffers that take decoded planes."""
    staging_ring_bytes: int
    """Bytes of the buffers that pictures are read back from."""
    uploaded_bytes: int
    """Bytes written to the GPU."""
    readback_bytes: int
    """Picture bytes read from mapped memory."""
    readback_s: float
    """Seconds that those reads took."""
    gpu_ticks_ns: float
    """Sum of the pass times, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class RenderOutcome:
    """Outcome of one pass over the source."""

    path_used: str
    """The path that drew; the last one where several did."""
    fallbacks: tuple[str, ...] = ()
    """Why something other than what was asked for ran, in order."""
    warnings: tuple[str, ...] = ()
    """What the user should know, in order."""
    devices: tuple[DeviceStatistics, ...] = ()
    """One for each device, in order; none if no GPU was used."""
    picture_pool_bytes: int = 0
    """Bytes of the largest pool of pictures."""
    frames_in_flight_bytes: int = 0
    """Most bytes of decoded frames that were kept until their picture was delivered."""


class ExportRecorder:
    """Filled by the stages, each of its fields by one thread; read when they ended."""

    def __init__(
        self,
        job: ExportJob,
        started_ns: int,
        on_frame: Callable[[int], None] | None,
        on_span: Callable[[Span], None] | None,
    ) -> None:
        self._job = job
        self._started_ns = started_ns
        self._on_frame = on_frame
        self._on_span = on_span
        self._lock = threading.Lock()
        self._clocks: list[StageTimer] = []
        self._warnings: list[str] = [*_tone_map_warnings(job), *job.decoder.warnings]
        self._fallbacks: list[str] = list(job.decoder.fallbacks)
        self.path_used = job.path_requested
        """The path that drew."""
        self._threads: dict[str, int | None] = {}
        self._owned_bytes: dict[str, int] = {}
        self._decoded_ns: dict[int, int] = {}
        self._latencies_s: list[float] = []
        self._ready_ns: int | None = None
        self._first_packet_ns: int | None = None
        self._frames = 0
        self._video_bytes = 0
        self._first_pts: int | None = None
        self._last_pts: int | None = None
        self._end_pts = 0
        self._steps: set[int] = set()
        self._devices: list[DeviceStatistics] = []

    def warn(self, message: str) -> None:
        """Add a warning; damage that `--salvage` accepts is one."""
        with self._lock:
            self._warnings.append(message)

    def clock(self) -> StageTimer:
        """A clock for the calling thread, which starts now."""
        clock = StageTimer(on_span=self._on_span)
        with self._lock:
            self._clocks.append(clock)
        return clock

    def own(self, owner: str, size_bytes: int) -> None:
        """Record the largest number of bytes that an owner held; 0 is left out."""
        if size_bytes:
            self._owned_bytes[owner] = max(size_bytes, self._owned_bytes.get(owner, 0))

    def begin_pass(self) -> None:
        """Forget the times of the pass over the source before the next: a GIF takes two."""
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

    def ready(self) -> None:
        """Record that set-up is complete; the encoder is the last part of it."""
        if self._ready_ns is None:
            self._ready_ns = time.perf_counter_ns()

    def encoded(self, packets: list[EncodedPacket]) -> None:
        """Note when pictures left the encoder, and how large they are."""
        now_ns = time.perf_counter_ns()
        for packet in packets:
            self._video_bytes += packet.size
            if packet.pts is not None:
                with self._lock:
                    started_ns = self._decoded_ns.pop(packet.pts, None)
                if started_ns is not None:
                    self._latencies_s.append((now_ns - started_ns) / 1e9)
        if packets and self._first_packet_ns is None:
            self._first_packet_ns = now_ns

    def written(self, frames: int) -> None:
        """Note how many pictures are in the file."""
        self._frames = frames
        if self._on_frame is not None:
            self._on_frame(frames)

    def rendered(self, outcome: RenderOutcome) -> None:
        """Record the outcome of a pass over the source."""
        self.path_used = outcome.path_used
        self._fallbacks += outcome.fallbacks
        self._warnings += outcome.warnings
        for device in outcome.devices:
            self.own("upload ring", device.upload_ring_bytes)
            self.own("staging ring", device.staging_ring_bytes)
            self._devices.append(device)
        self.own("picture pool", outcome.picture_pool_bytes)
        self.own("frames in flight", outcome.frames_in_flight_bytes)

    def planned(self, decoder_threads: int, encoder_threads: int | None, estimates: Mapping[str, int]) -> None:
        """Note the threads of decoder and encoder, and what owners hold that cannot be counted."""
        of_decoder = None if self._job.decoder.is_hardware else decoder_threads
        self._threads = {"decoder_threads": of_decoder, "encoder_threads": encoder_threads}
        for owner, size_bytes in estimates.items():
            self.own(owner, size_bytes)

    def report(self) -> ExportReport:
        """The finished export's report."""
        path_used, hdr = self.path_used, self._job.source.hdr
        wall_s = (time.perf_counter_ns() - self._started_ns) / 1e9
        duration_s = float((self._end_pts - (self._first_pts or 0)) * self._job.time_base)
        gpu = _gpu_totals(self._devices, wall_s)
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
            output_bytes=None if self._job.output is None else self._job.output.stat().st_size,
            video_bytes=None if self._job.output is None else self._video_bytes,
            path_requested=self._job.path_requested,
            path_used=path_used,
            decoder_requested=self._job.options.decoder,
            decoder_used=self._job.decoder.used,
            fallbacks=tuple(self._fallbacks),
            encoder=self._job.options.encoder.name,
            tone_map=None if hdr is None else self._job.options.tone_map,
            source_peak_cd_m2=None if hdr is None else hdr.peak.cd_m2,
            source_peak_from=None if hdr is None else hdr.peak.origin,
            swscale_threads=None if "swscale_threads" in unmeasured else self._job.options.swscale_threads,
            stages=stage_times(self._clocks, STAGE_ORDER),
            pipeline_bytes=self._owned_bytes,
            latency=self._latency(),
            setup_s=self._since_start_s(self._ready_ns),
            time_to_first_frame_s=self._since_start_s(self._first_packet_ns),
            warnings=tuple(self._warnings),
            unmeasured=unmeasured,
            **self._threads,
        ).model_copy(update=gpu)

    def _since_start_s(self, moment_ns: int | None) -> float | None:
        return None if moment_ns is None else (moment_ns - self._started_ns) / 1e9

    @property
    def _is_variable(self) -> bool:
        steps_s = [step * self._job.time_base for step in self._steps]
        return bool(steps_s) and float((max(steps_s) - min(steps_s)) * self._job.rate) > _VARIABLE_ABOVE

    def _latency(self) -> LatencyPercentiles | None:
        if not self._latencies_s:
            return None
        p50, p95, p99 = (float(value) for value in np.percentile(self._latencies_s, (50, 95, 99)))
        return LatencyPercentiles(p50_s=p50, p95_s=p95, p99_s=p99, max_s=max(self._latencies_s))

    def _unmeasured(self, path_used: str, gpu: Mapping[str, object]) -> dict[str, str]:
        if not gpu:
            reasons = dict.fromkeys(_GPU_FIELDS, "no GPU was used")
        elif gpu["gpu_busy_s"] is None:
            reasons = dict.fromkeys(("gpu_busy_s", "gpu_percent"), "the adapter offers no timestamp queries")
        else:
            reasons = {}
        if self._job.options.tone_map is not None and self._job.source.hdr is None:
            reasons |= dict.fromkeys(_TONE_MAP_FIELDS, "the source is SDR")
        if self._job.output is None:
            unwritten = ("output_bytes", "video_bytes", "time_to_first_frame_s", "latency")
            reasons |= dict.fromkeys(unwritten, "nothing is encoded")
        if self._threads.get("encoder_threads") is None:
            reasons["encoder_threads"] = f"{self._job.options.encoder.name} has no setting for threads"
        if self._threads.get("decoder_threads") is None:
            reasons["decoder_threads"] = f"decoder {self._job.decoder.used} has no setting for threads"
        if path_used != "cpu" or self._job.is_gif:
            reasons["swscale_threads"] = "swscale was not used"
        if self._is_variable:
            reasons["frame_rate"] = "the source's frames come at a variable rate, which is kept"
        return reasons


def _tone_map_warnings(job: ExportJob) -> list[str]:
    """Never silently: what is mapped, and that nothing was where that was asked for."""
    if job.options.tone_map is None:
        return []
    if job.source.hdr is None:
        return [f"--tone-map {job.options.tone_map} was asked for and the source is SDR: nothing is mapped"]
    target = f"SDR of {SDR_PEAK_CD_M2:g} cd/m2, BT.709, clipping what is beyond that"
    return [f"tone-mapped by {job.options.tone_map}: {job.source.hdr} to {target}"]


def _gpu_totals(devices: list[DeviceStatistics], wall_s: float) -> dict[str, object]:
    """Totals of all devices, as fields of the report; none if no GPU was used."""
    if not devices:
        return {}
    busy_s = sum(d.gpu_ticks_ns for d in devices) / 1e9 if all(d.has_timestamps for d in devices) else None
    read_bytes, read_s = sum(d.readback_bytes for d in devices), sum(d.readback_s for d in devices)
    return {
        "adapter": devices[-1].adapter,
        "adapter_is_software": devices[-1].adapter_is_software,
        "gpu_memory_bytes": max(d.allocated_bytes for d in devices),
        "upload_bytes": sum(d.uploaded_bytes for d in devices),
        "readback_bytes": read_bytes,
        "gpu_busy_s": busy_s,
        "gpu_percent": None if busy_s is None else 100 * busy_s / wall_s,
        "mapped_read_gb_per_s": read_bytes / read_s / 1e9 if read_s else None,
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
