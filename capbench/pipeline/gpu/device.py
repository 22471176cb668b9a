"""The GPU device of an export, and finite waits on it."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from capbench.errors import AdapterError, DeviceLostError, StallError

__all__ = ["GpuContext", "adapter_name", "list_adapters", "open_device", "wait_for"]

GPU_TIMEOUT_S = 10.0
SOFTWARE_TIMEOUT_S = 60.0
"""A software adapter draws a 4K frame in a good part of a second, and shares its cores with the encoder."""

_instance_lock = threading.Lock()
_instance_ready = False


@dataclass(slots=True, eq=False)
class GpuContext:
    """One device and what everybody needs to know about it. Only the thread that renders submits to it."""

    device: Any
    """The `wgpu.GPUDevice`."""
    adapter: str
    """Adapter and driver, in words."""
    is_software: bool
    """Whether the adapter runs on the CPU."""
    has_timestamps: bool
    """Whether passes can be timed."""
    timeout_s: float
    """Longest wait for this device."""
    timestamp_period_ns: float
    """Nanoseconds a tick of this device's timestamps."""
    allocated_bytes: int = 0
    """Bytes of buffers and textures made through `buffer` and `texture`."""
    problems: list[str] = field(default_factory=list)
    """What wgpu logged outside a call: it raises nothing there."""

    def buffer(self, size_bytes: int, usage: str, label: str, *, mapped: bool = False) -> Any:
        """A `wgpu.GPUBuffer`, counted."""
        self.allocated_bytes += size_bytes
        return self.device.create_buffer(size=size_bytes, usage=usage, label=label, mapped_at_creation=mapped)

    def texture(self, width: int, height: int, texel_format: str, usage: str, label: str) -> Any:
        """A two-dimensional `wgpu.GPUTexture` with one level, counted."""
        texel_bytes = {"r8unorm": 1, "rg8unorm": 2, "rgba8unorm": 4, "rgba16float": 8}[texel_format]
        self.allocated_bytes += width * height * texel_bytes
        return self.device.create_texture(size=(width, height, 1), format=texel_format, usage=usage, label=label)

    def compute_pipeline(
        self, code: str, entry_point: str, label: str, constants: Mapping[str, float] | None = None
    ) -> Any:
        """A `wgpu.GPUComputePipeline` with the layout that its shader implies; `constants` are WGSL's overrides."""
        module = self.device.create_shader_module(code=code, label=label)
        stage = {"module": module, "entry_point": entry_point, "constants": dict(constants or {})}
        return self.device.create_compute_pipeline(layout="auto", compute=stage, label=label)

    def check(self) -> None:
        """Raise what wgpu could only log. Raises `DeviceLostError`."""
        if self.problems:
            raise DeviceLostError(f"the GPU reported: {self.problems[0]}", stage="render")

    def close(self) -> None:
        """Destroy the device; what was made from it dies with it."""
        self.device.destroy()


_thread_owners: dict[int, GpuContext] = {}
"""Threads that work for one device alone: what wgpu logs there is about no other export's."""


class _ProblemHandler(logging.Handler):
    """Keeps what wgpu logs about a device while an export runs."""

    def __init__(self, context: GpuContext) -> None:
        super().__init__(level=logging.ERROR)
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        # A record of a thread that nobody owns, a driver's own, may be about any device.
        if _thread_owners.get(record.thread or 0, self._context) is self._context:
            self._context.problems.append(record.getMessage().splitlines()[0])


@contextlib.contextmanager
def collected_problems(context: GpuContext) -> Iterator[None]:
    """Collect errors from the logger `wgpu` into `context.problems` for the duration of the block.

    Call it on the thread that submits to the device. wgpu names no device in what it logs, but it logs on the thread
    that it was called on, or on the one with which it polls the device: of several exports in a process each hears of
    its own device.
    """
    handler = _ProblemHandler(context)
    logger = logging.getLogger("wgpu")
    # wgpu-py 0.32 shows its polling thread nowhere else.
    threads = [threading.get_ident(), context.device._poller.ident]  # noqa: SLF001
    _thread_owners.update(dict.fromkeys(threads, context))
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        for thread in threads:
            del _thread_owners[thread]


@contextlib.contextmanager
def _room_for_the_logger() -> Iterator[None]:
    """Let wgpu-py 0.32 make its logger, and give it what a program had set on one of that name before.

    On import it asserts that the logger is of its own class, which one that exists already is not.
    """
    earlier = logging.root.manager.loggerDict.get("wgpu")
    if "wgpu" in sys.modules or not isinstance(earlier, logging.Logger):
        yield
        return
    del logging.root.manager.loggerDict["wgpu"]
    yield
    logger = logging.getLogger("wgpu")
    logger.propagate = earlier.propagate
    if earlier.level:
        logger.setLevel(earlier.level)
    for handler in earlier.handlers:
        logger.addHandler(handler)


def _ready_gpu() -> Any:
    """`wgpu.gpu`, its instance limited to the backends that can compute. Raises `AdapterError`."""
    global _instance_ready  # noqa: PLW0603  wgpu has one instance a process
    try:
        with _instance_lock, _room_for_the_logger():
            import wgpu  # loads a native library that may be missing; only GPU paths need it
        from wgpu.backends.wgpu_native.extras import set_instance_extras
    except (ImportError, OSError, RuntimeError) as error:
        raise AdapterError(f"wgpu cannot be loaded: {error}; reinstall the package wgpu") from error
    with _instance_lock:
        if not _instance_ready and sys.platform.startswith("linux"):
            if not {"DISPLAY", "WAYLAND_DISPLAY", "MESA_VK_DEVICE_SELECT"} & os.environ.keys():
                # Mesa's device selection layer asks a compositor and prints an error where there is none.
                os.environ.setdefault("NODEVICE_SELECT", "1")
            # OpenGL has no compute to speak of, and probing it costs time.
            set_instance_extras(backends=["Vulkan"])
        _instance_ready = True
    return wgpu.gpu


def adapter_name(info: Any) -> str:
    """Adapter, driver and backend in words, from a `wgpu.GPUAdapterInfo`."""
    driver = info["description"]
    name = f"{info['device']}, {driver}" if driver and driver != info["device"] else info["device"]
    return f"{name} ({info['backend_type']})"


def is_software(info: Any) -> bool:
    """Whether the adapter runs on the CPU: llvmpipe, lavapipe, SwiftShader and WARP say so themselves."""
    return bool(info["adapter_type"] == "CPU")


def list_adapters() -> list[Any]:
    """Every `wgpu.GPUAdapter` of this machine. Raises `AdapterError` where wgpu cannot be loaded."""
    return list(_ready_gpu().enumerate_adapters_sync())


def open_device() -> GpuContext:
    """Open the fastest adapter. Raises `AdapterError` with the remedy."""
    gpu = _ready_gpu()
    try:
        adapter = gpu.request_adapter_sync(power_preference="high-performance")
    except RuntimeError as error:
        adapter, reason = None, str(error).splitlines()[0]
    else:
        reason = "none offered"
    if adapter is None:
        remedy = (
            "install mesa-vulkan-drivers and libvulkan1" if sys.platform.startswith("linux") else "update the driver"
        )
        raise AdapterError(f"no GPU adapter ({reason}); {remedy}, or pass --path passthrough")
    has_timestamps = "timestamp-query" in adapter.features
    limits = {
        name: adapter.limits[name]
        for name in ("max-buffer-size", "max-storage-buffer-binding-size", "max-texture-dimension-2d")
    }
    device = adapter.request_device_sync(
        required_features=["timestamp-query"] if has_timestamps else [], required_limits=limits, label="capbench"
    )
    software = is_software(adapter.info)
    return GpuContext(
        device=device,
        adapter=adapter_name(adapter.info),
        is_software=software,
        has_timestamps=has_timestamps,
        timeout_s=SOFTWARE_TIMEOUT_S if software else GPU_TIMEOUT_S,
        timestamp_period_ns=_timestamp_period_ns(device) if has_timestamps else 0.0,
    )


def _timestamp_period_ns(device: Any) -> float:
    """wgpu-native resolves raw ticks, and wgpu-py 0.32 does not expose their period: ask the library itself."""
    from wgpu.backends.wgpu_native import lib  # loaded already by the caller

    return float(lib.wgpuQueueGetTimestampPeriod(device.queue._internal))  # noqa: SLF001


def wait_for(promise: Any, timeout_s: float, what: str) -> None:
    """Wait for a wgpu promise, at most `timeout_s`. Raises `StallError`, or `DeviceLostError` if it was rejected."""
    end_s = time.monotonic() + timeout_s
    # wgpu-py 0.32 has no public wait with a time-out: `sync_wait` waits on this very event without one. A wait that is
    # over early, because this process was stopped meanwhile, goes on: the clock of a run in slices stood still.
    while not promise._thread_event.wait(max(0.0, end_s - time.monotonic())):  # noqa: SLF001
        if time.monotonic() >= end_s:
            raise StallError(f"the GPU stalled: {what} did not finish in {timeout_s:g} s", stage="gpu")
    try:
        promise.sync_wait()
    except RuntimeError as error:
        raise DeviceLostError(f"{what} failed: {error}", stage="gpu") from error
