"""Parts of one validation, side by side in worker processes of this machine."""

from __future__ import annotations

import os
import queue
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from capbench.errors import PartError
from capbench.harness.worker.kept_workers import KeptWorker

__all__ = ["PartProcesses"]

_TIMEOUT_S = 3600.0
"""Of one part, as of a whole output elsewhere: measuring may take several times as long as exporting."""


class PartProcesses:
    """Measures parts as they are submitted, each in the next process that is free. Processes start with their first."""

    def __init__(self, reference: Path, output: Path, parts: int) -> None:
        """`parts` is how many parts are wanted, and how many processes there are at most."""
        self.parts = parts
        """How many parts are wanted."""
        self.threads: int | None = max(1, (os.cpu_count() or 1) // parts)
        """Most threads of libvmaf in each: side by side they must not take a core more often than there are cores."""
        self._files = {"reference": str(reference.absolute()), "output": str(output.absolute())}
        self._workers = [KeptWorker(Path.cwd()) for _ in range(parts)]
        self._idle: queue.SimpleQueue[KeptWorker] = queue.SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._pool = ThreadPoolExecutor(parts, "capbench-parts")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def submit(self, plan: str) -> Future[str]:
        """Begin to measure a part: JSON of its plan, and later of its records. The future raises `PartError`."""
        return self._pool.submit(self._measure, plan)

    def _measure(self, plan: str) -> str:
        worker = self._idle.get()
        try:
            answer = worker.ask("measure-part", {**self._files, "plan": plan}, timeout_s=_TIMEOUT_S)
        finally:
            self._idle.put(worker)
        if answer.result is None:
            raise PartError(answer.error or "no answer")
        return str(answer.result["records"])
