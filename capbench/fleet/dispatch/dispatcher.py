"""Giving blocks to machines: one at a time to each, whole or not at all, again when one is lost.

Everything runs in one thread: a coroutine for each machine, and one that looks who is there. An attempt ends in one of
three ways: its block is recorded, it is thrown away because its machine was lost, or thrown away because it failed.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping

from capbench.errors import InputError, ResultError, UnavailableError
from capbench.fleet.dispatch.attempts import Attempts
from capbench.fleet.dispatch.block_calls import BlockCalls, BlockFailedError, MachineLostError
from capbench.fleet.dispatch.block_queue import Block, BlockQueue
from capbench.fleet.dispatch.choose_machines import choice_for, describe_choices
from capbench.fleet.dispatch.dask_link import CallFailedError, SeenMachine
from capbench.fleet.dispatch.fleet_folder import OwnBlocks, ReceivedBlock
from capbench.fleet.dispatch.fleet_member import FleetMember, FleetPace
from capbench.fleet.dispatch.fleet_progress import FleetProgress
from capbench.fleet.event_loop import UnlessError, unless
from capbench.fleet.spreading.spread_blocks import SpreadBlocks, WaitingBlock
from capbench.fleet.spreading.validation_slots import ValidationSlots
from capbench.harness.run.leftovers import remove
from capbench.results.environment import MachineChoice
from capbench.units import format_seconds

__all__ = ["Dispatcher"]

_MOST_FAILURES = 3
"""Blocks that fail one after the other until a machine is put aside: one may be chance, two a busy disk."""
_MOST_LOSSES = 5
"""Likewise of attempts that were lost on a machine without a block in between: it comes and goes."""
_MACHINES_A_SECOND = 100
"""That the scheduler is asked about: each is some kilobytes."""


class Dispatcher:
    """Makes the blocks of a plan on the machines of a fleet."""

    def __init__(
        self,
        queue: BlockQueue,
        calls: BlockCalls,
        *,
        pace: FleetPace,
        progress: FleetProgress,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plan, self._folder, self._link = calls.plan, calls.folder, calls.link
        self._queue = queue
        self._keeps_outputs = calls.settings.keeps_outputs
        self._slots = ValidationSlots(
            is_busy=lambda name: name in self._members and self._members[name].is_busy,
            queue_s=queue.waiting_s,
            lost_after_s=pace.lost_after_s,
            now_s=now_s,
        )
        self._spread = SpreadBlocks(calls, self._slots, say=progress.say)
        self._attempts = Attempts(calls, self._spread)
        self._elsewhere: set[asyncio.Task[None]] = set()
        """Blocks that are validated by another machine than the one that made them."""
        self._pace = pace
        self._progress = progress
        self._now_s = now_s
        self._members: dict[str, FleetMember] = {}
        self._refused: dict[str, str] = {}
        self._changed = asyncio.Event()
        self._nobody_since_s: float | None = None
        self._begun_s = now_s()
        self._is_out_of_time = False
        self._looked_s: float | None = None

    async def run(self) -> None:
        """Make every block left. Raises `UnavailableError` where no machine could, `MatrixError`, `OutputError`.

        Whatever ends it, machines give up what they were doing, and every block that is recorded is whole.
        """
        self._begun_s = self._now_s()
        try:
            self._expect_owners()
            await self._look_when_due()  # a folder that is whole may still have cases to close
            while not (self._is_finished or self._is_out_of_time):
                await self._look_when_due()
                self._raise_from_members()
                self._check_hope()
                self._changed.clear()
                await self._pause(self._changed.wait())
            self._raise_from_members()
            await self._close_cases()
        finally:
            await self._end_members()
        if self._is_out_of_time:
            self._progress.say("time budget reached")

    def _expect_owners(self) -> None:
        """Machines of a folder that is resumed have their own blocks left, whether they are here or not."""
        for name, own in self._folder.owners.items():
            self._queue.join(name, own.blocks)
            self._queue.leave(name)

    @property
    def _is_finished(self) -> bool:
        return self._queue.is_finished and not self._unmatched

    @property
    def _unmatched(self) -> list[MachineChoice]:
        """Tables with blocks for each of their machines that no machine has matched."""
        matched = {own.table for own in self._folder.owners.values()}
        choices = enumerate(self._plan.matrix.machines)
        return [choice for number, choice in choices if choice.blocks is not None and number not in matched]

    async def _pause(self, until: Awaitable[object], *, looks: int = 1) -> None:
        """Wait until something happens, or so many looks are due."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until, looks * self._pace.look_every_s)

    async def _look_when_due(self) -> None:
        # A list of a thousand machines has megabytes, and they finish blocks all the time.
        every_s = max(self._pace.look_every_s, len(self._members) / _MACHINES_A_SECOND)
        if self._looked_s is None or self._now_s() - self._looked_s >= every_s:
            await self._look()
            self._looked_s = self._now_s()

    async def _look(self) -> None:
        seen = await self._link.machines()
        self._slots.look(seen)
        for name, machine in seen.items():
            if name in self._members:
                self._meet_again(self._members[name], machine)
            else:
                self._meet(name, machine)
        for name, member in self._members.items():
            if name not in seen and member.present.is_set():
                self._lose(member, "its worker is gone")
        self._show()

    def _meet(self, name: str, machine: SeenMachine) -> None:
        if choice_for(machine.report, self._plan.matrix) is None:
            return
        try:
            self._folder.admit(machine.report)
        except ResultError as error:
            if self._refused.get(name) != str(error):
                self._refused[name] = str(error)
                self._progress.say(f"machine {name} is refused: {error}")
            return
        self._refused.pop(name, None)
        member = FleetMember(name, machine, self._now_s())
        self._members[name] = member
        self._join(machine)
        member.present.set()
        member.task = asyncio.create_task(self._serve(member), name=f"machine {name}")
        adapter = machine.report.machine.environment.adapter or "no adapter"
        self._progress.say(f"machine {name} takes part: {adapter}, {machine.report.system}")

    def _meet_again(self, member: FleetMember, machine: SeenMachine) -> None:
        was = member.seen
        member.seen = machine
        if machine.address != was.address or machine.last_seen != was.last_seen:
            member.silent_since_s = self._now_s()
        if machine.address != was.address and member.present.is_set():
            self._lose(member, "its worker was started again")
        silent_s = self._now_s() - member.silent_since_s
        if silent_s > self._pace.lost_after_s:
            if member.present.is_set():
                self._lose(member, f"no sign of life for {format_seconds(silent_s)}")
        elif not member.present.is_set() and member.aside is None:
            self._come_back(member, machine)

    def _come_back(self, member: FleetMember, machine: SeenMachine) -> None:
        try:
            self._folder.admit(machine.report)
        except ResultError as error:
            self._put_aside(member, str(error))
            return
        member.lost.clear()
        member.present.set()
        self._join(machine)
        self._progress.say(f"machine {member.name} is back")
        self._wake()

    def _join(self, machine: SeenMachine) -> None:
        name, found = machine.report.name, choice_for(machine.report, self._plan.matrix)
        if found is None:
            return
        number, choice = found
        if choice.blocks is not None:
            self._folder.owners[name] = OwnBlocks(number, choice.blocks)
        self._queue.join(name, choice.blocks)

    def _lose(self, member: FleetMember, why: str) -> None:
        member.present.clear()
        member.why_lost = why
        member.lost.set()
        self._queue.leave(member.name)
        self._progress.say(f"machine {member.name} is lost: {why}")
        self._wake()

    def _put_aside(self, member: FleetMember, reason: str) -> None:
        member.aside = reason
        member.present.clear()
        self._queue.leave(member.name)
        given_up = self._queue.abandon(member.name)
        more = f"; {given_up} blocks of its own are not made" if given_up else ""
        self._folder.note("put_aside", member.name, reason=reason)
        self._progress.say(f"machine {member.name} is put aside: {reason}{more}")
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        for member in self._members.values():
            member.wake()

    def _check_hope(self) -> None:
        """Raise where nothing that is left can be made by anybody who is here, and nobody came for long enough."""
        here = [member for member in self._members.values() if member.present.is_set()]
        waits_for = self._queue.waits_only_for()
        unmatched = self._unmatched if self._queue.is_finished else []
        if self._elsewhere or (here and not waits_for and not unmatched):
            self._nobody_since_s = None
            return
        aside = {member.name: member.aside for member in self._members.values() if member.aside is not None}
        if self._members and len(aside) == len(self._members) and not here:
            raise UnavailableError(
                f"every machine was put aside ({_reasons(aside)}); fix this, then continue with --resume"
            )
        wanted = describe_choices(unmatched or self._plan.matrix.machines)
        waited = format_seconds(self._pace.absent_s)
        if self._nobody_since_s is None:
            self._nobody_since_s = self._now_s()
            self._progress.say(f"waiting up to {waited} for {', '.join(waits_for) or wanted}")
        if self._now_s() - self._nobody_since_s <= self._pace.absent_s:
            return
        if waits_for:
            raise UnavailableError(f"{', '.join(waits_for)} did not come back in {waited}; continue with --resume")
        if self._refused and not self._members:
            raise InputError(f"no machine may take part ({_reasons(self._refused)})")
        raise UnavailableError(f"no machine of the fleet came in {waited} that the matrix asks for: {wanted}")

    async def _serve(self, member: FleetMember) -> None:
        """Make blocks on one machine, one after the other, for as long as there are any."""
        while member.aside is None:
            await member.present.wait()
            if self._has_no_time_for(member):
                self._is_out_of_time = not self._elsewhere and not any(each.doing for each in self._members.values())
                self._changed.set()
                await member.sleep()
                continue
            block = self._queue.take(member.name)
            if block is None:
                await member.sleep()
                continue
            await self._make(member, block)
            self._wake()

    def _has_no_time_for(self, member: FleetMember) -> bool:
        if self._pace.budget_s is None or member.done == 0:
            return False
        return self._now_s() - self._begun_s + self._queue.mean_s(member.name) > self._pace.budget_s

    async def _make(self, member: FleetMember, block: Block) -> None:
        member.doing = block
        attempt, begun_s = secrets.token_hex(8), self._now_s()
        received: ReceivedBlock | WaitingBlock | None = None
        self._folder.note("begun", member.name, block=block)
        try:
            received = await self._attempt(member, block, block.number, attempt)
            spent_s = self._now_s() - begun_s
            if isinstance(received, WaitingBlock):
                self._elsewhere.add(asyncio.create_task(self._validate_elsewhere(member, received, spent_s)))
            else:
                self._conclude(member, block, received, spent_s)
            await self._forget(member, block)
        except MachineLostError as error:
            member.losses += 1
            self._throw_away(member, block, str(error))
            if member.losses >= _MOST_LOSSES:
                self._put_aside(member, f"lost {member.losses} times in a row, lastly: {error}")
        except BlockFailedError as error:
            self._fail(member, block, str(error))
        finally:
            member.doing = None
            if not isinstance(received, WaitingBlock):
                remove(self._folder.path / "in-progress" / attempt)

    async def _validate_elsewhere(self, member: FleetMember, waiting: WaitingBlock, spent_s: float) -> None:
        """What is left of a block whose maker goes on to the next one: it is recorded whole, or made again."""
        try:
            received = await self._spread.validate(waiting)
            self._conclude(member, waiting.block, received, spent_s)
        except BlockFailedError as error:
            self._throw_away(member, waiting.block, str(error))
        finally:
            remove(waiting.scratch)
            self._wake()

    def _conclude(self, member: FleetMember, block: Block, received: ReceivedBlock, spent_s: float) -> None:
        """Record a block. Raises `BlockFailedError` where another machine is to try it, `OutputError`."""
        if received.all_failed and self._queue.others_could(block, member.name):
            # Perhaps it is the machine: where another one fails as well, that is a result.
            raise BlockFailedError(f"every run of it failed: {received.runs[0].error}")
        self._folder.write(received, keeps_outputs=self._keeps_outputs)
        self._folder.note("done", member.name, block=block, validated_by=received.validated_by)
        self._queue.finish(block, member.name, spent_s)
        member.done, member.losses = member.done + 1, 0
        self._judge(member, block, received, spent_s)

    def _judge(self, member: FleetMember, block: Block, received: ReceivedBlock, spent_s: float) -> None:
        failed = [run for run in received.runs if run.error is not None]
        outcome = f"; {len(failed)} of {len(received.runs)} runs failed: {failed[0].error}" if failed else ""
        self._progress.say(
            f"{block.case}, block {block.number + 1} on {member.name}: {format_seconds(spent_s)}{outcome}"
        )
        member.failures = member.failures + 1 if received.all_failed else 0
        if member.failures >= _MOST_FAILURES:
            self._put_aside(member, f"every run of its last {member.failures} blocks failed: {failed[0].error}")

    def _throw_away(self, member: FleetMember, block: Block, reason: str, *, failed: bool = False) -> None:
        self._folder.note("thrown_away", member.name, block=block, reason=reason)
        self._queue.give_back(block, failed_on=member.name if failed else None)
        self._progress.say(f"{block.case}, block {block.number + 1} on {member.name} is thrown away: {reason}")

    def _fail(self, member: FleetMember, block: Block, reason: str) -> None:
        member.failures += 1
        self._throw_away(member, block, reason, failed=True)
        if member.failures >= _MOST_FAILURES:
            self._put_aside(member, f"{member.failures} blocks in a row failed, lastly: {reason}")

    async def _attempt(
        self, member: FleetMember, block: Block, number: int | None, attempt: str
    ) -> ReceivedBlock | WaitingBlock:
        """What came of one attempt. Raises `MachineLostError`, `BlockFailedError`."""
        try:
            return await unless(member.lost, self._attempts.make(member.seen, block, number, attempt))
        except UnlessError:
            raise MachineLostError(member.why_lost) from None
        except CallFailedError as error:
            # A worker that is killed takes its connection along before anybody looks: no fault of the block.
            await self._pause(member.lost.wait(), looks=2)
            if member.lost.is_set():
                raise MachineLostError(member.why_lost) from error
            raise BlockFailedError(str(error)) from error

    async def _forget(self, member: FleetMember, block: Block) -> None:
        with contextlib.suppress(CallFailedError):  # its folder is emptied when the next block begins
            await self._attempts.forget(member.seen, block)

    async def _close_cases(self) -> None:
        """What closes the cases on every machine that is here and has made blocks of them."""
        closing = [member for member in self._members.values() if member.present.is_set() and member.aside is None]
        work = asyncio.gather(*(self._close_on(member) for member in closing))
        try:
            while not work.done():
                await self._look_when_due()
                await self._pause(asyncio.shield(work))
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
        work.result()

    async def _close_on(self, member: FleetMember) -> None:
        for case in self._folder.closings_left(self._plan, member.name):
            block, attempt = Block(case, 0), secrets.token_hex(8)
            member.doing = block
            try:
                received = await self._attempt(member, block, None, attempt)
                assert isinstance(received, ReceivedBlock), "what closes a case has no output"
                self._folder.write(received, keeps_outputs=False)
            except (MachineLostError, BlockFailedError) as error:
                self._progress.say(f"{case} on {member.name}: the floor was not run again: {error}")
                if member.lost.is_set():
                    return
            finally:
                member.doing = None
                remove(self._folder.path / "in-progress" / attempt)

    def _raise_from_members(self) -> None:
        tasks = [member.task for member in self._members.values() if member.task is not None]
        for task in (*tasks, *self._elsewhere):
            if task.done() and (error := task.exception()) is not None:
                raise error
        self._elsewhere = {task for task in self._elsewhere if not task.done()}

    async def _end_members(self) -> None:
        tasks = [*self._elsewhere, *(member.task for member in self._members.values() if member.task is not None)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _show(self) -> None:
        lines = [member.line(self._queue.left_s(member.name)) for member in self._members.values()]
        self._progress.show(lines, self._queue.left_s())


def _reasons(of: Mapping[str, str]) -> str:
    return "; ".join(f"{name}: {reason}" for name, reason in of.items())
