"""The GPU device of an export, and finite waits on it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from weakref import WeakSet

from capbench.errors import AdapterError, CapbenchError, DeviceLostError, ShaderError, StallError
from capbench.resources import ShaderSource

if TYPE_CHECKING:
    from capbench.pipeline.gpu.wgpu_types import (
        GPU,
        GPUAdapter,
        GPUAdapterInfo,
        GPUBuffer,
        GPUComputePipeline,
        GPUDevice,
        GPUPromise,
        GPUTexture,
    )

__all__ = [
    "MAX_TEXTURE_PX",
    "GpuContext",
    "MemoryWriter",
    "adapter_name",
    "is_device_loss",
    "list_adapters",
    "open_device",
    "wait_for",
    "working_for",
]

MAX_TEXTURE_PX = 8192
"""Longest side of a texture that every WebGPU device has (limit maxTextureDimension2D); most have twice that."""
GPU_TIMEOUT_S = 10.0
SOFTWARE_TIMEOUT_S = 60.0
"""A software adapter draws a 4K frame in a good part of a second, and shares its cores with the encoder."""

_COMPILER_PLACE = re.compile(r"wgsl:(?P<line>\d+):(?P<column>\d+)")
"""Where wgpu's compiler says that an error is."""

_instance_lock = threading.Lock()
_instance_ready = False


class MemoryWriter(Protocol):
    """A writer to mapped memory of a device."""

    def close(self) -> None:
        """Return once no write is in progress, and allow no further one."""


@dataclass(slots=True, eq=False)
class GpuContext:
    """One device and its properties. Only the render thread submits to it."""

    device: GPUDevice
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

    _compiling: list[Future[GPUComputePipeline]] = field(default_factory=list)

    writers: WeakSet[MemoryWriter] = field(default_factory=WeakSet)
    """Writers to this device's memory on other threads, which must stop before the device takes it back."""

    def buffer(self, size_bytes: int, usage: str, label: str, *, mapped: bool = False) -> GPUBuffer:
        """A `wgpu.GPUBuffer`, counted. Raises `AdapterError` where the device has none so large."""
        self._check_limit("max-buffer-size", size_bytes, f"a buffer of {size_bytes} bytes for {label}")
        self.allocated_bytes += size_bytes
        return self.device.create_buffer(size=size_bytes, usage=usage, label=label, mapped_at_creation=mapped)

    def texture(self, width: int, height: int, texel_format: str, usage: str, label: str) -> GPUTexture:
        """A two-dimensional `wgpu.GPUTexture` with one level, counted. Raises `AdapterError` as `buffer` does."""
        self._check_limit("max-texture-dimension-2d", max(width, height), f"a texture of {width}x{height} for {label}")
        texel_bytes = {"r8unorm": 1, "r16uint": 2, "rg8unorm": 2, "rgba8unorm": 4, "rgba16float": 8}[texel_format]
        self.allocated_bytes += width * height * texel_bytes
        return self.device.create_texture(size=(width, height, 1), format=texel_format, usage=usage, label=label)

    def _check_limit(self, name: str, wanted: int, what: str) -> None:
        most = int(self.device.limits[name])
        if wanted > most:
            raise AdapterError(f"{self.adapter} has no {what}: its limit {name} is {most}")

    def compute_pipeline(
        self, source: ShaderSource, entry_point: str, constants: Mapping[str, float] | None = None
    ) -> Future[GPUComputePipeline]:
        """A `wgpu.GPUComputePipeline` with the layout that its shader implies; `constants` are WGSL's overrides.

        Several compile side by side: wgpu-native compiles without Python's lock. The future raises `ShaderError` with
        file and line where the shader does not compile, and so does `finish_compiling`.
        """
        future: Future[GPUComputePipeline] = Future()

        def compile_it() -> None:
            try:
                future.set_result(self._compile(source, entry_point, constants))
            except BaseException as failure:  # noqa: BLE001  raised where the pipeline is asked for
                future.set_exception(failure)

        self._compiling = [pending for pending in self._compiling if not pending.done() or pending.exception()]
        self._compiling.append(future)
        # A thread each, not a pool: a scene has 7 at most, and none is left when they are done.
        threading.Thread(target=compile_it, name="capbench-compile", daemon=True).start()
        return future

    def finish_compiling(self) -> None:
        """Wait for every pipeline that was asked for. Raises the first `ShaderError`."""
        compiling, self._compiling = self._compiling, []
        for future in compiling:
            future.result()

    def _compile(
        self, source: ShaderSource, entry_point: str, constants: Mapping[str, float] | None
    ) -> GPUComputePipeline:
        from wgpu import GPUError  # type: ignore[attr-defined]  # a name that is made when wgpu is imported

        try:
            with working_for(self):
                module = self.device.create_shader_module(code=source.text, label=source.name)
                stage = {"module": module, "entry_point": entry_point, "constants": dict(constants or {})}
                return self.device.create_compute_pipeline(layout="auto", compute=stage, label=entry_point)
        except GPUError as error:
            raise ShaderError(_compiler_message(source, entry_point, str(error))) from error

    def check(self) -> None:
        """Raise what wgpu could only log. Raises `DeviceLostError`."""
        if self.problems:
            raise DeviceLostError(f"the GPU reported: {self.problems[0]}", stage="render")

    def close(self) -> None:
        """Destroy the device and everything made from it; its memory is no longer written to."""
        for writer in list(self.writers):
            writer.close()
        wait(self._compiling)  # a driver must not be left in the middle of a call
        self.device.destroy()


def _compiler_message(source: ShaderSource, entry_point: str, report: str) -> str:
    """What the compiler of WGSL says, in one line, with the file and the line that the text came from."""
    place = f"shader {source.name}, entry point {entry_point}"
    if (found := _COMPILER_PLACE.search(report)) is not None:
        place = f"{source.origin(int(found['line']))}:{found['column']}"
    # A report heads with the call that failed, and draws the line in question below the reason.
    lines = [line.strip() for line in report.splitlines() if line.strip()]
    reason = next((line for line in lines if "error:" in line.lower()), lines[-1] if lines else "no reason given")
    return f"{place}: {reason.partition('error: ')[2] or reason}"


_thread_owners: dict[int, GpuContext] = {}
"""Threads that work for one device alone: what wgpu logs there is about no other export's."""


@contextlib.contextmanager
def working_for(context: GpuContext, *others: int) -> Iterator[None]:
    """Say that the calling thread, and `others` by their identifiers, work for this device alone."""
    threads = [threading.get_ident(), *others]
    _thread_owners.update(dict.fromkeys(threads, context))
    try:
        yield
    finally:
        for thread in threads:
            # The identifier of a thread that has ended is given to the next one, which may work for another device.
            if _thread_owners.get(thread) is context:
                del _thread_owners[thread]


class _ProblemHandler(logging.Handler):
    """Keeps what wgpu logs about a device while an export runs."""

    def __init__(self, context: GpuContext) -> None:
        super().__init__(level=logging.ERROR)
        self._context = context

    def emit(self, record: logging.LogRecord) -> None:
        # A record from a thread of the driver may be about any device.
        if _thread_owners.get(record.thread or 0, self._context) is self._context:
            self._context.problems.append(record.getMessage().splitlines()[0])


@contextlib.contextmanager
def collected_problems(context: GpuContext) -> Iterator[None]:
    """Collect errors from the logger `wgpu` into `context.problems` for the duration of the block.

    Call it on the thread that submits to the device. wgpu names no device in what it logs, but it logs on the thread
    that it was called on, or on the one with which it polls the device: of several exports in a process each gets
    the messages of its own device.
    """
    handler = _ProblemHandler(context)
    logger = logging.getLogger("wgpu")
    # wgpu-py 0.32 shows its polling thread nowhere else.
    polling = context.device._poller.ident  # type: ignore[attr-defined]  # noqa: SLF001  of wgpu's native backend
    with working_for(context, polling):
        logger.addHandler(handler)
        try:
            yield
        finally:
            logger.removeHandler(handler)


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


def _ready_gpu() -> GPU:
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
    gpu: GPU = wgpu.gpu
    return gpu


def adapter_name(info: GPUAdapterInfo) -> str:
    """Adapter, driver and backend in words, from a `wgpu.GPUAdapterInfo`."""
    driver = info["description"]
    name = f"{info['device']}, {driver}" if driver and driver != info["device"] else info["device"]
    return f"{name} ({info['backend_type']})"


def is_software(info: GPUAdapterInfo) -> bool:
    """Whether the adapter runs on the CPU: llvmpipe, lavapipe, SwiftShader and WARP say so themselves."""
    return bool(info["adapter_type"] == "CPU")


def list_adapters() -> list[GPUAdapter]:
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


def _timestamp_period_ns(device: GPUDevice) -> float:
    """wgpu-native resolves raw ticks, and wgpu-py 0.32 does not expose their period: ask the library itself."""
    from wgpu.backends.wgpu_native import lib  # type: ignore[attr-defined]  # the C library, re-exported by a star

    return float(lib.wgpuQueueGetTimestampPeriod(device.queue._internal))  # noqa: SLF001


def is_device_loss(gpu: GpuContext, error: Exception) -> bool:
    """Whether the device is gone. wgpu raises a validation error or none, and logs the loss."""
    if isinstance(error, DeviceLostError):
        return True
    if isinstance(error, CapbenchError) and not isinstance(error, StallError):
        return False
    return any("lost" in text.lower() for text in (str(error), *gpu.problems))


_LOOK_S = 0.05
"""Interval at which a wait checks whether its device was closed: wgpu-py does not wake waiters."""


def wait_for(
    promise: GPUPromise[None], timeout_s: float, what: str, *, is_closed: Callable[[], bool] = lambda: False
) -> None:
    """Wait for a wgpu promise, at most `timeout_s`. Raises `StallError`, or `DeviceLostError` if it was rejected.

    A thread that waits while another may close the device gives `is_closed`; that raises `DeviceLostError` too.
    """
    deadline_s = time.monotonic() + timeout_s
    # wgpu-py 0.32 has no public wait with a time-out: `sync_wait` waits on this very event without one. A wait that is
    # over early, because this process was stopped meanwhile, goes on: the clock of a run in slices stood still.
    while not promise._thread_event.wait(min(_LOOK_S, max(0.0, deadline_s - time.monotonic()))):  # noqa: SLF001
        if is_closed():
            raise DeviceLostError(f"the GPU device was closed before {what} came back", stage="gpu")
        if time.monotonic() >= deadline_s:
            raise StallError(f"the GPU stalled: {what} did not finish in {timeout_s:g} s", stage="gpu")
    try:
        promise.sync_wait()
    except RuntimeError as error:
        raise DeviceLostError(f"{what} failed: {error}", stage="gpu") from error
