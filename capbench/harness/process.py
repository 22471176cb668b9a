"""One measured process from start to end: time limit, samples, the tail of what it said."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from capbench.harness.launch import Ending, launch
from capbench.harness.sampler import TreeReader, TreeSampler
from capbench.harness.telemetry import Gauge
from capbench.results.run import TraceSample

__all__ = ["Outcome", "Tail", "run_process"]

_TAIL_BYTES = 8192
"""What is kept of an output stream: enough for a traceback, whatever a subject prints."""
_FRAME = re.compile(rb"\bframe=\s*(\d+)")
"""How the worker, and ffmpeg's `-progress pipe:1`, say how far they are."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one process did and used."""

    ending: Ending
    """How it ended."""
    timed_out: bool
    """Whether it was killed because its time was up."""
    stdout: str
    """The end of its standard output."""
    stderr: str
    """The end of its standard error."""
    samples: tuple[TraceSample, ...] = ()
    """Sampled memory and CPU."""
    sampler_cpu_s: float | None = None
    """CPU seconds that sampling took."""
    cpu_per_core_percent: tuple[float, ...] = ()
    """Load of each core of the machine meanwhile."""


class Tail:
    """Drains a stream and keeps its end, so that a subject that prints megabytes neither blocks nor fills memory."""

    def __init__(self, stream: IO[bytes], on_frame: Callable[[int], None] | None = None) -> None:
        self._stream = stream
        self._on_frame = on_frame
        self._kept = b""
        self._thread = threading.Thread(target=self._drain, daemon=True, name="tail")
        self._thread.start()

    def _drain(self) -> None:
        while chunk := self._read():
            self._kept = (self._kept + chunk)[-_TAIL_BYTES:]
            if self._on_frame is not None and (found := _FRAME.findall(self._kept)):
                self._on_frame(int(found[-1]))

    def _read(self) -> bytes:
        try:
            return self._stream.read1(65536)  # type: ignore[attr-defined,no-any-return]  # Popen's pipes are buffered readers
        except (ValueError, OSError):
            return b""  # closed under us after the process had ended

    def text(self, timeout_s: float) -> str:
        """The end of the stream. A descendant that escaped may hold it open: wait no longer than `timeout_s`."""
        self._thread.join(timeout_s)
        return self._kept.decode(errors="replace")


def run_process(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    timeout_s: float,
    sampled: bool = True,
    gauges: Sequence[Gauge] = (),
    on_frame: Callable[[int], None] | None = None,
) -> Outcome:
    """Run a program to its end or to its time limit. An interrupt kills it and is raised again."""
    cores_before = psutil.cpu_times(percpu=True)
    start_s = time.monotonic()
    process = launch(argv, env=env, cwd=cwd)
    timed_out = False
    sampler: TreeSampler | None = None
    reader: TreeReader | None = None
    try:
        stdout, stderr = Tail(process.stdout, on_frame), Tail(process.stderr, on_frame)
        pause_s = 0.01  # the launcher needs a moment before there is anything to sample
        while not process.ended.wait(pause_s):
            now_s = time.monotonic() - start_s
            if now_s >= timeout_s and not timed_out:
                timed_out = True
                process.kill()
            if not sampled or process.pid is None:
                pause_s = 0.01 if process.pid is None else 0.25
                continue
            if reader is None or sampler is None:
                try:
                    reader = TreeReader(process.pid)
                except psutil.Error:
                    continue  # already over
                sampler = TreeSampler(reader, gauges)
            sampler.take(now_s)
            pause_s = max(0.001, min(sampler.next_interval_s(time.monotonic() - start_s), timeout_s - now_s, 5.0))
        if timed_out and reader is not None:
            reader.kill_rest()
    except BaseException:
        process.kill()
        process.ended.wait(10)
        if reader is not None:
            reader.kill_rest()
        raise
    finally:
        if process.ended.wait(10):
            texts = stdout.text(1.0), stderr.text(1.0)
        process.close()
    return Outcome(
        ending=process.ending,
        timed_out=timed_out,
        stdout=texts[0],
        stderr=texts[1],
        samples=tuple(sampler.samples) if sampler else (),
        sampler_cpu_s=sampler.cost_s if sampler else None,
        cpu_per_core_percent=_busy_percent(cores_before, psutil.cpu_times(percpu=True)),
    )


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
