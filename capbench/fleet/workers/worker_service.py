"""What a machine does for the fleet, with Dask left out: blocks in processes of their own, content, files, activity."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import TypeAdapter

from capbench.errors import CapbenchError, InputError, PartError, UnavailableError
from capbench.files import describe_os_error
from capbench.fleet.block_job import (
    LONGEST_MESSAGE_BYTES,
    PIECE_BYTES,
    Activity,
    BlockAnswer,
    BlockFailure,
    BlockJob,
    PieceJob,
    from_message,
)
from capbench.fleet.spreading.part_job import PartJob
from capbench.fleet.workers.block_process import BlockOrder, block_folder
from capbench.fleet.workers.content_store import ContentStore
from capbench.fleet.workers.machine_report import MachineReport
from capbench.harness.machine.machine_lock import MachineLock
from capbench.harness.process.measured_process import Outcome, Tail
from capbench.harness.process.spawn import Launched, launch
from capbench.harness.run.leftovers import remove
from capbench.harness.worker.client import describe_failure
from capbench.harness.worker.kept_workers import KeptWorker

__all__ = ["WorkerService"]

_LOOK_EVERY_S = 1.0
"""Whether a block is still wanted: a look takes microseconds, and a block that is not is over soon enough."""
_TRANSFER_WAIT_S = 5.0
"""For the machine to become free; whoever sends asks again."""
_END_TIMEOUT_S = 10.0
_STREAM_TIMEOUT_S = 1.0
_MOST_ATTEMPTS_REMEMBERED = 100_000
"""Blocks that one worker begins; at one a second those of a day."""


class WorkerService:
    """One machine of a fleet. Called from the threads of its Dask worker."""

    def __init__(
        self, folder: Path, lock: Path, report: MachineReport, *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.report = report
        self._folder = folder
        self._lock_folder = lock
        self._lock = MachineLock(lock)
        self._store = ContentStore(folder)
        self._now_s = now_s
        self._begun: set[str] = set()
        self._processes: set[Launched] = set()
        self._measurers: set[KeptWorker] = set()
        self._guard = threading.Lock()
        self._activity = Activity()
        self._since_s = now_s()
        self._is_stopped = False
        # What an earlier worker left: its caches are cold, and nobody waits for its blocks.
        remove(folder / "runs")

    def activity(self) -> Activity:
        """What the machine does now."""
        with self._guard:
            return self._activity.model_copy(update={"since_s": round(self._now_s() - self._since_s, 1)})

    def make_block(self, job: BlockJob, is_wanted: Callable[[], bool]) -> BlockAnswer:
        """Make a block in a process of its own; `is_wanted` is asked now and then, and False ends it.

        Raises `InputError` for a block of another capbench, another machine, or one that was begun before: a scheduler
        that tries again in silence would make a block of two halves.
        """
        mine = self.report
        if job.capbench_version != mine.capbench_version:
            raise InputError(
                f"machine {mine.name} has capbench {mine.capbench_version}, the runner {job.capbench_version}"
            )
        if job.machine != mine.name:
            raise InputError(f"a block for machine {job.machine} came to {mine.name}")
        with self._guard:
            if job.attempt in self._begun or len(self._begun) >= _MOST_ATTEMPTS_REMEMBERED:
                raise InputError(f"this attempt at {job.case.name} was begun before; it is not made twice")
            self._begun.add(job.attempt)
        order = BlockOrder(
            job=job,
            folder=self._folder.absolute(),
            lock=self._lock_folder.absolute(),
            environment=mine.machine.environment,
        )
        try:
            return self._run(order, is_wanted)
        finally:
            self._note(Activity(), is_aside=job.measured is not None)

    def measure_part(self, job: PartJob) -> str:
        """Measure a part of a validation in a process of its own, beside no timing; returns JSON of its records.

        Raises `MachineBusyError` where the machine times something for too long, `InputError` for files that are not
        here, `PartError` where the part could not be measured to the sender's figures.
        """
        mine = self.report
        if job.capbench_version != mine.capbench_version or job.machine != mine.name:
            raise InputError(f"a part for {job.machine}, capbench {job.capbench_version}, came to {mine.name}")
        with self._lock.validating(timeout_s=job.lock_wait_s):
            files = {"reference": self._store.place(job.reference), "output": self._store.place(job.output)}
            spec = {name: str(path.absolute()) for name, path in files.items()}
            measurer = KeptWorker(self._folder.absolute())
            with self._guard:
                if self._is_stopped:
                    raise UnavailableError("this machine leaves the fleet")
                self._measurers.add(measurer)
            try:
                answer = measurer.ask(
                    "measure-part", {**spec, "plan": job.plan, "arithmetic": job.arithmetic}, timeout_s=job.timeout_s
                )
            finally:
                with self._guard:
                    self._measurers.discard(measurer)
                measurer.close()
        if answer.result is None:
            raise PartError(answer.error or "no answer")
        return str(answer.result["records"])

    def store_piece(self, job: PieceJob, piece: bytes) -> int:
        """Store a piece of a file; returns how much of the file is here. Raises `InputError`, `OutputError`."""
        if job.file is None or len(piece) > PIECE_BYTES:
            raise InputError("not a piece of a file")
        if not piece and (have := self._store.stored_bytes(job.file)) and have == job.file.size_bytes:
            return have
        with self._lock.validating(timeout_s=_TRANSFER_WAIT_S):
            return self._store.store(job.file, job.offset, piece)

    def read_piece(self, job: PieceJob) -> bytes:
        """A piece of a file that a block has made. Raises `InputError`."""
        if job.run_id is None or job.case is None or job.name is None:
            raise InputError("not a piece of a block")
        if "/" in job.case or job.case.startswith("."):
            raise InputError("not the name of a case")
        folder = block_folder(self._folder, job.run_id, job.case)
        with self._lock.validating(timeout_s=_TRANSFER_WAIT_S):
            try:
                file = os.open(
                    folder / job.name, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
                )
                with os.fdopen(file, "rb") as stream:
                    stream.seek(job.offset)
                    return stream.read(PIECE_BYTES)
            except OSError as error:
                raise InputError(
                    f"{job.name} of {job.case} is not on this machine: {describe_os_error(error)}"
                ) from error

    def forget_block(self, job: PieceJob) -> None:
        """Remove what a block has left, once it was fetched; what opens the case stays, but where `whole` is said."""
        if job.run_id is None or job.case is None or "/" in job.case or job.case.startswith("."):
            raise InputError("not a block")
        folder = block_folder(self._folder, job.run_id, job.case)
        for name in ("outputs", "unvalidated", "failed", "traces", "frames"):
            remove(folder / name)
        if job.whole:
            remove(folder)
            with contextlib.suppress(OSError):  # other cases of the result folder are there
                folder.parent.rmdir()

    def stop(self) -> None:
        """End every block, and begin none any more until `restart`."""
        with self._guard:
            self._is_stopped = True
            for process in self._processes:
                process.kill()
            for measurer in self._measurers:
                measurer.kill()

    def restart(self) -> None:
        """Blocks may begin again."""
        with self._guard:
            self._is_stopped = False

    def _run(self, order: BlockOrder, is_wanted: Callable[[], bool]) -> BlockAnswer:
        with self._launched() as process:
            stderr = Tail(process.stderr)
            assert process.stdin is not None
            with contextlib.suppress(OSError):  # it has died: how is read below
                process.stdin.write(TypeAdapter(BlockOrder).dump_json(order) + b"\n")
                process.stdin.flush()
            end_s = self._now_s() + order.job.timeout_s
            lines = _lines_of(process)
            last = b""
            while True:
                try:
                    line = lines.get(timeout=_LOOK_EVERY_S)
                except queue.Empty:
                    if not is_wanted():
                        process.kill()
                        return _failed("it is no longer wanted", "CancelledBlock")
                    if self._now_s() > end_s:
                        process.kill()
                        return _failed(f"it did not end within {order.job.timeout_s:g} s", "TimeoutError")
                    continue
                if not line:
                    break
                last = line
                self._note_line(line, is_aside=order.job.measured is not None)
            return self._answer(process, last, stderr)

    def _answer(self, process: Launched, last: bytes, stderr: Tail) -> BlockAnswer:
        with contextlib.suppress(InputError, UnicodeDecodeError):
            answer = from_message(last.decode(), BlockAnswer)
            if answer.files or answer.failure is not None:
                return answer
        process.ended.wait(_END_TIMEOUT_S)
        outcome = Outcome(ending=process.ending, timed_out=False, stdout="", stderr=stderr.text(_STREAM_TIMEOUT_S))
        return _failed(describe_failure("the block's process", outcome), "Crash")

    @contextlib.contextmanager
    def _launched(self) -> Iterator[Launched]:
        command = [sys.executable, "-X", "utf8", "-P", "-m", "capbench.fleet.workers.block_process"]
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._guard:
            if self._is_stopped:
                raise UnavailableError("this machine leaves the fleet")
            process = launch(command, env=os.environ, cwd=self._folder, takes_input=True)
            self._processes.add(process)
        try:
            yield process
        finally:
            with self._guard:
                self._processes.discard(process)
            process.close()

    def _note_line(self, line: bytes, *, is_aside: bool) -> None:
        with contextlib.suppress(CapbenchError, UnicodeDecodeError):  # an answer is no activity
            if line.startswith(b'{"doing"'):
                self._note(from_message(line.decode(), Activity), is_aside=is_aside)

    def _note(self, activity: Activity, *, is_aside: bool) -> None:
        """Keep what is done now. Outputs of others are validated aside, which hides nothing of the machine's block."""
        with self._guard:
            if is_aside and self._activity.doing not in ("nothing", "validating"):
                return
            self._activity, self._since_s = activity, self._now_s()


def _lines_of(process: Launched) -> queue.SimpleQueue[bytes]:
    """The lines that a process writes, an empty one at the end."""
    lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def read() -> None:
        with contextlib.suppress(ValueError, OSError):  # closed under us after the process had ended
            while (line := process.stdout.readline(LONGEST_MESSAGE_BYTES)).endswith(b"\n"):
                lines.put(line)
        lines.put(b"")

    threading.Thread(target=read, daemon=True, name="block").start()
    return lines


def _failed(message: str, kind: str) -> BlockAnswer:
    return BlockAnswer(failure=BlockFailure(message=message, kind=kind))
