"""Reading the conditions of a machine, and naming what of them may distort a measurement. Nothing is weighed by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import psutil

from capbench.harness.machine.conditions.condition_sources import MachineSources, UnreadableError
from capbench.harness.machine.conditions.encoder_use import read_encoder_use, read_gpu_heat
from capbench.harness.machine.conditions.frequency_policy import read_frequency_policy
from capbench.harness.machine.conditions.power_supply import read_power_supply
from capbench.harness.machine.conditions.screen_sharing import read_screen_sharing
from capbench.harness.machine.conditions.thermal_state import read_thermal_state
from capbench.results.environment import ConditionWarning, MachineConditions

__all__ = ["judge_conditions", "read_conditions"]

_BUSY_ENCODER_PERCENT = 5.0
"""More than rounding, and what a still screen that is streamed takes."""
_LIMITED_PERCENT = 95.0
"""Below it the processor may not reach what it could: the margins that gates look for are a few percent."""
_READERS: Mapping[str, Callable[[MachineSources], dict[str, object]]] = {
    "power_supply": read_power_supply,
    "frequency_policy": read_frequency_policy,
    "thermal_state": read_thermal_state,
    "screen_sharing": read_screen_sharing,
    "encoder_use": read_encoder_use,
    "gpu_heat": read_gpu_heat,
}


def read_conditions(sources: MachineSources | None = None) -> MachineConditions:
    """Read everything that this system tells; what it does not has its reason in `unmeasured`."""
    sources = sources or MachineSources()
    found: dict[str, object] = {}
    unmeasured: dict[str, str] = {}
    for name, read in _READERS.items():
        try:
            found |= read(sources)
        except (UnreadableError, OSError, ValueError, psutil.Error) as error:
            unmeasured[name] = str(error)
    return MachineConditions.model_validate(found | {"unmeasured": unmeasured})


def judge_conditions(before: MachineConditions | None, after: MachineConditions | None) -> tuple[ConditionWarning, ...]:
    """What of either reading a reader of the block's figures should know, once each."""
    readings = [reading for reading in (before, after) if reading is not None]
    return tuple(dict.fromkeys(warning for reading in readings for warning in _warnings(reading)))


def _warnings(now: MachineConditions) -> list[ConditionWarning]:
    found = []
    if now.on_battery:
        found.append(ConditionWarning(kind="battery", text="the machine runs on its battery; plug it in"))
    if now.saves_power:
        plan = ", ".join(part for part in (*now.governors, *now.energy_preferences, now.power_plan) if part)
        found.append(ConditionWarning(kind="power_saving", text=f"the system saves power ({plan})"))
    if now.frequency_limit_percent is not None and now.frequency_limit_percent < _LIMITED_PERCENT:
        share = f"{now.frequency_limit_percent:.0f}% of its highest frequency"
        found.append(ConditionWarning(kind="power_saving", text=f"the processor is limited to {share}"))
    if now.screen_sharing:
        programs = ", ".join(now.screen_sharing)
        found.append(ConditionWarning(kind="screen_sharing", text=f"the screen may be shared or recorded: {programs}"))
    if now.encoder_users:
        users = ", ".join(now.encoder_users)
        found.append(ConditionWarning(kind="encoder", text=f"others use the GPU's video encoder: {users}"))
    elif now.encoder_percent is not None and now.encoder_percent > _BUSY_ENCODER_PERCENT:
        found.append(ConditionWarning(kind="encoder", text="the GPU's video encoder is busy between runs"))
    if now.hot_zones:
        # Without the degrees, which differ from block to block.
        found.append(
            ConditionWarning(kind="heat", text=f"thermal zones are at their limit: {', '.join(now.hot_zones)}")
        )
    if now.thermal_limit_percent is not None and now.thermal_limit_percent < _LIMITED_PERCENT:
        share = f"{now.thermal_limit_percent:.0f}% of its speed"
        found.append(ConditionWarning(kind="heat", text=f"heat limits the processor to {share}"))
    if now.gpu_slowdowns:
        found.append(ConditionWarning(kind="heat", text=f"the GPU slows down: {', '.join(now.gpu_slowdowns)}"))
    return found
