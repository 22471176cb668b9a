"""What the system lets the processor do: governor, energy preference, frequency limit, power plan."""

from __future__ import annotations

import re

from capbench.harness.machine.conditions.condition_sources import (
    MachineSources,
    UnreadableError,
    first_line,
    first_number,
)

__all__ = ["POWER_SAVER_PLAN", "SELF_GOVERNING_DRIVERS", "read_frequency_policy"]

SELF_GOVERNING_DRIVERS = frozenset({"intel_pstate", "amd-pstate-epp"})
"""Their governor `powersave` only means that the processor chooses by itself (admin-guide/pm/intel_pstate); what it
prefers is `energy_performance_preference`."""
POWER_SAVER_PLAN = "a1841308-3541-4fab-bc81-f71556f20b4a"
"""The plan that every Windows has as its power saver, whatever it is called in its language."""


def read_frequency_policy(sources: MachineSources) -> dict[str, object]:
    """What applies to the processor now. Raises `UnreadableError` where the system does not say."""
    if sources.platform == "win32":
        return _windows_plan(sources)
    if sources.platform == "darwin":
        settings = dict(re.findall(r"^\s*(\w+)\s+(\d+)\b", sources.ask(["pmset", "-g"]), re.MULTILINE))
        # macOS 12 has `lowpowermode`, some later versions `powermode`, where 1 is low and 2 high power
        low = "1" in (settings.get("lowpowermode"), settings.get("powermode"))
        return {"power_plan": "low power mode" if low else "normal", "saves_power": low}
    return _kernel_policy(sources)


def _windows_plan(sources: MachineSources) -> dict[str, object]:
    text = sources.ask(["powercfg", "/getactivescheme"])
    found = re.search(r"([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})(?:\s+\((.*?)\))?", text)
    if found is None:
        raise UnreadableError("powercfg names no power plan")
    return {"power_plan": found[2] or found[1], "saves_power": found[1].lower() == POWER_SAVER_PLAN}


def _kernel_policy(sources: MachineSources) -> dict[str, object]:
    cpus = sources.sys_folder / "devices/system/cpu"
    policies = sorted(cpus.glob("cpu[0-9]*/cpufreq"))
    profile = first_line(sources.sys_folder / "firmware/acpi/platform_profile")
    if not policies and profile is None:
        raise UnreadableError("the system shows no frequency policy, as in most virtual machines")
    governors = {name for folder in policies if (name := first_line(folder / "scaling_governor"))}
    preferences = {name for folder in policies if (name := first_line(folder / "energy_performance_preference"))}
    shares = [
        100 * allowed / highest
        for folder in policies
        if (allowed := first_number(folder / "scaling_max_freq")) is not None
        and (highest := first_number(folder / "cpuinfo_max_freq"))
    ]
    saves = any(
        first_line(folder / "scaling_governor") in ("powersave", "conservative")
        and first_line(folder / "scaling_driver") not in SELF_GOVERNING_DRIVERS
        for folder in policies
    )
    return {
        "governors": tuple(sorted(governors)),
        "energy_preferences": tuple(sorted(preferences)),
        "power_plan": profile,
        "frequency_limit_percent": None if not shares else round(min(shares), 1),
        "saves_power": saves or bool({"power", "balance_power"} & preferences) or profile in ("low-power", "quiet"),
    }
