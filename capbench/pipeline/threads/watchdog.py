"""Which stage does what: so that a wait that runs out names the stage that really stalled."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from capbench.errors import StallError

__all__ = ["StageWatch"]


@dataclass(slots=True)
class _State:
    since_s: float
    """Time of the last progress."""
    slack_s: float = 0.0
    """How much longer than others the stage may be silent, always."""
    extra_s: float = 0.0
    """And now, once."""
    frame: int | None = None
    waits_for: str | None = None
    running: bool = False


class StageWatch:
    """Signs of life of every stage of one export. Shared by its threads.

    A stage that waits for another is not the one that stalled, however long it waits: an encoder that is slow holds up
    the sound, the decoder and the renderer, and is itself busy. So a wait ends when the stage at the end of the chain
    of waits has been silent for too long, not when the wait itself is old.
    """

    def __init__(self, timeout_s: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self.timeout_s = timeout_s
        """Longest silence of a stage."""
        self._now_s = now_s
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def begin(self, stage: str, *, slack_s: float = 0.0) -> None:
        """A stage's thread starts; `slack_s` is added to every silence that it may keep."""
        with self._lock:
            self._states[stage] = _State(self._now_s(), slack_s=slack_s, running=True)

    def end(self, stage: str) -> None:
        """A stage's thread ended."""
        with self._lock:
            self._state(stage).running = False

    def progress(self, stage: str, frame: int | None = None, *, extra_s: float = 0.0) -> None:
        """A stage got something done; `frame` is the one now in its hands, None for the same as before.

        `extra_s` is added once to the silence that it may keep from now on.
        """
        with self._lock:
            state = self._state(stage)
            state.since_s, state.extra_s = self._now_s(), extra_s
            if frame is not None:
                state.frame = frame

    def frame(self, stage: str) -> int | None:
        """Index of the frame in a stage's hands, counted from 0."""
        with self._lock:
            state = self._states.get(stage)
            return None if state is None else state.frame

    @contextlib.contextmanager
    def waiting(self, stage: str, waits_for: str) -> Iterator[None]:
        """Note that a stage waits for another, for the duration of the block."""
        with self._lock:
            self._state(stage).waits_for = waits_for
        try:
            yield
        finally:
            with self._lock:
                state = self._state(stage)
                state.waits_for, state.since_s = None, self._now_s()

    def left_s(self, stage: str) -> tuple[str, float]:
        """The stage that a wait for `stage` really waits for, and how many more seconds it may be silent."""
        with self._lock:
            culprit = self._culprit(stage)
            return culprit, self._left_s(culprit)

    def stalled(self) -> StallError | None:
        """The error of a running stage that waits for no other and makes no progress for too long, or None."""
        with self._lock:
            for stage, state in self._states.items():
                if state.running and state.waits_for is None and self._left_s(stage) <= 0:
                    return self.error(stage, state.frame)
        return None

    def error(self, stage: str, frame: int | None) -> StallError:
        """What to raise about a stage that stalled."""
        at = "" if frame is None else f" at frame {frame}"
        return StallError(f"{stage} stalled{at}: no output for {self.timeout_s:g} s", stage=stage, frame=frame)

    def _state(self, stage: str) -> _State:
        return self._states.setdefault(stage, _State(self._now_s()))

    def _culprit(self, stage: str) -> str:
        seen = {stage}
        while (following := self._state(stage).waits_for) is not None and following not in seen:
            stage = following
            seen.add(stage)
        return stage

    def _left_s(self, stage: str) -> float:
        state = self._state(stage)
        return state.since_s + self.timeout_s + state.slack_s + state.extra_s - self._now_s()
