"""One attempt at a block: what the machine is sent, what it is asked for, and what came of it."""

from __future__ import annotations

import secrets
from pathlib import Path

from capbench.errors import InputError, MatrixError, OutputError
from capbench.fleet.block_job import BlockJob
from capbench.fleet.dispatch.block_calls import BlockCalls, BlockFailedError
from capbench.fleet.dispatch.block_queue import Block
from capbench.fleet.dispatch.dask_link import SeenMachine
from capbench.fleet.dispatch.fleet_folder import ReceivedBlock
from capbench.fleet.spreading.spread_blocks import SpreadBlocks, WaitingBlock

__all__ = ["Attempts"]


class Attempts:
    """Makes attempts at blocks of one plan."""

    def __init__(self, calls: BlockCalls, spread: SpreadBlocks) -> None:
        self._calls = calls
        self._spread = spread

    async def make(
        self, machine: SeenMachine, block: Block, number: int | None, attempt: str
    ) -> ReceivedBlock | WaitingBlock:
        """Have a machine make a block; `number` is None for what closes its case there. Nothing is recorded.

        What waits comes back where another machine is to validate it, with a slot taken there: `SpreadBlocks` goes on.
        Raises `BlockFailedError`, `CallFailedError`, and `MatrixError` or `OutputError` for what is wrong here.
        """
        calls = self._calls
        try:
            job = calls.job(machine.report.name, block, number, attempt)
            await calls.send(machine.address, job)
            if number is not None and self._spread.could_help(machine, block):
                made = await self._spread.make(machine, block, job)
                if made is not None:
                    return made
                job = job.model_copy(update={"validation": "waiting", "attempt": secrets.token_hex(8)})
            return await self._make_whole(machine, block, job, calls.folder.scratch(attempt))
        except (MatrixError, OutputError):
            raise
        except InputError as error:
            raise BlockFailedError(str(error)) from error

    async def _make_whole(self, machine: SeenMachine, block: Block, job: BlockJob, scratch: Path) -> ReceivedBlock:
        calls = self._calls
        answer = await calls.run(machine.address, job)
        if job.number is not None and answer.validation_s is not None:
            self._spread.slots.note_validation(block.case, answer.validation_s)
        files = await calls.fetch(machine.address, calls.where(block), answer.files, scratch)
        validated = calls.settings.validation == "here"
        return calls.folder.check(calls.plan, block, job.number, machine.report.name, files, validated=validated)

    async def forget(self, machine: SeenMachine, block: Block) -> None:
        """Have a machine remove what was fetched. Raises `CallFailedError`."""
        await self._calls.link.forget_block(machine.address, self._calls.where(block))
