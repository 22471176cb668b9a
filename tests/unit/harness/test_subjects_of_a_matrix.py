"""Who takes part in a matrix: declared subjects, products of them, and those that are left out, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.errors import MatrixError
from capbench.harness.matrix.command_line import fill_command, missing_program
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.matrix.participation import absences, propose_scenes, undrawn_scenes
from capbench.results import Check, CheckStatus, RunResult, ValidationReport

_CASE = "[[case]]\nname = 'one'\nrecording = '1080p-1min'\n"
_MINE = "[[subject]]\nname = 'mine'\ncommand = 'mine {source} {output}'\n"


def _load(folder: Path, text: str) -> RunMatrix:
    (folder / "mine.toml").write_text(text, encoding="utf-8")
    return load_matrix(folder / "mine.toml")


def test_a_declared_subject_takes_part_by_default(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + _MINE)

    assert matrix.cases[0].subjects == ("floor", "cpu", "gpu", "mine")
    assert absences(matrix, {}) == ()


def test_one_of_an_included_file_takes_part_too(tmp_path: Path) -> None:
    (tmp_path / "subjects.toml").write_text(_MINE)

    assert "mine" in _load(tmp_path, "include = ['subjects.toml']\n" + _CASE).cases[0].subjects


@pytest.mark.parametrize("where", ["[defaults]\nsubjects = ['cpu']\n" + _CASE, _CASE + "subjects = ['cpu']\n"])
def test_subjects_say_otherwise_and_whoever_they_leave_out_is_named(tmp_path: Path, where: str) -> None:
    matrix = _load(tmp_path, where + _MINE)

    assert matrix.cases[0].subjects == ("cpu",)
    (sentence,) = absences(matrix, {})
    assert sentence.startswith("mine takes no part: the `subjects`")
    assert absences(matrix.select((), ("cpu",)), {}) == ()


def test_a_scene_that_a_subject_cannot_draw_and_a_missing_program_are_reasons(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + "scene = 'studio'\n" + _MINE + "scenes = ['bare']\n")

    scene, skipped = absences(matrix, {"other": "program 'other' is not on PATH"})[::-1]

    assert scene == "mine takes no part in one: its `scenes` (bare) do not match studio"
    assert skipped == "other is skipped: program 'other' is not on PATH"


def _run(case: str, subject: str, *, passed: bool = True, error: str | None = None) -> RunResult:
    status = CheckStatus.PASS if passed else CheckStatus.FAIL
    check = Check(name="frames.count", status=status, message="")
    report = None if error else ValidationReport(reference="a", output="b", checks=(check,))
    return RunResult(case=case, subject=subject, block=0, validation=report, error=error)


_TWO = _CASE + "subjects = ['mine']\n" + _CASE.replace("one", "drawn") + "scene = 'studio'\nsubjects = ['mine']\n"


@pytest.mark.parametrize(
    ("subject", "runs", "is_proposed"),
    [
        (_MINE, [_run("one", "mine"), _run("drawn", "mine", passed=False)], True),
        (_MINE, [_run("one", "mine"), _run("drawn", "mine", error="exit code 1")], True),
        (_MINE, [_run("drawn", "mine", passed=False)], True),
        (_MINE, [_run("one", "mine", passed=False), _run("drawn", "mine", passed=False)], False),
        (_MINE, [_run("one", "mine"), _run("drawn", "mine")], False),
        (_MINE + "scenes = ['*']\n", [_run("one", "mine"), _run("drawn", "mine", passed=False)], False),
        (_MINE.replace("mine {", "mine {scene} {"), [_run("drawn", "mine", passed=False)], False),
    ],
)
def test_scenes_are_proposed_to_a_command_that_fails_only_where_one_is_drawn(
    tmp_path: Path, subject: str, runs: list[RunResult], is_proposed: bool
) -> None:
    matrix = _load(tmp_path, _TWO + subject)

    proposed = propose_scenes(matrix, runs)

    assert bool(proposed) == is_proposed
    if is_proposed:
        assert 'scenes = ["bare"]' in proposed[0]
        assert undrawn_scenes(matrix)


def test_a_product_makes_one_subject_for_each_combination(tmp_path: Path) -> None:
    matrix = _load(
        tmp_path,
        _CASE + "subjects = ['x264']\n[[subject]]\nname = 'x264'\n"
        "command = 'enc --preset {preset} --fast={quick} {{x}} {source} {output}'\nenv = {P = '{preset}'}\n"
        "[subject.product]\npreset = ['ultrafast', 'a/b']\nquick = [true, 2]\n",
    )

    names = [subject.name for subject in matrix.subjects]
    assert names == [f"x264-preset={preset}-quick={quick}" for preset in ("ultrafast", "a_b") for quick in ("true", 2)]
    assert matrix.cases[0].subjects == tuple(names)
    values = {"source": "in", "output": "out"}
    assert fill_command(matrix.subjects[2].command, values) == [
        *("enc", "--preset", "a/b", "--fast=true", "{x}", "in", "out")
    ]
    assert matrix.subjects[2].env == {"P": "a/b"}


def test_a_parameter_with_braces_is_no_placeholder(tmp_path: Path) -> None:
    matrix = _load(tmp_path, _CASE + _MINE.replace("{source}", "{p}") + "[subject.product]\np = ['{source}']\n")

    (subject,) = [subject for subject in matrix.subjects if subject.command]
    assert fill_command(subject.command, {"output": "out"}) == ["mine", "{source}", "out"]


def test_a_parameter_of_a_path_is_an_export_option(tmp_path: Path) -> None:
    matrix = _load(
        tmp_path,
        _CASE + "subjects = ['cpu-n']\n[[subject]]\nname = 'cpu-n'\npath = 'cpu'\n"
        "[subject.product]\nswscale_threads = [0, 1]\n",
    )

    assert [(each.name, each.options) for each in matrix.subjects] == [
        ("cpu-n-swscale_threads=0", {"swscale_threads": 0}),
        ("cpu-n-swscale_threads=1", {"swscale_threads": 1}),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (_MINE + "[subject.product]\npreset = ['a']\n", "product.preset: nothing uses it"),
        (_MINE + "[subject.product]\nsource = ['a']\n", "product.source: choose a name"),
        (_MINE + "[subject.product]\n'a b' = ['a']\n", "product.a b: choose a name"),
        (_MINE.replace("{source}", "{p}") + "[subject.product]\np = []\n", "an empty list leaves no subject"),
        (_MINE.replace("{source}", "{p}") + "[subject.product]\np = ['a/b', 'a b']\n", "another subject has this name"),
        (
            _MINE.replace("{source}", "{p}{q}{r}{s}{t}")
            + "[subject.product]\n"
            + "".join(f"{key} = {list(range(10))}\n" for key in "pqrst"),
            "100000 combinations",
        ),
        (_MINE.replace("{source}", "{p}") + f"[subject.product]\np = ['{'x' * 90}']\n", "shorten it"),
        (_MINE + "prepare = 'rm {out}'\n", "prepare: unknown placeholder {out}"),
        (_MINE + 'conclude = "a \'b"\n', "conclude: cannot split the command"),
        (_MINE + "cwd = 'gone'\n", "cwd: no such folder"),
        ("[[subject]]\nname = 'floor'\nfloor = true\n[subject.product]\nqp = [1]\n", "the floor is one subject"),
    ],
)
def test_a_wrong_subject_is_answered_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(MatrixError) as caught:
        _load(tmp_path, _CASE + text)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_commands_start_in_the_folder_of_their_file_or_where_cwd_says(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()

    folders = [
        _load(tmp_path, _CASE + "subjects = ['mine']\n" + _MINE + more).subjects[0].folder
        for more in ("", "cwd = 'tools'")
    ]

    assert folders == [tmp_path, tmp_path / "tools"]


def test_a_program_beside_the_matrix_is_looked_for_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative program used to be looked for where capbench was started, and then skipped."""
    program = tmp_path / "mine"
    program.write_text("#!/bin/sh\n")
    monkeypatch.chdir("/")

    assert "is not an executable file in" in (missing_program("./mine", tmp_path) or "")
    program.chmod(0o755)
    assert missing_program("./mine", tmp_path) is None
    assert "started as ./mine" in (missing_program("mine", tmp_path) or "")
    assert missing_program("sh", tmp_path) is None
