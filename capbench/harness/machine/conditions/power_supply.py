"""Whether the machine runs on its battery."""

from __future__ import annotations

from capbench.harness.machine.conditions.condition_sources import MachineSources, first_line, first_number

__all__ = ["read_power_supply"]


def read_power_supply(sources: MachineSources) -> dict[str, object]:
    """`on_battery` and `battery_percent`; a machine without a battery is not on it."""
    if sources.platform != "linux":
        found = sources.battery()
        if found is None:
            return {"on_battery": False}
        percent, is_plugged = found
        return {"on_battery": not is_plugged, "battery_percent": percent}
    return _from_kernel(sources)


def _from_kernel(sources: MachineSources) -> dict[str, object]:
    """From `/sys/class/power_supply` (sysfs-class-power): mains, USB chargers and batteries, a folder each."""
    supplies = [folder for folder in sorted(sources.sys_folder.glob("class/power_supply/*")) if folder.is_dir()]
    batteries = [
        folder
        for folder in supplies
        # a mouse, a headset: what they have left is no concern of the machine
        if first_line(folder / "type") == "Battery" and first_line(folder / "scope") != "Device"
    ]
    if not batteries:
        return {"on_battery": False}
    online = [first_line(folder / "online") for folder in supplies if folder not in batteries]
    plugged = [state for state in online if state is not None]
    discharges = any(first_line(folder / "status") == "Discharging" for folder in batteries)
    percents = [percent for folder in batteries if (percent := first_number(folder / "capacity")) is not None]
    return {
        # A charger that is too weak leaves the battery discharging, which limits the machine alike.
        "on_battery": discharges or (bool(plugged) and not any(state == "1" for state in plugged)),
        "battery_percent": min(percents, default=None),
    }
