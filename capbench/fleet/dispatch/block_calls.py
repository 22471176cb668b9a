"""What every attempt at a block is made of: the job, the files that are sent, and the files that come back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from capbench.fleet.block_job import BlockAnswer, BlockFile, BlockJob, PieceJob
from capbench.fleet.dispatch.block_queue import Block
from capbench.fleet.dispatch.bundles import CaseFiles
from capbench.fleet.dispatch.dask_link import Link
from capbench.fleet.dispatch.fleet_folder import FleetFolder, case_of, unpack
from capbench.harness.run.schedule import Plan
from capbench.installation import version_of

__all__ = ["BlockCalls", "BlockFailedError", "BlockSettings", "MachineLostError"]

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


class BlockCalls:
    """What machines are told of the blocks of one plan, and what they answer."""

    def __init__(self, plan: Plan, folder: FleetFolder, link: Link, settings: BlockSettings) -> None:
        self.plan = plan
        self.folder = folder
        self.link = link
        self.settings = settings
        self._files = CaseFiles()

    async def run(self, address: str, job: BlockJob) -> BlockAnswer:
        """Have a machine do a job. Raises `BlockFailedError`, `CallFailedError`."""
        answer = await self.link.run_block(address, job)
        if answer.failure is not None:
            raise BlockFailedError(answer.failure.message)
        return answer

    def where(self, block: Block) -> PieceJob:
        """Where the files of a block lie on the machine that makes it."""
        return PieceJob(run_id=self.settings.run_id, case=block.case)

    async def fetch(self, address: str, where: PieceJob, files: Sequence[BlockFile], scratch: Path) -> dict[str, Path]:
        """The files of an answer, here. Raises `CallFailedError`, `InputError`."""
        found, larger = unpack(files, scratch)
        for file, target in larger:
            await self.link.fetch_file(address, where.model_copy(update={"name": file.name}), target, file.size_bytes)
        return found

    async def send(self, address: str, job: BlockJob) -> None:
        """Make sure that a machine has the clip and the scene of a job. Raises `CallFailedError`."""
        for bundle in filter(None, (job.clip, job.scene)):
            for file in bundle.files:
                await self.link.send_file(address, file, self._files.path_of(file))

    def job(self, machine: str, block: Block, number: int | None, attempt: str) -> BlockJob:
        """The job with the files of the case by their content, and without any path of this machine.

        Raises `MatrixError`, `UnavailableError`.
        """
        case = case_of(self.plan, block)
        subjects = self.plan.matrix.subjects_of(case)
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
            clip=self._files.clip(case),
            scene=self._files.scene(case),
            seed=self.plan.seed,
            matrix=self.plan.matrix.name,
            case=case.model_copy(update=sent),
            subjects=tuple(subject.model_copy(update={"folder": None, "scenes": ()}) for subject in subjects),
            number=number,
            validation=self.settings.validation,
            keeps_outputs=self.settings.keeps_outputs,
            traces=self.settings.traces,
            timeout_s=time_s,
        )
