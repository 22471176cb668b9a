"""`[[ladder]]` tables: what they may say, what is selected of them, and the shipped ladders."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.errors import MatrixError
from capbench.harness.matrix.load_matrix import load_matrix, parse_matrix

CASES = """
[defaults]
recording = { width = 320, height = 180 }
duration_s = 1

[[case]]
name = "low"

[[case]]
name = "middle"
scene = "framed"

[[case]]
name = "high"
scene = "studio"

[[case]]
name = "longer"
scene = "studio"
duration_s = 2
"""


def _parse(tmp_path: Path, ladder: str) -> object:
    return parse_matrix(f"{CASES}\n{ladder}", tmp_path / "matrix.toml")


def test_a_ladder_is_read_and_selected(tmp_path: Path) -> None:
    matrix = parse_matrix(
        f'{CASES}\n[[ladder]]\nname = "l"\nrungs = ["low", "middle", "high"]', tmp_path / "matrix.toml"
    )

    assert [ladder.rungs for ladder in matrix.ladders] == [("low", "middle", "high")]
    assert [ladder.rungs for ladder in matrix.select(["low", "high"]).ladders] == [("low", "high")]
    assert matrix.select(["low"]).ladders == ()
    assert "ladders" in matrix.model_dump()


def test_a_matrix_without_ladders_writes_none(tmp_path: Path) -> None:
    """An older reader refuses the key."""
    assert "ladders" not in parse_matrix(CASES, tmp_path / "matrix.toml").model_dump()


@pytest.mark.parametrize(
    ("ladder", "says"),
    [
        ('name = "l"\nrungs = ["low", "hihg"]', "hihg"),
        ('name = "l"\nrungs = ["low", "low"]', "twice"),
        ('name = "l"\nrungs = ["low"]', "rungs"),
        ('name = "l"\nrungs = []', "rungs"),
        ('name = "l"\nrungs = ["low", "longer"]', "duration_s"),
        ('rungs = ["low", "high"]', "name"),
        ('name = "l--l"\nrungs = ["low", "high"]', "name"),
        ('name = "l"\nrungs = ["low", "high"]\nstep = 1', "step"),
        ('name = "l"\nrungs = ["low", "high"]\n[[ladder]]\nname = "l"\nrungs = ["low", "high"]', "another ladder"),
        ('name = "l"\nrungs = [' + ", ".join(f'"r{n}"' for n in range(65)) + "]", "64"),
    ],
)
def test_a_wrong_ladder_is_refused_with_its_key(tmp_path: Path, ladder: str, says: str) -> None:
    with pytest.raises(MatrixError, match=says) as caught:
        _parse(tmp_path, f"[[ladder]]\n{ladder}")
    assert "ladder[" in str(caught.value)


@pytest.mark.parametrize("name", ["ladder", "ladder-short"])
def test_shipped_ladders_are_whole(name: str) -> None:
    matrix = load_matrix(name)
    rungs = [rung for ladder in matrix.ladders for rung in ladder.rungs]

    assert rungs == [case.name for case in matrix.cases]
    for ladder in matrix.ladders:
        cases = [case for case in matrix.cases if case.name in ladder.rungs]
        assert [case.scene for case in cases] == [
            "bare", "ladder-framed", "ladder-zooms", "ladder-cursor", "ladder-motion",
        ]  # fmt: skip
        drawn_by_ffmpeg = [any(s.name == "ffmpeg-ladder" for s in matrix.subjects_of(case)) for case in cases]
        assert drawn_by_ffmpeg == [True, True, False, False, False]
