"""Which machine of a fleet validates the outputs of a block: the one that made them, or another with a free slot."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from capbench.fleet.dispatch.dask_link import SeenMachine
from capbench.fleet.spreading.worth_sending import SendingChoice, choose_sending
from capbench.installation import version_of

__all__ = ["ValidationSlot", "ValidationSlots"]


@dataclass(slots=True, eq=False)
class ValidationSlot:
    """A slot of a machine while it is taken."""

    machine: SeenMachine
    """The machine."""
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the machine goes away."""


class ValidationSlots:
    """The validation slots of all machines, whether the matrix has them make blocks or not."""

    def __init__(
        self,
        *,
        is_busy: Callable[[str], bool],
        queue_s: Callable[[str], float],
        lost_after_s: float,
        now_s: Callable[[], float],
    ) -> None:
        """`is_busy`: whether a machine makes a block, or may make none. `queue_s`: time that its next blocks take."""
        self._is_busy = is_busy
        self._queue_s = queue_s
        self._lost_after_s = lost_after_s
        self._now_s = now_s
        self._seen: dict[str, tuple[SeenMachine, float]] = {}
        """Machine as it was seen last, and when its last heartbeat arrived."""
        self._taken: list[ValidationSlot] = []
        self._refused: set[str] = set()
        self._validation_s: dict[str, float] = {}
        """Case to what validating its last block took."""
        self._bytes_per_s: dict[str, float] = {}
        """Machine to the rate at which it got the last files."""

    def look(self, seen: Mapping[str, SeenMachine]) -> None:
        """Take note of who is there, and give up the slots of machines that are not."""
        now_s, was = self._now_s(), self._seen
        self._seen = {}
        for name, machine in seen.items():
            before, since_s = was.get(name, (None, now_s))
            if before is None or (before.address, before.last_seen) != (machine.address, machine.last_seen):
                since_s = now_s
            self._seen[name] = machine, since_s
        for slot in self._taken:
            there = self._there(slot.machine.report.name)
            if there is None or there.address != slot.machine.address:
                slot.lost.set()

    def note_validation(self, case: str, spent_s: float) -> None:
        """What validating a block of a case took: what the next one is expected to take."""
        self._validation_s[case] = spent_s

    def note_rate(self, name: str, bytes_per_s: float) -> None:
        """How fast a machine got files."""
        self._bytes_per_s[name] = bytes_per_s

    def refuse(self, name: str) -> None:
        """Send a machine no more outputs: it could not validate some."""
        self._refused.add(name)

    def find(self, maker: SeenMachine, case: str, *, same_processor: bool) -> SeenMachine | None:
        """A machine that could validate for another one, the fastest to get files first.

        None where there is none, where the maker has nothing else to do, or where nobody knows yet what validating the
        case takes.
        """
        name = maker.report.name
        if case not in self._validation_s or self._queue_s(name) <= 0:
            return None
        could = [each for other in self._seen if other != name and (each := self._idle(other)) is not None]
        if same_processor:
            could = [each for each in could if _processor(each) == _processor(maker)]
        return max(could, key=lambda each: self._bytes_per_s.get(each.report.name, 0.0), default=None)

    def choose(
        self, machine: SeenMachine, maker: str, case: str, *, missing_bytes: int, bytes_per_s: float
    ) -> SendingChoice:
        """Whether sending so many bytes takes less time than the maker would need itself, and than its next blocks."""
        name = machine.report.name
        rate = min(bytes_per_s, self._bytes_per_s.get(name, bytes_per_s))
        work_s = min(self._validation_s[case], self._queue_s(maker))
        return choose_sending(
            name, missing_bytes=missing_bytes, bytes_per_s=rate, work_s=work_s, share=1.0, work="validating"
        )

    def take(self, machine: SeenMachine) -> ValidationSlot | None:
        """Take a slot of a machine; None where it has none any more."""
        name = machine.report.name
        there = self._idle(name)
        return None if there is None else self._take(there)

    def take_own(self, name: str) -> ValidationSlot | None:
        """Take a slot of the machine that made the outputs, whatever else it does; None where it is not there."""
        there = self._there(name)
        return None if there is None else self._take(there)

    def release(self, slot: ValidationSlot) -> None:
        """Give a slot back."""
        self._taken.remove(slot)

    def _take(self, machine: SeenMachine) -> ValidationSlot:
        slot = ValidationSlot(machine)
        self._taken.append(slot)
        return slot

    def _there(self, name: str) -> SeenMachine | None:
        machine, since_s = self._seen.get(name, (None, 0.0))
        return None if self._now_s() - since_s > self._lost_after_s else machine

    def _idle(self, name: str) -> SeenMachine | None:
        """The machine, where it is there, of this version, makes no block, and has a slot to spare."""
        machine = self._there(name)
        if machine is None or name in self._refused or self._is_busy(name):
            return None
        taken = sum(slot.machine.report.name == name for slot in self._taken)
        # What it does for another runner shows in its activity; what it does for this one is counted.
        is_idle = machine.activity.doing == "nothing" or taken > 0
        is_same = machine.report.capbench_version == version_of("capbench")
        return machine if is_idle and is_same and taken < machine.report.validation_slots else None


def _processor(machine: SeenMachine) -> tuple[str | None, str]:
    return machine.report.machine.environment.cpu_model, machine.report.system
