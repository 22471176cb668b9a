"""Bounded channels between the threads of an export."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from capbench.errors import CancelledExportError, PipelineError
from capbench.pipeline.threads.watchdog import StageWatch

__all__ = ["Channel"]

Item = TypeVar("Item")


class Channel(Generic[Item]):
    """First in, first out, bounded in frames and in bytes; every wait is bounded and names the stalled stage.

    One item always fits, however large: a byte bound below one frame would otherwise be a deadlock. With
    `carries_frames`, the items' numbers are the frame indexes that errors of both stages name; without
    `numbers_producer` the producer keeps the number of what it received itself. `first_frame` is the first item's.
    """

    def __init__(
        self,
        *,
        producer: str,
        consumer: str,
        max_frames: int,
        max_bytes: int,
        watch: StageWatch,
        carries_frames: bool = True,
        numbers_producer: bool = True,
        first_frame: int = 0,
    ) -> None:
        self.producer = producer
        self.consumer = consumer
        self.max_frames = max_frames
        self.max_bytes = max_bytes
        self.high_water_bytes = 0
        """Most bytes that were queued at once."""
        self.high_water_frames = 0
        """Most frames that were queued at once."""
        self._watch = watch
        self._carries_frames = carries_frames
        self._numbers_producer = carries_frames and numbers_producer
        self._sent = self._received = first_frame
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def send(self, item: Item, size_bytes: int) -> None:
        """Queue an item, waiting for room. Raises `StallError`, or `PipelineError` once the export was stopped."""
        with self._changed:
            self._wait_until(lambda: self._has_room(size_bytes), blames_producer=False)
            self._items.append((item, size_bytes))
            self._bytes += size_bytes
            self.high_water_bytes = max(self.high_water_bytes, self._bytes)
            self.high_water_frames = max(self.high_water_frames, len(self._items))
            self._sent += 1
            self._watch.progress(self.producer, self._sent if self._numbers_producer else None)
            self._changed.notify_all()

    def receive(self) -> Item | None:
        """The next item, or None at the end. Raises `StallError`, or `PipelineError` once the export was stopped."""
        with self._changed:
            self._wait_until(lambda: bool(self._items) or self._closed, blames_producer=True)
            if not self._items:
                return None
            item, size_bytes = self._items.popleft()
            self._bytes -= size_bytes
            self._received += 1
            self._watch.progress(self.consumer, self._received - 1 if self._carries_frames else None)
            self._changed.notify_all()
            return item

    def __iter__(self) -> Iterator[Item]:
        """Items until the end."""
        while (item := self.receive()) is not None:
            yield item

    def __len__(self) -> int:
        """Items that are queued."""
        return len(self._items)

    def hand_over(self, producer: str) -> None:
        """Let another stage send from now on: it is the one that a wait for the next item waits for."""
        with self._changed:
            self.producer = producer
            self._changed.notify_all()

    def close(self) -> None:
        """Say that nothing more will be sent."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self, failure: BaseException) -> None:
        """Wake both sides with an error and drop what is queued, so that its memory is free at once."""
        with self._changed:
            if self._failure is None:
                self._failure = failure
            self._items.clear()
            self._bytes = 0
            self._changed.notify_all()

    def _has_room(self, size_bytes: int) -> bool:
        if not self._items:
            return True
        return len(self._items) < self.max_frames and self._bytes + size_bytes <= self.max_bytes

    def _wait_until(self, ready: Callable[[], bool], *, blames_producer: bool) -> None:
        while True:
            # Each time again: another producer may have taken over meanwhile.
            ends = (self.consumer, self.producer) if blames_producer else (self.producer, self.consumer)
            waiting, blamed = ends
            self._raise_if_stopped(waiting)
            if ready():
                return
            with self._watch.waiting(waiting, blamed):
                culprit, left_s = self._watch.left_s(blamed)
                if left_s <= 0:
                    raise self._watch.error(culprit, self._watch.frame(culprit))
                self._changed.wait(left_s)

    def _raise_if_stopped(self, waiting: str) -> None:
        if isinstance(self._failure, CancelledExportError):
            raise CancelledExportError(str(self._failure))
        if self._failure is not None:
            raise PipelineError(f"stopped because of: {self._failure}", stage=waiting) from self._failure
