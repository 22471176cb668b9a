"""What is read beside the runs: the machine, what disturbs it, and what its GPU says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from capbench.harness.machine import read_machine as reading
from capbench.harness.machine.gpu_telemetry import AmdgpuGauge, IoregGauge, NvmlGauge, open_gauges, summarise
from capbench.harness.machine.interference import busy_s, judge_noise, read_noise
from capbench.harness.machine.read_machine import read_environment
from capbench.results.environment import Environment, NoiseReading

_QUIET = NoiseReading(
    foreign_cpu_percent=1.0,
    load_1min=0.1,
    steal_s=5.0,
    throttle_events=7,
    swapped_bytes=1000,
    disk_free_bytes=50_000_000_000,
    hottest_celsius=60.0,
)


def test_a_quiet_block_has_no_warning() -> None:
    noise = judge_noise("a", 0, before=_QUIET, after=_QUIET, wall_s=10, foreign_cpu_s=0.1)

    assert noise.warnings == ()


@pytest.mark.parametrize(
    ("before", "after", "foreign_cpu_s", "warning"),
    [
        ({"foreign_cpu_percent": 25.0}, {}, 0.0, "25% of a core before"),
        ({}, {}, 2.0, "20% of a core during"),
        ({}, {"steal_s": 5.25}, 0.0, "0.25 s of CPU"),
        ({}, {"throttle_events": 9}, 0.0, "throttled 2 times"),
        ({}, {"swapped_bytes": 2_501_000}, 0.0, "2.5 MB were swapped"),
        ({}, {"disk_free_bytes": 1_500_000_000}, 0.0, "1.5 GB of disk"),
        ({}, {"hottest_celsius": 96.0}, 0.0, "96 degrees"),
    ],
)
def test_each_disturbance_has_its_sentence(
    before: dict[str, Any], after: dict[str, Any], foreign_cpu_s: float, warning: str
) -> None:
    noise = judge_noise(
        "a",
        0,
        before=_QUIET.model_copy(update=before),
        after=_QUIET.model_copy(update=after),
        wall_s=10,
        foreign_cpu_s=foreign_cpu_s,
    )

    (found,) = noise.warnings
    assert warning in found


def test_what_cannot_be_read_disturbs_nobody() -> None:
    noise = judge_noise("a", 0, before=NoiseReading(), after=NoiseReading(), wall_s=10, foreign_cpu_s=None)

    assert noise.warnings == ()


def test_reading_noise_watches_without_sleeping_itself(tmp_path: Path) -> None:
    slept: list[float] = []

    noise = read_noise(tmp_path, watch_s=0.2, sleep=slept.append)

    assert slept == [0.2]
    assert noise.disk_free_bytes is not None
    assert noise.disk_free_bytes > 0


def test_steal_and_guest_time_are_not_work() -> None:
    class _Times:
        user, nice, system, idle, iowait, irq, softirq, steal, guest = 10.0, 1.0, 5.0, 99.0, 3.0, 0.5, 0.25, 7.0, 4.0

    assert busy_s(_Times()) == 16.75


def test_the_machine_is_described_with_a_reason_for_every_gap(tmp_path: Path) -> None:
    found = read_environment({"error": "the worker died"}, tmp_path)

    assert found.cores_logical
    assert found.memory_bytes
    assert found.os
    assert found.python
    assert found.unmeasured["adapter"] == "the worker died"
    assert found.unmeasured["git_revision"] == "capbench does not run from a git work tree"
    for name in ("governor", "turbo", "cpu_limit_cores", "memory_limit_bytes", "virtualisation", "cpu_model"):
        assert (getattr(found, name) is None) == (name in found.unmeasured), name


@pytest.mark.parametrize(
    ("files", "field", "value"),
    [
        ({"sys/fs/cgroup/cpu.max": "150000 100000\n"}, "cpu_limit_cores", 1.5),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, "cpu_limit_cores", None),
        (
            {"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"},
            "cpu_limit_cores",
            0.5,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1"}, "cpu_limit_cores", None),
        ({"sys/fs/cgroup/memory.max": "2147483648"}, "memory_limit_bytes", 2**31),
        ({"sys/fs/cgroup/memory.max": "max"}, "memory_limit_bytes", None),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": str(2**63 - 4096)}, "memory_limit_bytes", None),
        ({"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n"}, "governor", "powersave"),
        ({"sys/devices/system/cpu/intel_pstate/no_turbo": "1\n"}, "turbo", False),
        ({"sys/devices/system/cpu/cpufreq/boost": "1\n"}, "turbo", True),
    ],
)
def test_limits_and_settings_are_read_from_the_kernel_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], field: str, value: object
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(reading, "_SYS", tmp_path / "sys")

    assert getattr(read_environment({}, tmp_path), field) == value


def test_the_fingerprint_follows_hardware_and_software_and_nothing_else() -> None:
    base = Environment(cpu_model="A", memory_bytes=16 * 2**30, packages={"av": "18.1", "capbench": "1"}, load_1min=0.1)

    def differs(**changes: Any) -> bool:
        return base.model_copy(update=changes).identity() != base.identity()

    assert differs(cpu_model="B")
    assert differs(packages={"av": "18.2", "capbench": "1"})
    assert differs(adapter="another")
    assert differs(memory_bytes=32 * 2**30)
    assert not differs(load_1min=9.9)
    assert not differs(memory_bytes=16 * 2**30 - 5_000_000)
    assert not differs(packages={"av": "18.1", "capbench": "2"})
    assert not differs(git_revision="abc", git_dirty=True)


def test_amdgpu_files_become_means_and_maxima(tmp_path: Path) -> None:
    card = tmp_path / "card1" / "device"
    (card / "hwmon" / "hwmon3").mkdir(parents=True)
    (card / "vendor").write_text("0x1002\n")
    (card / "mem_info_vram_used").write_text("500\n")
    (card / "hwmon" / "hwmon3" / "temp1_input").write_text("61000\n")
    gauges, reasons = open_gauges(tmp_path)
    (gauge,) = [gauge for gauge in gauges if isinstance(gauge, AmdgpuGauge)]

    for percent in ("20", "40", "not a number"):
        (card / "gpu_busy_percent").write_text(percent)
        gauge.sample()

    assert "amdgpu" not in reasons
    assert gauge.summary() == {
        "amdgpu.1.utilisation_percent.mean": 30.0,
        "amdgpu.1.utilisation_percent.max": 40.0,
        "amdgpu.1.memory_used_bytes.mean": 500.0,
        "amdgpu.1.memory_used_bytes.max": 500.0,
        "amdgpu.1.celsius.mean": 61.0,
        "amdgpu.1.celsius.max": 61.0,
    }


def test_ioreg_text_becomes_means_and_maxima() -> None:
    texts = iter(
        f'"PerformanceStatistics" = {{"Device Utilization %"={percent},"In use system memory"=1000}}'
        for percent in (10, 30)
    )
    gauge = IoregGauge(ask=lambda: next(texts))
    gauge.sample()
    gauge.sample()

    assert gauge.summary()["ioreg.0.utilisation_percent.mean"] == 20.0
    assert gauge.summary()["ioreg.0.memory_used_bytes.max"] == 1000.0
    assert not any("renderer" in name for name in gauge.summary())


class _FakeNvml:
    """The functions that the gauge calls; the encoder's is not supported by this GPU."""

    class NVMLError(Exception):
        pass

    class _Pair:
        def __init__(self, **values: int) -> None:
            self.__dict__.update(values)

    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    nvmlClocksThrottleReasonNone = 0  # noqa: N815  NVML's own name
    nvmlClocksThrottleReasonSwPowerCap = 4  # noqa: N815
    nvmlClocksThrottleReasonHwThermalSlowdown = 64  # noqa: N815
    energy_mj = 1_000_000

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetUtilizationRates(self, _device: int) -> Any:  # noqa: N802
        return self._Pair(gpu=80, memory=30)

    def nvmlDeviceGetMemoryInfo(self, _device: int) -> Any:  # noqa: N802
        return self._Pair(used=123)

    def nvmlDeviceGetPowerUsage(self, _device: int) -> int:  # noqa: N802
        return 250_000

    def nvmlDeviceGetEncoderUtilization(self, _device: int) -> Any:  # noqa: N802
        raise self.NVMLError

    def nvmlDeviceGetClockInfo(self, _device: int, kind: int) -> int:  # noqa: N802
        return {1: 1980, 2: 2619}[kind]

    def nvmlDeviceGetTemperature(self, _device: int, _sensor: int) -> int:  # noqa: N802
        return 55

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _device: int) -> int:  # noqa: N802
        return 4 | 64

    def nvmlDeviceGetName(self, _device: int) -> str:  # noqa: N802
        return "Test GPU"

    def nvmlDeviceGetTotalEnergyConsumption(self, _device: int) -> int:  # noqa: N802
        self.energy_mj += 500
        return self.energy_mj


def test_nvml_values_have_units_and_gaps_are_left_out() -> None:
    gauge = NvmlGauge(_FakeNvml(), 0)
    gauge.sample()

    found = gauge.summary()

    assert found["nvml.0.utilisation_percent.mean"] == 80.0
    assert found["nvml.0.power_w.max"] == 250.0
    assert found["nvml.0.sm_clock_mhz.mean"] == 1980.0
    assert found["nvml.0.throttle_reasons"] == "HwThermalSlowdown, SwPowerCap"
    assert found["nvml.0.energy_j"] == 0.5
    assert "nvml.0.encoder_percent.mean" not in found


def test_readers_that_are_absent_give_their_reason(tmp_path: Path) -> None:
    _, reasons = open_gauges(tmp_path)

    found = summarise([], reasons)
    assert found["amdgpu.unavailable"] == f"no AMD card under {tmp_path}"
    assert all(isinstance(value, str) and value for value in found.values())
