"""Outputs that wait: validated where they were made or in the folder of another machine.

The jobs of a block's workers are done here; test_local_fleet.py has a fleet whose machines start them.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from capbench.fleet.block_job import BlockAnswer, BlockJob, Bundle, BundleFile, ValidationBasis
from capbench.fleet.workers.block_process import BlockOrder, block_folder, make
from capbench.fleet.workers.content_store import ContentStore
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.installation import version_of
from capbench.results.environment import Environment
from capbench.results.run_record import RunResult
from tests.fleet.cheap_matrix import write_matrix
from tests.jobs_in_process import jobs_done_here

_STEM = "case0--a--on=maker--b000"


@dataclass
class _Measured:
    """A block that a machine has made, with its output still to be validated."""

    folder: Path
    job: BlockJob
    answer: BlockAnswer

    @property
    def content(self) -> dict[str, bytes]:
        """Its run and its output, as they are sent."""
        own = block_folder(self.folder / "maker", self.job.run_id, "case0")
        return {name: (own / name).read_bytes() for name in (f"runs/{_STEM}.json", f"unvalidated/{_STEM}.mp4")}

    def make(self, machine: str, **changed: object) -> BlockAnswer:
        order = BlockOrder(
            job=self.job.model_copy(update={"machine": machine} | changed),
            folder=self.folder / machine,
            lock=self.folder / "lock",
            environment=Environment(),
        )
        return make(order, say=lambda _activity: None)


@pytest.fixture(scope="module", autouse=True)
def _jobs_here() -> Iterator[None]:
    with jobs_done_here():
        yield


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> _Measured:
    folder = tmp_path_factory.mktemp("fleet")
    matrix = load_matrix(write_matrix(folder, cases=1, blocks=1, subjects=1))
    case = matrix.cases[0]
    assert case.source is not None
    clip = _sent(folder / "maker", {"clip.mp4": case.source.read_bytes()})
    job = BlockJob(
        capbench_version=version_of("capbench"),
        run_id="1" * 16,
        attempt="2" * 16,
        machine="maker",
        seed=1,
        matrix=matrix.name,
        case=case.model_copy(update={"source": None, "metrics": ("psnr",)}),
        subjects=tuple(subject.model_copy(update={"folder": None}) for subject in matrix.subjects),
        number=0,
        clip=clip,
        validation="later",
        timeout_s=600,
    )
    made = _Measured(folder, job, BlockAnswer())
    made.answer = made.make("maker")
    assert made.answer.failure is None, made.answer.failure
    return made


def _sent(machine: Path, contents: dict[str, bytes]) -> Bundle:
    """Content as a machine has it after it was sent."""
    store, files = ContentStore(machine), []
    for name, content in contents.items():
        file = BundleFile(name=name, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
        store.store(file, 0, content)
        files.append(file)
    return Bundle(entry=files[0].name, files=tuple(files))


def _run(answer: BlockAnswer) -> RunResult:
    assert answer.failure is None, answer.failure
    (file,) = [file for file in answer.files if file.name == f"runs/{_STEM}.json"]
    assert file.base64 is not None
    return RunResult.model_validate_json(base64.b64decode(file.base64))


def _elsewhere(made: _Measured, machine: str, *, is_prepared: bool = False, **changed: object) -> BlockAnswer:
    """Validate on another machine; `is_prepared` where it knows the source, which it would otherwise inspect."""
    _sent(made.folder / machine, {"clip.mp4": (made.folder / "clip.mp4").read_bytes()})
    if is_prepared:
        own = block_folder(made.folder / machine, "3" * 16, "case0")
        own.mkdir(parents=True)
        shutil.copy(block_folder(made.folder / "maker", made.job.run_id, "case0") / "prepared.json", own)
    bundle = _sent(made.folder / machine, made.content)
    known = {"run_id": "3" * 16, "validation": "waiting", "measured": bundle, "basis": made.answer.basis}
    return made.make(machine, **known | changed)


def test_what_waits_is_announced_and_not_sent(measured: _Measured) -> None:
    (waiting,) = [file for file in measured.answer.files if file.name.startswith("unvalidated/")]

    assert _run(measured.answer).validation_pending
    assert waiting.base64 is None
    assert waiting.size_bytes == (measured.folder / "clip.mp4").stat().st_size
    assert measured.answer.basis is not None


def test_another_machine_of_other_figures_or_another_source_refuses(measured: _Measured) -> None:
    assert measured.answer.basis is not None
    for field, words in (("source_sha256", "byte for byte"), ("arithmetic", "known pictures")):
        basis = ValidationBasis.model_validate(measured.answer.basis.model_dump() | {field: "0" * 64})

        answer = _elsewhere(measured, f"other-{field}", is_prepared=True, basis=basis)

        assert answer.failure is not None
        assert words in answer.failure.message


def test_what_is_neither_run_nor_output_is_refused(measured: _Measured) -> None:
    bundle = _sent(measured.folder / "hostile", {"matrix.json": b"{}"})

    answer = _elsewhere(measured, "hostile", measured=bundle)

    assert answer.failure is not None
    assert "neither a run nor an output" in answer.failure.message


def test_outputs_are_validated_to_the_same_report_on_either_machine(measured: _Measured) -> None:
    elsewhere = _run(_elsewhere(measured, "other"))
    here = _run(measured.make("maker", validation="waiting", attempt="4" * 16))

    assert here.validation is not None
    assert elsewhere.validation is not None
    assert here.validation.passed
    there = {"reference": here.validation.reference}
    assert elsewhere.validation.model_copy(update=there) == here.validation
    assert elsewhere.model_copy(update={"validation": here.validation}) == here
    assert not here.validation_pending
