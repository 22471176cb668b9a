"""One measured process from start to end: time limit, samples, the tail of its output."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from capbench.harness.machine.gpu_telemetry import Gauge
from capbench.harness.process.export_clock import ClockMarks, ClockRule, ExportWatch, Step
from capbench.harness.process.sampler import TreeReader, TreeSampler
from capbench.harness.process.scheduling import before_the_subject
from capbench.harness.process.slice_turn import SliceTurn
from capbench.harness.process.spawn import Ending, Launched, launch
from capbench.results.run_record import Scheduling, TraceSample

__all__ = ["CapturedStream", "Observation", "Outcome", "Tail", "run_process"]

_TAIL_BYTES = 8192
"""What is looked at of an output stream for how far it is and for what went wrong: enough for a traceback."""
_KEPT_BYTES = 2**16
"""What is kept of the beginning and of the end of an output stream for its log, whatever a subject prints: a run of a
thousand blocks then has logs of at most 250 MB."""
_FRAME = re.compile(rb"\bframe=\s*(\d+)")
"""How the worker, and ffmpeg's `-progress pipe:1`, report progress."""
_START_PAUSE_S = 0.01
"""The launcher needs a moment before there is anything to sample."""
_IDLE_PAUSE_S = 5.0
"""Longest time between checks of the clock and the process."""
_TURN_PAUSE_S = 1.0
"""Longest time between checks whether a stopped process has ended."""
_WATCHED_PAUSE_S = 0.25
"""Longest time between checks whether the export is over while its process runs on."""
_KILL_TIMEOUT_S = 10.0
"""A killed process that is stuck in the kernel is given up after this time."""
_STREAM_TIMEOUT_S = 1.0
"""A descendant that escaped may hold the output open after the process has ended."""


@dataclass(frozen=True, slots=True)
class CapturedStream:
    """What a process wrote to one of its output streams, without the middle where that is long."""

    head: bytes = b""
    """Its beginning."""
    tail: bytes = b""
    """What came after the beginning, or the end of that."""
    total_bytes: int = 0
    """All that was written."""

    @property
    def lost_bytes(self) -> int:
        """Bytes between the beginning and the end that were not kept."""
        return self.total_bytes - len(self.head) - len(self.tail)

    @property
    def end(self) -> str:
        """The end, or all of it, as text."""
        return (self.tail if self.lost_bytes else self.head + self.tail).decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome and resource use of one process."""

    ending: Ending
    """How it ended."""
    timed_out: bool
    """Whether it was killed at its time limit."""
    stdout: str
    """The end of its standard output."""
    stderr: str
    """The end of its standard error."""
    streams: tuple[CapturedStream, CapturedStream] = (CapturedStream(), CapturedStream())
    """Standard output and standard error, for a log."""
    samples: tuple[TraceSample, ...] = ()
    """Sampled memory and CPU."""
    sampler_cpu_s: float | None = None
    """CPU seconds that sampling took."""
    cpu_per_core_percent: tuple[float, ...] = ()
    """Load of each core of the machine meanwhile; empty where others of the same block ran in turn."""
    running_s: float | None = None
    """Running time in seconds of a process that ran in slices; None for one that ran through."""
    marks: ClockMarks | None = None
    """When its export began and ended, where that was looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What is read of a process while it runs."""

    sampled: bool = True
    """Whether memory and CPU of its tree are sampled."""
    gauges: Sequence[Gauge] = ()
    """Counters of GPUs, read with each sample."""
    on_frame: Callable[[int], None] | None = None
    """Called with the number of every frame that it says to have finished."""
    clock: ClockRule | None = None
    """What marks begin and end of its export; it is ended when that is over. None where its own end is the end."""


class Tail:
    """Drains a stream and keeps both ends, so that a subject that prints megabytes neither blocks nor fills memory."""

    def __init__(
        self,
        stream: IO[bytes],
        on_frame: Callable[[int], None] | None = None,
        on_bytes: Callable[[bytes], None] | None = None,
    ) -> None:
        self._stream = stream
        self._on_frame = on_frame
        self._on_bytes = on_bytes
        self._head = self._tail = b""
        self._total_bytes = 0
        self._thread = threading.Thread(target=self._drain, daemon=True, name="tail")
        self._thread.start()

    def _drain(self) -> None:
        while chunk := self._read():
            if self._on_bytes is not None:  # first: it takes the time
                self._on_bytes(chunk)
            self._total_bytes += len(chunk)
            room = _KEPT_BYTES - len(self._head)
            self._head += chunk[:room]
            self._tail = (self._tail + chunk[room:])[-_KEPT_BYTES:]
            if self._on_frame is not None and (found := _FRAME.findall(self._end())):
                self._on_frame(int(found[-1]))

    def _end(self) -> bytes:
        """The last bytes; together the two parts have no gap where the tail alone is too short."""
        return (self._tail if len(self._tail) >= _TAIL_BYTES else self._head + self._tail)[-_TAIL_BYTES:]

    def _read(self) -> bytes:
        try:
            return self._stream.read1(65536)  # type: ignore[attr-defined,no-any-return]  # Popen's pipes are buffered readers
        except (ValueError, OSError):
            return b""  # closed under us after the process had ended

    def text(self, timeout_s: float) -> str:
        """The end of the stream. A descendant that escaped may hold it open: wait no longer than `timeout_s`."""
        self._thread.join(timeout_s)
        return self._end().decode(errors="replace")

    def captured(self) -> CapturedStream:
        """What was kept so far."""
        return CapturedStream(self._head, self._tail, max(self._total_bytes, len(self._head) + len(self._tail)))


def run_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout_s: float,
    observation: Observation | None = None,
    turn: SliceTurn | None = None,
    scheduling: Scheduling = "normal",
) -> Outcome:
    """Run a program to its end or to its time limit. An interrupt kills it and is raised again.

    With a `turn` it runs only in the slices that this is given: samples and the time limit count running time. Where
    `observation` has a clock, a program that runs on after its export is asked to end, and killed when it does not.
    With `realtime` scheduling it comes before all else on the machine, and this thread before it.
    Raises `OSError` where the kernel refuses that.
    """
    with before_the_subject(scheduling):
        return _observed(
            argv,
            env=env,
            cwd=cwd,
            timeout_s=timeout_s,
            observation=observation or Observation(),
            turn=turn,
            scheduling=scheduling,
        )


def _observed(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout_s: float,
    observation: Observation,
    turn: SliceTurn | None,
    scheduling: Scheduling,
) -> Outcome:
    export = None if observation.clock is None else _export_watch(observation.clock, turn)
    cores_before = psutil.cpu_times(percpu=True)
    if turn is None:
        process = launch(argv, env=env, cwd=cwd, scheduling=scheduling)
    else:
        process = launch(argv, env={**env, **turn.env}, cwd=cwd, held=True, cgroup=turn.cgroup, scheduling=scheduling)
    try:
        stdout, stderr = (
            Tail(stream, observation.on_frame, None if export is None else export.stream())
            for stream in (process.stdout, process.stderr)
        )
        watch = _Watch(process, observation, turn, export)
        if turn is not None:
            turn.attach(process)
        timed_out = watch.until_end(timeout_s)
        texts = stdout.text(_STREAM_TIMEOUT_S), stderr.text(_STREAM_TIMEOUT_S)
    finally:
        process.close()  # kills what an interrupt leaves running
        marks = None if export is None else export.close(process.ending.start_ns)
    sampler = watch.sampler
    return Outcome(
        ending=process.ending,
        timed_out=timed_out,
        stdout=texts[0],
        stderr=texts[1],
        streams=(stdout.captured(), stderr.captured()),
        samples=tuple(sampler.samples) if sampler else (),
        sampler_cpu_s=sampler.cost_s if sampler else None,
        cpu_per_core_percent=() if turn is not None else _busy_percent(cores_before, psutil.cpu_times(percpu=True)),
        running_s=None if turn is None or process.ending.wall_s is None else turn.running_s(),
        marks=marks,
    )


def _export_watch(rule: ClockRule, turn: SliceTurn | None) -> ExportWatch:
    if turn is None:
        return ExportWatch(rule, time.monotonic_ns, is_running_time=False)
    return ExportWatch(rule, lambda: round(turn.running_s() * 1e9), is_running_time=True)


class _Watch:
    """Samples a process, limits its time, and ends it when its export is over."""

    def __init__(
        self, process: Launched, observation: Observation, turn: SliceTurn | None, export: ExportWatch | None
    ) -> None:
        self._process = process
        self._export = export
        self._sampled = observation.sampled
        self._gauges = observation.gauges
        self._turn = turn
        self._start_s = time.monotonic()
        self._reader: TreeReader | None = None
        self.sampler: TreeSampler | None = None

    def until_end(self, timeout_s: float) -> bool:
        """Wait for the end; returns whether the time ran out and the process was killed."""
        pause_s, due_s = _START_PAUSE_S, 0.0
        while not self._process.ended.wait(pause_s):
            passed_s = self._passed_s()
            if self._end_after_export(passed_s):
                break
            if passed_s >= timeout_s and not (self._export is not None and self._export.is_over):
                self._kill()
                return True
            if self._turn is not None and not self._turn.wait_for_turn(_TURN_PAUSE_S):
                pause_s = 0.0
                continue
            passed_s = self._passed_s()
            if passed_s >= due_s:
                due_s = passed_s + self._sample(passed_s)
            pause_s = max(0.0, min(due_s, timeout_s) - passed_s)
            if self._export is not None:
                pause_s = min(pause_s, _WATCHED_PAUSE_S)
        if self._export is not None and self._export.is_over and self._reader is not None:
            self._reader.kill_rest()  # of those that left the group, where no supervisor has adopted them
        return False

    def _end_after_export(self, passed_s: float) -> bool:
        """Ask a process to end that runs on after its export, then kill it; returns whether it was killed."""
        if self._export is None:
            return False
        step = self._export.next_step(passed_s, self._process.root)
        if step is Step.ASK:
            self._process.ask_to_end()
        if step is Step.KILL:
            self._kill()
        return step is Step.KILL

    def _kill(self) -> None:
        self._process.kill()
        self._process.ended.wait(_KILL_TIMEOUT_S)
        if self._reader is not None:
            self._reader.kill_rest()

    def _passed_s(self) -> float:
        return time.monotonic() - self._start_s if self._turn is None else self._turn.running_s()

    def _sample(self, passed_s: float) -> float:
        """Take one sample if there is something to sample; returns the pause until the next."""
        pid = self._process.pid
        if pid is None:
            return _START_PAUSE_S
        if not self._sampled:
            return _IDLE_PAUSE_S
        if self.sampler is None:
            try:
                self._reader = TreeReader(pid)
            except psutil.Error:
                return _START_PAUSE_S  # already over
            self.sampler = TreeSampler(self._reader, self._gauges)
        self.sampler.take(passed_s)
        return min(self.sampler.next_interval_s(self._passed_s()), _IDLE_PAUSE_S)


def _busy_percent(before: Sequence[object], after: Sequence[object]) -> tuple[float, ...]:
    shares: list[float] = []
    for was, now in zip(before, after, strict=False):  # a core may be taken offline meanwhile
        # guest time is part of user time on Linux and would count twice
        spent = {
            name: getattr(now, name) - getattr(was, name)
            for name in getattr(now, "_fields", ())
            if name not in ("guest", "guest_nice")
        }
        total_s = sum(spent.values())
        idle_s = spent.get("idle", 0.0) + spent.get("iowait", 0.0)
        shares.append(round(100 * (1 - idle_s / total_s), 1) if total_s > 0 else 0.0)
    return tuple(shares)
