"""Running a matrix: openings, rounds of blocks, closings; a record after every run."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from capbench.errors import OutputError
from capbench.harness.machine.interference import busy_s, judge_noise, read_noise
from capbench.harness.matrix.command_line import missing_program
from capbench.harness.matrix.model import Case, RunMatrix, Subject
from capbench.harness.run.executor import Executor
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.progress import Progress, TimeLeft
from capbench.harness.run.result_folder import RunFolder
from capbench.harness.run.schedule import Plan, ScheduledRun, block_steps, case_order, closing_steps, opening_steps
from capbench.harness.run.thresholds import check_thresholds
from capbench.results.environment import NoiseReading
from capbench.results.folder import FolderContents, read_folder
from capbench.results.run_record import RunResult

__all__ = ["UNLIMITED_BLOCKS", "StoppingRule", "SystemProbe", "run_matrix", "unavailable_subjects"]

UNLIMITED_BLOCKS = 100_000
"""Blocks of a matrix that only its budget ends."""


@dataclass(frozen=True, slots=True)
class StoppingRule:
    """When a matrix ends before its last block."""

    budget_s: float | None = None
    """Begin only rounds that are expected to fit into this many seconds; the first is always made."""
    is_decided: Callable[[FolderContents], bool] | None = None
    """Asked after every round; True ends the matrix."""


def read_foreign_cpu_s() -> float:
    """CPU seconds that the machine has spent on anything but this process and the children that it has waited for."""
    times = os.times()  # Windows has no figure for children and counts subjects as others
    ours_s = times.user + times.system + times.children_user + times.children_system
    return busy_s(psutil.cpu_times()) - ours_s


@dataclass(frozen=True, slots=True)
class SystemProbe:
    """What the runner takes from outside; tests replace it."""

    now_s: Callable[[], float] = time.monotonic
    """A clock in seconds."""
    sleep: Callable[[float], None] = time.sleep
    """Pauses."""
    read_noise: Callable[[Path], NoiseReading] = read_noise
    """Reads disturbances."""
    foreign_cpu_s: Callable[[], float] = read_foreign_cpu_s
    """CPU seconds of everything but the runner and its children so far."""


def unavailable_subjects(matrix: RunMatrix) -> dict[str, str]:
    """Subjects whose program is not there, with the reason. They are skipped; the rest of the matrix goes on."""
    found: dict[str, str] = {}
    for subject in matrix.subjects:
        if subject.command and (reason := missing_program(subject.command[0])):
            found[subject.name] = reason
    return found


def run_matrix(
    plan: Plan,
    folder: RunFolder,
    executor: Executor,
    *,
    pace: StoppingRule | None = None,
    progress: Progress | None = None,
    surroundings: SystemProbe | None = None,
) -> FolderContents:
    """Make every run of the plan that is not recorded yet. Raises `MatrixError`, `OutputError`, `KeyboardInterrupt`.

    The order is rounds of blocks: one block of every case, cases shuffled, then the next round. What drifts over
    minutes then hits all cases and subjects alike, and a matrix that is ended early has whole blocks of every case.
    """
    runner = _Runner(plan, folder, executor, progress or Progress(), surroundings or SystemProbe())
    runner.run(pace or StoppingRule())
    return folder.finish()


class _Runner:
    """State of one matrix while it runs."""

    def __init__(
        self, plan: Plan, folder: RunFolder, executor: Executor, progress: Progress, surroundings: SystemProbe
    ) -> None:
        self._plan = plan
        self._folder = folder
        self._executor = executor
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
        for subject, reason in self._plan.skipped.items():
            self._progress.say(f"{subject} is left out: {reason}")
        for case in cases:
            self._progress.say(f"preparing {case.name}")
            self._prepared[case.name] = self._executor.prepare(case, self._subjects(case))
        if pace.budget_s is not None:
            self._budget_end_s = self._outside.now_s() + pace.budget_s
        openings = [step for case in cases for step in opening_steps(case, self._subjects(case))]
        closings = [step for case in cases for step in closing_steps(case, self._subjects(case))]
        self._pending = {step.stem: step for step in (*openings, *self._steps_of_blocks(), *closings)}
        for step in openings:
            self._make(step)
        self._make_rounds(pace, closings)
        for step in closings:
            self._make(step)

    def _make_rounds(self, pace: StoppingRule, closings: list[ScheduledRun]) -> None:
        longest_s = 0.0
        for number in range(self._rounds):
            begun_s = self._outside.now_s()
            if self._budget_end_s is not None and number > 0:
                closing_s = self._time_left.of(closings) or 0.0
                if begun_s + longest_s + closing_s > self._budget_end_s:
                    self._progress.say(f"the budget has no room for another block after {number}")
                    return
            made = [
                self._make_block(case, number) for case in case_order(self._plan.seed, number, self._plan.matrix.cases)
            ]
            if not any(made):
                continue  # recorded before a resume: says nothing about how long a round takes
            longest_s = max(longest_s, self._outside.now_s() - begun_s)
            if pace.is_decided is not None and pace.is_decided(read_folder(self._folder.path)):
                self._progress.say(f"ended after {number + 1} blocks: decided, or no look is left")
                return

    def _make_block(self, case: Case, number: int) -> bool:
        """Make what is missing of one block; returns whether anything was."""
        all_steps = block_steps(self._plan.seed, number, case, self._subjects(case))
        steps = [step for step in all_steps if not self._folder.is_done(step)]
        if not steps:
            return False
        before, begun_s = self._outside.read_noise(self._folder.path), self._outside.now_s()
        foreign_before_s = self._outside.foreign_cpu_s()
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
        if len(steps) < len(all_steps):
            resumed = "the block was interrupted and resumed: its runs did not follow each other"
            noise = noise.model_copy(update={"warnings": (*noise.warnings, resumed)})
        self._folder.write_noise(noise)
        for warning in noise.warnings:
            self._progress.say(f"{case.name}, block {number + 1}: {warning}")
        return True

    def _make(self, step: ScheduledRun) -> None:
        """Make one run and record it, unless it is recorded already."""
        if not self._folder.is_done(step):
            begun_s = self._outside.now_s()
            self._progress.begin(step, self._left_s(begun_s))
            self._outside.sleep(step.case.settle_s)
            run = self._execute(step)
            if run.succeeded and step.subject.writes_output:  # thresholds are for exports
                run = run.model_copy(update={"thresholds": check_thresholds(run, step.case.thresholds)})
            self._folder.write_run(step, run)
            self._progress.end(run)
            self._time_left.add(step, self._outside.now_s() - begun_s)
        self._pending.pop(step.stem, None)

    def _execute(self, step: ScheduledRun) -> RunResult:
        try:
            return self._executor.execute(step, self._prepared[step.case.name], self._progress.frame)
        except OutputError:
            raise
        except OSError as error:  # a full disk or a folder that became read-only shows wherever something is written
            where = f" {error.filename}" if error.filename else ""
            raise OutputError(
                f"{step.stem} stopped:{where}: {error.strerror or error}; mend that and go on with --resume"
            ) from error

    def _left_s(self, now_s: float) -> float | None:
        if self._rounds >= UNLIMITED_BLOCKS and self._budget_end_s is not None:
            return max(0.0, self._budget_end_s - now_s)
        return self._time_left.of(list(self._pending.values()))

    def _subjects(self, case: Case) -> tuple[Subject, ...]:
        subjects = self._plan.matrix.subjects_of(case)
        return tuple(subject for subject in subjects if subject.name not in self._plan.skipped)

    def _steps_of_blocks(self) -> list[ScheduledRun]:
        if self._rounds >= UNLIMITED_BLOCKS:
            return []
        return [
            step
            for case in self._plan.matrix.cases
            for number in range(case.blocks)
            for step in block_steps(self._plan.seed, number, case, self._subjects(case))
            if not self._folder.is_done(step)
        ]
