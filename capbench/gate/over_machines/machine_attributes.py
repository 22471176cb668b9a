"""What a machine is, in words by which people sort machines."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

from capbench.results.environment import Environment, FleetMachine

__all__ = ["attributes_by_machine", "attributes_of"]

_VENDORS = (
    ("NVIDIA", ("nvidia", "geforce", "quadro", "tesla")),
    ("AMD", ("amd", "radeon", "advanced micro devices")),
    ("Intel", ("intel",)),
    ("Apple", ("apple",)),
    ("Qualcomm", ("qualcomm", "adreno")),
    ("Arm", ("mali",)),
)
"""Vendors of adapters and processors with the words that name them; the first that matches counts."""
_SYSTEMS = (("macOS", ("darwin", "macos")), ("Windows", ("windows",)), ("Linux", ("linux",)))


def attributes_by_machine(machines: Mapping[str, FleetMachine], runs: pd.DataFrame) -> dict[str, dict[str, str]]:
    """Attributes of every machine that `runs` name; from the runs alone where the folder's table does not have it."""
    named = dict.fromkeys(str(name) for name in runs["machine"].dropna()) if "machine" in runs.columns else {}
    return {name: attributes_of(machines[name]) if name in machines else _of_runs(runs, name) for name in named}


def attributes_of(machine: FleetMachine) -> dict[str, str]:
    """What separates machines, most telling first: graphics, system, driver, processor, tags, and so on.

    What is not known is left out.
    """
    found = machine.environment
    cores = found.cores_usable or found.cores_logical
    known = {
        **_graphics(found.adapter, is_software=found.adapter_is_software),
        "system": _first(found.os, _SYSTEMS) or _opening_word(found.os),
        "adapter": _without_driver(found.adapter),
        "driver": found.driver,
        "system version": found.os,
        "processor vendor": _first(found.cpu_model, _VENDORS),
        "processor": found.cpu_model,
        "architecture": found.architecture,
        **{f"tag {name}": value for name, value in machine.tags.items()},
        "cores": None if cores is None else str(cores),
        "memory": None if found.memory_gib is None else f"{found.memory_gib} GiB",
    }
    return {name: value for name, value in known.items() if value}


def _of_runs(runs: pd.DataFrame, machine: str) -> dict[str, str]:
    own = runs[runs["machine"] == machine]
    cells = {
        name: next(iter(own[name].dropna()), None) if name in own.columns else None
        for name in ("adapter", "adapter_is_software")
    }
    is_software = cells["adapter_is_software"]
    environment = Environment(
        adapter=None if cells["adapter"] is None else str(cells["adapter"]),
        adapter_is_software=None if is_software is None else bool(is_software),
    )
    return attributes_of(FleetMachine(environment=environment))


def _graphics(adapter: str | None, *, is_software: bool | None) -> dict[str, str | None]:
    if is_software:
        return {"graphics": "a software adapter"}
    vendor = _first(adapter, _VENDORS)
    return {"graphics": None if vendor is None else f"{vendor} graphics"}


def _without_driver(adapter: str | None) -> str | None:
    """`NVIDIA GeForce RTX 4070` of `NVIDIA GeForce RTX 4070, driver 550.54 (Vulkan)`."""
    return None if adapter is None else re.split(r", | \(", adapter, maxsplit=1)[0].strip()


def _first(text: str | None, known: tuple[tuple[str, tuple[str, ...]], ...]) -> str | None:
    words = (text or "").lower()
    return next((name for name, marks in known if any(re.search(rf"\b{mark}", words) for mark in marks)), None)


def _opening_word(text: str | None) -> str | None:
    return (text or "").split()[0] if (text or "").split() else None
