"""Making one run: start the subject, measure it, inspect its output."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from capbench.errors import OutputError
from capbench.harness.machine.gpu_telemetry import Gauge
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.process.export_clock import ClockRule
from capbench.harness.process.freezer import make_cgroup
from capbench.harness.process.gpu_valve import GpuValve
from capbench.harness.process.measured_process import Observation, Outcome, run_process
from capbench.harness.process.output_watch import last_change_ns
from capbench.harness.process.scheduling import before_the_subject
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.evidence.failed_outputs import forget_failed_output, keep_failed_output
from capbench.harness.run.evidence.own_figures import OwnFigures
from capbench.harness.run.evidence.run_log import RunLog, write_log
from capbench.harness.run.leftovers import IN_PROGRESS, own_folder, remove
from capbench.harness.run.prepare_source import PreparedCase, prepare_case
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.slice_account import in_slices, slice_accounts
from capbench.harness.run.slice_safety import refuse_slices
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices
from capbench.harness.run.timing.command_run import (
    ONLY_THE_PIPELINE_KNOWS,
    CommandRun,
    NewFiles,
    command_failure,
    entry_names,
    reported_figures,
)
from capbench.harness.run.timing.export_window import ExportWindow, export_window
from capbench.harness.run.timing.measured_fields import measured_fields, merged_fields, with_bitrate
from capbench.harness.run.timing.pipeline_job import failure_of, pipeline_job
from capbench.harness.run.validate_output import Validator, keep
from capbench.harness.worker.client import ask_worker, describe_failure
from capbench.results.environment import Environment
from capbench.results.run_record import FailureKind, RunResult

__all__ = ["Executor", "ProcessExecutor", "refuse_full_disk"]

_INSPECTION_TIMEOUT_S = 1800.0
"""Decoding ten minutes of 4K takes minutes on a small machine."""
_MEMORY_TIMEOUT_S = 60.0
"""Starting an interpreter and reading a few files of the kernel."""
_FULL_DISK_BYTES = 2**20
"""A program that found no room leaves less than a block of it; others may have freed a little since."""


class Executor(Protocol):
    """Makes runs; tests have one that only pretends."""

    def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
        """Make or find the source of a case. Raises `MatrixError` for what the matrix says wrongly."""

    def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
        """Make one run. A failure of the subject is in the result, not raised."""

    def execute_sliced(
        self, steps: Sequence[ScheduledRun], prepared: PreparedCase, on_frame: Callable[[int], None], *, seed: str
    ) -> list[RunResult]:
        """Make the runs of a block in slices; results in the order of `steps`. Failures are in the results."""

    def refuse_slices(self, subjects: Sequence[Subject]) -> str | None:
        """Why these subjects cannot be measured in slices on this machine; None where it can be tried."""

    def free_memory_bytes(self) -> int:
        """Memory that runs may still take now."""


@dataclass(slots=True)
class _StartedRun:
    """A run on its way: what was learnt of it so far."""

    run: CommandRun
    base: dict[str, Any]
    """Fields that are known before anything is started."""
    log: RunLog
    finish: Callable[[], RunResult] | None = None
    """Looks at the output; there as soon as the subject has ended, or will not be started."""
    was_run: bool = False

    def run_hook(self, which: Literal["prepare", "conclude"]) -> str | None:
        """Run the command before or after the subject; returns why it failed."""
        done = self.run.run_hook(which)
        if done is None:
            return None
        command, outcome = done
        self.log.add(which, command, outcome)
        if outcome.timed_out:
            return f"{which}: {command[0]} did not end within {self.run.step.case.timeout_s:g} s and was killed"
        return None if outcome.ending.exit_code == 0 else f"{which}: {describe_failure(command[0], outcome)}"


@dataclass(frozen=True, slots=True)
class ProcessExecutor:
    """Makes each run in a separate process."""

    folder: Path
    """The result folder."""
    environment: Environment
    """The machine."""
    validator: Validator | None = None
    """Takes outputs that are to be validated; None leaves that out."""
    keeps_outputs: bool = False
    """Whether outputs stay in `outputs/`."""
    traces: bool = False
    """Whether the pipeline's runs write a trace into `traces/`."""
    gauges: Sequence[Gauge] = ()
    """Readers of the GPU."""
    gauge_reasons: dict[str, str] = field(default_factory=dict)
    """Reader to the reason why it is not there."""

    def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
        """Ask a worker; the first time a synthetic recording is made, which can take minutes."""
        return prepare_case(case, subjects, scratch=self._scratch())

    def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
        """Time the subject, then inspect what it wrote and hold it for validation, keep it or remove it.

        Nothing of a run is outside `in-progress/` before the run is over: whatever a killed runner left there goes.
        """
        for gauge in self.gauges:
            gauge.start()
        try:
            started = self._time(self._started(step, prepared), on_frame, turn=None)
            return self._conclude(started, self._finished(started))
        finally:
            remove(self.folder / IN_PROGRESS)

    def execute_sliced(
        self, steps: Sequence[ScheduledRun], prepared: PreparedCase, on_frame: Callable[[int], None], *, seed: str
    ) -> list[RunResult]:
        """Time all subjects in slices; inspect their outputs only after the last has ended."""
        slice_ms, scheduling = steps[0].case.slice_ms, steps[0].case.scheduling
        scratch = self._scratch()
        turns = [
            SliceTurn(
                scratch / f"{step.stem}.stopped",
                valve=GpuValve(scratch / f"{step.stem}.valve"),
                cgroup_of=partial(make_cgroup, scheduling),
            )
            for step in steps
        ]
        jobs = [
            # Several runs report how far they are; one of them is enough to see that the block moves.
            partial(self._time, self._started(step, prepared), on_frame if place == 0 else _nothing)
            for place, step in enumerate(steps)
        ]
        try:
            with before_the_subject(scheduling):
                made = run_in_slices(jobs, turns, slice_rounds(seed, len(steps), slice_ms))
            accounts = slice_accounts(turns, slice_ms)
            return [
                self._conclude(started, in_slices(self._finished(started), account))
                for started, account in zip(made, accounts, strict=True)
            ]
        finally:
            for turn in turns:
                turn.close()
            remove(self.folder / IN_PROGRESS)

    def refuse_slices(self, subjects: Sequence[Subject]) -> str | None:
        """By their number; memory is checked when warm-ups have shown what is needed, hardware after a trial."""
        return refuse_slices(subjects)

    def free_memory_bytes(self) -> int:
        """What the machine has free, and no more than control groups allow. Raises `OutputError`."""
        answer = ask_worker("memory", {}, scratch=self._scratch(), timeout_s=_MEMORY_TIMEOUT_S)
        if answer.result is None:
            raise OutputError(f"cannot determine how much memory is free: {answer.error}")
        return int(answer.result["available_bytes"])

    def _started(self, step: ScheduledRun, prepared: PreparedCase) -> _StartedRun:
        """Run what is to be run before a subject, which is not timed."""
        base: dict[str, Any] = {
            "case": step.case.name,
            "subject": step.subject.name,
            "block": step.block,
            "order": step.order,
            "role": step.role,
            "corpus": step.case.corpus,
            "footage": prepared.footage,
            "point": step.point,
            "machine": step.machine,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "scheduling": step.case.scheduling,
            "fingerprint": self.environment.fingerprint,
            "revision": step.subject.revision or self.environment.revision,
        }
        output, metrics = self._output_of(step), self._scratch() / f"{step.stem}.metrics.json"
        run = CommandRun(step, prepared, output, metrics, step.subject.folder or self.folder.absolute())
        started = _StartedRun(run, base, RunLog())
        failure = prepared.failure if prepared.source is None else started.run_hook("prepare")
        if failure is not None:
            failed = RunResult(**base, error=failure, error_kind=FailureKind.EXIT)
            started.finish = lambda: failed
        return started

    def _time(self, started: _StartedRun, on_frame: Callable[[int], None], turn: SliceTurn | None) -> _StartedRun:
        """Run the subject; what looks at its output is left for later: others may run that it would disturb."""
        if started.finish is None:
            time_subject = self._time_command if started.run.step.subject.command else self._time_pipeline
            started.finish = time_subject(started.run, started.base, started.log, on_frame, turn)
            started.was_run = True
        return started

    def _finished(self, started: _StartedRun) -> RunResult:
        """Run what is to be run after a subject, then look at what it wrote."""
        failure = started.run_hook("conclude") if started.was_run else None
        assert started.finish is not None
        run = started.finish()
        if failure is not None and run.succeeded:
            return run.model_copy(update={"error": failure, "error_kind": FailureKind.EXIT})
        return run

    def _conclude(self, started: _StartedRun, run: RunResult) -> RunResult:
        """Keep the log, and hold what a run wrote for validation, or keep it where that is asked for."""
        step, output, trace = started.run.step, started.run.output, self._trace_of(started.run.step)
        if not started.log.processes:
            return run  # nothing was started
        if run.succeeded and not step.subject.writes_output:
            run = run.model_copy(update={"unmeasured": run.unmeasured | {"validation": "nothing is written"}})
        elif run.succeeded and self.validator is not None:
            run = self.validator.hold(run, step, output)
        elif run.succeeded:
            run = run.model_copy(update={"unmeasured": run.unmeasured | {"validation": "validation is switched off"}})
        refuse_full_disk(run, self.folder)
        # Before the run is recorded: a recorded run has its output, its trace and its log.
        if self.keeps_outputs and step.subject.writes_output:
            keep(output, own_folder(self.folder, "outputs") / output.name)
        if trace is not None:
            keep(trace, own_folder(self.folder, "traces") / f"{step.stem}.json")
        problems = (
            write_log(own_folder(self.folder, "runs") / f"{step.stem}.log", started.log, run.error),
            None if run.succeeded else keep_failed_output(output, self.folder),
        )
        if run.succeeded:
            forget_failed_output(output.name, self.folder)  # of an earlier attempt
        return run.model_copy(update={"warnings": (*run.warnings, *(words for words in problems if words))})

    def _output_of(self, step: ScheduledRun) -> Path:
        return self._scratch() / f"{step.stem}{step.subject.output_suffix}"

    def _trace_of(self, step: ScheduledRun) -> Path | None:
        """Where the pipeline writes its trace; a command writes none."""
        return self._scratch() / f"{step.stem}.trace.json" if self.traces else None

    def _scratch(self) -> Path:
        return own_folder(self.folder, IN_PROGRESS)

    def _time_pipeline(
        self,
        run: CommandRun,
        base: dict[str, Any],
        log: RunLog,
        on_frame: Callable[[int], None],
        turn: SliceTurn | None,
    ) -> Callable[[], RunResult]:
        step, subject = run.step, run.step.subject
        job, spec = pipeline_job(step, run.prepared, output=run.output, trace=self._trace_of(step))
        answer = ask_worker(
            job,
            spec,
            scratch=self._scratch(),
            timeout_s=step.case.timeout_s,
            python=subject.python,
            env=subject.env,
            observation=self._observation(subject, on_frame, turn),
            turn=turn,
            scheduling=step.case.scheduling,
        )
        command = ("capbench", job, subject.path or "")
        log.add("run", command, answer.outcome)
        measured = base | self._measured(answer.outcome) | {"command": command}

        def finish() -> RunResult:
            if answer.disk_full:
                raise OutputError(f"{step.stem} stopped: {answer.error}; free some space, then continue with --resume")
            if answer.result is None:
                return RunResult(**merged_fields(measured, {}), error=answer.error, error_kind=failure_of(answer))
            return with_bitrate(RunResult(**merged_fields(answer.result, measured)))

        return finish

    def _time_command(
        self,
        run: CommandRun,
        base: dict[str, Any],
        log: RunLog,
        on_frame: Callable[[int], None],
        turn: SliceTurn | None,
    ) -> Callable[[], RunResult]:
        step, command = run.step, run.command
        before, beside_before = entry_names(run.folder), entry_names(run.output.parent)
        outcome = run_process(
            command,
            env=run.env,
            cwd=run.folder,
            timeout_s=step.case.timeout_s,
            observation=self._observation(step.subject, on_frame, turn, run.clock),
            turn=turn,
            scheduling=step.case.scheduling,
        )
        beside = entry_names(run.output.parent) - beside_before - {run.output.name, run.metrics.name}
        strays = NewFiles(
            in_folder=frozenset(entry_names(run.folder) - before),
            # In slices the others of the block write there too.
            beside_output=frozenset(name for name in beside if turn is None or name.startswith(step.stem)),
        )
        log.add("run", command, outcome)
        measured = base | self._measured(outcome) | {"command": tuple(command)}
        window = export_window(outcome.marks, measured["process_wall_s"], last_change_ns(run.output))
        measured |= {"launch_s": window.launch_s, "clock": window.clock}

        def finish() -> RunResult:
            error, kind = command_failure(command[0], outcome, step.case.timeout_s, run.output, strays)
            if error is None and window.error is not None:
                error, kind = f"{command[0]} {window.error}", FailureKind.CLOCK
            if error is not None:
                return RunResult(**measured, error=error, error_kind=kind)
            return self._inspected(run, measured, reported_figures(run, outcome), window)

        return finish

    def _observation(
        self,
        subject: Subject,
        on_frame: Callable[[int], None],
        turn: SliceTurn | None,
        clock: ClockRule | None = None,
    ) -> Observation:
        # The GPU's counters are those of the machine: in slices they would show all subjects of the block.
        gauges = self.gauges if turn is None else ()
        return Observation(sampled=subject.sampled, gauges=gauges, on_frame=on_frame, clock=clock)

    def _inspected(self, run: CommandRun, measured: dict[str, Any], own: OwnFigures, window: ExportWindow) -> RunResult:
        """A command's run with what is in its output, and what it said of itself."""
        output = run.output
        inspected = ask_worker(
            "inspect", {"output": str(output)}, scratch=self._scratch(), timeout_s=_INSPECTION_TIMEOUT_S
        )
        if inspected.disk_full:
            raise OutputError(
                f"{run.step.stem} stopped: {inspected.error}; free some space, then continue with --resume"
            )
        if inspected.result is None:
            return RunResult(**measured, error=inspected.error, error_kind=FailureKind.NO_OUTPUT)
        wall_s, found = window.wall_s, inspected.result
        reasons = dict.fromkeys(ONLY_THE_PIPELINE_KNOWS, "the subject is a command")
        return with_bitrate(
            RunResult(
                **measured
                | found
                | {
                    "wall_s": wall_s,
                    "fps": found["frames"] / wall_s if wall_s else None,
                    "times_realtime": found["duration_s"] / wall_s if found["duration_s"] and wall_s else None,
                    "output_bytes": output.stat().st_size,
                    "stages": own.stages,
                    "custom": own.custom,
                    "warnings": (*found.get("warnings", ()), *window.warnings),
                    "unmeasured": measured["unmeasured"] | reasons | own.problems,
                }
            )
        )

    def _measured(self, outcome: Outcome) -> dict[str, Any]:
        return measured_fields(outcome, self.gauges, self.gauge_reasons)


def _nothing(_frame: int) -> None:
    """Discards progress."""


def refuse_full_disk(run: RunResult, folder: Path) -> None:
    """A run that failed on a full disk says nothing about its subject. Raises `OutputError`."""
    has_passed = run.succeeded and (run.validation is None or run.validation.passed)
    if not has_passed and shutil.disk_usage(folder).free < _FULL_DISK_BYTES:
        what = run.error or "its output fails validation"
        raise OutputError(f"the disk of {folder} is full: {what}; free some space, then continue with --resume")
