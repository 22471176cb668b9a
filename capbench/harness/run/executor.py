"""Making one run: start the subject, take its measure, look at what it wrote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from capbench.errors import OutputError
from capbench.harness.machine.gpu_telemetry import Gauge, summarise
from capbench.harness.matrix.command_line import fill_command
from capbench.harness.matrix.model import Case, Subject
from capbench.harness.process.measured_process import Outcome, run_process
from capbench.harness.run.leftovers import IN_PROGRESS, own_folder, remove
from capbench.harness.run.prepare_source import PreparedCase, export_options, prepare_case
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.validate_output import Validator
from capbench.harness.worker.client import JobResult, ask_worker, describe_failure
from capbench.results.environment import Environment
from capbench.results.run_record import FailureKind, RunResult

__all__ = ["Executor", "ProcessExecutor"]

_INSPECTION_TIMEOUT_S = 1800.0
"""Decoding ten minutes of 4K takes minutes on a small machine."""
_UNAVAILABLE_EXIT_CODE = 4
_FULL_DISK_BYTES = 2**20
"""A program that found no room leaves less than a block of it; others may have freed a little since."""


class Executor(Protocol):
    """Makes runs; tests have one that only pretends."""

    def prepare(self, case: Case, subjects: Sequence[Subject]) -> PreparedCase:
        """Make or find the source of a case. Raises `MatrixError` for what the matrix says wrongly."""

    def execute(self, step: ScheduledRun, prepared: PreparedCase, on_frame: Callable[[int], None]) -> RunResult:
        """Make one run. A failure of the subject is in the result, not raised."""


@dataclass(frozen=True, slots=True)
class ProcessExecutor:
    """Makes each run in a process of its own."""

    folder: Path
    """The result folder."""
    environment: Environment
    """The machine."""
    validator: Validator | None = None
    """Validates outputs after timing; None leaves that out."""
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
        """Time the subject, then inspect and validate what it wrote, then keep or remove it.

        Nothing of a run is outside `in-progress/` before the run is over: whatever a killed runner left there goes.
        """
        started_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        base: dict[str, Any] = {
            "case": step.case.name,
            "subject": step.subject.name,
            "block": step.block,
            "order": step.order,
            "role": step.role,
            "started_at": started_at,
            "fingerprint": self.environment.fingerprint,
            "revision": step.subject.revision or self.environment.revision,
        }
        if prepared.source is None:
            return RunResult(**base, error=prepared.failure, error_kind=FailureKind.EXIT)
        output = self._scratch() / f"{step.stem}{step.subject.output_suffix}"
        trace = output.with_name(f"{step.stem}.trace.json") if self.traces else None
        for gauge in self.gauges:
            gauge.start()
        try:
            if step.subject.command:
                run = self._run_command(step, prepared, output, base, on_frame)
            else:
                run = self._run_pipeline(step, prepared, output, base, on_frame, trace=trace)
            if run.succeeded and not step.subject.writes_output:
                run = run.model_copy(update={"unmeasured": run.unmeasured | {"validation": "nothing is written"}})
            elif run.succeeded and self.validator is not None:
                run = self.validator.validate(run, step, prepared.source, output)
            elif run.succeeded:
                run = run.model_copy(update={"unmeasured": run.unmeasured | {"validation": "switched off"}})
            _refuse_full_disk(run, self.folder)
            # Before the run is recorded: a recorded run has its output and its trace.
            if self.keeps_outputs and step.subject.writes_output:
                _keep(output, own_folder(self.folder, "outputs") / output.name)
            if trace is not None:
                _keep(trace, own_folder(self.folder, "traces") / f"{step.stem}.json")
            return run
        finally:
            remove(self.folder / IN_PROGRESS)

    def _scratch(self) -> Path:
        return own_folder(self.folder, IN_PROGRESS)

    def _run_pipeline(
        self,
        step: ScheduledRun,
        prepared: PreparedCase,
        output: Path,
        base: dict[str, Any],
        on_frame: Callable[[int], None],
        *,
        trace: Path | None,
    ) -> RunResult:
        subject = step.subject
        job = "floor" if subject.is_floor else "export"
        path = {} if subject.path is None else {"path": subject.path}
        answer = ask_worker(
            job,
            {
                "source": str(prepared.source),
                "output": str(output) if subject.writes_output else None,
                "options": export_options(step.case) | path | subject.options,
                "trace": None if trace is None else str(trace),
            },
            scratch=self._scratch(),
            timeout_s=step.case.timeout_s,
            python=subject.python,
            env=subject.env,
            sampled=subject.sampled,
            gauges=self.gauges,
            on_frame=on_frame,
        )
        measured = base | self._measured(answer.outcome) | {"command": ("capbench", job, subject.path or "")}
        if answer.disk_full:
            raise OutputError(f"{step.stem} stopped: {answer.error}; free some space and go on with --resume")
        if answer.result is None:
            return RunResult(**_merged(measured, {}), error=answer.error, error_kind=_kind_of(answer))
        return _with_bitrate(RunResult(**_merged(answer.result, measured)))

    def _run_command(
        self,
        step: ScheduledRun,
        prepared: PreparedCase,
        output: Path,
        base: dict[str, Any],
        on_frame: Callable[[int], None],
    ) -> RunResult:
        subject = step.subject
        values = {
            "source": str(prepared.source),
            "output": str(output),
            "scene": step.case.scene,
            "width": str(prepared.width),
            "height": str(prepared.height),
            "fps": prepared.fps,
        }
        command = fill_command(subject.command, values, prepared.encoder_options)
        folder = subject.folder or self.folder
        before = _names_in(folder)
        outcome = run_process(
            command,
            env=os.environ | subject.env,
            cwd=folder,
            timeout_s=step.case.timeout_s,
            sampled=subject.sampled,
            gauges=self.gauges,
            on_frame=on_frame,
        )
        measured = base | self._measured(outcome) | {"command": tuple(command)}
        error, kind = _command_failure(command[0], outcome, step.case.timeout_s, output, _names_in(folder) - before)
        if error is not None:
            return RunResult(**measured, error=error, error_kind=kind)
        inspected = ask_worker(
            "inspect", {"output": str(output)}, scratch=self._scratch(), timeout_s=_INSPECTION_TIMEOUT_S
        )
        if inspected.disk_full:
            raise OutputError(f"{step.stem} stopped: {inspected.error}; free some space and go on with --resume")
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
        """What was taken from outside the process."""
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
        return {
            "process_wall_s": ending.wall_s,
            "cpu_s": cpu_s,
            "cpu_percent": 100 * cpu_s / ending.wall_s if cpu_s is not None and ending.wall_s else None,
            "cpu_per_core_percent": outcome.cpu_per_core_percent,
            "peak_rss_bytes": ending.peak_rss_bytes,
            "peak_tree_rss_bytes": max((sample.rss_bytes for sample in outcome.samples), default=None),
            "trace": outcome.samples,
            "sample_interval_s": outcome.samples[-1].time_s / count if count else None,
            "sampler_cpu_s": outcome.sampler_cpu_s,
            "telemetry": summarise(self.gauges, self.gauge_reasons),
            "unmeasured": reasons,
        }


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


def _refuse_full_disk(run: RunResult, folder: Path) -> None:
    """A run that failed on a full disk says nothing about its subject. Raises `OutputError`."""
    has_passed = run.succeeded and (run.validation is None or run.validation.passed)
    if not has_passed and shutil.disk_usage(folder).free < _FULL_DISK_BYTES:
        what = run.error or "its output fails validation"
        raise OutputError(f"the disk of {folder} is full: {what}; free some space and go on with --resume")


def _keep(made: Path, target: Path) -> None:
    """Move what a run left to where it stays; of a link, what it leads to: where that is belongs to the subject."""
    if made.is_symlink():
        if made.is_file():
            shutil.copyfile(made, target)
    elif made.exists():
        if made.is_dir() or target.is_dir():
            remove(target)
        made.replace(target)
    else:
        remove(target)  # of an earlier attempt


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
        return f"{program} ended well and made a folder at {{output}}, which must be one file", FailureKind.NO_OUTPUT
    what = "left an empty file at" if output.is_file() else "wrote nothing to"
    instead = f"; it made {', '.join(sorted(strays)[:3])} where it was started" if strays else ""
    return f"{program} ended well and {what} {{output}}{instead}", FailureKind.NO_OUTPUT
