"""Starting a matrix by name: what `capbench run` and `capbench.run()` do."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from capbench.errors import MatrixError, ResultError
from capbench.harness.machine.gpu_telemetry import open_gauges
from capbench.harness.machine.read_machine import read_environment
from capbench.harness.matrix.git_revisions import add_revision
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.matrix.toml_file import known_paths
from capbench.harness.run.executor import ProcessExecutor
from capbench.harness.run.leftovers import IN_PROGRESS, own_folder
from capbench.harness.run.progress import Progress
from capbench.harness.run.result_folder import RunFolder, lock_folder, program_version, read_plan
from capbench.harness.run.runner import UNLIMITED_BLOCKS, StoppingRule, run_matrix, unavailable_subjects
from capbench.harness.run.schedule import Plan
from capbench.harness.run.validate_output import Validator
from capbench.harness.worker.client import ask_worker
from capbench.results.base_subject import BaseChoice, choose_base
from capbench.results.folder import FolderContents
from capbench.results.run_record import Interleave

__all__ = ["new_folder", "resumable_folder", "run"]

_MACHINE_TIMEOUT_S = 120.0
"""Opening a GPU device compiles nothing, but a cold disk has been seen to take a minute for the drivers."""


def run(
    matrix: str | Path | RunMatrix,
    *,
    out: Path | None = None,
    cases: Sequence[str] = (),
    subjects: Sequence[str] = (),
    blocks: int | None = None,
    budget_s: float | None = None,
    seed: int | None = None,
    timeout_s: float | None = None,
    against: str | None = None,
    base: str | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    validate: bool = True,
    keep_outputs: bool = False,
    interleave: Interleave | None = None,
    slice_ms: float | None = None,
    trace: bool = False,
    is_decided: Callable[[FolderContents], bool] | None = None,
    stops_at_failed_warmup: bool = False,
    progress: Progress | None = None,
    command: Sequence[str] = (),
) -> FolderContents:
    """Run a matrix into a result folder and return what is in it.

    `cases` and `subjects` are globs. With `budget_s` and without `blocks`, as many whole blocks are made as fit.
    With `resume` what is recorded is kept; with `retry_failed` too, runs that failed are made again.
    `against` is a git revision that is measured side by side. `base` is the subject that the others are compared with,
    instead of the matrix's `reference`. `interleave` and `slice_ms` replace the matrix's. With `stops_at_failed_warmup`
    a subject whose first run fails ends the matrix with `MatrixError`. Raises `InputError`, `MatrixError`,
    `ResultError`, `OutputError`.
    """
    progress = progress or Progress()
    loaded = matrix if isinstance(matrix, RunMatrix) else load_matrix(matrix)
    chosen = loaded.select(cases, subjects, paths=known_paths())
    if blocks is not None and blocks < 1:
        raise MatrixError(f"--blocks must be at least 1, got {blocks}")
    if blocks is None and (budget_s is not None or is_decided is not None):
        blocks = UNLIMITED_BLOCKS
    chosen = _with_settings(chosen, blocks=blocks, timeout_s=timeout_s, interleave=interleave, slice_ms=slice_ms)
    if against is not None:
        chosen = add_revision(chosen, against, says=progress.say)
    if not resume:  # hours of runs must not end with a base that was never there
        _choose_base(chosen, base)
    path = out or (resumable_folder(chosen.name) if resume else new_folder())
    if interleave is None and resume:
        chosen = _interleaved_as_begun(chosen, read_plan(path).matrix)
    folder = RunFolder(path, retries_failed=retry_failed)
    with lock_folder(path):
        if resume:
            plan = folder.resume(chosen, base)
        else:
            plan = Plan(
                capbench_version=program_version(),
                matrix=chosen,
                seed=secrets.randbelow(2**32) if seed is None else seed,
                command=tuple(command),
                started_at=datetime.now(UTC).isoformat(timespec="seconds"),
                skipped=unavailable_subjects(chosen),
                base=base,
            )
            folder.begin(plan)
        progress.say(_choose_base(chosen, plan.base).sentence or "nothing to compare: only one subject")
        environment = read_environment(_ask_machine(path), Path(__file__).resolve().parents[3])
        folder.check_machine(environment)
        gauges, reasons = open_gauges()
        validator = Validator(path, keeps_outputs=keep_outputs) if validate else None
        executor = ProcessExecutor(
            folder=path,
            environment=environment,
            validator=validator,
            keeps_outputs=keep_outputs,
            traces=trace,
            gauges=gauges,
            gauge_reasons=reasons,
        )
        return run_matrix(
            plan,
            folder,
            executor,
            validator=validator,
            pace=StoppingRule(budget_s, is_decided, stops_at_failed_warmup=stops_at_failed_warmup),
            progress=progress,
        )


def _choose_base(matrix: RunMatrix, base: str | None) -> BaseChoice:
    return choose_base([subject.name for subject in matrix.subjects], asked=base, reference=matrix.reference)


def new_folder(reports: Path = Path("reports"), *, now: datetime | None = None) -> Path:
    """A folder of this moment that does not exist yet."""
    stamp = (now or datetime.now(UTC)).strftime("%Y-%m-%dT%H-%M-%SZ")
    candidates = (reports / stamp, *(reports / f"{stamp}-{number}" for number in range(2, 1000)))
    return next(folder for folder in candidates if not folder.exists())


def resumable_folder(matrix_name: str, reports: Path = Path("reports")) -> Path:
    """The newest folder of a matrix. Raises `ResultError` if there is none."""
    found = [plan.parent for plan in reports.glob("*/matrix.json") if _matrix_name(plan) == matrix_name]
    if not found:
        raise ResultError(f"no folder of matrix {matrix_name!r} under {reports}/ to resume; name it with --out")
    return max(found, key=lambda folder: (folder / "matrix.json").stat().st_mtime)


def _matrix_name(plan_file: Path) -> str | None:
    try:
        return read_plan(plan_file.parent).matrix.name
    except ResultError:
        return None  # not a folder of ours, or damaged: nothing to resume


def _with_settings(matrix: RunMatrix, **changes: object) -> RunMatrix:
    """The matrix with settings that all cases get; None leaves each its own."""
    said = {key: value for key, value in changes.items() if value is not None}
    return matrix.model_copy(update={"cases": tuple(case.model_copy(update=said) for case in matrix.cases)})


def _interleaved_as_begun(matrix: RunMatrix, begun: RunMatrix) -> RunMatrix:
    """A folder goes on as it was begun, whatever would be taken today."""
    then = {case.name: {"interleave": case.interleave, "slice_ms": case.slice_ms} for case in begun.cases}
    cases = tuple(case.model_copy(update=then.get(case.name, {})) for case in matrix.cases)
    return matrix.model_copy(update={"cases": cases})


def _ask_machine(folder: Path) -> dict[str, Any]:
    scratch = own_folder(folder, IN_PROGRESS)
    answer = ask_worker("machine", {}, scratch=scratch, timeout_s=_MACHINE_TIMEOUT_S, python=Path(sys.executable))
    return answer.result if answer.result is not None else {"error": answer.error}
