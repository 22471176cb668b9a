"""Blocks whose outputs another machine validates: measured on one, fetched, validated on the other, checked whole."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from capbench.errors import InputError, MatrixError, OutputError
from capbench.files import content_digest
from capbench.fleet.block_job import (
    PIECE_BYTES,
    BlockFile,
    BlockJob,
    Bundle,
    BundleFile,
    PieceJob,
    ValidationBasis,
)
from capbench.fleet.dispatch.block_calls import BlockCalls, BlockFailedError
from capbench.fleet.dispatch.block_queue import Block
from capbench.fleet.dispatch.dask_link import CallFailedError, SeenMachine
from capbench.fleet.dispatch.fleet_folder import ReceivedBlock, case_of
from capbench.fleet.event_loop import UnlessError, unless
from capbench.fleet.spreading.validation_slots import ValidationSlot, ValidationSlots
from capbench.harness.matrix.model import Case
from capbench.harness.run.leftovers import UNVALIDATED, own_folder
from capbench.results.folder import FAILED_OUTPUTS, run_stem
from capbench.results.run_record import RunResult

__all__ = ["SpreadBlocks", "WaitingBlock"]

_MOST_WAITING_BYTES = 4 * 2**30
"""Outputs of all blocks that wait on the runner's disk, as many as one machine lets wait; more stay where they are."""
_MOST_WAITING_SHARE = 0.25
"""Of the free space of the runner's disk, likewise."""
_ASK_TIMEOUT_S = 10.0
"""For a machine to say what it has: one that times something by now answers only after that, and is not waited for."""
_FOUND = ("runs", "frames", FAILED_OUTPUTS)
"""Folders of what validation elsewhere finds; the rest of the block is here already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingBlock:
    """A block that is measured, and whose outputs are here for another machine to validate."""

    block: Block
    """The block."""
    maker: str
    """The machine that made it."""
    received: ReceivedBlock
    """All of it but what validation finds."""
    outputs: dict[str, Path]
    """Name inside the result folder to where each output lies now."""
    size_bytes: int
    """Of the outputs."""
    basis: ValidationBasis
    """What its validation follows from."""
    slot: ValidationSlot
    """The slot that is taken for it."""
    scratch: Path
    """Its folder."""


class SpreadBlocks:
    """Has outputs of one plan validated by machines that have nothing else to do."""

    def __init__(self, calls: BlockCalls, slots: ValidationSlots, *, say: Callable[[str], None]) -> None:
        self._calls = calls
        self.slots = slots
        self._say = say
        self._held_bytes = 0
        """Of outputs that wait here."""

    def could_help(self, maker: SeenMachine, block: Block) -> bool:
        """Whether a block is to be measured without being validated at once, because another machine could do that."""
        return self._calls.settings.validation == "here" and self._other(maker, block) is not None

    async def make(self, maker: SeenMachine, block: Block, job: BlockJob) -> WaitingBlock | None:
        """Have a block measured and get it here; None where its outputs stay, to be validated by the maker.

        Raises `BlockFailedError`, `CallFailedError`, `InputError`.
        """
        scratch = self._calls.folder.scratch(job.attempt)
        answer = await self._calls.run(maker.address, job.model_copy(update={"validation": "later"}))
        outputs = [file for file in answer.files if self._waits(file.name)]
        size_bytes = sum(file.size_bytes for file in outputs)
        if not outputs or answer.basis is None or not self._has_room(size_bytes):
            return None
        slot = await self._slot_for(maker, block, outputs, job)
        if slot is None:
            return None
        self._held_bytes += size_bytes
        try:
            files = await self._calls.fetch(maker.address, self._calls.where(block), answer.files, scratch)
            name = maker.report.name
            others = {each: path for each, path in files.items() if not each.startswith(f"{UNVALIDATED}/")}
            received = self._calls.folder.check(self._calls.plan, block, block.number, name, others, validated=False)
        except BaseException:
            self._held_bytes -= size_bytes
            self.slots.release(slot)
            raise
        return WaitingBlock(
            block=block,
            maker=name,
            received=received,
            outputs={each: path for each, path in files.items() if self._waits(each)},
            size_bytes=size_bytes,
            basis=answer.basis,
            slot=slot,
            scratch=scratch,
        )

    async def validate(self, waiting: WaitingBlock) -> ReceivedBlock:
        """Have what waits validated: by the machine that was chosen, or else by the one that made it.

        Gives the slot back. Raises `BlockFailedError` where neither could, `MatrixError` or `OutputError` for what is
        wrong here.
        """
        slot: ValidationSlot | None = waiting.slot
        reasons = []
        try:
            while slot is not None:
                name = slot.machine.report.name
                try:
                    return await self._validated_by(waiting, slot)
                except (MatrixError, OutputError):
                    raise
                except (BlockFailedError, CallFailedError, InputError) as error:
                    reasons.append(f"{name}: {error}")
                    self._say(f"{name} does not validate {_words(waiting.block)} of {waiting.maker}: {error}")
                    self.slots.refuse(name)
                self.slots.release(slot)
                slot = None if name == waiting.maker else self.slots.take_own(waiting.maker)
        finally:
            self._held_bytes -= waiting.size_bytes
            if slot is not None:
                self.slots.release(slot)
        raise BlockFailedError(f"its outputs could not be validated: {'; '.join(reasons)}")

    def _other(self, maker: SeenMachine, block: Block) -> SeenMachine | None:
        return self.slots.find(maker, block.case, same_processor=not self._is_plain(case_of(self._calls.plan, block)))

    def _is_plain(self, case: Case) -> bool:
        """Whether outputs are compared with the source's own pictures.

        What the oracle draws instead is computed in floating point, of which known pictures say nothing: its figures
        are the same on machines of one processor.
        """
        subjects = self._calls.plan.matrix.subjects_of(case)
        options = case.options.keys() | {name for subject in subjects for name in subject.options}
        is_drawn = case.scene != "bare" or any((case.width, case.height, case.fps)) or "tone_map" in options
        return not is_drawn and not any(subject.has_own_look(case) for subject in subjects)

    def _waits(self, name: str) -> bool:
        return name.partition("/")[0] == ("outputs" if self._calls.settings.keeps_outputs else UNVALIDATED)

    def _has_room(self, size_bytes: int) -> bool:
        free = shutil.disk_usage(self._calls.folder.path).free
        return self._held_bytes + size_bytes <= min(_MOST_WAITING_BYTES, _MOST_WAITING_SHARE * free)

    async def _slot_for(
        self, maker: SeenMachine, block: Block, outputs: Sequence[BlockFile], job: BlockJob
    ) -> ValidationSlot | None:
        """A slot of another machine, where sending it the outputs is worth it; None where they stay where they are."""
        rate = await self._rate_from(maker, block, outputs, job)
        other = self._other(maker, block)
        if other is None:
            return None
        # They cross the runner: once to it, and once from it.
        missing_bytes = 2 * sum(file.size_bytes for file in outputs)
        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                missing_bytes += await self._missing_bytes(other, job)
        except TimeoutError:
            return None
        except CallFailedError:
            self.slots.refuse(other.report.name)
            return None
        choice = self.slots.choose(other, maker.report.name, block.case, missing_bytes=missing_bytes, bytes_per_s=rate)
        self._say(f"{_words(block)} of {maker.report.name}, validation on {choice.reason}")
        return self.slots.take(other) if choice.is_worth_it else None

    async def _missing_bytes(self, machine: SeenMachine, job: BlockJob) -> int:
        """What a machine does not have of the clip and the scene. Raises `CallFailedError`."""
        bundles = filter(None, (job.clip, job.scene))
        return sum(
            [
                file.size_bytes - await self._calls.link.stored_bytes(machine.address, file)
                for bundle in bundles
                for file in bundle.files
            ]
        )

    async def _rate_from(self, maker: SeenMachine, block: Block, outputs: Sequence[BlockFile], job: BlockJob) -> float:
        """Bytes a second from a machine, by the first piece of its largest output. Raises `CallFailedError`."""
        largest = max(outputs, key=lambda file: file.size_bytes)
        piece_bytes, begun_s = min(PIECE_BYTES, largest.size_bytes), time.perf_counter()
        where = self._calls.where(block).model_copy(update={"name": largest.name})
        target = self._calls.folder.scratch(job.attempt) / "piece"
        await self._calls.link.fetch_file(maker.address, where, target, piece_bytes)
        return max(1, piece_bytes) / max(1e-6, time.perf_counter() - begun_s)

    async def _validated_by(self, waiting: WaitingBlock, slot: ValidationSlot) -> ReceivedBlock:
        """What one machine finds. Raises `BlockFailedError`, `CallFailedError`, `InputError`."""
        try:
            return await unless(slot.lost, self._validate_on(waiting, slot.machine))
        except UnlessError:
            raise BlockFailedError("it is lost") from None

    async def _validate_on(self, waiting: WaitingBlock, machine: SeenMachine) -> ReceivedBlock:
        calls, block, name, token = self._calls, waiting.block, machine.report.name, secrets.token_hex(8)
        job = calls.job(name, block, block.number, token)
        await calls.send(machine.address, job)
        measured = await self._send_measured(waiting, machine)
        # In a folder of its own there: that of the runs is for blocks that the machine makes itself.
        changed = {"run_id": token, "validation": "waiting", "measured": measured, "basis": waiting.basis}
        where = PieceJob(run_id=token, case=block.case)
        try:
            answer = await calls.run(machine.address, job.model_copy(update=changed))
            found = [file for file in answer.files if file.name.partition("/")[0] in _FOUND]
            files = await calls.fetch(machine.address, where, found, own_folder(waiting.scratch, f"by-{token}"))
        finally:
            with contextlib.suppress(CallFailedError):  # it goes when its worker is started again
                await calls.link.forget_block(machine.address, where.model_copy(update={"whole": True}))
        merged = {**waiting.received.files, **files}
        received = calls.folder.check(calls.plan, block, block.number, waiting.maker, merged, validated=True)
        if name == waiting.maker:
            return received
        if why := _undone(received):
            raise BlockFailedError(why)
        return replace(received, validated_by=name)

    async def _send_measured(self, waiting: WaitingBlock, machine: SeenMachine) -> Bundle:
        """Send runs and outputs, by content: what the machine has of an earlier block is not sent again."""
        runs = {name: waiting.received.files[name] for name in map(_file_of, waiting.received.runs)}
        files, sent_bytes, begun_s = [], 0, time.perf_counter()
        for name, path in (runs | waiting.outputs).items():
            digest = await asyncio.to_thread(content_digest, path)
            file = BundleFile(name=name, sha256=digest, size_bytes=path.stat().st_size)
            sent_bytes += file.size_bytes - await self._calls.link.stored_bytes(machine.address, file)
            await self._calls.link.send_file(machine.address, file, path)
            files.append(file)
        if sent_bytes >= PIECE_BYTES:  # of less, latency is most
            self.slots.note_rate(machine.report.name, sent_bytes / max(1e-6, time.perf_counter() - begun_s))
        return Bundle(entry=files[0].name, files=tuple(files))


def _words(block: Block) -> str:
    return f"{block.case}, block {block.number + 1}"


def _file_of(run: RunResult) -> str:
    return f"runs/{run_stem(run)}.json"


def _undone(received: ReceivedBlock) -> str | None:
    """Why a validation could not be made: that is for the machine that made the output to find out, too."""
    reports = [run.validation for run in received.runs if run.validation is not None]
    return next(
        (check.message for report in reports for check in report.checks if check.name == "validation.done"), None
    )
