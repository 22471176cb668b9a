"""`capbench run --until-decided` ended, resumed and compared: every look is on record and none is taken twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli import main as _registers_the_verbs  # noqa: F401
from capbench.cli.app import app
from capbench.gate.sequential.interim_looks import read_looks

pytestmark = pytest.mark.usefixtures("untimed_jobs_here")

_MATRIX = """
[[case]]
name = "clip"
recording = {{ width = 160, height = 90, fps = "10" }}
duration_s = 1
subjects = ["mine", "yours"]
warmup = false
settle_s = 0
timeout_s = 60
drift_control = false

[[subject]]
name = "mine"
command = {copy}

[[subject]]
name = "yours"
command = {copy}
"""


def _run(matrix: Path, folder: Path, *options: str) -> int:
    # Without validation nothing is the same or better, so that every planned look is taken.
    fixed = ("--until-decided", "--no-validate", "--quiet", "--out", str(folder))
    return CliRunner().invoke(app, ["run", str(matrix), *fixed, *options]).exit_code


def test_a_run_that_is_resumed_with_more_blocks_spends_what_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = [sys.executable, "-c", "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])", "{source}", "{output}"]
    matrix, folder = tmp_path / "matrix.toml", tmp_path / "out"
    matrix.write_text(_MATRIX.format(copy=copy), encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["capbench", "run", "--until-decided"])  # the plan keeps how it was begun

    codes = [_run(matrix, folder, "--blocks", "1"), _run(matrix, folder, "--blocks", "2", "--resume")]
    compared = CliRunner().invoke(app, ["compare", f"{folder}:mine", f"{folder}:yours"])

    assert {*codes, compared.exit_code} == {3}, "two blocks decide nothing"
    taken = read_looks(folder)
    assert taken is not None
    assert [(look.blocks, look.ends) for look in taken] == [(1, True), (2, True)]
    assert [look.share for look in taken] == pytest.approx([0.9, 0.09])
