"""What each rung of a ladder costs, as data."""

from __future__ import annotations

from pydantic import Field

from capbench.results.record import Record

__all__ = ["LadderCosts", "RungCost"]


class RungCost(Record):
    """One subject on one rung of a ladder, beside itself on the rung below. Times are of whole exports."""

    rung: str
    """Name of the case."""
    below: str | None
    """Name of the case of the rung below; None for the lowest."""
    subject: str
    """Name of the subject."""
    wall_s: float | None = None
    """Median export time in seconds."""
    ratio: float | None = None
    """Export time over that on the rung below, from pairs by block: 1.1 says that the rung adds a tenth."""
    interval: tuple[float, float] | None = None
    """Confidence interval of `ratio`; None for fewer than two pairs."""
    added_s: float | None = None
    """Seconds that the rung adds, from the same pairs."""
    added_interval_s: tuple[float, float] | None = None
    """Confidence interval of `added_s`."""
    p_value: float | None = None
    """Of a cost where there is none, adjusted for the family of all costs of the folder (Holm)."""
    is_seen: bool = False
    """Whether the cost, or the saving, is no chance at the gate's level."""
    times_floor: float | None = None
    """Export time over that of the floor on the same rung, from pairs by block."""
    floor_interval: tuple[float, float] | None = None
    """Confidence interval of `times_floor`."""
    blocks: int = 0
    """Pairs with the rung below."""
    confidence: float = 0.9
    """Level of the intervals."""
    reason: str | None = None
    """Why there is no cost, or why it is to be doubted; None where there is nothing to say."""


class LadderCosts(Record):
    """A ladder with the cost of each rung for each subject."""

    ladder: str
    """Name of the ladder."""
    rungs: tuple[str, ...]
    """Names of its cases, from the bottom up."""
    subjects: tuple[str, ...]
    """Names of the subjects that were measured on any of them, the floor left out."""
    costs: tuple[RungCost, ...] = Field(default=())
    """For each rung each subject that was measured there."""

    def of(self, rung: str, subject: str) -> RungCost | None:
        """The cost of a rung for a subject; None where it took no part."""
        return next((cost for cost in self.costs if (cost.rung, cost.subject) == (rung, subject)), None)
