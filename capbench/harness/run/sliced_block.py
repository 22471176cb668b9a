"""Running a block's subjects in slices: all are started, one runs at a time, until each is through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from capbench.harness.run.slice_schedule import SliceRound

__all__ = ["MAX_SUBJECTS", "Turn", "run_in_slices", "share_out"]

MAX_SUBJECTS = 10
"""All subjects are in memory at once, and each waits for all others between two slices."""
_START_TIMEOUT_S = 60.0
"""From asking for a process until it is held: its supervisor is a small one, but the disk may be cold."""
_JOIN_TIMEOUT_S = 60.0
"""From the end of the last process until its figures are read: seconds where output streams are held open."""

Measured = TypeVar("Measured")


class Turn(Protocol):
    """What giving slices needs of one process; `SliceTurn` implements it."""

    ready: threading.Event
    """Set once it can be given slices, or never will be."""
    overlap_ns: int
    """CPU time that it used, or may have used, while it was to be stopped."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to run."""

    @property
    def stands_still(self) -> bool:
        """Whether the last stop was seen to have taken effect."""

    def run(self, length_s: float, *, alone: bool = False) -> None:
        """Give it one slice."""

    def running_s(self) -> float:
        """Running time so far, in seconds."""

    def kill(self) -> None:
        """End the process, and one that comes later too."""

    def give_up(self) -> None:
        """Say that its measuring is over."""


AnyTurn = TypeVar("AnyTurn", bound=Turn)


def share_out(turns: Sequence[Turn], rounds: Iterable[SliceRound]) -> None:
    """Give slices in the order of `rounds` until every process has ended.

    While a process is not verified to be stopped, everything that runs beside it counts as overlap in full.
    """
    for slices in rounds:
        left = [place for place in slices.order if not turns[place].is_over]
        if not left:
            return
        for place in left:
            others = [turn for number, turn in enumerate(turns) if number != place and not turn.is_over]
            loose = [turn for turn in others if not turn.stands_still]
            before_s = turns[place].running_s()
            turns[place].run(slices.length_s, alone=not others)
            for turn in loose:
                turn.overlap_ns += round(1e9 * (turns[place].running_s() - before_s))


@dataclass(slots=True)
class _Job(Generic[Measured]):
    """What one thread brings back."""

    result: Measured | None = None
    failure: BaseException | None = None


def run_in_slices(
    jobs: Sequence[Callable[[AnyTurn], Measured]],
    turns: Sequence[AnyTurn],
    rounds: Iterable[SliceRound],
) -> list[Measured]:
    """Call each job with its turn on its own thread, give each its slices, and return what the jobs returned.

    A job starts a process, attaches it to its turn and waits for its end. The first failure of a job is raised when all
    are through. Whatever else happens, an interrupt above all, every process is killed before it is raised again.
    """
    kept: list[_Job[Measured]] = [_Job() for _ in jobs]

    def call(place: int) -> None:
        try:
            kept[place].result = jobs[place](turns[place])
        except BaseException as failure:  # noqa: BLE001  carried to the caller's thread and raised there
            kept[place].failure = failure
        finally:
            turns[place].give_up()

    threads = [
        threading.Thread(target=call, args=(place,), daemon=True, name=f"slices-{place}") for place in range(len(jobs))
    ]
    for thread in threads:
        thread.start()
    try:
        for turn in turns:
            _wait_until_ready(turn)
        share_out(turns, rounds)
        for thread in threads:
            thread.join(_JOIN_TIMEOUT_S)
    except BaseException:
        for turn in turns:
            turn.kill()
        for thread in threads:
            thread.join(_JOIN_TIMEOUT_S)
        raise
    return [_taken(job) for job in kept]


def _wait_until_ready(turn: Turn) -> None:
    if not turn.ready.wait(_START_TIMEOUT_S):
        raise TimeoutError(f"a subject could not be prepared for its first slice in {_START_TIMEOUT_S:g} s")


def _taken(job: _Job[Measured]) -> Measured:
    if job.failure is not None:
        raise job.failure
    if job.result is None:
        raise TimeoutError(f"a sliced run was not read within {_JOIN_TIMEOUT_S:g} s after its end")
    return job.result
