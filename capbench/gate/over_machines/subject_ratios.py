"""What each machine of some bundles says of each subject: its time over the floor's in the same blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from capbench.errors import ResultError
from capbench.gate.over_machines.machine_attributes import attributes_of
from capbench.gate.statistics.inference import evidence
from capbench.gate.verdicts.phrases import FEWEST_BLOCKS, counted
from capbench.results.bundle.bundle_file import BundleContents
from capbench.results.bundle.bundle_records import BundledMachine, BundledRun
from capbench.results.bundle.machine_pool import PooledMachine
from capbench.results.environment import Environment, FleetMachine
from capbench.results.subject_name import is_export, is_floor

__all__ = ["LEVEL", "MachineRatio", "RatiosOfMachines", "ratios_of_bundles"]

_Times = dict[tuple[int, float | None], float]
"""`wall_s` by block and point."""
LEVEL = 0.05
"""Error of each bound of an interval: 90% between them."""


@dataclass(frozen=True, slots=True)
class MachineRatio:
    """One subject of one case on one machine."""

    machine: str
    """Its name in the pool."""
    estimate: float
    """Log of its time over the floor's: Hodges and Lehmann's estimate over blocks."""
    error: float
    """Standard error of the estimate, robust."""
    interval: tuple[float, float]
    """Bounds of the estimate from the machine's own blocks."""
    blocks: int
    """Blocks that hold both."""


@dataclass(frozen=True, slots=True)
class RatiosOfMachines:
    """Everything that is pooled."""

    machines: tuple[PooledMachine, ...]
    """The machines, by name."""
    ratios: Mapping[tuple[str, str], Sequence[MachineRatio]]
    """(case, subject) to one ratio a machine."""
    left_out: tuple[str, ...]
    """What cannot be pooled, and why."""


def ratios_of_bundles(bundles: Sequence[BundleContents]) -> RatiosOfMachines:
    """Ratios of every machine, case and subject that has the floor in at least three blocks.

    Cases of one name that ask for other work are told apart by their definitions. Raises `ResultError` where a bundle
    is named twice, and where nothing can be pooled.
    """
    names = _names(bundles)
    cases = _case_names(bundles)
    machines: list[PooledMachine] = []
    ratios: dict[tuple[str, str], list[MachineRatio]] = {}
    left_out: list[str] = []
    for bundle in bundles:
        by_machine: dict[str, list[BundledRun]] = {}
        for run in bundle.runs.runs:
            by_machine.setdefault(run.machine, []).append(run)
        for number, machine in bundle.machines.machines.items():
            name = names[bundle.sha256, number]
            own = by_machine.get(number, [])
            machines.append(_pooled_machine(name, machine, own))
            for case, subject, found in _ratios_of(name, own, left_out):
                key = cases[case, bundle.cases.cases[case].definition], subject
                ratios.setdefault(key, []).append(found)
    if not ratios:
        raise ResultError(
            f"nothing can be pooled: {left_out[0] if left_out else 'no bundle has a subject and the floor'}"
        )
    return RatiosOfMachines(tuple(machines), dict(sorted(ratios.items())), tuple(dict.fromkeys(left_out)))


def _names(bundles: Sequence[BundleContents]) -> dict[tuple[str, str], str]:
    """(hash of a bundle, number of a machine) to a name that stands once."""
    found: dict[tuple[str, str], str] = {}
    by_hash: dict[str, BundleContents] = {}
    for bundle in bundles:
        if (other := by_hash.setdefault(bundle.sha256, bundle)) is not bundle:
            raise ResultError(f"{bundle.path} and {other.path} are the same bundle; name it once")
        several = len(bundle.machines.machines) > 1
        for number in bundle.machines.machines:
            stem = bundle.path.name.removesuffix(".capbench")
            name = f"{stem}:{number.removeprefix('machine-')}" if several else stem
            while name in found.values():  # two folders may each have a machine.capbench
                name += "+"
            found[bundle.sha256, number] = name
    return found


def _case_names(bundles: Sequence[BundleContents]) -> dict[tuple[str, str], str]:
    """(name, definition) to what the case is called in the pool."""
    definitions: dict[str, dict[str, None]] = {}
    for bundle in bundles:
        for name, case in bundle.cases.cases.items():
            definitions.setdefault(name, {})[case.definition] = None
    return {
        (name, definition): name if len(known) == 1 else f"{name} ({definition[:6]})"
        for name, known in definitions.items()
        for definition in known
    }


def _pooled_machine(name: str, machine: BundledMachine, runs: Sequence[BundledRun]) -> PooledMachine:
    known = {
        field: getattr(machine, field) for field in BundledMachine.model_fields if field in Environment.model_fields
    }
    memory = None if machine.memory_gib is None else machine.memory_gib * 2**30
    attributes = attributes_of(FleetMachine(environment=Environment(**known, memory_bytes=memory)))
    system, graphics = attributes.get("system", "an unknown system"), attributes.get("graphics", "unknown graphics")
    revisions = dict.fromkeys(run.revision for run in runs if run.revision and run.counts)
    return PooledMachine(
        name=name, platform=f"{system}, {graphics}", attributes=attributes, revisions=tuple(map(str, revisions))
    )


def _ratios_of(
    machine: str, runs: Sequence[BundledRun], left_out: list[str]
) -> Iterator[tuple[str, str, MachineRatio]]:
    times: dict[tuple[str, str], _Times] = {}
    floors: dict[str, _Times] = {}
    for run in runs:
        if run.counts and run.wall_s:
            own = times.setdefault((run.case, run.subject), {})
            own[run.block, run.value] = run.wall_s
            if is_floor(run.subject):
                floors.setdefault(run.case, own)  # of several revisions' floors the first
    for case, subject in sorted({(run.case, run.subject) for run in runs if is_export(run.subject)}):
        floor = floors.get(case, {})
        own = times.get((case, subject), {})
        by_block: dict[int, list[float]] = {}
        for place in own.keys() & floor.keys():
            by_block.setdefault(place[0], []).append(math.log(own[place] / floor[place]))
        most = max((len(values) for values in by_block.values()), default=0)
        # A block of a curve counts where all of its points do: another mixture of points is another figure.
        logs = np.array([np.mean(values) for values in by_block.values() if len(values) == most])
        if logs.size < FEWEST_BLOCKS:
            why = "without the floor of its block" if own and not floor else f"in {counted(int(logs.size), 'block')}"
            left_out.append(f"{subject} of {case} on {machine}: measured {why}, and {FEWEST_BLOCKS} blocks are needed")
            continue
        shown = evidence(logs)
        side = shown.centre(LEVEL)
        bounds = side.lower(LEVEL), side.upper(LEVEL)
        yield case, subject, MachineRatio(machine, side.estimate, shown.standard_error(LEVEL), bounds, int(logs.size))
