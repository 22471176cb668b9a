"""Seeded result folders of several machines: equal ones, and fleets in which some disagree."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from capbench.results.environment import MACHINES_FILE, Environment, FleetMachine, MachineTable
from capbench.results.folder import run_stem, write_record
from tests.report_simulator import SimulatedCase, Simulation, simulate_runs

ONE_CASE = (SimulatedCase("4k-1min", 3840, 2160, 1800, 88.0),)


@dataclass(frozen=True)
class SimulatedMachine:
    """One machine of a fleet."""

    name: str
    adapter: str = "NVIDIA GeForce RTX 4070, driver 550.54 (Vulkan)"
    is_software: bool = False
    cpu_model: str = "AMD Ryzen 9 7950X"
    os: str = "Debian GNU/Linux 13"
    cores: int = 16
    speed: float = 1.0
    """How many times as long everything takes on it."""
    slowdown: Mapping[str, float] = field(default_factory=dict)
    """Subject to a factor on its time."""
    tags: Mapping[str, str] = field(default_factory=dict)
    noise: float = 0.02
    blocks: int | None = None
    broken_colour: frozenset[str] = frozenset()


LAB = (
    SimulatedMachine("studio-1", tags={"lab": "berlin"}),
    SimulatedMachine("studio-2", speed=1.1, tags={"lab": "berlin"}),
    SimulatedMachine("studio-3", "NVIDIA GeForce RTX 3060, driver 550.54 (Vulkan)", speed=1.4, tags={"lab": "berlin"}),
    SimulatedMachine(
        "win-rtx",
        "NVIDIA RTX A2000, driver 556.12 (D3D12)",
        os="Windows 11 (10.0.26100)",
        speed=1.5,
        tags={"lab": "oslo"},
    ),
    SimulatedMachine(
        "win-radeon",
        "AMD Radeon RX 7600, driver 24.8 (D3D12)",
        os="Windows 11 (10.0.26100)",
        speed=1.3,
        tags={"lab": "oslo"},
    ),
    SimulatedMachine("radeon", "AMD Radeon RX 6800 (RADV), Mesa 25.0 (Vulkan)", speed=1.05, tags={"lab": "berlin"}),
    SimulatedMachine(
        "mini",
        "Apple M2, macOS 15.1 (Metal)",
        cpu_model="Apple M2",
        os="macOS 15.1 (Darwin 24.1.0)",
        speed=1.2,
        cores=8,
    ),
    SimulatedMachine(
        "book", "Apple M3 Pro, macOS 15.1 (Metal)", cpu_model="Apple M3 Pro", os="macOS 15.1 (Darwin 24.1.0)", cores=12
    ),
    SimulatedMachine("render-1", speed=0.8, cores=32, tags={"lab": "oslo"}),
    SimulatedMachine("render-2", speed=0.8, cores=32, noise=0.06, tags={"lab": "oslo"}),
    SimulatedMachine(
        "ci-1",
        "llvmpipe (LLVM 15.0.6, 256 bits), Mesa 22.3.6 (Vulkan)",
        is_software=True,
        speed=4.0,
        cores=4,
        noise=0.05,
    ),
    SimulatedMachine(
        "thinkpad",
        "Intel(R) Iris(R) Xe Graphics, Mesa 25.0 (Vulkan)",
        cpu_model="Intel(R) Core(TM) i7-1260P",
        speed=2.1,
        cores=12,
        slowdown={"gpu": 2.0},
    ),
)
"""Twelve machines, of which one disagrees: `gpu` takes longer than `cpu` on integrated Intel graphics."""


def write_fleet_folder(
    folder: Path,
    machines: Sequence[SimulatedMachine] = LAB,
    simulation: Simulation | None = None,
) -> Path:
    """Write the runs of every machine, `machines.json` and `matrix.json`; returns the folder."""
    simulation = simulation or Simulation(cases=ONE_CASE, blocks=8, trace_samples=12, picture_size=None)
    table = {}
    for number, machine in enumerate(machines):
        own = _of_machine(simulation, machine, number)
        for run in simulate_runs(own):
            named = run.model_copy(update={"machine": machine.name})
            write_record(folder / "runs" / f"{run_stem(named)}.json", named)
        table[machine.name] = FleetMachine(environment=_environment(machine, own), tags=dict(machine.tags))
    write_record(folder / MACHINES_FILE, MachineTable(machines=table))
    (folder / "matrix.json").write_text(json.dumps(_plan(simulation)), encoding="utf-8")
    return folder


def _of_machine(simulation: Simulation, machine: SimulatedMachine, number: int) -> Simulation:
    return replace(
        simulation,
        cases=[replace(case, floor_s=case.floor_s * machine.speed) for case in simulation.cases],
        blocks=machine.blocks or simulation.blocks,
        seed=simulation.seed + 1000 * number,
        adapter=machine.adapter,
        adapter_is_software=machine.is_software,
        fingerprint=_environment(machine, simulation).identity(),
        slowdown=machine.slowdown,
        noise=machine.noise,
        broken_colour=machine.broken_colour,
    )


def _environment(machine: SimulatedMachine, simulation: Simulation) -> Environment:
    known = Environment(
        cpu_model=machine.cpu_model,
        cores_logical=machine.cores,
        cores_usable=machine.cores,
        memory_bytes=32 * 2**30,
        os=machine.os,
        architecture="arm64" if "Apple" in machine.cpu_model else "x86_64",
        python="CPython 3.12.3",
        packages={"capbench": "0.1.0"},
        adapter=machine.adapter,
        adapter_is_software=machine.is_software,
        driver=machine.adapter.partition(", ")[2] or None,
        git_revision=simulation.revision,
    )
    return known.model_copy(update={"fingerprint": known.identity()})


def _plan(simulation: Simulation) -> dict[str, object]:
    return {
        "schema_version": 1,
        "seed": simulation.seed,
        "started_at": simulation.started_at,
        "command": ["capbench", "run", "standard", "--fleet", "tls://scheduler:8786"],
        "matrix": {
            "name": "standard",
            "cases": [{"name": case.name, "width": case.width, "height": case.height} for case in simulation.cases],
            "subjects": [{"name": subject.name} for subject in simulation.subjects],
        },
    }
