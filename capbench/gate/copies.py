"""A matrix for calibration: one subject, an equal twin, and copies with a planted slowdown, in every block."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from capbench.errors import MatrixError
from capbench.gate.verdicts.pairing import is_floor
from capbench.harness.matrix.model import Case, Matrix, Subject
from capbench.harness.worker.slowdown import VARIABLE

__all__ = ["TWIN_SUFFIX", "calibration_matrix", "slowed_name"]

TWIN_SUFFIX = "~same"
"""What the name of the equal copy ends in."""


def slowed_name(subject: str, share: float) -> str:
    """Name of the copy that is slower by a share of its wall time: `cpu~plus5` for 0.05."""
    return f"{subject}~plus{share * 100:g}"


def calibration_matrix(matrix: Matrix, *, subject: str | None, effects: Sequence[float], stage: str) -> Matrix:
    """Every case with only `subject` (the first that is not the floor where None) and its copies.

    Raises `MatrixError` where a case lacks the subject or no effect is asked for.
    """
    if not effects:
        raise MatrixError("give at least one --effect")
    name = subject or next((known.name for known in matrix.subjects if not is_floor(known.name)), None)
    if name is None:
        raise MatrixError(f"matrix {matrix.name} has no subject to calibrate with")
    original = matrix.subject(name)
    copies = [original, _copy(original, f"{name}{TWIN_SUFFIX}", 0.0, stage)]
    copies += [_copy(original, slowed_name(name, share), share, stage) for share in effects]
    cases = tuple(_only(case, name, copies) for case in matrix.cases if name in case.subjects)
    if not cases:
        raise MatrixError(f"no case has the subject {name!r}")
    return matrix.model_copy(update={"subjects": tuple(copies), "cases": cases})


def _copy(original: Subject, name: str, share: float, stage: str) -> Subject:
    if original.command:
        wrapper = (sys.executable, "-m", "capbench.harness.worker.slowdown", f"{share:g}") if share else ()
        return original.model_copy(update={"name": name, "command": (*wrapper, *original.command)})
    planted = {VARIABLE: f"{stage}:{share:g}"} if share else {}
    return original.model_copy(update={"name": name, "env": original.env | planted})


def _only(case: Case, name: str, copies: Sequence[Subject]) -> Case:
    assert name in case.subjects
    return case.model_copy(update={"subjects": tuple(copy.name for copy in copies), "drift_control": False})
