"""Starting a matrix by name: what `capbench run` and `capbench.run()` do."""

from __future__ import annotations

import contextlib
import math
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

from capbench.errors import InputError, ResultError
from capbench.harness.machine.gpu_telemetry import open_gauges
from capbench.harness.machine.machine_lock import RunTurns, machine_lock_folder
from capbench.harness.machine.read_machine import read_environment
from capbench.harness.matrix.git_revisions import add_revision
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.matrix.table_values import LONGEST_WAIT_S, MAX_SLICE_MS, MIN_SLICE_MS, MOST_BLOCKS, known_paths
from capbench.harness.process.scheduling import require_scheduling
from capbench.harness.run.executor import ProcessExecutor
from capbench.harness.run.leftovers import IN_PROGRESS, own_folder
from capbench.harness.run.progress import Progress
from capbench.harness.run.result_folder import RunFolder, lock_folder, read_plan
from capbench.harness.run.runner import run_matrix, unavailable_subjects
from capbench.harness.run.schedule import UNLIMITED_BLOCKS, Plan, StoppingRule
from capbench.harness.run.validate_output import Validator
from capbench.harness.worker.client import ask_worker
from capbench.installation import version_of
from capbench.results.base_subject import BaseChoice, choose_base
from capbench.results.folder import FolderContents
from capbench.results.run_record import Interleave, Scheduling

__all__ = [
    "RunOptions",
    "ask_machine",
    "chosen_base",
    "new_folder",
    "open_plan",
    "resumable_folder",
    "run",
    "settle_matrix",
]

_MACHINE_TIMEOUT_S = 120.0
"""Opening a GPU device compiles nothing, but a cold disk has been seen to take a minute for the drivers."""
_SHORTEST_TIMEOUT_S = 0.001
"""Whatever is shorter has passed before a process could be started."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What of a matrix to run, and how; what is left out stays as the matrix says.

    Raises `InputError` for a value out of its range: neither a matrix file nor a command line has checked it.
    """

    cases: Sequence[str] = ()
    """Globs of case names; none for all."""
    subjects: Sequence[str] = ()
    """Globs of subject names, or paths to add by name; none for all."""
    blocks: int | None = None
    """Blocks of each case, at least 1; None for the matrix's, or with `budget_s` for as many as fit."""
    budget_s: float | None = None
    """Begin only rounds that are expected to end within so many seconds; the first is always made."""
    timeout_s: float | None = None
    """A run that takes longer than so many seconds is killed and recorded as failed."""
    seed: int | None = None
    """Seed of the run order; None for a random one, which is recorded."""
    against: str | None = None
    """A git revision to measure side by side, as subjects `NAME@REV`."""
    base: str | None = None
    """The subject that the others are compared with; None for the `reference` of the matrix."""
    interleave: Interleave | None = None
    """How the subjects of a block take turns."""
    slice_ms: float | None = None
    """Mean length of a slice in milliseconds."""
    scheduling: Scheduling | None = None
    """How the kernel schedules the subjects; `realtime` is for Linux and needs the right to it."""
    validate: bool = True
    """Validate each output after its run was timed."""
    keep_outputs: bool = False
    """Keep the videos in `outputs/` of the result folder."""
    trace: bool = False
    """Write `traces/*.json` for ui.perfetto.dev; adds a little overhead."""

    def __post_init__(self) -> None:
        for name in ("cases", "subjects"):
            if isinstance(value := getattr(self, name), str):  # its letters would be globs
                raise InputError(f"{name} must be a sequence of globs, got {value!r}; write [{value!r}]")
        for name, least, most in (
            ("blocks", 1, MOST_BLOCKS),
            ("budget_s", 0, math.inf),
            ("timeout_s", _SHORTEST_TIMEOUT_S, LONGEST_WAIT_S),
            ("seed", 0, math.inf),
            ("slice_ms", MIN_SLICE_MS, MAX_SLICE_MS),
        ):
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                limits = f"at least {least:g}" if most == math.inf else f"between {least:g} and {most:g}"
                raise InputError(f"{name} must be {limits}, got {value}")
        for name, words in (("interleave", get_args(Interleave)), ("scheduling", get_args(Scheduling))):
            value = getattr(self, name)
            if value is not None and value not in words:
                raise InputError(f"{name} must be one of {', '.join(words)}, got {value!r}")


def run(
    matrix: str | Path | RunMatrix,
    options: RunOptions | None = None,
    *,
    out: str | Path | None = None,
    resume: bool = False,
    retry_failed: bool = False,
    is_decided: Callable[[FolderContents], bool] | None = None,
    stops_at_failed_warmup: bool = False,
    progress: Progress | None = None,
    command: Sequence[str] = (),
) -> FolderContents:
    """Run a matrix, by name, file or as loaded, into a result folder and return what is in it.

    `out` is the result folder: by default a new `reports/<time>`, with `resume` the newest of this matrix. With
    `resume`, what is recorded is kept; with `retry_failed` too, runs that failed are made again. `is_decided` is asked
    after every round, and True ends the run; with `stops_at_failed_warmup`, a subject whose first run fails ends it
    with `MatrixError`. `command` is recorded as what was typed.
    Raises `InputError`, `MatrixError`, `ResultError`, `OutputError`.
    """
    options = options or RunOptions()
    progress = progress or Progress()
    loaded = matrix if isinstance(matrix, RunMatrix) else load_matrix(matrix)
    chosen = settle_matrix(loaded, options, is_endless=options.budget_s is not None or is_decided is not None)
    with contextlib.ExitStack() as until_done:
        if options.against is not None:
            chosen = until_done.enter_context(add_revision(chosen, options.against, says=progress.say))
        return _run(
            chosen,
            options,
            out=out,
            resume=resume,
            retry_failed=retry_failed,
            is_decided=is_decided,
            stops_at_failed_warmup=stops_at_failed_warmup,
            progress=progress,
            command=command,
        )


def _run(
    chosen: RunMatrix,
    options: RunOptions,
    *,
    out: str | Path | None,
    resume: bool,
    retry_failed: bool,
    is_decided: Callable[[FolderContents], bool] | None,
    stops_at_failed_warmup: bool,
    progress: Progress,
    command: Sequence[str],
) -> FolderContents:
    require_scheduling(case.scheduling for case in chosen.cases)  # before there is a folder
    path = Path(out) if out is not None else (resumable_folder(chosen.name) if resume else new_folder())
    folder = RunFolder(path, retries_failed=retry_failed)
    with open_plan(folder, chosen, options, resume=resume, command=command) as plan:
        progress.say(chosen_base(plan.matrix, plan.base).sentence or "nothing to compare: only one subject")
        turns = RunTurns(machine_lock_folder(), command=" ".join(command) or "capbench.run()", say=progress.say)
        with turns.validating():  # it opens the GPU's device
            environment = read_environment(ask_machine(path), Path(__file__).resolve().parents[3])
        folder.check_machine(environment)
        gauges, reasons = open_gauges()
        validator = Validator(path, keeps_outputs=options.keep_outputs) if options.validate else None
        executor = ProcessExecutor(
            folder=path,
            environment=environment,
            validator=validator,
            keeps_outputs=options.keep_outputs,
            traces=options.trace,
            gauges=gauges,
            gauge_reasons=reasons,
        )
        return run_matrix(
            plan,
            folder,
            executor,
            validator=validator,
            pace=StoppingRule(options.budget_s, is_decided, stops_at_failed_warmup=stops_at_failed_warmup),
            progress=progress,
            turns=turns,
        )


@contextlib.contextmanager
def open_plan(
    folder: RunFolder,
    matrix: RunMatrix,
    options: RunOptions,
    *,
    resume: bool,
    is_fleet: bool = False,
    command: Sequence[str] = (),
) -> Iterator[Plan]:
    """Start a result folder, or continue one, and keep it locked: what `--resume` checks on one machine or on a fleet.

    `matrix` is what `settle_matrix` made of it. A fleet's folder skips no subject: each machine finds out what it can
    run. Where it refuses, no folder was made. Raises `InputError`, `ResultError`, `OutputError`.
    """
    if resume:
        begun = read_plan(folder.path)
        folder.check_kind(is_fleet=is_fleet)
        if options.seed not in (None, begun.seed):
            raise InputError(
                f"{folder.path} was started with seed {begun.seed}, which orders the rest of its runs too; "
                f"omit --seed {options.seed}, or choose another --out"
            )
        matrix = _timed_as_begun(matrix, begun.matrix, options)
    else:
        chosen_base(matrix, options.base)  # hours of runs must not end with a base that was never there
    if options.slice_ms is not None and all(case.interleave != "slices" for case in matrix.cases):
        raise InputError("--slice-ms needs --interleave slices: every case of this matrix is measured in whole runs")
    with lock_folder(folder.path):
        if resume:
            yield folder.resume(matrix, options.base)
            return
        plan = Plan(
            capbench_version=version_of("capbench"),
            matrix=matrix,
            seed=secrets.randbelow(2**32) if options.seed is None else options.seed,
            command=tuple(command),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            skipped={} if is_fleet else unavailable_subjects(matrix),
            base=options.base,
        )
        folder.begin(plan)
        yield plan


def chosen_base(matrix: RunMatrix, base: str | None) -> BaseChoice:
    """The subject that the others are compared with. Raises `InputError` for one that is not in the matrix."""
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


def settle_matrix(matrix: RunMatrix, options: RunOptions, *, is_endless: bool) -> RunMatrix:
    """The chosen part of a matrix with the settings that all cases get; what `options` leave out, each keeps."""
    chosen = matrix.select(options.cases, options.subjects, paths=known_paths())
    blocks = UNLIMITED_BLOCKS if options.blocks is None and is_endless else options.blocks
    asked = {
        "blocks": blocks,
        "timeout_s": options.timeout_s,
        "interleave": options.interleave,
        "slice_ms": options.slice_ms,
        "scheduling": options.scheduling,
    }
    said = {key: value for key, value in asked.items() if value is not None}
    return chosen.model_copy(update={"cases": tuple(case.model_copy(update=said) for case in chosen.cases)})


def _timed_as_begun(matrix: RunMatrix, begun: RunMatrix, options: RunOptions) -> RunMatrix:
    """A folder is continued as it was started, whatever the default is now; what was asked for is compared later."""
    kept = [name for name in ("interleave", "slice_ms", "scheduling") if getattr(options, name) is None]
    then = {case.name: {name: getattr(case, name) for name in kept} for case in begun.cases}
    cases = tuple(case.model_copy(update=then.get(case.name, {})) for case in matrix.cases)
    return matrix.model_copy(update={"cases": cases})


def ask_machine(folder: Path) -> dict[str, Any]:
    """What a worker process says of GPU and libraries here, or `{"error": reason}`; `folder` is for its files."""
    scratch = own_folder(folder, IN_PROGRESS)
    answer = ask_worker("machine", {}, scratch=scratch, timeout_s=_MACHINE_TIMEOUT_S, python=Path(sys.executable))
    return answer.result if answer.result is not None else {"error": answer.error}
