"""The threads of one export: when one fails the others stop at once, and the first failure is raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from capbench.errors import CancelledExportError, CapbenchError, PipelineError
from capbench.pipeline.channel import Channel

__all__ = ["StageGroup"]

_POLL_S = 0.05
"""How long the main thread sleeps between looks for Ctrl-C and failures: Python delivers signals only there."""
_GRACE_S = 5.0
"""How long stages may take to notice that the export was stopped. A stage that hangs in native code is left behind."""


class StageGroup:
    """Runs stages on threads of their own and ends them together."""

    def __init__(self, channels: list[Channel[Any]], cancel: threading.Event) -> None:
        self._channels = channels
        self._cancel = cancel
        self._threads: list[threading.Thread] = []
        self._failures: list[BaseException] = []
        self._lock = threading.Lock()

    def start(self, name: str, body: Callable[[], None]) -> None:
        """Run `body` on a thread; what it raises stops the group."""

        def run() -> None:
            try:
                body()
            except BaseException as failure:  # noqa: BLE001  carried to the main thread and raised there
                self.stop(failure if isinstance(failure, CapbenchError) else _wrapped(failure, name))

        # Daemon: an encoder that hangs in native code must not keep the process alive.
        thread = threading.Thread(target=run, name=f"capbench-{name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, failure: BaseException) -> None:
        """Stop every stage because of `failure`."""
        with self._lock:
            self._failures.append(failure)
        for channel in self._channels:
            channel.stop(failure)

    def wait(self) -> None:
        """Wait until every stage ended. Raises the first failure, or `CancelledExportError`."""
        try:
            while any(thread.is_alive() for thread in self._threads) and not self._failures:
                if self._cancel.wait(_POLL_S):
                    self.stop(CancelledExportError("the export was cancelled"))
        except KeyboardInterrupt:
            self.stop(CancelledExportError("interrupted"))
        deadline_s = time.monotonic() + _GRACE_S
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        if self._failures:
            raise self._failures[0]


def _wrapped(failure: BaseException, stage: str) -> PipelineError:
    error = PipelineError(f"{stage} failed: {failure or type(failure).__name__}", stage=stage)
    error.__cause__ = failure
    return error
