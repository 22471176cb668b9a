"""The threads of one export: when one fails the others stop at once, and the first failure is raised."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TypeVar

from capbench.errors import CancelledExportError, CapbenchError, PipelineError, StallError
from capbench.pipeline.threads.channel import Channel
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["StageGroup"]

Item = TypeVar("Item")

_POLL_S = 0.05
"""How long the main thread sleeps between looks for Ctrl-C, stalls and ends: Python delivers signals only there."""
_GRACE_S = 5.0
"""How long stages may take to notice that the export was stopped. A stage that hangs in native code is left behind."""


class _Stoppable(Protocol):
    """A channel, whatever it carries."""

    def stop(self, failure: BaseException) -> None: ...


class StageGroup:
    """Runs stages on threads of their own and ends them together.

    Used as a context, it waits at the end; what the caller meets meanwhile stops the stages that already run.
    """

    def __init__(self, watch: StageWatch, cancel: threading.Event) -> None:
        self._watch = watch
        self._cancel = cancel
        self._channels: list[_Stoppable] = []
        self._threads: dict[str, threading.Thread] = {}
        self._failures: list[BaseException] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Wait. Raises the first failure: a stage may have failed before the caller's own call did because of it."""
        if failure is not None:
            self.stop(CancelledExportError("interrupted") if isinstance(failure, KeyboardInterrupt) else failure)
        self.wait()

    def channel(
        self,
        producer: str,
        consumer: str,
        *,
        max_frames: int,
        max_bytes: int,
        carries_frames: bool = True,
        numbers_producer: bool = True,
        first_frame: int = 0,
    ) -> Channel[Item]:
        """A channel between two stages that is stopped with the group, at once where it was stopped already."""
        channel: Channel[Item] = Channel(
            producer=producer,
            consumer=consumer,
            max_frames=max_frames,
            max_bytes=max_bytes,
            watch=self._watch,
            carries_frames=carries_frames,
            numbers_producer=numbers_producer,
            first_frame=first_frame,
        )
        with self._lock:
            self._channels.append(channel)
            failures = list(self._failures)
        if failures:
            channel.stop(failures[0])
        return channel

    def start(self, stage: str, body: Callable[[], object], *, slack_s: float = 0.0) -> None:
        """Run `body` on a thread; what it raises stops the group. It may be silent for `slack_s` longer than others.

        Raises `PipelineError` where the system gives no thread.
        """

        def run() -> None:
            try:
                body()
            except BaseException as failure:  # noqa: BLE001  carried to the main thread and raised there
                # The frame of a stage that waits says nothing about the one that it waits for.
                blames_other = isinstance(failure, StallError) and failure.stage in self._threads.keys() - {stage}
                self.stop(_attributed(failure, stage, None if blames_other else self._watch.frame(stage)))
            finally:
                self._watch.end(stage)

        self._watch.begin(stage, slack_s=slack_s)
        # Daemon: an encoder that hangs in native code must not keep the process alive.
        thread = threading.Thread(target=run, name=f"capbench-{stage}", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:
            raise PipelineError(f"{stage} has no thread: {error}", stage=stage) from error
        self._threads[stage] = thread

    def stop(self, failure: BaseException) -> None:
        """Stop every stage because of `failure`."""
        with self._lock:
            self._failures.append(failure)
            channels = list(self._channels)
        for channel in channels:
            channel.stop(failure)

    def wait(self) -> None:
        """Wait until every stage ended. Raises the first failure, or `CancelledExportError`."""
        try:
            while any(thread.is_alive() for thread in list(self._threads.values())) and not self._failures:
                if self._cancel.wait(_POLL_S):
                    self.stop(CancelledExportError("the export was cancelled"))
                elif stall := self._watch.stalled():
                    self.stop(stall)
        except KeyboardInterrupt:
            self.stop(CancelledExportError("interrupted"))
        self._join()
        if self._failures:
            raise self._failures[0]

    def _join(self) -> None:
        deadline_s = time.monotonic() + _GRACE_S
        hung = {failure.stage for failure in self._failures if isinstance(failure, StallError)}
        for stage, thread in list(self._threads.items()):
            if stage not in hung:  # waiting for one that is known to hang would only add to the time lost
                thread.join(max(0.0, deadline_s - time.monotonic()))


def _attributed(failure: BaseException, stage: str, frame: int | None) -> BaseException:
    """The failure with its stage and frame, as capbench's own error."""
    if isinstance(failure, PipelineError) and failure.frame is None:
        failure.frame = frame
    if isinstance(failure, CapbenchError):
        return failure
    at = "" if frame is None else f" at frame {frame}"
    error = PipelineError(f"{stage} failed{at}: {failure or type(failure).__name__}", stage=stage, frame=frame)
    error.__cause__ = failure
    return error
