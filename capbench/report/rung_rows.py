"""The cost of a rung in words, for the page and the terminal."""

from __future__ import annotations

from dataclasses import dataclass

from capbench.gate.verdicts.phrases import bounds, change
from capbench.report.wording import MISSING, seconds_words, times_words
from capbench.results.comparison import LadderCosts, RungCost

__all__ = ["RungRow", "rung_row", "rung_words"]


@dataclass(frozen=True, slots=True)
class RungRow:
    """One subject on one rung, in words."""

    rung: str
    """The rung, without what all of the ladder share."""
    subject: str
    """The subject."""
    time: str
    """Median export time."""
    added: str
    """What the rung adds to the time of the one below, as a share; a dash on the lowest."""
    interval: str
    """Its confidence interval; empty where there is none."""
    seconds: str
    """The same in seconds."""
    seconds_interval: str
    """Its confidence interval; empty where there is none."""
    floor: str
    """Export time over that of the floor on the same rung."""
    floor_interval: str
    """Its confidence interval; empty where there is none."""
    note: str
    """Why there is no figure, or why it is to be doubted; empty where there is nothing to say."""


def rung_words(rung: str, rungs: tuple[str, ...]) -> str:
    """The part of a rung's name that tells it from the others of its ladder: `2-framed` of `1080p60-2-framed`."""
    shared = 0
    if len(rungs) > 1:
        shortest, longest = min(rungs), max(rungs)
        while shared < min(len(shortest), len(longest)) and shortest[shared] == longest[shared]:
            shared += 1
    return rung[shared:].lstrip("-_.") or rung


def rung_row(cost: RungCost, ladder: LadderCosts) -> RungRow:
    """One cost in words."""
    note = "may be chance" if cost.ratio is not None and not cost.is_seen else ""
    return RungRow(
        rung=rung_words(cost.rung, ladder.rungs),
        subject=cost.subject,
        time=seconds_words(cost.wall_s),
        added=MISSING if cost.ratio is None else change(cost.ratio),
        interval="" if cost.interval is None else bounds(*cost.interval),
        seconds=MISSING if cost.added_s is None else _signed_s(cost.added_s),
        seconds_interval=""
        if cost.added_interval_s is None
        else " to ".join(_signed_s(bound) for bound in cost.added_interval_s),
        floor=times_words(cost.times_floor),
        floor_interval=""
        if cost.floor_interval is None
        else " to ".join(times_words(bound) for bound in cost.floor_interval),
        note="; ".join(filter(None, (note, cost.reason))),
    )


def _signed_s(time_s: float) -> str:
    return f"{'+' if time_s > 0 else '-' if time_s < 0 else ''}{seconds_words(abs(time_s))}"
