"""Folders of several machines: who ran what, each machine's own floor and blocks, and tables that are wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from capbench.errors import ResultError
from capbench.gate import compare
from capbench.results import RunResult, RunRole
from capbench.results.environment import MACHINES_FILE, Environment, FleetMachine, MachineTable
from capbench.results.folder import read_folder, run_file_name, run_stem, write_record
from capbench.results.tidy_table import table_of


def _run(machine: str | None, subject: str, block: int, wall_s: float) -> RunResult:
    return RunResult(case="1080p", subject=subject, block=block, wall_s=wall_s, fingerprint="same", machine=machine)


def _folder(path: Path) -> Path:
    """Two machines of one model, the second twice as slow, three blocks each."""
    for machine, slower in (("studio-1", 1.0), ("studio-2", 2.0)):
        for block in range(3):
            for subject, wall_s in (("floor", 1.0), ("cpu", 3.0), ("gpu", 2.0)):
                run = _run(machine, subject, block, wall_s * slower * (1 + block / 100))
                write_record(path / "runs" / f"{run_stem(run)}.json", run)
    machines = {
        name: FleetMachine(environment=Environment(fingerprint="same"), tags={"lab": "berlin"})
        for name in ("studio-1", "studio-2")
    }
    write_record(path / MACHINES_FILE, MachineTable(machines=machines))
    return path


def test_a_folder_of_two_machines_is_read_whole_and_without_complaint(tmp_path: Path) -> None:
    contents = read_folder(_folder(tmp_path))

    assert len(contents.runs) == 18
    assert {run.machine for run in contents.runs} == {"studio-1", "studio-2"}
    assert contents.machines["studio-2"].tags == {"lab": "berlin"}
    assert contents.environment is None
    assert contents.problems == ()


def test_each_machine_has_its_own_floor(tmp_path: Path) -> None:
    """Over one floor for both, the slow machine's exports would seem half as fast and the other's twice as fast."""
    contents = read_folder(_folder(tmp_path))
    block_1 = {run.machine: run.times_floor for run in contents.runs if run.subject == "gpu" and run.block == 1}

    assert block_1 == {"studio-1": pytest.approx(2.0), "studio-2": pytest.approx(2.0)}


def test_blocks_of_two_equal_machines_are_not_taken_for_one(tmp_path: Path) -> None:
    """One model and one software have one fingerprint, and both machines have a block 0."""
    runs = table_of([read_folder(_folder(tmp_path))])
    of_cpu, of_gpu = runs[runs["subject"] == "cpu"], runs[runs["subject"] == "gpu"]

    wall = next(row for row in compare(of_cpu, of_gpu).verdicts if row.metric == "wall_s")

    assert wall.blocks == 6
    assert wall.ratio == pytest.approx(2 / 3)


def test_a_run_of_a_folder_of_one_machine_is_written_as_before() -> None:
    run = _run(None, "gpu", 0, 1.0)

    assert "machine" not in json.loads(run.model_dump_json())
    assert run_stem(run) == "1080p--gpu--b000"


def test_the_file_name_tells_machines_apart() -> None:
    names = [
        run_file_name("1080p", "gpu", role, -1, machine="studio-1") for role in (RunRole.WARMUP, RunRole.DRIFT_START)
    ]

    assert names == ["1080p--gpu--on=studio-1--warmup.json", "1080p--gpu--on=studio-1--drift-start.json"]


@pytest.mark.parametrize("name", ["", "a--b", "../up", "a/b", "-a", "a.", "x" * 64, "caf\u00e9", "a b", "a\n"])
def test_a_name_that_a_file_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        _run(name, "gpu", 0, 1.0)
    with pytest.raises(ValidationError):
        MachineTable(machines={name: FleetMachine(environment=Environment())})


def test_two_names_that_a_file_system_may_take_for_one_are_refused() -> None:
    with pytest.raises(ValidationError, match="Studio and studio"):
        MachineTable(machines=dict.fromkeys(("Studio", "studio"), FleetMachine(environment=Environment())))


def test_a_damaged_table_is_named_and_costs_no_run(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / MACHINES_FILE).write_text('{"schema_version": 1, "machines": 3}')

    contents = read_folder(folder)

    assert len(contents.runs) == 18
    assert MACHINES_FILE in contents.problems[0]


def test_a_table_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path)
    (folder / MACHINES_FILE).write_text('{"schema_version": 2, "machines": {}}')

    with pytest.raises(ResultError, match="use a newer capbench"):
        read_folder(folder)
