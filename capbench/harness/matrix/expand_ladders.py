"""Ladders: cases that differ only in what their scenes draw, in the order in which each adds something."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from capbench.errors import MatrixError
from capbench.harness.matrix.model import Case, Ladder
from capbench.harness.matrix.toml_file import MatrixFile
from capbench.units import shown
from capbench.unknown_names import did_you_mean

__all__ = ["expand_ladders"]

_MAY_DIFFER = frozenset({"name", "scene", "subjects", "thresholds", "metrics", "timeout_s"})
"""Keys of a case that the time of an export does not depend on, and the scene, which is what a rung adds to."""


def expand_ladders(files: Mapping[Path, MatrixFile], cases: Mapping[str, Case]) -> tuple[Ladder, ...]:
    """The ladders of all files, in reading order.

    Raises `MatrixError` for a name that is taken, a rung that is no case, and rungs that differ in more than the scene:
    what the one costs over the other would not be what the scene adds.
    """
    found: dict[str, Ladder] = {}
    for path, file in files.items():
        for index, table in enumerate(file.ladder):
            where = f"{path}:ladder[{index}]({table.name})"
            if table.name in found:
                raise MatrixError(f"{where}.name: another ladder has this name; rename one")
            for place, rung in enumerate(table.rungs):
                if rung not in cases:
                    raise MatrixError(
                        f"{where}.rungs[{place}]: {shown(rung)} is no case of the matrix; available: "
                        f"{', '.join(cases)}{did_you_mean(rung, cases)}"
                    )
            lowest, *others = (cases[rung] for rung in table.rungs)
            for other in others:
                if differing := _differing(lowest, other):
                    raise MatrixError(
                        f"{where}.rungs: {lowest.name} and {other.name} differ in {', '.join(differing)}; the rungs "
                        "of a ladder may differ in their scenes and subjects only"
                    )
            found[table.name] = Ladder(name=table.name, rungs=tuple(table.rungs))
    return tuple(found.values())


def _differing(one: Case, other: Case) -> list[str]:
    return [key for key in Case.model_fields if key not in _MAY_DIFFER and getattr(one, key) != getattr(other, key)]
