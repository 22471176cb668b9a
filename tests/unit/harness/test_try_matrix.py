"""The matrix of `capbench try`: names, bad input in one line, and that the saved file reads back as what was run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from capbench.errors import InputError, MatrixError
from capbench.harness.matrix.command_line import fill_command
from capbench.harness.matrix.load_matrix import load_matrix, parse_matrix
from capbench.harness.matrix.model import RunMatrix
from capbench.harness.matrix.try_matrix import TriedCommands, parse_parameters, try_matrix_text

pytestmark = pytest.mark.skipif(shutil.which("sh") is None, reason="the commands are POSIX programs")

_COPY = "cp {source} {output}"


def _text(folder: Path, *commands: str, target: Path | None = None, **more: Any) -> str:
    return try_matrix_text(TriedCommands(commands=commands, cwd=folder, **more), target or folder / "gate.toml")


def _matrix(folder: Path, *commands: str, **more: Any) -> RunMatrix:
    return parse_matrix(_text(folder, *commands, **more), folder / "gate.toml")


def test_the_saved_file_reads_back_as_what_was_run(tmp_path: Path) -> None:
    clip = tmp_path / "my clip (2).mp4"
    clip.write_bytes(b"x")
    text = _text(
        tmp_path,
        'sh -c \'cp "$1" "$2"  # \\\\ {level} é\' sh {source} {output}',
        "cp {source} {output}",
        source=clip,
        parameters={"level": ("1", 'a"b\\n', "\x7f{x}")},
        prepare="touch {level}",
        conclude="true",
    )
    (tmp_path / "gate.toml").write_text(text, encoding="utf-8")

    saved, run = load_matrix(tmp_path / "gate.toml"), parse_matrix(text, tmp_path / "gate.toml")

    assert saved == run
    assert saved.cases[0].source == clip
    assert saved.reference == saved.subjects[0].name
    assert len(saved.subjects) == 3 + 3  # the hook uses the parameter too, so the second command has it
    filled = fill_command(saved.subjects[2].command, {"source": "s", "output": "o"})
    assert filled == ["sh", "-c", 'cp "$1" "$2"  # \\\\ \x7f{x} é', "sh", "s", "o"]
    assert saved.subjects[1].prepare == ("touch", 'a"b\\n')


def test_what_begins_and_ends_an_export_is_that_of_every_command(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, _COPY, _COPY, "gpu", begins='Exporting "now"', ends="output")

    assert [(subject.begins, subject.ends) for subject in matrix.subjects] == [
        ('Exporting "now"', "output"),
        ('Exporting "now"', "output"),
        (None, None),
    ]


@pytest.mark.parametrize("text", ["", "  ", "two\nlines", "x" * 201, "\x1b[0m"])
def test_a_begin_that_no_line_of_a_log_can_be_told_by_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(MatrixError, match=r"begins: .*must be a text within one line"):
        _matrix(tmp_path, _COPY, _COPY, begins=text)


def test_a_clock_is_for_commands(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text('[[subject]]\nname = "mine"\npath = "cpu"\nends = "output"\n')

    with pytest.raises(MatrixError, match="ends applies only to a command"):
        load_matrix(tmp_path / "gate.toml")


def test_the_first_is_the_base_and_equal_names_are_numbered(tmp_path: Path) -> None:
    script = tmp_path / "enc.py"
    script.write_text("")

    matrix = _matrix(tmp_path, _COPY, f"python3 {script} {{source}} {{output}}", _COPY, "gpu", names=("old",))

    assert [subject.name for subject in matrix.subjects] == ["old", "enc", "cp", "gpu"]
    assert matrix.reference == "old"
    assert [subject.name for subject in _matrix(tmp_path, _COPY, _COPY, _COPY).subjects] == ["cp-1", "cp-2", "cp-3"]
    assert [each.name for each in _matrix(tmp_path, _COPY, _COPY, names=("a", "a")).subjects] == ["a-1", "a-2"]
    twice = _matrix(tmp_path, _COPY, _COPY, _COPY, names=("cp-1",)).subjects
    assert [each.name for each in twice] == ["cp-1", "cp-2", "cp-3"]


@pytest.mark.parametrize(
    ("program", "name"),
    [
        ("gpu", "gpu-1"),
        ("floor", "floor-1"),
        ("decode-only", "decode-only-1"),
        ("capacity-x", "command-capacity-x"),
        ("a b@c~d--e", "a-b-c-d-e"),
        ("x" * 200, "x" * 40),
    ],
)
def test_a_command_does_not_take_the_name_of_something_else(tmp_path: Path, program: str, name: str) -> None:
    (tmp_path / program).write_text("#!/bin/sh\n")
    (tmp_path / program).chmod(0o755)

    matrix = _matrix(tmp_path, f"'./{program}' {{source}} {{output}}", _COPY)

    assert [subject.name for subject in matrix.subjects] == [name, "cp"]
    assert matrix.subjects[0].command


def test_one_command_with_several_values_is_compared_with_itself(tmp_path: Path) -> None:
    matrix = _matrix(tmp_path, "cp {source} {output} {p}", parameters={"p": ("-f", "a/b")})

    assert [subject.name for subject in matrix.subjects] == ["cp-p=_f", "cp-p=a_b"]
    assert matrix.reference == "cp-p=_f"


def test_a_matrix_saved_elsewhere_starts_its_commands_where_they_were_tried(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "clip.mp4").write_bytes(b"x")
    target = tmp_path / "sub" / "gate.toml"

    target.write_text(_text(tmp_path, _COPY, _COPY, source=tmp_path / "clip.mp4", target=target))

    saved = load_matrix(target)
    assert {subject.folder for subject in saved.subjects} == {tmp_path}
    assert saved.cases[0].source == tmp_path / "clip.mp4"


@pytest.mark.parametrize(
    ("commands", "more", "message"),
    [
        ((_COPY,), {}, "nothing to be compared with"),
        ((_COPY, "no-such-program {source} {output}"), {}, "program 'no-such-program' is not on PATH"),
        ((_COPY, "./gone {source} {output}"), {}, "is not an executable file in"),
        ((_COPY, "cp {source}"), {}, "the command has no {output}"),
        ((_COPY, "cp {sorce} {output}"), {}, "did you mean 'source'?"),
        ((_COPY, "gpuu"), {}, "or name a path: cpu, gpu"),
        ((_COPY, ""), {}, "the command is empty"),
        ((_COPY, "cp 'x {output}"), {}, "cannot split the command"),
        ((_COPY, _COPY), {"source": Path("/gone.mp4")}, "no such file"),
        ((_COPY, _COPY), {"source": Path("/")}, "it is a folder"),
        ((_COPY, _COPY), {"parameters": {"p": ("1",)}}, "-L p: no command uses it"),
        (("cp {source} {output} {p}",), {"parameters": {"p": ("1",)}}, "nothing to be compared with"),
        ((_COPY, _COPY), {"names": ("a", "b", "c")}, "3 names (-n) for 2 commands"),
        ((_COPY, _COPY), {"names": ("a b",)}, "-n 'a b'"),
        ((_COPY, _COPY), {"prepare": "no-such-program"}, "--prepare 'no-such-program': program"),
        ((_COPY, _COPY), {"conclude": "sh '"}, '--conclude "sh \'": cannot split'),
        ((_COPY,) * 101, {}, "at most 100"),
    ],
)
def test_what_cannot_be_tried_is_said_in_one_line(
    tmp_path: Path, commands: tuple[str, ...], more: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        _text(tmp_path, *commands, **more)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2


def test_parameters_are_written_as_hyperfine_does() -> None:
    assert parse_parameters([r"p=a,b\,c", "q=1"]) == {"p": ("a", "b,c"), "q": ("1",)}
    assert parse_parameters(["p=a=b,"]) == {"p": ("a=b", "")}


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (["p"], "write -L preset fast,slow"),
        (["p="], "write -L preset fast,slow"),
        (["source=a"], "choose a name"),
        (["a-b=a"], "choose a name"),
        (["p=a", "p=b"], "-L p is given twice"),
        (["p=a,a"], "'a' is given twice"),
        (["p=" + ",".join(map(str, range(2000)))], "at most 1000"),
    ],
)
def test_wrong_parameters_are_said_in_one_line(written: list[str], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_parameters(written)

    assert message in str(caught.value)
