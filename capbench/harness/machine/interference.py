"""What disturbs a measurement: read around each block, judged from two readings, kept as data."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from capbench.harness.machine.conditions.read_conditions import judge_conditions, read_conditions
from capbench.results.environment import BlockNoise, NoiseReading

__all__ = ["SystemProbe", "judge_noise", "read_noise"]

FOREIGN_LOAD_PERCENT = 10.0
"""A tenth of a core taken by others before a block starts: several times what an idle desktop shows."""
FOREIGN_SHARE_PERCENT = 5.0
"""Others' CPU seconds over the length of a block, in percent of one core: the size of effect that gates look for."""
STEAL_SHARE_PERCENT = 1.0
"""Time stolen by the hypervisor, over the block's length: half of the usual 2% margin."""
LOW_DISK_BYTES = 2_000_000_000
"""Below this an output of a long 4K case may not fit, and file systems slow down."""
HOT_CELSIUS = 90.0
"""Processors throttle from about 95 to 100 degrees Celsius."""


def read_noise(folder: Path, *, watch_s: float = 0.2, sleep: Callable[[float], None] = time.sleep) -> NoiseReading:
    """Read the disturbances now, watching the idle machine for `watch_s` seconds."""
    before = psutil.cpu_times()
    own_before_s = time.process_time()
    sleep(watch_s)
    after = psutil.cpu_times()
    foreign_s = busy_s(after) - busy_s(before) - (time.process_time() - own_before_s)
    swap = psutil.swap_memory()
    return NoiseReading(
        foreign_cpu_percent=round(max(0.0, 100 * foreign_s / watch_s), 1) if watch_s > 0 else None,
        load_1min=round(psutil.getloadavg()[0], 2),
        steal_s=getattr(after, "steal", None),
        throttle_events=_throttle_events(Path("/sys/devices/system/cpu")),
        swapped_bytes=swap.sin + swap.sout,
        disk_free_bytes=psutil.disk_usage(str(folder)).free,
        hottest_celsius=_hottest_celsius(),
        conditions=read_conditions(),
    )


def busy_s(times: object) -> float:
    """CPU seconds that all cores spent on something, from `psutil.cpu_times()`. Steal is not work of this machine."""
    # guest time is part of user time on Linux and would count twice
    return float(sum(getattr(times, name, 0.0) for name in ("user", "nice", "system", "irq", "softirq")))


def judge_noise(
    case: str, block: int, *, before: NoiseReading, after: NoiseReading, wall_s: float, foreign_cpu_s: float | None
) -> BlockNoise:
    """Name what may have distorted the block. Pure: the same readings give the same warnings."""
    warnings: list[str] = []
    if before.foreign_cpu_percent is not None and before.foreign_cpu_percent > FOREIGN_LOAD_PERCENT:
        warnings.append(f"other processes used {before.foreign_cpu_percent:.0f}% of a core before the block")
    if foreign_cpu_s is not None and wall_s > 0 and 100 * foreign_cpu_s / wall_s > FOREIGN_SHARE_PERCENT:
        warnings.append(f"other processes used {100 * foreign_cpu_s / wall_s:.0f}% of a core during the block")
    if (stolen_s := _increase(before.steal_s, after.steal_s)) and 100 * stolen_s / wall_s > STEAL_SHARE_PERCENT:
        warnings.append(f"the hypervisor gave {stolen_s:.2f} s of CPU time to other guests during the block")
    if throttled := _increase(before.throttle_events, after.throttle_events):
        warnings.append(f"the processor was throttled {throttled:.0f} times because of heat")
    if swapped := _increase(before.swapped_bytes, after.swapped_bytes):
        warnings.append(f"{swapped / 1e6:.1f} MB were swapped; close programs or measure smaller cases")
    if after.disk_free_bytes is not None and after.disk_free_bytes < LOW_DISK_BYTES:
        warnings.append(f"only {after.disk_free_bytes / 1e9:.1f} GB of disk space are free for results")
    if after.hottest_celsius is not None and after.hottest_celsius >= HOT_CELSIUS:
        warnings.append(f"the processor is at {after.hottest_celsius:.0f} degrees Celsius")
    conditions = judge_conditions(before.conditions, after.conditions)
    return BlockNoise(
        case=case,
        block=block,
        before=before,
        after=after,
        wall_s=wall_s,
        foreign_cpu_s=foreign_cpu_s,
        warnings=(*warnings, *(warning.text for warning in conditions)),
        conditions=conditions,
    )


def _increase(before: float | None, after: float | None) -> float:
    return 0.0 if before is None or after is None else after - before


def _throttle_events(cpus: Path) -> int | None:
    """Sum of the cores' counters, Intel on Linux; None elsewhere."""
    files = list(cpus.glob("cpu[0-9]*/thermal_throttle/core_throttle_count"))
    return sum(int(file.read_text()) for file in files) if files else None


def _hottest_celsius() -> float | None:
    if not hasattr(psutil, "sensors_temperatures") or os.name == "nt":
        return None
    sensors = psutil.sensors_temperatures()
    readings = [
        sensor.current
        for chip in ("coretemp", "k10temp", "cpu_thermal", "zenpower")
        for sensor in sensors.get(chip, [])
    ]
    return max(readings, default=None)


def read_foreign_cpu_s() -> float:
    """CPU seconds that the machine has spent on anything but this process and the children that it has waited for."""
    times = os.times()  # Windows has no figure for children and counts subjects as others
    ours_s = times.user + times.system + times.children_user + times.children_system
    return busy_s(psutil.cpu_times()) - ours_s


@dataclass(frozen=True, slots=True)
class SystemProbe:
    """What the runner takes from outside; tests replace it."""

    now_s: Callable[[], float] = time.monotonic
    """A clock in seconds."""
    sleep: Callable[[float], None] = time.sleep
    """Pauses."""
    read_noise: Callable[[Path], NoiseReading] = read_noise
    """Reads disturbances."""
    foreign_cpu_s: Callable[[], float] = read_foreign_cpu_s
    """CPU seconds of everything but the runner and its children so far."""
