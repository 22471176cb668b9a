"""Who else uses the GPU's video encoder between two blocks, when none of ours runs."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from capbench.harness.machine.conditions.condition_sources import MachineSources, UnreadableError

__all__ = ["read_encoder_use", "read_gpu_heat"]

_ENCODER_COUNTER = r"\GPU Engine(*engtype_VideoEncode)\Utilization Percentage"
"""Windows counts this for each process and engine, of every vendor's driver (WDDM 2.0)."""
_MOST_NAMES = 10
"""Of programs that are listed."""
_HEAT_REASONS = ("SwThermalSlowdown", "HwThermalSlowdown", "HwPowerBrakeSlowdown")
"""Reasons of NVML for a lower clock that a hot or underpowered card has; being idle is no reason to warn."""


def read_encoder_use(sources: MachineSources) -> dict[str, object]:
    """`encoder_users` and `encoder_percent`. Raises `UnreadableError` where neither NVML nor Windows tells."""
    if sources.platform == "win32":
        return _from_windows(sources)
    nvml = sources.nvml()
    pids, percents = set[int](), list[float]()
    for device in _devices(nvml):
        try:
            sessions = nvml.nvmlDeviceGetEncoderSessions(device)
            percents.append(float(nvml.nvmlDeviceGetEncoderUtilization(device)[0]))
        except nvml.NVMLError:
            continue  # a card without an encoder
        pids |= {int(session.pid) for session in sessions}
    if not percents:
        raise UnreadableError("NVML shows no video encoder of a GPU")
    return {"encoder_users": _named(pids, sources), "encoder_percent": max(percents)}


def read_gpu_heat(sources: MachineSources) -> dict[str, object]:
    """`gpu_slowdowns`: why NVIDIA cards run slower than they could. Raises `UnreadableError`."""
    nvml = sources.nvml()
    reasons = {name: int(getattr(nvml, f"nvmlClocksThrottleReason{name}", 0)) for name in _HEAT_REASONS}
    masks = list[int]()
    for device in _devices(nvml):
        try:
            masks.append(int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device)))
        except nvml.NVMLError:
            continue  # a card that does not tell; others may
    if not masks:
        raise UnreadableError("NVML shows of no GPU why its clock is lower")
    return {"gpu_slowdowns": tuple(sorted(name for name, bit in reasons.items() if any(mask & bit for mask in masks)))}


def _named(pids: Collection[int], sources: MachineSources) -> tuple[str, ...]:
    """The names of processes, in order; every process of the machine is read for them."""
    names = sources.process_names() if pids else {}
    return tuple(sorted({names.get(pid) or f"process {pid}" for pid in pids}))[:_MOST_NAMES]


def _devices(nvml: Any) -> list[Any]:  # pynvml has no types
    try:
        return [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    except nvml.NVMLError as error:
        raise UnreadableError(f"NVML: {error}") from error


def _from_windows(sources: MachineSources) -> dict[str, object]:
    """From the two lines of `typeperf -sc 1`: instances, which name the process, and their values."""
    rows = [
        re.findall(r'"([^"]*)"', line)
        for line in sources.ask(["typeperf", _ENCODER_COUNTER, "-sc", "1"]).splitlines()
        if line.startswith('"')
    ]
    if len(rows) < 2 or len(rows[0]) != len(rows[1]):
        raise UnreadableError("typeperf shows no video encoder of a GPU")
    pids, total = set[int](), 0.0
    for instance, value in list(zip(rows[0], rows[1], strict=True))[1:]:  # the first is the time
        pid = re.search(r"pid_(\d+)_", instance)
        if pid is None or not re.fullmatch(r"\d+(?:\.\d+)?", value) or float(value) == 0.0:
            continue
        total += float(value)
        pids.add(int(pid[1]))
    return {"encoder_users": _named(pids, sources), "encoder_percent": round(total, 1)}
