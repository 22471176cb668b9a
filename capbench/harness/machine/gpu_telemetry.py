"""GPU telemetry during a run, from the vendors' interfaces: values, or the reason why there are none."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from capbench.installation import install_command

__all__ = ["AmdgpuGauge", "Gauge", "IoregGauge", "NvmlGauge", "SeriesSummary", "open_gauges", "summarise"]

AMD_VENDOR = "0x1002"

Telemetry = dict[str, float | str | None]


class Gauge(Protocol):
    """Something that is sampled during a run, besides the process tree."""

    def start(self) -> None:
        """Discard earlier readings: a run starts."""

    def sample(self) -> None:
        """Take one reading and keep it."""

    def summary(self) -> Telemetry:
        """Summary of the readings since `start`."""


class SeriesSummary:
    """Collects readings by name and reduces each to its mean and its largest value."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, readings: Mapping[str, float | None]) -> None:
        """Keep what was read; None is left out."""
        for name, value in readings.items():
            if value is not None:
                self._values.setdefault(name, []).append(value)

    def reduced(self, prefix: str) -> Telemetry:
        """`<prefix>.<name>.mean` and `.max` of every name."""
        found: Telemetry = {}
        for name, values in self._values.items():
            found[f"{prefix}.{name}.mean"] = round(sum(values) / len(values), 3)
            found[f"{prefix}.{name}.max"] = round(max(values), 3)
        return found


class NvmlGauge:
    """An NVIDIA GPU through NVML. Utilisation, memory, clocks and throttle reasons are sampled; energy is a counter."""

    def __init__(self, nvml: Any, index: int) -> None:
        self._nvml = nvml
        self._prefix = f"nvml.{index}"
        self._device = nvml.nvmlDeviceGetHandleByIndex(index)
        self._reasons: dict[int, str] = {
            getattr(nvml, name): name.removeprefix("nvmlClocksThrottleReason")
            for name in dir(nvml)
            if name.startswith("nvmlClocksThrottleReason")
            and name not in ("nvmlClocksThrottleReasonAll", "nvmlClocksThrottleReasonNone")
        }
        self.start()

    def start(self) -> None:
        """Begin a run: note the energy counter."""
        self._series = SeriesSummary()
        self._throttled: set[str] = set()
        self._energy_before_mj = self._try(self._nvml.nvmlDeviceGetTotalEnergyConsumption)

    def sample(self) -> None:
        """Read everything that this GPU supports."""
        nvml = self._nvml
        rates = self._try(nvml.nvmlDeviceGetUtilizationRates)
        memory = self._try(nvml.nvmlDeviceGetMemoryInfo)
        power_mw = self._try(nvml.nvmlDeviceGetPowerUsage)
        encoder = self._try(nvml.nvmlDeviceGetEncoderUtilization)
        self._series.add(
            {
                "utilisation_percent": rates and rates.gpu,
                "memory_controller_percent": rates and rates.memory,
                "encoder_percent": encoder and encoder[0],
                "memory_used_bytes": memory and memory.used,
                "sm_clock_mhz": self._try(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_SM),
                "memory_clock_mhz": self._try(nvml.nvmlDeviceGetClockInfo, nvml.NVML_CLOCK_MEM),
                "celsius": self._try(nvml.nvmlDeviceGetTemperature, nvml.NVML_TEMPERATURE_GPU),
                "power_w": None if power_mw is None else power_mw / 1000,
            }
        )
        mask = self._try(nvml.nvmlDeviceGetCurrentClocksThrottleReasons) or 0
        self._throttled |= {name for bit, name in self._reasons.items() if mask & bit}

    def summary(self) -> Telemetry:
        """Means and maxima, the throttle reasons seen, and joules since `start`."""
        found = self._series.reduced(self._prefix)
        found[f"{self._prefix}.name"] = str(self._try(self._nvml.nvmlDeviceGetName))
        found[f"{self._prefix}.throttle_reasons"] = ", ".join(sorted(self._throttled)) or "none"
        energy_mj = self._try(self._nvml.nvmlDeviceGetTotalEnergyConsumption)
        if energy_mj is not None and self._energy_before_mj is not None:
            found[f"{self._prefix}.energy_j"] = (energy_mj - self._energy_before_mj) / 1000
        return found

    def _try(self, read: Callable[..., Any], *arguments: Any) -> Any:
        """One value; None where this GPU or driver does not have it."""
        try:
            return read(self._device, *arguments)
        except self._nvml.NVMLError:
            return None


class AmdgpuGauge:
    """An AMD GPU through the files that the amdgpu driver shows: `/sys/class/drm/card<N>/device`."""

    def __init__(self, card: Path) -> None:
        self._card = card
        self._prefix = f"amdgpu.{card.parent.name.removeprefix('card')}"
        self.start()

    def start(self) -> None:
        """Begin a run."""
        self._series = SeriesSummary()

    def sample(self) -> None:
        """Read load, memory, clock, temperature and power, whichever exist."""
        sensors = next(iter(sorted(self._card.glob("hwmon/hwmon*"))), self._card)
        self._series.add(
            {
                "utilisation_percent": _number(self._card / "gpu_busy_percent"),
                "memory_controller_percent": _number(self._card / "mem_busy_percent"),
                "memory_used_bytes": _number(self._card / "mem_info_vram_used"),
                "sm_clock_mhz": _number(sensors / "freq1_input", 1e-6),
                "celsius": _number(sensors / "temp1_input", 1e-3),
                "power_w": _number(sensors / "power1_average", 1e-6),
            }
        )

    def summary(self) -> Telemetry:
        """Means and maxima."""
        return self._series.reduced(self._prefix)


class IoregGauge:
    """An Apple GPU through `ioreg`, a program: about 20 ms a reading, which the sampler's pace allows for."""

    _COMMAND = ("ioreg", "-r", "-d", "1", "-w", "0", "-c", "IOAccelerator")

    def __init__(self, ask: Callable[[], str] | None = None) -> None:
        self._ask = ask or self._run
        self.start()

    def start(self) -> None:
        """Begin a run."""
        self._series = SeriesSummary()

    def sample(self) -> None:
        """Read the accelerator's performance statistics."""
        text = self._ask()
        self._series.add(
            {
                "utilisation_percent": _statistic(text, "Device Utilization %"),
                "renderer_percent": _statistic(text, "Renderer Utilization %"),
                "memory_used_bytes": _statistic(text, "In use system memory"),
            }
        )

    def summary(self) -> Telemetry:
        """Means and maxima."""
        return self._series.reduced("ioreg.0")

    def _run(self) -> str:
        done = subprocess.run(self._COMMAND, capture_output=True, text=True, timeout=5, check=False)
        return done.stdout


def open_gauges(drm: Path = Path("/sys/class/drm")) -> tuple[list[Gauge], dict[str, str]]:
    """Every reader that works here, and the reason for each that does not."""
    gauges: list[Gauge] = []
    reasons: dict[str, str] = {}
    nvidia, reason = _open_nvml()
    gauges += nvidia
    if reason is not None:
        reasons["nvml"] = reason
    cards = [vendor.parent for vendor in sorted(drm.glob("card*/device/vendor")) if _text(vendor) == AMD_VENDOR]
    gauges += [AmdgpuGauge(card) for card in cards]
    if not cards:
        reasons["amdgpu"] = f"no AMD card under {drm}"
    if sys.platform == "darwin":
        gauges.append(IoregGauge())
    else:
        reasons["ioreg"] = "only macOS has ioreg"
    return gauges, reasons


def summarise(gauges: Sequence[Gauge], reasons: Mapping[str, str]) -> Telemetry:
    """What all gauges found, and `<reader>.unavailable` with the reason for each that is not there."""
    found: Telemetry = {}
    for gauge in gauges:
        found |= gauge.summary()
    return found | {f"{reader}.unavailable": reason for reader, reason in reasons.items()}


def _open_nvml() -> tuple[list[Gauge], str | None]:
    try:
        import pynvml  # an optional extra
    except ImportError:
        return [], f"nvidia-ml-py is not installed; install it with: {install_command('nvml')}"
    try:
        pynvml.nvmlInit()
        return [NvmlGauge(pynvml, index) for index in range(pynvml.nvmlDeviceGetCount())], None
    except pynvml.NVMLError as error:
        return [], f"NVML: {error}"


def _text(file: Path) -> str | None:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return None  # the driver answers some of its files with an error; the value is then simply not there


def _number(file: Path, factor: float = 1.0) -> float | None:
    text = _text(file)
    return float(text) * factor if text is not None and re.fullmatch(r"-?\d+", text) else None


def _statistic(text: str, name: str) -> float | None:
    found = re.search(rf'"{re.escape(name)}"=(\d+)', text)
    return float(found[1]) if found else None
