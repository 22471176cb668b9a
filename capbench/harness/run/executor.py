"""Making one run: start the subject, measure it, inspect its output."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from capbench.errors import OutputError
from capbench.harness.machine.gpu_telemetry import Gauge, summarise
from capbench.harness.matrix.command_line import fill_command
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.process.measured_process import Observation, Outcome, run_process
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.run.leftovers import IN_PROGRESS, own_folder, remove
from capbench.harness.run.prepare_source import PreparedCase, export_options, prepare_case
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.slice_account import in_slices, slice_accounts
from capbench.harness.run.slice_safety import refuse_slices
from capbench.harness.run.slice_schedule import slice_rounds
from capbench.harness.run.sliced_block import run_in_slices
from capbench.harness.run.validate_output import Validator, keep
from capbench.harness.worker.client import JobResult, ask_worker, describe_failure
from capbench.results.environment import Environment
from capbench.results.path_names import PASSTHROUGH
from capbench.results.run_record import FailureKind, RunResult

__all__ = ["Executor", "ProcessExecutor", "refuse_full_disk"]

_INSPECTION_TIMEOUT_S = 1800.0
"""Decoding ten minutes of 4K takes minutes on a small machine."""
_MEMORY_TIMEOUT_S = 60.0
"""Starting an interpreter and reading a few files of the kernel."""
_UNAVAILABLE_EXIT_CODE = 4
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
            return self._conclude(step, prepared, self._time(step, prepared, on_frame, turn=None)())
        finally:
            remove(self.folder / IN_PROGRESS)

    def execute_sliced(
        self, steps: Sequence[ScheduledRun], prepared: PreparedCase, on_frame: Callable[[int], None], *, seed: str
    ) -> list[RunResult]:
        """Time all subjects in slices; inspect their outputs only after the last has ended."""
        slice_ms = steps[0].case.slice_ms
        turns = [SliceTurn(self._scratch() / f"{step.stem}.stopped") for step in steps]
        jobs = [
            # Several runs report how far they are; one of them is enough to see that the block moves.
            partial(self._time, step, prepared, on_frame if place == 0 else _nothing)
            for place, step in enumerate(steps)
        ]
        try:
            finish = run_in_slices(jobs, turns, slice_rounds(seed, len(steps), slice_ms))
            accounts = slice_accounts(turns, slice_ms)
            return [
                self._conclude(step, prepared, in_slices(found(), account))
                for step, found, account in zip(steps, finish, accounts, strict=True)
            ]
        finally:
            for turn in turns:
                turn.close()
            remove(self.folder / IN_PROGRESS)

    def refuse_slices(self, subjects: Sequence[Subject]) -> str | None:
        """By their number and the GPU; memory is checked when warm-ups have shown what is needed."""
        return refuse_slices(subjects, self.environment)

    def free_memory_bytes(self) -> int:
        """What the machine has free, and no more than control groups allow. Raises `OutputError`."""
        answer = ask_worker("memory", {}, scratch=self._scratch(), timeout_s=_MEMORY_TIMEOUT_S)
        if answer.result is None:
            raise OutputError(f"cannot determine how much memory is free: {answer.error}")
        return int(answer.result["available_bytes"])

    def _time(
        self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None], turn: SliceTurn | None
    ) -> Callable[[], RunResult]:
        """Run the subject; returns what looks at its output, which others that still run must not be disturbed by."""
        base: dict[str, Any] = {
            "case": step.case.name,
            "subject": step.subject.name,
            "block": step.block,
            "order": step.order,
            "role": step.role,
            "corpus": step.case.corpus,
            "point": step.point,
            "started_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "fingerprint": self.environment.fingerprint,
            "revision": step.subject.revision or self.environment.revision,
        }
        if prepared.source is None:
            failed = RunResult(**base, error=prepared.failure, error_kind=FailureKind.EXIT)
            return lambda: failed
        time_subject = self._time_command if step.subject.command else self._time_pipeline
        return time_subject(step, prepared, base, on_frame, turn)

    def _conclude(self, step: ScheduledRun, prepared: PreparedCase, run: RunResult) -> RunResult:
        """Hold a run's output for validation, or keep it if requested."""
        if prepared.source is None:
            return run
        output, trace = self._output_of(step), self._trace_of(step)
        if run.succeeded and not step.subject.writes_output:
            run = run.model_copy(update={"unmeasured": run.unmeasured | {"validation": "nothing is written"}})
        elif run.succeeded and self.validator is not None:
            run = self.validator.hold(run, step, output)
        elif run.succeeded:
            run = run.model_copy(update={"unmeasured": run.unmeasured | {"validation": "validation is switched off"}})
        refuse_full_disk(run, self.folder)
        # Before the run is recorded: a recorded run has its output and its trace.
        if self.keeps_outputs and step.subject.writes_output:
            keep(output, own_folder(self.folder, "outputs") / output.name)
        if trace is not None:
            keep(trace, own_folder(self.folder, "traces") / f"{step.stem}.json")
        return run

    def _output_of(self, step: ScheduledRun) -> Path:
        return self._scratch() / f"{step.stem}{step.subject.output_suffix}"

    def _trace_of(self, step: ScheduledRun) -> Path | None:
        """Where the pipeline writes its trace; a command writes none."""
        return self._scratch() / f"{step.stem}.trace.json" if self.traces else None

    def _scratch(self) -> Path:
        return own_folder(self.folder, IN_PROGRESS)

    def _time_pipeline(
        self,
        step: ScheduledRun,
        prepared: PreparedCase,
        base: dict[str, Any],
        on_frame: Callable[[int], None],
        turn: SliceTurn | None,
    ) -> Callable[[], RunResult]:
        subject, output, trace = step.subject, self._output_of(step), self._trace_of(step)
        job = "floor" if subject.is_floor else "export"
        path = {} if subject.path is None else {"path": subject.path}
        answer = ask_worker(
            job,
            {
                "source": str(prepared.source),
                "output": str(output) if subject.writes_output else None,
                "options": export_options(step.settings) | path | subject.options,
                "trace": None if trace is None else str(trace),
                "draws": subject.path not in (None, PASSTHROUGH),
            },
            scratch=self._scratch(),
            timeout_s=step.case.timeout_s,
            python=subject.python,
            env=subject.env,
            observation=self._observation(subject, on_frame, turn),
            turn=turn,
        )
        measured = base | self._measured(answer.outcome) | {"command": ("capbench", job, subject.path or "")}

        def finish() -> RunResult:
            if answer.disk_full:
                raise OutputError(f"{step.stem} stopped: {answer.error}; free some space, then continue with --resume")
            if answer.result is None:
                return RunResult(**_merged(measured, {}), error=answer.error, error_kind=_kind_of(answer))
            return _with_bitrate(RunResult(**_merged(answer.result, measured)))

        return finish

    def _time_command(
        self,
        step: ScheduledRun,
        prepared: PreparedCase,
        base: dict[str, Any],
        on_frame: Callable[[int], None],
        turn: SliceTurn | None,
    ) -> Callable[[], RunResult]:
        subject, output = step.subject, self._output_of(step)
        values = {
            "source": str(prepared.source),
            "output": str(output),
            "scene": step.case.scene,
            "width": str(prepared.width),
            "height": str(prepared.height),
            "fps": prepared.fps,
        } | _settings_words(step.settings)
        command = fill_command(subject.command, values, prepared.encoder_options_at(step.point))
        folder = subject.folder or self.folder
        before = _names_in(folder)
        outcome = run_process(
            command,
            env=os.environ | subject.env,
            cwd=folder,
            timeout_s=step.case.timeout_s,
            observation=self._observation(subject, on_frame, turn),
            turn=turn,
        )
        measured = base | self._measured(outcome) | {"command": tuple(command)}
        error, kind = _command_failure(command[0], outcome, step.case.timeout_s, output, _names_in(folder) - before)
        failed = None if error is None else RunResult(**measured, error=error, error_kind=kind)
        return lambda: failed or self._inspected(step, output, measured)

    def _observation(self, subject: Subject, on_frame: Callable[[int], None], turn: SliceTurn | None) -> Observation:
        # The GPU's counters are those of the machine: in slices they would show all subjects of the block.
        gauges = self.gauges if turn is None else ()
        return Observation(sampled=subject.sampled, gauges=gauges, on_frame=on_frame)

    def _inspected(self, step: ScheduledRun, output: Path, measured: dict[str, Any]) -> RunResult:
        """A command's run with what is in its output."""
        inspected = ask_worker(
            "inspect", {"output": str(output)}, scratch=self._scratch(), timeout_s=_INSPECTION_TIMEOUT_S
        )
        if inspected.disk_full:
            raise OutputError(f"{step.stem} stopped: {inspected.error}; free some space, then continue with --resume")
        if inspected.result is None:
            return RunResult(**measured, error=inspected.error, error_kind=FailureKind.NO_OUTPUT)
        wall_s, found = measured["process_wall_s"], inspected.result
        reasons = measured["unmeasured"] | dict.fromkeys(_ONLY_THE_PIPELINE_KNOWS, "the subject is a command")
        return _with_bitrate(
            RunResult(
                **measured
                | found
                | {
                    "wall_s": wall_s,
                    "fps": found["frames"] / wall_s,
                    "times_realtime": found["duration_s"] / wall_s if found["duration_s"] else None,
                    "output_bytes": output.stat().st_size,
                    "unmeasured": reasons,
                }
            )
        )

    def _measured(self, outcome: Outcome) -> dict[str, Any]:
        """What was measured from outside the process."""
        ending = outcome.ending
        cpu_s = None if ending.user_s is None or ending.system_s is None else ending.user_s + ending.system_s
        reasons: dict[str, str] = {}
        if cpu_s is None:
            reasons |= dict.fromkeys(
                ("process_wall_s", "cpu_s", "cpu_percent", "peak_rss_bytes"), ending.failure or "not reported"
            )
        if not outcome.samples:
            reasons["peak_tree_rss_bytes"] = "no sample was taken: sampling is off or the run was too short"
        count = len(outcome.samples)
        wall_s = ending.wall_s if outcome.running_s is None else outcome.running_s
        in_slices = outcome.running_s is not None
        return {
            "process_wall_s": wall_s,
            "cpu_s": cpu_s,
            "cpu_percent": 100 * cpu_s / wall_s if cpu_s is not None and wall_s else None,
            "cpu_per_core_percent": outcome.cpu_per_core_percent,
            "peak_rss_bytes": ending.peak_rss_bytes,
            "peak_tree_rss_bytes": max((sample.rss_bytes for sample in outcome.samples), default=None),
            "trace": outcome.samples,
            "sample_interval_s": outcome.samples[-1].time_s / count if count else None,
            "sampler_cpu_s": outcome.sampler_cpu_s,
            "telemetry": {} if in_slices else summarise(self.gauges, self.gauge_reasons),
            "unmeasured": reasons,
        }


def _settings_words(settings: Case) -> dict[str, str]:
    """What the placeholders for encoder settings stand for, of those that the case or its point sets."""
    options = settings.options
    known = {"qp": settings.qp, "crf": options.get("crf"), "bitrate": options.get("bitrate_bits_per_s")}
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in known.items()
        if value is not None
    }


def _nothing(_frame: int) -> None:
    """Discards progress."""


_ONLY_THE_PIPELINE_KNOWS = (
    "gpu_busy_s",
    "gpu_percent",
    "gpu_memory_bytes",
    "upload_bytes",
    "readback_bytes",
    "mapped_read_gb_per_s",
    "memcpy_gb_per_s",
    "latency",
    "time_to_first_frame_s",
    "adapter",
    "path_used",
)


def _merged(report: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """The pipeline's report and the outside measure; both may have reasons for what they could not measure."""
    reasons = report.get("unmeasured", {}) | measured.get("unmeasured", {})
    return report | measured | {"unmeasured": reasons}


def _with_bitrate(run: RunResult) -> RunResult:
    if not run.output_bytes or not run.duration_s:
        return run.model_copy(update={"unmeasured": run.unmeasured | {"bitrate_bits_per_s": "length or size unknown"}})
    return run.model_copy(update={"bitrate_bits_per_s": 8 * run.output_bytes / run.duration_s})


def _kind_of(answer: JobResult) -> FailureKind:
    if answer.outcome.timed_out:
        return FailureKind.TIMEOUT
    return FailureKind.UNAVAILABLE if answer.exit_code == _UNAVAILABLE_EXIT_CODE else FailureKind.EXIT


def refuse_full_disk(run: RunResult, folder: Path) -> None:
    """A run that failed on a full disk says nothing about its subject. Raises `OutputError`."""
    has_passed = run.succeeded and (run.validation is None or run.validation.passed)
    if not has_passed and shutil.disk_usage(folder).free < _FULL_DISK_BYTES:
        what = run.error or "its output fails validation"
        raise OutputError(f"the disk of {folder} is full: {what}; free some space, then continue with --resume")


def _names_in(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def _command_failure(
    program: str, outcome: Outcome, timeout_s: float, output: Path, strays: set[str]
) -> tuple[str | None, FailureKind | None]:
    """Why a command's run does not count, in one line; None when it left something at its output."""
    if outcome.timed_out:
        return f"{program} did not end within {timeout_s:g} s and was killed", FailureKind.TIMEOUT
    if outcome.ending.exit_code is None:
        return outcome.ending.failure, FailureKind.UNAVAILABLE
    if outcome.ending.exit_code != 0:
        return describe_failure(program, outcome), FailureKind.EXIT
    if output.is_file() and output.stat().st_size > 0:
        return None, None
    if output.is_dir():
        return f"{program} succeeded but made a folder at {{output}}, which must be one file", FailureKind.NO_OUTPUT
    what = "left an empty file at" if output.is_file() else "wrote nothing to"
    instead = f"; it made {', '.join(sorted(strays)[:3])} in its working folder" if strays else ""
    return f"{program} succeeded but {what} {{output}}{instead}", FailureKind.NO_OUTPUT
