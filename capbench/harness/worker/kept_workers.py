"""Worker processes that are reused for many jobs: libraries are loaded once per process."""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import psutil

from capbench.harness.process.measured_process import Outcome, Tail
from capbench.harness.process.spawn import launch
from capbench.harness.worker.client import JobResult, answered, unanswered

__all__ = ["KeptWorker", "ask_side_by_side"]

_LARGEST_IDLE_BYTES = 2**30
"""A worker that holds more than this between two jobs is replaced. After its last picture one holds some 200 MB at
1080p and 400 MB at 4K, most of it libraries and what the allocator did not give back."""
_LONGEST_ANSWER_BYTES = 2**28
"""Of one line. Ten hours of video at 60 frames a second have 15 series of 2 million figures of 8 characters."""
_END_TIMEOUT_S = 10.0
"""Between the end of its output and that of the process there is only the interpreter's own end."""
_STREAM_TIMEOUT_S = 1.0

Key = TypeVar("Key")
Job = tuple[str, Mapping[str, Any]]
"""Name of a job and its spec."""


def ask_side_by_side(
    jobs: Sequence[tuple[Key, Job]], *, folder: Path, most_workers: int, timeout_s: float
) -> Generator[tuple[Key, JobResult], None, None]:
    """Have jobs done by up to `most_workers` processes that are kept until the last job; answers as they come.

    Processes run in `folder`. Close the iterator to end them early.
    """
    workers = [KeptWorker(folder) for _ in range(max(1, min(most_workers, len(jobs))))]
    idle: queue.SimpleQueue[KeptWorker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def do(name: str, spec: Mapping[str, Any]) -> JobResult:
        worker = idle.get()
        try:
            return worker.ask(name, spec, timeout_s=timeout_s)
        finally:
            idle.put(worker)

    pool = ThreadPoolExecutor(len(workers), "capbench-ask")
    try:
        asked = {pool.submit(do, *job): key for key, job in jobs}
        for future in as_completed(asked):
            yield asked[future], future.result()
    finally:
        for worker in workers:
            worker.kill()
        pool.shutdown(cancel_futures=True)
        for worker in workers:
            worker.close()


class KeptWorker:
    """One process that does jobs one after the other, and is replaced when it dies, hangs or grows."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started before the first job. Processes run in `folder`."""
        self._folder = folder
        self._running: _Running | None = None
        self._killed = False
        self._lock = threading.Lock()

    def ask(self, job: str, spec: Mapping[str, Any], *, timeout_s: float) -> JobResult:
        """Have one job done. A job that takes longer than `timeout_s` ends the process and is an error."""
        with self._lock:
            if self._killed:
                raise RuntimeError("a killed worker was asked")
            running = self._running = self._running or _Running(self._folder)
        try:
            said = running.ask(json.dumps({**spec, "job": job}), timeout_s)
        except TimeoutError:
            running.kill()
            return JobResult(self._end(timed_out=True), error=f"did not end within {timeout_s:g} s and was killed")
        if said is None:
            return unanswered(self._end(timed_out=False))
        result = answered(said, running.outcome())
        if running.held_bytes() > _LARGEST_IDLE_BYTES:
            running.kill()
            self._end(timed_out=False)
        return result

    @property
    def pid(self) -> int | None:
        """Process id; None while there is no process."""
        return None if self._running is None else self._running.pid

    def kill(self) -> None:
        """End the process at once, whatever it does: a thread that waits for its answer gets an error."""
        with self._lock:
            self._killed = True
            if self._running is not None:
                self._running.kill()

    def close(self) -> None:
        """End the process and release what it held; no job may be running."""
        self.kill()
        if self._running is not None:
            self._end(timed_out=False)

    def _end(self, *, timed_out: bool) -> Outcome:
        with self._lock:
            assert self._running is not None
            outcome = self._running.end(timed_out=timed_out)
            self._running = None
            return outcome


class _Running:
    """A process of a `KeptWorker` while it lives."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-X", "utf8", "-P", "-m", "capbench.harness.worker", "-"]
        self._process = launch(command, env=os.environ, cwd=folder, takes_input=True)
        self._stderr = Tail(self._process.stderr)
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True, name="answers")
        self._reader.start()

    def _read(self) -> None:
        try:
            while (line := self._process.stdout.readline(_LONGEST_ANSWER_BYTES)).endswith(b"\n"):
                self._lines.put(line)
        except (ValueError, OSError):
            pass  # closed under us after the process had ended
        self._lines.put(b"")

    def ask(self, line: str, timeout_s: float) -> dict[str, Any] | None:
        """The answer; None where the process ended without one. Raises `TimeoutError`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            return None  # it has died since its last answer
        try:
            answer = self._lines.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        found: dict[str, Any] | None = json.loads(answer) if answer else None
        return found

    @property
    def pid(self) -> int | None:
        """Process id of the worker; None until it has started."""
        return self._process.pid

    def held_bytes(self) -> int:
        """Memory that the process holds now."""
        try:
            return 0 if self.pid is None else psutil.Process(self.pid).memory_info().rss
        except psutil.Error:
            return 0  # it has ended: the next job finds out

    def outcome(self) -> Outcome:
        """How the process stands while it lives."""
        return Outcome(ending=self._process.ending, timed_out=False, stdout="", stderr="")

    def kill(self) -> None:
        """End the process and what it has started; returns at once."""
        self._process.kill()

    def end(self, *, timed_out: bool) -> Outcome:
        """Wait for the end of a process that has closed its output or was killed, and say how it ended."""
        self._process.ended.wait(_END_TIMEOUT_S)
        stderr = self._stderr.text(_STREAM_TIMEOUT_S)
        self._process.close()
        self._reader.join()
        return Outcome(ending=self._process.ending, timed_out=timed_out, stdout="", stderr=stderr)
