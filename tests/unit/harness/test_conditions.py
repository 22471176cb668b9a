"""The state of machines of each platform, from files and answers as they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from capbench.harness.machine.conditions.condition_sources import MachineSources, UnreadableError
from capbench.harness.machine.conditions.read_conditions import judge_conditions, read_conditions
from capbench.harness.machine.interference import judge_noise, read_noise
from capbench.results.environment import MachineConditions, NoiseReading


def _no_nvml() -> Any:
    raise UnreadableError("NVML: there is none")


def _sources(platform: str, **given: Any) -> MachineSources:
    """A machine of which nothing is known but what is given."""
    answers: Mapping[str, str] = given.pop("answers", {})

    def ask(command: Sequence[str]) -> str:
        words = " ".join(command)
        for start, answer in answers.items():
            if words.startswith(start):
                return answer
        raise UnreadableError(f"{command[0]} is not on PATH")

    settings: dict[str, Any] = {
        "sys_folder": Path("/nowhere"),
        "environ": {},
        "ask": ask,
        "process_names": dict,
        "battery": lambda: None,
        "nvml": _no_nvml,
    }
    return MachineSources(platform=platform, **(settings | given))


def _linux(root: Path, files: Mapping[str, str], **given: Any) -> MachineConditions:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return read_conditions(_sources("linux", sys_folder=root, **given))


def _kinds(found: MachineConditions) -> list[str]:
    return [warning.kind for warning in judge_conditions(found, found)]


_SUPPLY = "class/power_supply"
_CPU = "devices/system/cpu/cpu{}/cpufreq"


# Linux ----------------------------------------------------------------------------------------------------------------


_PLUGGED = {"AC/type": "Mains", "AC/online": "1"}
_UNPLUGGED = {"AC/type": "Mains", "AC/online": "0"}


def _battery(status: str, name: str = "BAT0", **more: str) -> dict[str, str]:
    return {f"{name}/{key}": text for key, text in {"type": "Battery", "status": status, **more}.items()}


@pytest.mark.parametrize(
    ("files", "on_battery", "percent"),
    [
        ({}, False, None),
        (_battery("Discharging", capacity="64") | _UNPLUGGED, True, 64),
        (_battery("Charging", capacity="64") | _PLUGGED, False, 64),
        (_battery("Not charging") | _UNPLUGGED, True, None),
        (_battery("Full") | _battery("Discharging", "BAT1"), True, None),
        (_battery("Full") | _UNPLUGGED | {"ucsi/type": "USB", "ucsi/online": "1"}, False, None),
        (_battery("Discharging", "hid-mouse", scope="Device"), False, None),
        (_battery("Full", capacity="unknown"), False, None),
    ],
    ids=["desktop", "battery", "charging", "unplugged", "second", "usb", "mouse", "garbage"],
)
def test_power_supplies_of_the_kernel(
    tmp_path: Path, files: dict[str, str], on_battery: bool, percent: float | None
) -> None:
    found = _linux(tmp_path, {f"{_SUPPLY}/{name}": text for name, text in files.items()})

    assert (found.on_battery, found.battery_percent) == (on_battery, percent)
    assert ("battery" in _kinds(found)) == on_battery


@pytest.mark.parametrize(
    ("files", "saves", "limit"),
    [
        ({"scaling_governor": "performance", "scaling_driver": "acpi-cpufreq"}, False, None),
        ({"scaling_governor": "schedutil", "scaling_driver": "acpi-cpufreq"}, False, None),
        ({"scaling_governor": "powersave", "scaling_driver": "acpi-cpufreq"}, True, None),
        ({"scaling_governor": "powersave", "scaling_driver": "intel_pstate"}, False, None),
        (
            {
                "scaling_governor": "powersave",
                "scaling_driver": "amd-pstate-epp",
                "energy_performance_preference": "balance_performance",
            },
            False,
            None,
        ),
        (
            {
                "scaling_governor": "powersave",
                "scaling_driver": "amd-pstate-epp",
                "energy_performance_preference": "power",
            },
            True,
            None,
        ),
        ({"scaling_governor": "performance", "scaling_max_freq": "1200000", "cpuinfo_max_freq": "4800000"}, False, 25),
        ({"scaling_governor": "performance", "scaling_max_freq": "4800000", "cpuinfo_max_freq": "4800000"}, False, 100),
    ],
)
def test_frequency_policies_of_the_kernel(
    tmp_path: Path, files: dict[str, str], saves: bool, limit: float | None
) -> None:
    found = _linux(tmp_path, {f"{_CPU.format(0)}/{name}": text for name, text in files.items()})

    assert (found.saves_power, found.frequency_limit_percent) == (saves, limit)
    assert ("power_saving" in _kinds(found)) == (saves or (limit or 100) < 95)


def test_one_slow_core_of_many_is_seen(tmp_path: Path) -> None:
    """Tools set single cores, and only the first was ever looked at."""
    governors = {f"{_CPU.format(core)}/scaling_governor": "performance" for core in range(7)}

    found = _linux(tmp_path, governors | {f"{_CPU.format(7)}/scaling_governor": "powersave"})

    assert found.governors == ("performance", "powersave")
    assert [warning.text for warning in judge_conditions(found, None)] == [
        "the system saves power (performance, powersave)"
    ]


def test_a_platform_profile_saves_power(tmp_path: Path) -> None:
    found = _linux(tmp_path, {"firmware/acpi/platform_profile": "low-power"})

    assert (found.power_plan, found.saves_power) == ("low-power", True)


@pytest.mark.parametrize(
    ("temperature", "trips", "hot"),
    [
        ("71000", {"passive": "95000", "critical": "105000"}, False),
        ("95500", {"passive": "95000", "critical": "105000"}, True),
        ("60000", {"passive": "0", "critical": "200000"}, False),
        ("99000", {"active": "50000"}, False),
        ("nonsense", {"passive": "95000"}, False),
    ],
    ids=["cool", "hot", "bogus-trips", "fan-only", "garbage"],
)
def test_thermal_zones_of_the_kernel(tmp_path: Path, temperature: str, trips: dict[str, str], hot: bool) -> None:
    zone = "class/thermal/thermal_zone0"
    files = {f"{zone}/type": "x86_pkg_temp", f"{zone}/temp": temperature}
    for number, (kind, limit) in enumerate(trips.items()):
        files |= {f"{zone}/trip_point_{number}_type": kind, f"{zone}/trip_point_{number}_temp": limit}

    found = _linux(tmp_path, files)

    assert bool(found.hot_zones) == hot
    assert ("heat" in _kinds(found)) == hot


def test_a_virtual_machine_says_why_nothing_is_known_and_warns_of_nothing(tmp_path: Path) -> None:
    found = _linux(tmp_path, {})

    assert set(found.unmeasured) == {"frequency_policy", "thermal_state", "encoder_use", "gpu_heat"}
    assert _kinds(found) == []


# Windows and macOS ----------------------------------------------------------------------------------------------------

_SAVER = "GUID des Energieschemas: A1841308-3541-4FAB-BC81-F71556F20B4A  (Energiesparmodus)\r\n"
_BALANCED = "Power Scheme GUID: 381b4222-f694-41f0-9685-ff5bb260df2e  (Balanced)\r\n"
_ENGINES = (
    '\r\n"(PDH-CSV 4.0)","\\\\PC\\GPU Engine(pid_8124_luid_0x0_0x1_phys_0_eng_5_engtype_VideoEncode)\\Utilization '
    'Percentage","\\\\PC\\GPU Engine(pid_44_luid_0x0_0x1_phys_0_eng_5_engtype_VideoEncode)\\Utilization Percentage"\r\n'
    '"11/26/2026 07:00:00.000","12.5","0.000000"\r\nExiting, please wait...\r\n'
)


@pytest.mark.parametrize(
    ("answer", "plan", "saves"), [(_SAVER, "Energiesparmodus", True), (_BALANCED, "Balanced", False)]
)
def test_power_plans_of_windows_in_any_language(answer: str, plan: str, saves: bool) -> None:
    found = read_conditions(_sources("win32", answers={"powercfg": answer}))

    assert (found.power_plan, found.saves_power) == (plan, saves)


def test_who_encodes_on_windows_is_named_by_the_counters() -> None:
    found = read_conditions(
        _sources(
            "win32",
            answers={r"typeperf \GPU Engine": _ENGINES},
            process_names=lambda: {8124: "obs64.exe", 44: "dwm.exe"},
        )
    )

    assert (found.encoder_users, found.encoder_percent) == (("obs64.exe",), 12.5)
    assert set(_kinds(found)) == {"encoder", "screen_sharing"}


@pytest.mark.parametrize(
    "answer",
    ["", "Error: No valid counters.\r\n", '"(PDH-CSV 4.0)"\r\n', '"a","b"\r\n"1"\r\n'],
    ids=["empty", "no-counter", "no-row", "short-row"],
)
def test_counters_that_are_not_there_are_a_reason_and_no_zero(answer: str) -> None:
    found = read_conditions(_sources("win32", answers={"typeperf": answer}))

    assert found.encoder_percent is None
    assert "encoder_use" in found.unmeasured


def test_a_thermal_limit_of_windows() -> None:
    answer = (
        '\r\n"(PDH-CSV 4.0)","\\\\PC\\Thermal Zone Information(\\_tz.tz00)\\% Passive Limit"\r\n"11/26/2026","80.0"\r\n'
    )

    found = read_conditions(_sources("win32", answers={r"typeperf \Thermal": answer}))

    assert found.thermal_limit_percent == 80
    assert _kinds(found) == ["heat"]


@pytest.mark.parametrize("key", ["lowpowermode", "powermode"])
@pytest.mark.parametrize(("value", "saves"), [("0", False), ("1", True), ("2", False)])
def test_low_power_mode_of_macos(key: str, value: str, saves: bool) -> None:
    answer = f"System-wide power settings:\nCurrently in use:\n standby              1\n {key}         {value}\n"

    found = read_conditions(_sources("darwin", answers={"pmset -g": answer}))

    assert found.saves_power == saves


@pytest.mark.parametrize(
    ("answer", "limit"),
    [
        ("Note: No thermal warning level has been recorded\n", 100),
        ("CPU_Scheduler_Limit \t= 100\n\tCPU_Available_CPUs \t= 8\n\tCPU_Speed_Limit \t= 58\n", 58),
    ],
)
def test_thermal_limit_of_macos(answer: str, limit: float) -> None:
    found = read_conditions(_sources("darwin", answers={"pmset -g therm": answer}))

    assert found.thermal_limit_percent == limit


@pytest.mark.parametrize("platform", ["darwin", "win32"])
@pytest.mark.parametrize(("battery", "on_battery"), [(None, False), ((55.0, False), True), ((100.0, True), False)])
def test_batteries_of_other_systems(platform: str, battery: tuple[float, bool] | None, on_battery: bool) -> None:
    assert read_conditions(_sources(platform, battery=lambda: battery)).on_battery == on_battery


# Shared screens and encoders ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "name", "means"),
    [
        ("win32", "rdpclip.exe", "a Remote Desktop session"),
        ("win32", "parsecd.exe", "Parsec"),
        ("win32", "NVIDIA Share.exe", "NVIDIA's recorder"),
        ("darwin", "screensharingd", "macOS screen sharing"),
        ("linux", "Xtigervnc", "a VNC server"),
        ("linux", "gnome-remote-desktop-daemon", "desktop sharing"),
        ("linux", "xrdp-chansrv", "a Remote Desktop session"),
    ],
)
def test_programs_that_share_the_screen(platform: str, name: str, means: str) -> None:
    found = read_conditions(_sources(platform, process_names=lambda: {1: "init", 77: name}))

    assert found.screen_sharing == (means,)
    assert "screen_sharing" in _kinds(found)


@pytest.mark.parametrize("name", ["sshd", "termsrv", "Obsidian.exe", "xrdp-sesman", "TeamViewer_Service.exe", ""])
def test_programs_that_do_not(name: str) -> None:
    assert read_conditions(_sources("linux", process_names=lambda: {1: name})).screen_sharing == ()


@pytest.mark.parametrize(
    ("environ", "is_remote"),
    [({"SESSIONNAME": "RDP-Tcp#3"}, True), ({"SESSIONNAME": "Console"}, False), ({"XRDP_SESSION": "1"}, True)],
)
def test_a_session_that_is_remote_itself(environ: dict[str, str], is_remote: bool) -> None:
    found = read_conditions(_sources("win32", environ=environ))

    assert bool(found.screen_sharing) == is_remote


class _Nvml:
    """Two cards: one that encodes for others, one that has no encoder."""

    NVMLError = RuntimeError

    def __init__(self, *, pids: Sequence[int] = (), percent: int = 0, reasons: int = 1) -> None:
        self._pids, self._percent, self._reasons = pids, percent, reasons
        self.nvmlClocksThrottleReasonSwThermalSlowdown = 0x20
        self.nvmlClocksThrottleReasonGpuIdle = 0x1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802  NVML's names
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        return index

    def nvmlDeviceGetEncoderSessions(self, device: int) -> list[SimpleNamespace]:  # noqa: N802
        if device == 1:
            raise RuntimeError("Not Supported")
        return [SimpleNamespace(pid=pid) for pid in self._pids]

    def nvmlDeviceGetEncoderUtilization(self, _device: int) -> list[int]:  # noqa: N802
        return [self._percent, 167000]

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, _device: int) -> int:  # noqa: N802
        return self._reasons


@pytest.mark.parametrize(
    ("nvml", "users", "kinds"),
    [
        (_Nvml(), (), []),
        (_Nvml(pids=[42, 43], percent=30), ("process 43", "sunshine"), ["screen_sharing", "encoder"]),
        (_Nvml(percent=30), (), ["encoder"]),
        (_Nvml(reasons=0x21), (), ["heat"]),
    ],
    ids=["idle", "sessions", "busy", "hot"],
)
def test_encoders_and_heat_of_nvidia_cards(nvml: _Nvml, users: tuple[str, ...], kinds: list[str]) -> None:
    names = {42: "sunshine"} if users else {}
    found = read_conditions(_sources("linux", nvml=lambda: nvml, process_names=lambda: names))

    assert found.encoder_users == users
    assert _kinds(found) == kinds


def test_cards_that_tell_nothing_are_not_idle_and_cool() -> None:
    """As of a card for computing, which has no encoder, under a driver that shows no reasons for its clock."""

    class Silent(_Nvml):
        def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: ARG002, N802
            return 1

        def nvmlDeviceGetCurrentClocksThrottleReasons(self, _device: int) -> int:  # noqa: N802
            raise RuntimeError("Not Supported")

    found = read_conditions(_sources("linux", nvml=Silent))

    assert found.encoder_percent is None
    assert {"encoder_use", "gpu_heat"} <= set(found.unmeasured)


# Around a block -------------------------------------------------------------------------------------------------------


def test_what_either_reading_has_is_a_warning_of_the_block_once() -> None:
    plugged, unplugged = MachineConditions(on_battery=False), MachineConditions(on_battery=True)
    for before, after in ((plugged, unplugged), (unplugged, unplugged)):
        noise = judge_noise(
            "a",
            0,
            before=NoiseReading(conditions=before),
            after=NoiseReading(conditions=after),
            wall_s=1,
            foreign_cpu_s=None,
        )

        assert noise.warnings == ("the machine runs on its battery; plug it in",)
        assert [warning.kind for warning in noise.conditions] == ["battery"]


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    found = read_noise(tmp_path, watch_s=0.0).conditions

    assert found is not None
    assert found.on_battery is not None
    assert "screen_sharing" not in found.unmeasured
