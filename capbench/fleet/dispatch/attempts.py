"""One attempt at a block: what the machine is sent, what it is asked for, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from capbench.errors import InputError, MatrixError, OutputError
from capbench.fleet.block_job import BlockJob, Bundle, PieceJob
from capbench.fleet.dispatch.block_queue import Block
from capbench.fleet.dispatch.bundles import CaseFiles
from capbench.fleet.dispatch.dask_link import Link, SeenMachine
from capbench.fleet.dispatch.fleet_folder import FleetFolder, ReceivedBlock, case_of, unpack
from capbench.harness.run.schedule import Plan
from capbench.installation import version_of

__all__ = ["Attempts", "BlockFailedError", "BlockSettings", "MachineLostError"]

_PREPARE_S = 3600.0
"""For making or copying what a case needs, as on one machine."""
_BESIDE_A_RUN_S = 1860.0
"""For what is around a run: its inspection and the start of processes."""
_VALIDATE_S = 3600.0
"""For each output, as on one machine."""


class MachineLostError(Exception):
    """The machine of an attempt went away."""


class BlockFailedError(Exception):
    """A machine could not make a block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSettings:
    """What holds for every block of a result folder."""

    run_id: str
    """Tells result folders apart on a machine."""
    validation: Literal["here", "none"] = "here"
    """Whether outputs are validated where they were made."""
    keeps_outputs: bool = False
    """Whether the outputs are fetched."""
    traces: bool = False
    """Whether traces are made and fetched."""


class Attempts:
    """Makes attempts at blocks of one plan."""

    def __init__(self, plan: Plan, folder: FleetFolder, link: Link, settings: BlockSettings) -> None:
        self._plan = plan
        self._folder = folder
        self._link = link
        self._files = CaseFiles()
        self.settings = settings

    async def make(self, machine: SeenMachine, block: Block, number: int | None, attempt: str) -> ReceivedBlock:
        """Have a machine make a block; `number` is None for what closes its case there. Nothing is recorded.

        Raises `BlockFailedError`, `CallFailedError`, and `MatrixError` or `OutputError` for what is wrong here.
        """
        case, name = case_of(self._plan, block), machine.report.name
        clip, scene = self._files.clip(case), self._files.scene(case)
        scratch = self._folder.scratch(attempt)
        try:
            for bundle in (clip, scene):
                await self._send(machine.address, bundle)
            job = self._job(name, block, number, attempt).model_copy(update={"clip": clip, "scene": scene})
            answer = await self._link.run_block(machine.address, job)
            if answer.failure is not None:
                raise BlockFailedError(answer.failure.message)
            files, larger = unpack(answer.files, scratch)
            for file, target in larger:
                where = PieceJob(run_id=self.settings.run_id, case=case.name, name=file.name)
                await self._link.fetch_file(machine.address, where, target, file.size_bytes)
            validated = self.settings.validation == "here"
            return self._folder.check(self._plan, block, number, name, files, validated=validated)
        except (MatrixError, OutputError):
            raise
        except InputError as error:
            raise BlockFailedError(str(error)) from error

    async def forget(self, machine: SeenMachine, block: Block) -> None:
        """Have a machine remove what was fetched. Raises `CallFailedError`."""
        await self._link.forget_block(machine.address, PieceJob(run_id=self.settings.run_id, case=block.case))

    async def _send(self, address: str, bundle: Bundle | None) -> None:
        for file in () if bundle is None else bundle.files:
            await self._link.send_file(address, file, self._files.path_of(file))

    def _job(self, machine: str, block: Block, number: int | None, attempt: str) -> BlockJob:
        """The job without the files of the case, and without any path of this machine."""
        case = case_of(self._plan, block)
        subjects = self._plan.matrix.subjects_of(case)
        runs = (len(subjects) + 1) * len(case.points) + 2 * len(subjects) + 1
        # Commands before and after a run have its time limit each.
        time_s = _PREPARE_S + runs * (3 * case.timeout_s + case.settle_s + _BESIDE_A_RUN_S + _VALIDATE_S)
        sent: dict[str, object] = {"source": None, "download": None}
        if case.scene.endswith(".toml"):
            sent["scene"] = "bare"  # until the machine has the file
        return BlockJob(
            capbench_version=version_of("capbench"),
            run_id=self.settings.run_id,
            attempt=attempt,
            machine=machine,
            seed=self._plan.seed,
            matrix=self._plan.matrix.name,
            case=case.model_copy(update=sent),
            subjects=tuple(subject.model_copy(update={"folder": None, "scenes": ()}) for subject in subjects),
            number=number,
            validation=self.settings.validation,
            keeps_outputs=self.settings.keeps_outputs,
            traces=self.settings.traces,
            timeout_s=time_s,
        )
