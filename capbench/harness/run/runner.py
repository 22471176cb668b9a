"""Running a matrix: openings, rounds of blocks, closings; a record after every run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from capbench.errors import MatrixError, OutputError
from capbench.harness.machine.interference import SystemProbe, judge_noise
from capbench.harness.machine.machine_lock import MachineTurns, OwnMachine
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.matrix.participation import absences, propose_scenes, unavailable_subjects
from capbench.harness.process.scheduling import require_scheduling
from capbench.harness.run.executor import Executor, refuse_full_disk
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.progress import Progress, TimeLeft
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import (
    UNLIMITED_BLOCKS,
    Plan,
    ScheduledRun,
    StoppingRule,
    block_steps,
    case_order,
    closing_steps,
    opening_steps,
    trial_steps,
)
from capbench.harness.run.slice_safety import memory_refusal, trial_refusal
from capbench.harness.run.thresholds import check_thresholds
from capbench.harness.run.validate_output import Validator, WaitingOutput, is_waiting
from capbench.results.folder import FolderContents, read_folder
from capbench.results.run_record import MAX_OVERLAP_SHARE, RunResult, RunRole

__all__ = ["SystemProbe", "make_block", "run_matrix", "unavailable_subjects"]

_SAY_EVERY_S = 10.0
"""A line in so many seconds shows that validation moves and fills no log."""
Made = TypeVar("Made")


def run_matrix(
    plan: Plan,
    folder: RunFolder,
    executor: Executor,
    *,
    validator: Validator | None = None,
    pace: StoppingRule | None = None,
    progress: Progress | None = None,
    surroundings: SystemProbe | None = None,
    turns: MachineTurns | None = None,
) -> FolderContents:
    """Make every run of the plan that is not recorded yet. Raises `MatrixError`, `OutputError`, `KeyboardInterrupt`.

    The order is rounds of blocks: one block of every case, cases shuffled, then the next round. What drifts over
    minutes then hits all cases and subjects alike, and a matrix that is ended early has whole blocks of every case.
    Outputs are validated when all is timed; after every round where `pace` needs to know what that finds or takes, and
    before a block where too many wait. Each block waits for its turn on the machine; without `turns` there is no wait.
    """
    runner = _Runner(
        plan,
        folder,
        executor,
        validator=validator,
        progress=progress or Progress(),
        surroundings=surroundings or SystemProbe(),
        turns=turns,
    )
    runner.run(pace or StoppingRule())
    contents = folder.finish()
    for sentence in propose_scenes(plan.matrix, contents.runs):
        (progress or Progress()).say(sentence)
    return contents


def make_block(
    plan: Plan,
    folder: RunFolder,
    executor: Executor,
    number: int | None,
    *,
    machine: str,
    is_measured: bool = False,
    validator: Validator | None = None,
    progress: Progress | None = None,
    surroundings: SystemProbe | None = None,
) -> Callable[[], None]:
    """Make one block of every case on one machine of several; with None for `number`, what closes the cases there.

    What opens a case is made first where the folder has none of it: other machines' says nothing about this one.
    With `is_measured` nothing is run: the folder has the block already, whoever made it. Returns what validates the
    outputs, so that it can be called when others may run beside it. Raises as `run_matrix` does.
    """
    runner = _Runner(
        plan,
        folder,
        executor,
        validator=validator,
        progress=progress or Progress(),
        surroundings=surroundings or SystemProbe(),
        machine=machine,
    )
    runner.prepare()
    if not is_measured:
        runner.make_block(number)
    return runner.validate


class _Runner:
    """State of one matrix while it runs."""

    def __init__(
        self,
        plan: Plan,
        folder: RunFolder,
        executor: Executor,
        *,
        validator: Validator | None,
        progress: Progress,
        surroundings: SystemProbe,
        machine: str | None = None,
        turns: MachineTurns | None = None,
    ) -> None:
        self._machine = machine
        self._turns = turns or OwnMachine()
        self._plan = plan
        self._folder = folder
        self._executor = executor
        self._validator = validator
        self._waiting: dict[str, WaitingOutput] = {}
        self._said_s = 0.0
        self._progress = progress
        self._outside = surroundings
        self._prepared: dict[str, PreparedCase] = {}
        self._time_left = TimeLeft()
        self._rounds = max(case.blocks for case in plan.matrix.cases)
        self._pending: dict[str, ScheduledRun] = {}
        """Steps to come by their stems; without those of the blocks when only a budget ends the matrix."""
        self._budget_end_s: float | None = None

    def run(self, pace: StoppingRule) -> None:
        cases = self._plan.matrix.cases
        for sentence in absences(self._plan.matrix, self._plan.skipped):
            self._progress.say(sentence)
        with self._turns.validating():
            self.prepare()
        if pace.budget_s is not None:
            self._budget_end_s = self._outside.now_s() + pace.budget_s
        openings = [step for case in cases for step in self._here(opening_steps(case, self._subjects(case)))]
        closings = [step for case in cases for step in self._here(closing_steps(case, self._subjects(case)))]
        self._pending = {step.stem: step for step in (*openings, *self._steps_of_blocks(), *closings)}
        for step in openings:
            self._make_alone(step)
            if pace.stops_at_failed_warmup and step.role is RunRole.WARMUP:
                self._refuse_failed(step)
        for case in cases:
            if self._in_slices(case):
                self._try_slices(case)
        self._make_rounds(pace, closings)
        for step in closings:
            self._make_alone(step)
        self.validate()

    def make_block(self, number: int | None) -> None:
        for case in self._plan.matrix.cases:
            subjects = self._subjects(case)
            if number is None:
                for step in self._here(closing_steps(case, subjects)):
                    self._make(step)
                continue
            for step in self._here(opening_steps(case, subjects)):
                self._make(step)
            if self._in_slices(case):
                self._try_slices(case)
            self._make_block(case, number)

    def _make_alone(self, step: ScheduledRun) -> None:
        with contextlib.nullcontext() if self._folder.is_done(step) else self._turns.timing():
            self._make(step)

    def prepare(self) -> None:
        require_scheduling(case.scheduling for case in self._plan.matrix.cases)
        for case in self._plan.matrix.cases:
            self._progress.say(f"preparing {case.name}")
            self._prepared[case.name] = self._executor.prepare(case, self._subjects(case))
        self._find_waiting()

    def _here(self, steps: Iterable[ScheduledRun]) -> list[ScheduledRun]:
        """The steps as those of this machine, where it is one of several."""
        return [replace(step, machine=self._machine) for step in steps]

    def _refuse_failed(self, step: ScheduledRun) -> None:
        run = self._folder.read_run(step)
        if run is not None and run.error is not None:
            log = self._folder.path / "runs" / f"{step.stem}.log"
            where = f"; all that it wrote is in {log}" if log.is_file() else ""
            raise MatrixError(f"{step.subject.name} failed on its first run: {run.error}{where}")

    def _make_rounds(self, pace: StoppingRule, closings: list[ScheduledRun]) -> None:
        longest_s = 0.0
        for number in range(self._rounds):
            begun_s = self._outside.now_s()
            if self._budget_end_s is not None and number > 0:
                closing_s = self._time_left.of(closings) or 0.0
                if begun_s + longest_s + closing_s > self._budget_end_s:
                    self._progress.say(f"time budget reached after {number} blocks")
                    return
            made = [
                self._make_block(case, number) for case in case_order(self._plan.seed, number, self._plan.matrix.cases)
            ]
            if not any(made):
                continue  # recorded before a resume: says nothing about how long a round takes
            if self._budget_end_s is not None or pace.is_decided is not None:
                self.validate()
            longest_s = max(longest_s, self._outside.now_s() - begun_s)
            if pace.is_decided is not None and pace.is_decided(read_folder(self._folder.path)):
                self._progress.say(f"stopped after {number + 1} blocks: decided, or no interim look is left")
                return

    def _make_block(self, case: Case, number: int) -> bool:
        """Make what is missing of one block; returns whether anything was."""
        all_steps = self._here(block_steps(self._plan.seed, number, case, self._subjects(case)))
        steps = [step for step in all_steps if not self._folder.is_done(step)]
        if not steps:
            return False
        if self._validator is not None and self._waiting and not self._validator.has_room():
            self.validate()
        if self._in_slices(case):
            steps = all_steps  # a run without others to interleave with is not part of a sliced block
        with self._turns.timing():
            self._measure_block(case, number, steps, is_resumed=len(steps) < len(all_steps))
        return True

    def _measure_block(self, case: Case, number: int, steps: list[ScheduledRun], *, is_resumed: bool) -> None:
        before, begun_s = self._outside.read_noise(self._folder.path), self._outside.now_s()
        foreign_before_s = self._outside.foreign_cpu_s()
        overlap_share = 0.0
        if self._in_slices(case):
            of_points = [[step for step in steps if step.point == point] for point in case.points]
            runs = [run for together in of_points for run in self._make_together(together)]
            overlap_share = max((run.slices.overlap_share for run in runs if run.slices is not None), default=0.0)
        else:
            for step in steps:
                self._make(step)
        noise = judge_noise(
            case.name,
            number,
            before=before,
            foreign_cpu_s=max(0.0, self._outside.foreign_cpu_s() - foreign_before_s),
            wall_s=self._outside.now_s() - begun_s,
            after=self._outside.read_noise(self._folder.path),
        )
        warnings = [*noise.warnings]
        if is_resumed:
            warnings.append("the block was interrupted and resumed: its runs are not adjacent in time")
        if overlap_share > MAX_OVERLAP_SHARE:
            warnings.append(f"subjects overlapped for {overlap_share:.1%} of the block, so it does not count")
        noise = noise.model_copy(update={"machine": self._machine, "warnings": tuple(warnings)})
        self._folder.write_noise(noise)
        for warning in noise.warnings:
            self._progress.say(f"{case.name}, block {number + 1}: {warning}")

    def _make(self, step: ScheduledRun) -> None:
        """Make one run and record it, unless it is recorded already."""
        if not self._folder.is_done(step):
            begun_s = self._outside.now_s()
            self._progress.begin(step, self._left_s(begun_s))
            self._outside.sleep(step.case.settle_s)
            run = self._guarded(step, lambda: self._executor.execute(step, *self._given(step)))
            self._record(step, run)
            self._time_left.add(step, self._outside.now_s() - begun_s)
        self._pending.pop(step.stem, None)

    def _make_together(self, steps: list[ScheduledRun]) -> list[RunResult]:
        """Make the runs of a block in slices and record them."""
        first = steps[0]
        begun_s = self._outside.now_s()
        self._progress.begin(first, self._left_s(begun_s))
        self._outside.sleep(first.case.settle_s)
        seed = "/".join(
            (f"{self._plan.seed}", first.case.name, f"{first.block}", *([first.point.label] if first.point else []))
        )
        runs = self._guarded(first, lambda: self._executor.execute_sliced(steps, *self._given(first), seed=seed))
        for step, run in zip(steps, runs, strict=True):
            self._progress.begin(step, self._left_s(begun_s))
            self._record(step, run)
            self._time_left.add(step, (self._outside.now_s() - begun_s) / len(steps))
            self._pending.pop(step.stem, None)
        return runs

    def _given(self, step: ScheduledRun) -> tuple[PreparedCase, Callable[[int], None]]:
        return self._prepared[step.case.name], self._progress.frame

    def _record(self, step: ScheduledRun, run: RunResult) -> None:
        if run.succeeded and step.subject.writes_output:  # thresholds are for exports
            run = run.model_copy(update={"thresholds": check_thresholds(run, step.case.thresholds)})
        if step.role is RunRole.MEASURE and (reason := self._plan.measured_plainly.get(step.case.name)):
            run = run.model_copy(update={"unmeasured": run.unmeasured | {"slices": reason}})
        self._folder.write_run(step, run)
        self._await_validation(step, run)
        self._progress.end(run)

    def _in_slices(self, case: Case) -> bool:
        return case.interleave == "slices" and case.name not in self._plan.measured_plainly

    def _try_slices(self, case: Case) -> None:
        """Find out whether a case can be measured in slices; why it cannot is kept with the plan, for a resume too."""
        subjects = self._subjects(case)
        steps = self._here(trial_steps(self._plan.seed, case, subjects))
        openings = self._here(opening_steps(case, subjects))
        warmups = self._recorded(step for step in openings if step.role is RunRole.WARMUP)
        reason = self._executor.refuse_slices(subjects)
        if reason is None and not all(self._folder.is_done(step) for step in steps):
            reason = memory_refusal(warmups, self._executor.free_memory_bytes())
            if reason is None:
                with self._turns.timing():
                    self._make_together(steps)
        reason = reason or trial_refusal(warmups, self._recorded(steps))
        if reason is not None:
            self._progress.say(f"{case.name} is measured without slices: {reason}")
            refused = self._plan.measured_plainly | {case.name: reason}
            self._plan = self._plan.model_copy(update={"measured_plainly": refused})
            self._folder.write_plan(self._plan)

    def _recorded(self, steps: Iterable[ScheduledRun]) -> dict[str, RunResult]:
        """Subject to its recorded run, of one case."""
        return {step.subject.name: run for step in steps if (run := self._folder.read_run(step)) is not None}

    def _guarded(self, step: ScheduledRun, execute: Callable[[], Made]) -> Made:
        try:
            return execute()
        except OutputError:
            raise
        except OSError as error:  # a full disk or a folder that became read-only shows wherever something is written
            raise _stopped(step.stem, error) from error

    def _find_waiting(self) -> None:
        """Outputs that a runner before this one left to be validated."""
        if self._validator is None:
            return
        cases = {case.name: case for case in self._plan.matrix.cases}
        subjects = {subject.name: subject for subject in self._plan.matrix.subjects}
        for run in read_folder(self._folder.path).runs:
            if run.case in cases and run.subject in subjects:
                case, subject = cases[run.case], subjects[run.subject]
                step = ScheduledRun(case, subject, run.block, run.order, run.role, run.point, run.machine)
                self._await_validation(step, run)
        self._validator.forget(list(self._waiting.values()))

    def _await_validation(self, step: ScheduledRun, run: RunResult) -> None:
        source = self._prepared[step.case.name].source
        if source is not None and is_waiting(run):
            self._waiting[step.stem] = WaitingOutput(step, run, source)

    def validate(self) -> None:
        """Validate the outputs that wait, and record what is found as it comes."""
        if self._validator is None or not self._waiting:
            return
        self._progress.say(f"validating the outputs of {len(self._waiting)} runs")
        self._said_s = self._outside.now_s()
        try:
            with self._turns.validating():
                self._validator.validate(list(self._waiting.values()), self._record_validation)
        except OSError as error:
            raise _stopped("validation", error) from error

    def _record_validation(self, output: WaitingOutput, run: RunResult) -> None:
        refuse_full_disk(run, self._folder.path)
        run = run.model_copy(update={"thresholds": check_thresholds(run, output.step.case.thresholds)})
        self._folder.write_run(output.step, run)
        del self._waiting[output.step.stem]
        if run.validation is not None and not run.validation.passed:
            self._progress.say(f"{output.step.stem} fails validation")
        if self._waiting and self._outside.now_s() - self._said_s >= _SAY_EVERY_S:
            self._said_s = self._outside.now_s()
            self._progress.say(f"{len(self._waiting)} are left to validate")

    def _left_s(self, now_s: float) -> float | None:
        if self._rounds >= UNLIMITED_BLOCKS and self._budget_end_s is not None:
            return max(0.0, self._budget_end_s - now_s)
        return self._time_left.of(list(self._pending.values()))

    def _subjects(self, case: Case) -> tuple[Subject, ...]:
        return tuple(each for each in self._plan.matrix.subjects_of(case) if each.name not in self._plan.skipped)

    def _steps_of_blocks(self) -> list[ScheduledRun]:
        if self._rounds >= UNLIMITED_BLOCKS:
            return []
        return [
            step
            for case in self._plan.matrix.cases
            for number in range(case.blocks)
            for step in self._here(block_steps(self._plan.seed, number, case, self._subjects(case)))
            if not self._folder.is_done(step)
        ]


def _stopped(what: str, error: OSError) -> OutputError:
    where = f" {error.filename}" if error.filename else ""
    return OutputError(f"{what} stopped:{where}: {error.strerror or error}; fix this, then continue with --resume")
