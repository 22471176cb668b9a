"""Which outputs of a matrix are judged by their effects, and by what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capbench.errors import MatrixError
from capbench.harness.matrix.load_matrix import load_matrix
from capbench.harness.matrix.model import RunMatrix, Subject
from capbench.results.appearance.expected_layers import ExpectedZoom
from capbench.results.appearance.expected_look import ExpectedLook

_HEAD = """
[[subject]]
name = "app"
command = "app {source} {output}"

[[subject]]
name = "exact"
command = "exact {source} {output}"
look = "scene"

[[subject]]
name = "free"
command = "free {source} {output}"
look = "own"

[[case]]
name = "one"
recording = "1080p-1min"
scene = "studio"
subjects = ["floor", "cpu", "app", "exact", "free"]
"""


def _load(folder: Path, more: str = "", head: str = _HEAD) -> RunMatrix:
    (folder / "mine.toml").write_text(head + more, encoding="utf-8")
    return load_matrix(folder / "mine.toml")


def _of_own_look(matrix: RunMatrix) -> list[str]:
    (case,) = matrix.cases
    return [subject.name for subject in matrix.subjects if subject.has_own_look(case)]


def test_without_expect_only_a_command_that_says_so_is_judged_by_effects(tmp_path: Path) -> None:
    assert _of_own_look(_load(tmp_path)) == ["free"]


@pytest.mark.parametrize("expect", ['expect = "scene"', "expect = { padding = 0.06 }"])
def test_with_expect_every_command_is_unless_it_draws_the_scene_itself(tmp_path: Path, expect: str) -> None:
    assert _of_own_look(_load(tmp_path, expect)) == ["app", "free"]


def test_a_table_is_read_and_written_again(tmp_path: Path) -> None:
    more = "[case.expect]\npadding = 0.1\nshadow = true\n[[case.expect.zoom]]\nstart_s = 1\nend_s = 3\namount = 1.5\n"
    matrix = _load(tmp_path, more)

    zoom = ExpectedZoom(start_s=1, end_s=3, amount=1.5)
    assert matrix.cases[0].expect == ExpectedLook(padding=0.1, shadow=True, zoom=(zoom,))
    assert RunMatrix.model_validate_json(matrix.model_dump_json()) == matrix


def test_a_case_without_expect_does_not_write_it(tmp_path: Path) -> None:
    # An older program reads the folder, too.
    matrix = _load(tmp_path)

    assert "expect" not in json.loads(matrix.cases[0].model_dump_json())
    assert [subject.name for subject in matrix.subjects if "look" in subject.model_dump()] == ["exact", "free"]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ('expect = "studio"', "expect"),
        ("expect = { paddin = 0.1 }", "paddin"),
        ("[[case.expect.zoom]]\nstart_s = 3\nend_s = 1", "end_s 1 must be after start_s 3"),
        ("expect = { padding = 0.9 }", "padding"),
    ],
)
def test_a_mistake_in_expect_names_the_key(tmp_path: Path, more: str, named: str) -> None:
    with pytest.raises(MatrixError) as caught:
        _load(tmp_path, more)

    assert named in str(caught.value)
    assert "mine.toml" in str(caught.value)


def test_a_path_draws_the_scene_and_cannot_say_otherwise(tmp_path: Path) -> None:
    with pytest.raises(MatrixError, match="look applies only to a command"):
        _load(tmp_path, head=_HEAD.replace('command = "free {source} {output}"', 'path = "cpu"'))


def test_the_floor_is_the_source_whatever_is_asked(tmp_path: Path) -> None:
    (case,) = _load(tmp_path, 'expect = "scene"').cases

    assert not Subject(name="floor", is_floor=True).has_own_look(case)
