"""Where a thread's time goes: every moment belongs to one stage and is work or a wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

from capbench.results import StageTimes

__all__ = ["Kind", "Span", "StageTimer", "stage_times"]

Kind = Literal["work", "wait_input", "wait_output"]


class Span(NamedTuple):
    """One stretch of a thread's time, for a trace."""

    stage: str
    kind: Kind
    start_ns: int
    end_ns: int
    frame: int | None


class StageTimer:
    """Attributes the time since the last mark to a stage. One clock a thread; not shared between threads.

    Marks instead of nested timers: no moment is counted twice or lost, so the stages of a thread sum to its life.
    """

    def __init__(
        self, now_ns: Callable[[], int] = time.perf_counter_ns, on_span: Callable[[Span], None] | None = None
    ) -> None:
        self._now_ns = now_ns
        self._on_span = on_span
        self._last_ns = now_ns()
        self.total_ns: dict[tuple[str, Kind], int] = {}

    def mark(self, stage: str, kind: Kind = "work", frame: int | None = None) -> None:
        """Give the time since the last mark to `stage`."""
        now = self._now_ns()
        key = (stage, kind)
        self.total_ns[key] = self.total_ns.get(key, 0) + now - self._last_ns
        if self._on_span is not None:
            self._on_span(Span(stage, kind, self._last_ns, now, frame))
        self._last_ns = now

    def note(self, stage: str, length_ns: float, frame: int | None = None) -> None:
        """Show a trace what another clock measured and what is over by now, such as a GPU pass. Costs no stage time."""
        if self._on_span is not None:
            now = self._now_ns()
            self._on_span(Span(stage, "work", now - round(length_ns), now, frame))


def stage_times(clocks: list[StageTimer], order: tuple[str, ...]) -> dict[str, StageTimes]:
    """Seconds of each stage over all threads, in the given order; a stage that never ran is left out."""
    totals: dict[str, dict[str, float]] = {}
    for clock in clocks:
        for (stage, kind), spent_ns in clock.total_ns.items():
            kinds = totals.setdefault(stage, {"work": 0.0, "wait_input": 0.0, "wait_output": 0.0})
            kinds[kind] += spent_ns / 1e9
    return {
        stage: StageTimes(**{f"{kind}_s": spent_s for kind, spent_s in totals[stage].items()})
        for stage in order
        if stage in totals
    }
