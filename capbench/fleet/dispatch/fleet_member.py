"""A machine that takes part in a run, as the dispatcher sees it, and how long it is waited for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from capbench.fleet.dispatch.block_queue import Block
from capbench.fleet.dispatch.dask_link import SeenMachine
from capbench.fleet.dispatch.fleet_progress import MachineLine, words_of

__all__ = ["FleetMember", "FleetPace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPace:
    """How long is waited, in seconds."""

    look_every_s: float = 2.0
    """Between two looks at who is there."""
    lost_after_s: float = 30.0
    """A machine whose worker gives no sign of life for so long is lost: six heartbeats, or five of a thousand."""
    absent_s: float = 600.0
    """For machines to come (back) while nothing else is left to do."""
    budget_s: float | None = None
    """No block is begun that is expected to end later than so many seconds after the start."""


@dataclass(slots=True)
class FleetMember:
    """A machine that takes part, as the dispatcher sees it."""

    name: str
    """Its name, which stays when it comes back."""
    seen: SeenMachine
    """What the scheduler said of it last."""
    silent_since_s: float
    """When its last heartbeat arrived, by this runner's clock."""
    present: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while it may be given blocks."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set from when it is lost until it is back."""
    why_lost: str = ""
    """Why it was lost last."""
    aside: str | None = None
    """Why it is given no more blocks."""
    failures: int = 0
    """Blocks that failed there, one after the other."""
    losses: int = 0
    """Attempts that were lost there without a block in between."""
    done: int = 0
    """Blocks that it has made."""
    doing: Block | None = None
    """What it makes now."""
    task: asyncio.Task[None] | None = None
    """Gives it blocks."""
    news: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be something to do."""

    @property
    def is_busy(self) -> bool:
        """Whether it makes a block, or may make none."""
        return self.doing is not None or self.aside is not None

    def wake(self) -> None:
        """There may be something to do."""
        self.news.set()

    async def sleep(self) -> None:
        """Until there may be something to do."""
        self.news.clear()
        await self.news.wait()

    def line(self, left_s: float | None) -> MachineLine:
        """What is shown of it; the time left is of a machine that is here."""
        doing = words_of(self.seen.activity)
        if self.aside is not None:
            doing = f"put aside: {self.aside}"
        elif not self.present.is_set():
            doing = f"lost: {self.why_lost}"
        return MachineLine(self.name, doing, self.done, left_s if self.present.is_set() else None)
