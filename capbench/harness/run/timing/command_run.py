"""A subject that is a command: what is started before, as, and after a run of it, and why a run does not count."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from capbench.harness.matrix.command_line import fill_command
from capbench.harness.matrix.model import Case
from capbench.harness.process.export_clock import ClockRule
from capbench.harness.process.measured_process import Observation, Outcome, run_process
from capbench.harness.run.evidence.ffmpeg_figures import benchmark_figures, progress_figures
from capbench.harness.run.evidence.own_figures import OwnFigures, in_slices_only, read_own_figures
from capbench.harness.run.prepare_source import PreparedCase
from capbench.harness.run.schedule import ScheduledRun
from capbench.harness.run.timing.export_window import overdue
from capbench.harness.worker.client import describe_failure
from capbench.results.run_record import FailureKind

__all__ = ["ONLY_THE_PIPELINE_KNOWS", "CommandRun", "NewFiles", "command_failure", "entry_names", "reported_figures"]

ONLY_THE_PIPELINE_KNOWS = (
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
"""Fields that a run of a command cannot have."""
_MOST_NAMES = 3
"""Of new files in a message."""
Hook = Literal["prepare", "conclude"]


@dataclass(frozen=True, slots=True)
class CommandRun:
    """The commands of one run, with everything that they may be told."""

    step: ScheduledRun
    """The run."""
    prepared: PreparedCase
    """Its case."""
    output: Path
    """Where the subject writes its video."""
    metrics: Path
    """Where it may write figures of its own."""
    folder: Path
    """Where its commands start."""

    @property
    def env(self) -> Mapping[str, str]:
        """Environment of every command."""
        return os.environ | self.step.subject.env

    @property
    def command(self) -> list[str]:
        """Program and arguments of the subject."""
        return self._filled(self.step.subject.command)

    @property
    def reports_figures(self) -> bool:
        """Whether the command is told where to write figures."""
        return any("{metrics}" in word for word in self.step.subject.command)

    @property
    def clock(self) -> ClockRule:
        """What marks begin and end of the subject's export."""
        subject = self.step.subject
        return ClockRule(subject.begins, self.output if subject.ends == "output" else None)

    def run_hook(self, which: Hook) -> tuple[list[str], Outcome] | None:
        """Run the command before or after; None where there is none. It is killed at the case's time limit."""
        words = getattr(self.step.subject, which)
        if not words:
            return None
        command = self._filled(words)
        outcome = run_process(
            command,
            env=self.env,
            cwd=self.folder,
            timeout_s=self.step.case.timeout_s,
            observation=Observation(sampled=False),
        )
        return command, outcome

    def _filled(self, words: tuple[str, ...]) -> list[str]:
        values = {
            "source": str(self.prepared.source),
            "output": str(self.output),
            "metrics": str(self.metrics),
            "scene": self.step.case.scene,
            "width": str(self.prepared.width),
            "height": str(self.prepared.height),
            "fps": self.prepared.fps,
        } | _settings_words(self.step.settings)
        return fill_command(words, values, self.prepared.encoder_options_at(self.step.point))


def _settings_words(settings: Case) -> dict[str, str]:
    """What the placeholders for encoder settings stand for, of those that the case or its point sets."""
    options = settings.options
    known = {"qp": settings.qp, "crf": options.get("crf"), "bitrate": options.get("bitrate_bits_per_s")}
    return {
        name: f"{value:g}" if isinstance(value, float) else str(value)
        for name, value in known.items()
        if value is not None
    }


def reported_figures(run: CommandRun, outcome: Outcome) -> OwnFigures:
    """Figures that a command reported: in its file, and those that ffmpeg prints."""
    found = read_own_figures(run.metrics) if run.reports_figures else OwnFigures()
    stdout, stderr = (stream.end for stream in outcome.streams)
    printed = progress_figures(stderr) | progress_figures(stdout) | benchmark_figures(stderr)
    found.custom = printed | found.custom
    return found if outcome.running_s is None else in_slices_only(found)


def entry_names(folder: Path) -> set[str]:
    """Names of what is in a folder."""
    return {entry.name for entry in folder.iterdir()}


@dataclass(frozen=True, slots=True)
class NewFiles:
    """What a command made where nobody asked for it."""

    in_folder: frozenset[str] = frozenset()
    """Names in its working folder."""
    beside_output: frozenset[str] = frozenset()
    """Names in the folder of its output."""

    @property
    def words(self) -> str:
        """The end of a sentence that says that there is no output; empty where nothing was made."""
        places = (("beside it", self.beside_output), ("in its working folder", self.in_folder))
        made = [f"{', '.join(sorted(names)[:_MOST_NAMES])} {place}" for place, names in places if names]
        return f"; it made {' and '.join(made)}" if made else ""


def command_failure(
    program: str, outcome: Outcome, timeout_s: float, output: Path, strays: NewFiles
) -> tuple[str | None, FailureKind | None]:
    """Why a command's run does not count, in one line; None when it left something at its output."""
    if outcome.timed_out:
        late = None if outcome.marks is None else overdue(outcome.marks)
        how = f"did not end within {timeout_s:g} s" if late is None else f"{late} within {timeout_s:g} s"
        elsewhere = "" if late is None or output.exists() else strays.words
        return f"{program} {how} and was killed{elsewhere}", FailureKind.TIMEOUT
    if outcome.ending.exit_code is None:
        return outcome.ending.failure, FailureKind.UNAVAILABLE
    was_ended = outcome.marks is not None and outcome.marks.ended_by != "itself"
    if outcome.ending.exit_code != 0 and not was_ended:
        return describe_failure(program, outcome), FailureKind.EXIT
    if output.is_file() and output.stat().st_size > 0:
        return None, None
    if output.is_dir():
        return f"{program} succeeded but made a folder at {{output}}, which must be one file", FailureKind.NO_OUTPUT
    what = "left an empty file at" if output.is_file() else "wrote nothing to"
    return f"{program} succeeded but {what} {{output}}{strays.words}", FailureKind.NO_OUTPUT
