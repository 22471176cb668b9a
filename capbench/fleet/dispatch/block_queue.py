"""The blocks that are left to make, and which of them a free machine takes. No clock, no machine: arithmetic."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from capbench.harness.run.schedule import Plan, case_order

__all__ = ["Block", "BlockQueue"]


@dataclass(frozen=True, slots=True)
class Block:
    """One block of one case."""

    case: str
    """Name of the case."""
    number: int
    """Block number."""
    owner: str | None = None
    """The machine whose own it is; None where whoever is free makes it."""


@dataclass(slots=True)
class _Member:
    """A machine that takes part."""

    shares: bool
    """Whether it takes blocks that are nobody's own."""
    fresh: Iterator[Block]
    """Its own blocks that were never handed out."""
    returned: deque[Block] = field(default_factory=deque)
    """Its own blocks that were lost and are to be made again."""
    own_left: int = 0
    """Own blocks that are not made yet."""
    spent_s: list[float] = field(default_factory=list)
    """What blocks have taken there."""
    is_here: bool = True
    """Whether it may be given blocks now."""

    @property
    def mean_s(self) -> float | None:
        return statistics.fmean(self.spent_s) if self.spent_s else None


class BlockQueue:
    """Rounds of blocks: one block of every case, cases shuffled, then the next round, as on one machine.

    Blocks are shared by all machines, or are a machine's own where its table says how many. A block that is given back
    comes next; where it failed it goes to another machine if there is one.
    """

    def __init__(self, plan: Plan, is_done: Callable[[Block], bool]) -> None:
        self._plan = plan
        self._is_done = is_done
        self._members: dict[str, _Member] = {}
        self._blocks = max(case.blocks for case in plan.matrix.cases)
        self._is_shared = not plan.matrix.machines or any(choice.blocks is None for choice in plan.matrix.machines)
        self._fresh = self._rounds(None, None) if self._is_shared else iter(())
        self._returned: deque[Block] = deque()
        self._failed_on: dict[Block, set[str]] = {}
        self._running: dict[Block, str] = {}
        self._peeked: Block | None = None

    def _rounds(self, owner: str | None, blocks: int | None) -> Iterator[Block]:
        """What is left of the rounds of one owner, in order."""
        cases = self._plan.matrix.cases
        if blocks is not None:
            cases = tuple(case.model_copy(update={"blocks": blocks}) for case in cases)
        for number in range(blocks or self._blocks):
            for case in case_order(self._plan.seed, number, cases):
                block = Block(case.name, number, owner)
                if not self._is_done(block):
                    yield block

    def join(self, name: str, blocks: int | None) -> None:
        """A machine takes part, with `blocks` of its own of each case, or None to share."""
        if (known := self._members.get(name)) is not None and known.shares == (blocks is None):
            known.is_here = True
            return
        own = 0
        if blocks is not None:
            own = sum(1 for _ in self._rounds(name, blocks))
        fresh = iter(()) if blocks is None else self._rounds(name, blocks)
        self._members[name] = _Member(shares=blocks is None, fresh=fresh, own_left=own)

    def leave(self, name: str) -> None:
        """A machine is gone for now: nothing is left to it."""
        if name in self._members:
            self._members[name].is_here = False

    def take(self, name: str) -> Block | None:
        """The next block for a machine that is free; None where there is none for it now."""
        member = self._members[name]
        block: Block | None = None
        if not member.shares:
            block = member.returned.popleft() if member.returned else next(member.fresh, None)
        elif not self._leaves_to_others(name, member):
            block = self._shared(name)
        if block is not None:
            self._running[block] = name
        return block

    def _shared(self, name: str) -> Block | None:
        for block in list(self._returned):
            if not self._better_elsewhere(block, name):
                self._returned.remove(block)
                return block
        fresh, self._peeked = self._peek(), None
        return fresh

    def _peek(self) -> Block | None:
        if self._peeked is None:
            self._peeked = next(self._fresh, None)
        return self._peeked

    def _better_elsewhere(self, block: Block, name: str) -> bool:
        """Whether it failed on this machine, and another one that is here has not tried it."""
        failed = self._failed_on.get(block, set())
        return name in failed and any(self._sharing(but=(name, *failed)))

    def _sharing(self, *, but: Collection[str]) -> Iterator[_Member]:
        return (
            member for name, member in self._members.items() if member.shares and member.is_here and name not in but
        )

    def _leaves_to_others(self, name: str, member: _Member) -> bool:
        """Whether the others will have made all that is left before this machine could make one more block.

        With `k` blocks left and blocks that take `t` seconds elsewhere, the others need about k / sum(1/t) and at most
        one block more. Only where all times are known: an unknown machine may be the fastest.
        """
        others = [other.mean_s for other in self._sharing(but=(name,))]
        known = [time_s for time_s in others if time_s]
        if member.mean_s is None or not known or len(known) < len(others):
            return False
        left = self.shared_left(but_running=True)
        return member.mean_s > left / sum(1 / time_s for time_s in known) + max(known)

    def give_back(self, block: Block, *, failed_on: str | None = None) -> None:
        """A block was lost, or failed on a machine, and is to be made again."""
        self._running.pop(block, None)
        if failed_on is not None:
            self._failed_on.setdefault(block, set()).add(failed_on)
        (self._returned if block.owner is None else self._members[block.owner].returned).append(block)

    def finish(self, block: Block, name: str, spent_s: float) -> None:
        """A block is made and recorded."""
        self._running.pop(block, None)
        member = self._members[name]
        member.spent_s.append(spent_s)
        if block.owner is not None:
            # None is left of a machine that was put aside while another one validated this block.
            member.own_left = max(0, member.own_left - 1)

    def others_could(self, block: Block, name: str) -> bool:
        """Whether another machine that is here could make a block that failed on this one."""
        failed = self._failed_on.get(block, set())
        return block.owner is None and any(self._sharing(but=(name, *failed)))

    def abandon(self, name: str) -> int:
        """Give up a machine's own blocks; returns how many."""
        member = self._members[name]
        given_up, member.own_left = member.own_left, 0
        member.returned.clear()
        member.fresh = iter(())
        return given_up

    def shared_left(self, *, but_running: bool = False) -> int:
        """Shared blocks that are not made yet; without those that somebody makes, where asked. At most 10,000 count."""
        fresh = 0 if self._peek() is None else self._count_fresh()
        running = 0 if but_running else sum(block.owner is None for block in self._running)
        return len(self._returned) + fresh + running

    def _count_fresh(self) -> int:
        assert self._peeked is not None
        at = self._peeked
        cases = self._plan.matrix.cases
        later = sum(max(0, case.blocks - at.number - 1) for case in cases)
        order = [case.name for case in case_order(self._plan.seed, at.number, cases)]
        here = sum(not self._is_done(Block(name, at.number)) for name in order[order.index(at.case) :])
        return here + later

    def mean_s(self, name: str) -> float:
        """What a block takes on a machine, on average; 0 before it made one."""
        return self._members[name].mean_s or 0.0

    def waiting_s(self, name: str) -> float:
        """What the blocks that nobody makes yet would take on a machine; 0 before it made one."""
        member = self._members[name]
        running = sum(block.owner == name for block in self._running)
        blocks = self.shared_left(but_running=True) if member.shares else member.own_left - running
        return blocks * self.mean_s(name)

    def own_left(self, name: str) -> int:
        """A machine's own blocks that are not made yet."""
        return self._members[name].own_left

    @property
    def is_finished(self) -> bool:
        """Whether every block is made, those of machines that are not here included."""
        return (
            not self._running
            and not self._returned
            and self._peek() is None
            and all(member.own_left == 0 for member in self._members.values())
        )

    def waits_only_for(self) -> list[str]:
        """Machines that are not here and have own blocks left, where nothing else is left to make."""
        shared = self.shared_left() > 0 and any(self._sharing(but=()))
        here = any(member.own_left and member.is_here for member in self._members.values())
        if shared or here:
            return []
        return [name for name, member in self._members.items() if member.own_left and not member.is_here]

    def left_s(self, name: str | None = None) -> float | None:
        """Expected time of all that is left, or of one machine's own part; None before a block was made."""
        means = {each: member.mean_s for each, member in self._members.items() if member.is_here}
        if name is not None:
            member = self._members[name]
            if member.mean_s is None:
                return None
            if not member.shares:
                return member.own_left * member.mean_s
            rates = [1 / mean for each, mean in means.items() if mean and self._members[each].shares]
            return self.shared_left() / sum(rates) if rates else None
        known = [left for each in means if (left := self.left_s(each)) is not None]
        return max(known, default=None)
