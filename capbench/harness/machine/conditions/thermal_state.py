"""Whether heat limits the machine: zones at their limits, and what the system says that it allows."""

from __future__ import annotations

import re

from capbench.harness.machine.conditions.condition_sources import (
    MachineSources,
    UnreadableError,
    first_line,
    first_number,
)

__all__ = ["read_thermal_state"]

_PLAUSIBLE_CELSIUS = (30.0, 130.0)
"""Firmware fills in 0 or 200 where a trip point has no meaning."""
_PASSIVE_LIMIT = r"\Thermal Zone Information(*)\% Passive Limit"
"""How much of its speed a zone of Windows allows, in percent."""


def read_thermal_state(sources: MachineSources) -> dict[str, object]:
    """`hot_zones` and `thermal_limit_percent`. Raises `UnreadableError` where the system does not say."""
    if sources.platform == "darwin":
        limits = re.findall(r"CPU_Speed_Limit\s*=\s*(\d+)", sources.ask(["pmset", "-g", "therm"]))
        return {"thermal_limit_percent": min(map(float, limits), default=100.0)}
    if sources.platform == "win32":
        text = sources.ask(["typeperf", _PASSIVE_LIMIT, "-sc", "1"])
        values = [float(value) for line in text.splitlines()[1:] for value in re.findall(r'"(\d+(?:\.\d+)?)"', line)]
        if not values:
            raise UnreadableError("this Windows has no thermal zones")
        return {"thermal_limit_percent": min(values)}
    zones = sorted(sources.sys_folder.glob("class/thermal/thermal_zone*"))
    if not zones:
        raise UnreadableError("the system shows no thermal zones, as in most virtual machines")
    hot = []
    for zone in zones:
        millidegrees, low, high = first_number(zone / "temp"), *_PLAUSIBLE_CELSIUS
        trips = [
            trip / 1000
            for kind in zone.glob("trip_point_*_type")
            if first_line(kind) in ("passive", "hot", "critical")
            and (trip := first_number(kind.with_name(kind.name.replace("_type", "_temp")))) is not None
        ]
        limit = min((trip for trip in trips if low <= trip <= high), default=None)
        if millidegrees is not None and limit is not None and millidegrees / 1000 >= limit:
            hot.append(f"{first_line(zone / 'type') or zone.name} at {millidegrees / 1000:.0f} of {limit:.0f} degrees")
    return {"hot_zones": tuple(hot)}
