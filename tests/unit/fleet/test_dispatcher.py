"""Blocks, each once, whatever becomes of machines: no machine, no Dask, no waiting."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from capbench.errors import InputError, UnavailableError
from capbench.fleet.dispatch.fleet_folder import ATTEMPTS_FILE
from capbench.fleet.dispatch.fleet_member import FleetPace
from capbench.harness.run.schedule import Plan
from capbench.results.environment import MachineChoice
from capbench.results.folder import read_folder
from capbench.results.run_record import RunRole
from tests.unit.fleet.fake_fleet import FakeFleet, dispatch, plan_of, report_of

MAKES = ["makes"]


def _measured(path: Path) -> Counter[tuple[str, str, int]]:
    """Case, subject and block of every measured run."""
    runs = read_folder(path).runs
    return Counter((run.case, run.subject, run.block) for run in runs if run.role is RunRole.MEASURE)


def _wanted(plan: Plan) -> Counter[tuple[str, str, int]]:
    return Counter(
        (case.name, subject, block)
        for case in plan.matrix.cases
        for subject in case.subjects
        for block in range(case.blocks)
    )


def _attempts(path: Path, event: str) -> list[dict[str, object]]:
    lines = (path / ATTEMPTS_FILE).read_text().splitlines()
    return [said for line in lines if (said := json.loads(line))["event"] == event]


def _whole_blocks_on_one_machine(path: Path) -> None:
    machines: dict[tuple[str, int], set[str | None]] = {}
    for run in read_folder(path).runs:
        if run.role is RunRole.MEASURE:
            machines.setdefault((run.case, run.block), set()).add(run.machine)
    assert all(len(found) == 1 for found in machines.values())


def test_every_run_is_made_once_and_a_block_stays_on_one_machine(tmp_path: Path) -> None:
    plan, fleet = plan_of(), FakeFleet.of(one=MAKES, two=MAKES, three=MAKES)

    dispatch(plan, fleet, tmp_path)

    assert _measured(tmp_path) == _wanted(plan)
    _whole_blocks_on_one_machine(tmp_path)
    assert {run.machine for run in read_folder(tmp_path).runs} == {"one", "two", "three"}
    assert set(read_folder(tmp_path).machines) == {"one", "two", "three"}
    assert len(_attempts(tmp_path, "begun")) == len(_attempts(tmp_path, "done")) == 12
    assert not (tmp_path / "in-progress").exists() or not any((tmp_path / "in-progress").iterdir())


@pytest.mark.parametrize("fate", ["crashes", "fails", "sends half", "dies"])
def test_an_attempt_that_comes_to_nothing_is_thrown_away_and_made_again(tmp_path: Path, fate: str) -> None:
    plan, fleet = plan_of(), FakeFleet.of(one=["makes", fate, "makes"], two=MAKES, three=MAKES)

    dispatch(plan, fleet, tmp_path)

    assert _measured(tmp_path) == _wanted(plan)
    _whole_blocks_on_one_machine(tmp_path)
    thrown = _attempts(tmp_path, "thrown_away")
    assert [said["machine"] for said in thrown] == ["one"]
    assert thrown[0]["reason"]
    assert len(_attempts(tmp_path, "begun")) == 13


def test_a_machine_that_is_silent_is_given_up_and_comes_back(tmp_path: Path) -> None:
    """As one that is stopped or cut off: what it was making is made elsewhere, and its own answer is not waited for."""
    plan, fleet = plan_of(blocks=30), FakeFleet.of(one=MAKES, two=MAKES)
    one = fleet.machines_by_name["one"]
    one.cost = fleet.machines_by_name["two"].cost = 3

    def look(now: FakeFleet) -> None:
        one.is_silent = now.looks >= 2 and one.given_up == 0

    fleet.at_look = look
    said = dispatch(plan, fleet, tmp_path)

    assert _measured(tmp_path) == _wanted(plan)
    assert one.given_up == 1
    assert any(line.startswith("machine one is lost: no sign of life") for line in said)
    assert "machine one is back" in said
    made_after = [said for said in _attempts(tmp_path, "done") if said["machine"] == "one"]
    assert made_after


def test_a_worker_that_was_started_again_loses_what_it_was_making(tmp_path: Path) -> None:
    plan, fleet = plan_of(), FakeFleet.of(one=["hangs", "makes"], two=MAKES)
    one = fleet.machines_by_name["one"]

    def look(now: FakeFleet) -> None:
        if now.looks == 3:
            one.address = "tcp://one:2"

    fleet.at_look = look
    dispatch(plan, fleet, tmp_path)

    assert _measured(tmp_path) == _wanted(plan)
    assert [said["reason"] for said in _attempts(tmp_path, "thrown_away")] == ["its worker was started again"]


def test_a_machine_that_fails_each_block_is_put_aside_with_the_reason(tmp_path: Path) -> None:
    plan, fleet = plan_of(blocks=8), FakeFleet.of(bad=["fails"], good=MAKES)

    said = dispatch(plan, fleet, tmp_path)

    assert _measured(tmp_path) == _wanted(plan)
    assert {run.machine for run in read_folder(tmp_path).runs} == {"good"}
    aside = _attempts(tmp_path, "put_aside")
    assert [found["machine"] for found in aside] == ["bad"]
    assert "no space left on device" in str(aside[0]["reason"])
    assert any(line.startswith("machine bad is put aside") for line in said)


def test_where_every_run_fails_on_one_machine_alone_the_machine_is_at_fault(tmp_path: Path) -> None:
    plan, fleet = plan_of(blocks=8), FakeFleet.of(bad=["all runs fail"], good=MAKES)

    dispatch(plan, fleet, tmp_path)

    assert all(run.error is None for run in read_folder(tmp_path).runs)
    assert _measured(tmp_path) == _wanted(plan)


def test_where_every_run_fails_everywhere_that_is_the_result(tmp_path: Path) -> None:
    plan, fleet = plan_of(cases=1, blocks=1), FakeFleet.of(one=["all runs fail"], two=["all runs fail"])

    dispatch(plan, fleet, tmp_path)

    assert _measured(tmp_path) == _wanted(plan)
    assert {run.error for run in read_folder(tmp_path).runs} == {"no adapter"}


def test_all_machines_put_aside_end_the_run_with_every_reason(tmp_path: Path) -> None:
    plan, fleet = plan_of(), FakeFleet.of(one=["fails"], two=["crashes"])

    with pytest.raises(UnavailableError, match=r"no space left on device.*a bug") as error:
        dispatch(plan, fleet, tmp_path)

    assert error.value.exit_code == 4


def test_another_version_is_refused_with_both_numbers(tmp_path: Path) -> None:
    plan, fleet = plan_of(), FakeFleet.of(old=MAKES, new=MAKES)
    fleet.machines_by_name["old"].report = report_of("old", version="0.0.7")

    said = dispatch(plan, fleet, tmp_path)

    refused = next(line for line in said if "refused" in line)
    assert "0.0.7" in refused
    assert report_of("new").capbench_version in refused
    assert {run.machine for run in read_folder(tmp_path).runs} == {"new"}


def test_nothing_but_another_version_is_an_error_of_the_user(tmp_path: Path) -> None:
    fleet = FakeFleet.of(old=MAKES)
    fleet.machines_by_name["old"].report = report_of("old", version="0.0.7")

    with pytest.raises(InputError, match=r"0\.0\.7"):
        dispatch(plan_of(), fleet, tmp_path)


def test_a_runner_that_is_killed_between_two_files_doubles_nothing(tmp_path: Path) -> None:
    """A block that is in the folder in part is removed and made again as a whole."""
    plan = plan_of()
    dispatch(plan, FakeFleet.of(one=MAKES), tmp_path)
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "runs").glob("*.json")}
    removed = tmp_path / "runs" / "case1--b--on=one--b002.json"
    removed.unlink()
    fleet = FakeFleet.of(two=MAKES)

    dispatch(plan, fleet, tmp_path, resume=True)

    assert _measured(tmp_path) == _wanted(plan)
    _whole_blocks_on_one_machine(tmp_path)
    assert fleet.made == [("two", "case1", 2)]
    untouched = {name for name in kept if not name.startswith("case1") or "b002" not in name}
    assert all((tmp_path / "runs" / name).stat().st_mtime_ns == kept[name] for name in untouched)


def test_a_resume_makes_nothing_that_is_there(tmp_path: Path) -> None:
    plan, again = plan_of(), FakeFleet.of(one=MAKES)
    dispatch(plan, FakeFleet.of(one=MAKES), tmp_path)

    dispatch(plan, again, tmp_path, resume=True)

    assert again.made == []


def test_failed_blocks_are_made_again_as_a_whole_where_that_is_asked_for(tmp_path: Path) -> None:
    plan = plan_of(cases=1, blocks=2)
    dispatch(plan, FakeFleet.of(one=["all runs fail"]), tmp_path)

    dispatch(plan, FakeFleet.of(one=MAKES), tmp_path, resume=True, retry_failed=True)

    runs = [run for run in read_folder(tmp_path).runs if run.role is RunRole.MEASURE]
    assert all(run.error is None for run in runs)
    assert _measured(tmp_path) == _wanted(plan)


def test_a_machine_that_changed_makes_no_more_blocks_of_the_folder(tmp_path: Path) -> None:
    plan, fleet = plan_of(cases=1, blocks=2), FakeFleet.of(one=MAKES, two=MAKES)
    dispatch(plan_of(cases=1, blocks=1), FakeFleet.of(one=MAKES), tmp_path)
    fleet.machines_by_name["one"].report = report_of("one", memory_gib=16)

    said = dispatch(plan, fleet, tmp_path, resume=True)

    assert any("machine one is refused: its hardware or software changed" in line for line in said)
    assert fleet.made == [("two", "case0", 1)]


def test_every_machine_of_a_table_with_blocks_makes_its_own(tmp_path: Path) -> None:
    plan = plan_of(cases=2, machines=(MachineChoice(match={"adapter": "nvidia*"}, blocks=3), MachineChoice(blocks=1)))
    fleet = FakeFleet.of(one=MAKES, two=["crashes", "makes"], three=MAKES)
    for name in ("one", "two"):
        fleet.machines_by_name[name].report = report_of(name, adapter="NVIDIA RTX 4090")

    dispatch(plan, fleet, tmp_path)

    runs = [run for run in read_folder(tmp_path).runs if run.role is RunRole.MEASURE]
    made = Counter(run.machine for run in runs)
    assert made == {"one": 2 * 3 * 3, "two": 2 * 3 * 3, "three": 2 * 3 * 1}
    dispatch(plan, again := FakeFleet(fleet.machines_by_name), tmp_path, resume=True)
    assert again.made == []


def test_own_blocks_of_a_machine_that_stays_away_end_the_run_in_bounded_time(tmp_path: Path) -> None:
    plan = plan_of(cases=1, machines=(MachineChoice(blocks=2),))
    fleet = FakeFleet.of(one=["makes", "dies"], two=MAKES)

    with pytest.raises(UnavailableError, match=r"one did not come back.*--resume"):
        dispatch(plan, fleet, tmp_path)

    made = Counter(run.machine for run in read_folder(tmp_path).runs if run.role is RunRole.MEASURE)
    assert made == {"one": 3, "two": 6}


def test_a_resume_waits_for_the_own_blocks_of_a_machine_that_is_not_there(tmp_path: Path) -> None:
    plan = plan_of(cases=1, machines=(MachineChoice(blocks=2),))
    with pytest.raises(UnavailableError):
        dispatch(plan, FakeFleet.of(one=["makes", "dies"], two=MAKES), tmp_path)

    with pytest.raises(UnavailableError, match=r"one did not come back"):
        dispatch(plan, FakeFleet.of(two=MAKES), tmp_path, resume=True)
    dispatch(plan, FakeFleet.of(one=MAKES), tmp_path, resume=True)

    made = Counter(run.machine for run in read_folder(tmp_path).runs if run.role is RunRole.MEASURE)
    assert made == {"one": 6, "two": 6}


def test_a_table_that_no_machine_matches_is_named_in_the_end(tmp_path: Path) -> None:
    tables = (MachineChoice(match={"system": "Darwin"}, blocks=1), MachineChoice(blocks=1))

    with pytest.raises(UnavailableError, match="system Darwin"):
        dispatch(plan_of(cases=1, machines=tables), FakeFleet.of(one=MAKES), tmp_path)

    assert sum(_measured(tmp_path).values()) == 3


def test_only_machines_that_match_take_part(tmp_path: Path) -> None:
    plan = plan_of(machines=(MachineChoice(tags={"lab": "Paris"}),))
    fleet = FakeFleet.of(one=MAKES, two=MAKES)
    fleet.machines_by_name["two"].report = report_of("two", lab="paris")

    dispatch(plan, fleet, tmp_path)

    assert {run.machine for run in read_folder(tmp_path).runs} == {"two"}


def test_no_machine_at_all_is_said_after_a_while(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="adapter NVIDIA"):
        dispatch(plan_of(machines=(MachineChoice(match={"adapter": "NVIDIA*"}),)), FakeFleet.of(one=MAKES), tmp_path)


def test_the_floor_runs_again_on_every_machine_that_made_a_case(tmp_path: Path) -> None:
    plan = plan_of(cases=2, drift=True)

    dispatch(plan, FakeFleet.of(one=MAKES, two=MAKES), tmp_path)

    runs = read_folder(tmp_path).runs
    begun = {(run.case, run.machine) for run in runs if run.role is RunRole.DRIFT_START}
    ended = Counter((run.case, run.machine) for run in runs if run.role is RunRole.DRIFT_END)
    assert ended == Counter(begun)
    measured = {(run.case, run.machine) for run in runs if run.role is RunRole.MEASURE}
    assert begun == measured


def test_a_resume_closes_the_cases_that_a_killed_runner_did_not(tmp_path: Path) -> None:
    plan = plan_of(cases=1, blocks=2, drift=True)
    dispatch(plan, FakeFleet.of(one=MAKES), tmp_path)
    closing = tmp_path / "runs" / "case0--floor--on=one--drift-end.json"
    closing.unlink()

    dispatch(plan, again := FakeFleet.of(one=MAKES), tmp_path, resume=True)

    assert again.made == [("one", "case0", -1)]
    assert closing.is_file()


def test_a_damaged_run_costs_its_block_and_stays_nowhere(tmp_path: Path) -> None:
    plan = plan_of(cases=1, blocks=2)
    dispatch(plan, FakeFleet.of(one=MAKES), tmp_path)
    damaged = tmp_path / "runs" / "case0--a--on=one--b001.json"
    damaged.write_text('{"schema_ver')

    dispatch(plan, again := FakeFleet.of(two=MAKES), tmp_path, resume=True)

    assert again.made == [("two", "case0", 1)]
    assert not damaged.exists()
    assert _measured(tmp_path) == _wanted(plan)
    assert not read_folder(tmp_path).problems


def test_a_budget_begins_no_block_that_would_end_later(tmp_path: Path) -> None:
    plan, fleet = plan_of(cases=1, blocks=10_000), FakeFleet.of(one=MAKES)

    said = dispatch(plan, fleet, tmp_path, pace=FleetPace(look_every_s=0.005, budget_s=4))

    assert "time budget reached" in said
    assert 0 < len(fleet.made) < 10_000
    assert len(_attempts(tmp_path, "begun")) == len(_attempts(tmp_path, "done"))


def test_a_scheduler_that_dies_leaves_whole_blocks(tmp_path: Path) -> None:
    plan, fleet = plan_of(blocks=20), FakeFleet.of(one=MAKES, two=MAKES)

    def look(now: FakeFleet) -> None:
        if now.looks == 4:
            raise UnavailableError("the scheduler is gone")

    fleet.at_look = look
    with pytest.raises(UnavailableError, match="scheduler"):
        dispatch(plan, fleet, tmp_path)
    assert 0 < sum(_measured(tmp_path).values()) < sum(_wanted(plan).values())

    dispatch(plan, FakeFleet.of(one=MAKES, three=MAKES), tmp_path, resume=True)

    assert _measured(tmp_path) == _wanted(plan)
    _whole_blocks_on_one_machine(tmp_path)
