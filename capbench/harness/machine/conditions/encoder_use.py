"""Who else uses the GPU's video encoder between two blocks, when none of ours runs."""

from __future__ import annotations

import re
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
    users, percent = list[str](), 0.0
    names = sources.process_names()
    for device in _devices(nvml):
        try:
            sessions = nvml.nvmlDeviceGetEncoderSessions(device)
            percent = max(percent, float(nvml.nvmlDeviceGetEncoderUtilization(device)[0]))
        except nvml.NVMLError:
            continue  # a card without an encoder
        users += [names.get(int(session.pid)) or f"process {session.pid}" for session in sessions]
    return {"encoder_users": tuple(sorted(set(users)))[:_MOST_NAMES], "encoder_percent": percent}


def read_gpu_heat(sources: MachineSources) -> dict[str, object]:
    """`gpu_slowdowns`: why NVIDIA cards run slower than they could. Raises `UnreadableError`."""
    nvml = sources.nvml()
    reasons = {name: int(getattr(nvml, f"nvmlClocksThrottleReason{name}", 0)) for name in _HEAT_REASONS}
    found = set[str]()
    for device in _devices(nvml):
        try:
            mask = int(nvml.nvmlDeviceGetCurrentClocksThrottleReasons(device))
        except nvml.NVMLError:
            continue
        found |= {name for name, bit in reasons.items() if mask & bit}
    return {"gpu_slowdowns": tuple(sorted(found))}


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
    names = sources.process_names()
    users, total = set[str](), 0.0
    for instance, value in list(zip(rows[0], rows[1], strict=True))[1:]:  # the first is the time
        pid = re.search(r"pid_(\d+)_", instance)
        if pid is None or not re.fullmatch(r"\d+(?:\.\d+)?", value) or float(value) == 0.0:
            continue
        total += float(value)
        users.add(names.get(int(pid[1])) or f"process {pid[1]}")
    return {"encoder_users": tuple(sorted(users))[:_MOST_NAMES], "encoder_percent": round(total, 1)}
