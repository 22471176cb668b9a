"""Which machines of a fleet take part in a matrix, by its `[[machine]]` tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from capbench.fleet.workers.machine_report import MachineReport
from capbench.harness.matrix.model import RunMatrix
from capbench.results.environment import MachineChoice

__all__ = ["choice_for", "describe_choices"]

_ANY = MachineChoice()


def choice_for(report: MachineReport, matrix: RunMatrix) -> tuple[int, MachineChoice] | None:
    """The first table that a machine matches, with its number; None: it takes no part. Without a table all match."""
    choices = enumerate(matrix.machines or (_ANY,))
    return next(((number, choice) for number, choice in choices if _matches(report, choice)), None)


def _matches(report: MachineReport, choice: MachineChoice) -> bool:
    machine, environment = report.machine, report.machine.environment
    known: dict[str, Iterable[str | None]] = {
        "name": (report.name,),
        "adapter": (environment.adapter,),
        "system": (report.system,),
        "os": (environment.os,),
        "cpu_model": (environment.cpu_model,),
        "architecture": (environment.architecture,),
        "encoder": machine.encoders,
        "decoder": machine.decoders,
    }
    return (
        all(_any_matches(known.get(field, ()), glob) for field, glob in choice.match.items())
        and all(_any_matches((machine.tags.get(tag),), glob) for tag, glob in choice.tags.items())
        and choice.software in (None, environment.adapter_is_software)
    )


def _any_matches(values: Iterable[str | None], glob: str) -> bool:
    return any(value is not None and fnmatchcase(value.casefold(), glob.casefold()) for value in values)


def describe_choices(choices: Sequence[MachineChoice]) -> str:
    """What the tables ask for, in words."""
    said = []
    for choice in choices:
        parts = [f"{field} {glob}" for field, glob in choice.match.items()]
        parts += [f"tag {tag}={glob}" for tag, glob in choice.tags.items()]
        parts += [] if choice.software is None else ["software adapter" if choice.software else "hardware adapter"]
        said.append(", ".join(parts) or "any machine")
    return "; or ".join(said) or "any machine"
