"""Which subject the others are compared with: one rule for page, compare, --until-decided and calibrate."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capbench.errors import InputError
from capbench.gate.compare_targets import compare_folder
from capbench.gate.gate_file import GateFile
from capbench.gate.sequential.stopping import SequentialTest
from capbench.report.comparisons import compare_subjects
from capbench.report.report_folder import read_folder as read_report_folder
from capbench.results.base_subject import base_of_folder, choose_base
from capbench.results.folder import read_folder
from capbench.results.folder_plan import FolderPlan, read_plan
from capbench.results.run_record import RunResult, RunRole
from capbench.results.subject_name import SubjectKind, SubjectName, is_floor
from tests.gate_folders import write_plan, write_runs
from tests.gate_runs import noisy


@pytest.mark.parametrize(
    ("text", "parts", "kind"),
    [
        ("gpu", ("gpu", "", ""), SubjectKind.EXPORT),
        ("gpu@main", ("gpu", "main", ""), SubjectKind.EXPORT),
        ("cpu~plus5", ("cpu", "", "plus5"), SubjectKind.EXPORT),
        ("cpu@v1.2~same", ("cpu", "v1.2", "same"), SubjectKind.EXPORT),
        ("floor", ("floor", "", ""), SubjectKind.FLOOR),
        ("floor@main", ("floor", "main", ""), SubjectKind.FLOOR),
        ("floorboard", ("floorboard", "", ""), SubjectKind.EXPORT),
        ("decode-only", ("decode-only", "", ""), SubjectKind.DECODE),
        ("capacity-gpu", ("capacity-gpu", "", ""), SubjectKind.CAPACITY),
        ("capacity-gpu@main", ("capacity-gpu", "main", ""), SubjectKind.CAPACITY),
        ("capacities", ("capacities", "", ""), SubjectKind.EXPORT),
        ("ffmpeg-floor", ("ffmpeg-floor", "", ""), SubjectKind.EXPORT),
    ],
)
def test_a_name_has_parts_and_a_kind(text: str, parts: tuple[str, str, str], kind: SubjectKind) -> None:
    name = SubjectName.parse(text)

    assert (name.subject, name.revision, name.copy) == parts
    assert name.kind is kind
    assert is_floor(text) is (kind is SubjectKind.FLOOR)
    assert str(name) == text


_PART = st.text(st.characters(blacklist_characters="@~"), min_size=1)


@given(_PART, _PART | st.just(""), _PART | st.just(""))
def test_a_name_that_is_written_is_read_back(subject: str, revision: str, copy: str) -> None:
    name = SubjectName(subject, revision, copy)

    assert SubjectName.parse(str(name)) == name


@pytest.mark.parametrize(
    ("subjects", "asked", "reference", "name", "pairs"),
    [
        (["floor", "gpu", "cpu"], None, None, "cpu", [("cpu", "gpu")]),
        (["floor", "main", "branch"], None, None, "main", [("main", "branch")]),
        (["floor", "branch", "main"], None, None, "branch", [("branch", "main")]),
        (["floor", "branch", "main"], None, "main", "main", [("main", "branch")]),
        (["cpu", "gpu", "mine"], None, "gpu", "gpu", [("gpu", "cpu"), ("gpu", "mine")]),
        (["cpu", "gpu", "mine"], "mine", "gpu", "mine", [("mine", "cpu"), ("mine", "gpu")]),
        (
            ["gpu", "gpu@v1", "floor", "floor@v1", "cpu", "cpu@v1"],
            None,
            None,
            "@v1",
            [("gpu@v1", "gpu"), ("cpu@v1", "cpu")],
        ),
        (["gpu", "gpu@v1", "cpu", "cpu@v1"], "cpu", None, "cpu", [("cpu", "gpu")]),
        (["decode-only", "capacity-cpu", "branch", "main"], None, None, "branch", [("branch", "main")]),
        (["gpu", "gpu@v1", "cpu", "cpu@v1"], None, "cpu", "cpu", [("cpu", "gpu")]),
        (["x@1", "x@2"], None, None, "x@1", [("x@1", "x@2")]),
        (["cpu", "cpu~same", "cpu~plus5"], None, None, "cpu", [("cpu", "cpu~same"), ("cpu", "cpu~plus5")]),
        (["floor", "mine"], None, None, "mine", []),
        (["floor"], None, None, "", []),
        ([], None, None, "", []),
    ],
)
def test_base_is_what_is_named_then_the_revision_then_cpu_then_the_first(
    subjects: list[str], asked: str | None, reference: str | None, name: str, pairs: list[tuple[str, str]]
) -> None:
    choice = choose_base(subjects, asked=asked, reference=reference)

    assert choice.name == name
    assert list(choice.pairs) == pairs
    assert bool(choice.sentence) is bool(pairs)


@pytest.mark.parametrize("wanted", ["nobody", "floor", "floor@v1"])
@pytest.mark.parametrize("by", ["asked", "reference"])
def test_a_base_that_cannot_be_one_is_refused_with_the_names_that_there_are(wanted: str, by: str) -> None:
    with pytest.raises(InputError, match="available: main, branch") as caught:
        choose_base(["floor", "floor@v1", "main", "branch"], **{by: wanted})

    assert wanted in str(caught.value)
    assert caught.value.exit_code == 2


def test_without_a_plan_the_warm_ups_tell_the_order_of_the_file() -> None:
    """They are made in that order; the runs of a block are shuffled."""

    def run(subject: str, role: RunRole, block: int, order: int) -> RunResult:
        return RunResult(case="c", subject=subject, block=block, order=order, role=role)

    runs = [
        run("zebra", RunRole.WARMUP, -1, 0),
        run("ant", RunRole.WARMUP, -1, 1),
        run("ant", RunRole.MEASURE, 0, 0),
        run("zebra", RunRole.MEASURE, 0, 1),
    ]

    assert base_of_folder(FolderPlan(), runs).name == "zebra"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"matrix": 3}', '{"matrix": {"subjects": [1, {"x": 2}]}}'])
def test_a_plan_that_cannot_be_read_is_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "matrix.json").write_text(text, encoding="utf-8")

    assert read_plan(tmp_path) == FolderPlan()


@pytest.mark.parametrize("order", [("zebra", "ant"), ("ant", "zebra")])
@pytest.mark.parametrize("reference", [None, "ant", "zebra"])
def test_page_compare_and_until_decided_agree(tmp_path: Path, order: tuple[str, str], reference: str | None) -> None:
    write_plan(tmp_path, ("capbench", "run"), blocks=4, subjects=("floor", *order), reference=reference)
    for subject in ("ant", "floor", "zebra"):
        write_runs(tmp_path, subject, noisy(4))
    expected = reference or order[0]

    decided = SequentialTest(GateFile(), 4).judge(read_folder(tmp_path))
    compared = compare_folder(tmp_path)
    (shown,), problems = compare_subjects(read_report_folder(tmp_path))

    assert decided is not None
    assert not problems
    assert [one.base for one in (decided, compared, shown)] == [expected] * 3
    assert len({one.base_note for one in (decided, compared, shown)}) == 1
    assert expected in decided.base_note


def test_the_plan_outlives_the_program_that_wrote_it(tmp_path: Path) -> None:
    write_plan(tmp_path, ("a", "b"), blocks=4, subjects=("x", "y"), base="y", extra={"from_the_future": [1]})

    plan = read_plan(tmp_path)

    assert plan == FolderPlan(cases=("1080p",), subjects=("x", "y"), base="y", command=("a", "b"))
    assert json.loads((tmp_path / "matrix.json").read_text())["from_the_future"] == [1]


def test_who_was_never_to_run_in_a_case_is_not_missing_there(tmp_path: Path) -> None:
    """A case of its own, a scene that it cannot draw, a program that is not here: none of them is a lost run."""
    cases = [
        {"name": "1080p", "subjects": ["main", "branch", "gone"], "scene": "bare"},
        {"name": "4k", "subjects": ["main", "other"], "scene": "bare"},
        {"name": "framed", "subjects": ["main", "branch"], "scene": "framed"},
    ]
    subjects = [{"name": "main"}, {"name": "branch", "scenes": ["bare"]}, {"name": "gone"}, {"name": "other"}]
    plan = {"matrix": {"cases": cases, "subjects": subjects}, "skipped": {"gone": "not on PATH"}, "command": []}
    for case, names in (("1080p", ("main", "branch")), ("4k", ("main", "other")), ("framed", ("main",))):
        for name in names:
            write_runs(tmp_path, name, noisy(8), case=case)
    (tmp_path / "matrix.json").write_text(json.dumps(plan), encoding="utf-8")

    found = compare_folder(tmp_path)

    assert {(row.case, row.new) for row in found.verdicts} == {("1080p", "branch"), ("4k", "other")}
    assert found.exit_code == 0


def test_a_subject_whose_runs_are_lost_is_missed(tmp_path: Path) -> None:
    write_plan(tmp_path, (), blocks=8, subjects=("main", "branch"))
    for case, names in (("1080p", ("main", "branch")), ("4k", ("main",))):
        for name in names:
            write_runs(tmp_path, name, noisy(8), case=case)

    found = compare_folder(tmp_path)

    assert found.exit_code == 1
    assert "there is no run of branch" in found.sentence
