"""`capbench calibrate` from matrix to JSON, with an exporter that only copies the file."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli import main as _registers_the_verbs  # noqa: F401
from capbench.cli.app import app
from capbench.gate.calibration import read_calibration
from capbench.results.folder import read_folder

pytestmark = pytest.mark.usefixtures("untimed_jobs_here")

_MATRIX = """
[[case]]
name = "clip"
recording = {{ width = 160, height = 90, fps = "10" }}
duration_s = 1
subjects = ["copy"]
warmup = false
settle_s = 0
timeout_s = 60

[[subject]]
name = "copy"
command = ['{python}', "-c", "import shutil, sys; shutil.copy(sys.argv[1], sys.argv[2])", "{{source}}", "{{output}}"]
"""


@pytest.fixture
def matrix(tmp_path: Path) -> Path:
    path = tmp_path / "matrix.toml"
    path.write_text(_MATRIX.format(python=sys.executable), encoding="utf-8")
    return path


def test_a_command_is_calibrated_with_a_copy_that_is_slowed_down(matrix: Path, tmp_path: Path) -> None:
    """From the matrix to the figures; what they say of a machine is judged on known noise, in the tests of the gate."""
    result = CliRunner().invoke(
        app,
        [
            *("calibrate", str(matrix), "--blocks", "4", "--each", "4", "--comparisons", "5", "--effect", "100"),
            *("--interleave", "runs"),
            *("--out", str(tmp_path / "out"), "--json", str(tmp_path / "calibration.json")),
        ],
    )

    assert result.exit_code == 0, result.output
    found = read_calibration(tmp_path / "calibration.json")
    assert (found.subject, found.blocks_recorded, found.blocks_each) == ("copy", 4, 4)
    wall = next(metric for metric in found.metrics if metric.metric == "wall_s")
    assert (wall.false_alarms.of, wall.detections["1"].of) == (5, 5)
    runs = [run.subject for run in read_folder(tmp_path / "out").runs if run.succeeded]
    assert Counter(runs) == dict.fromkeys(("copy", "copy~same", "copy~plus100"), 4)
    assert "copy with itself: 4 blocks per comparison" in result.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere slices are for who asks for them")
def test_both_ways_are_calibrated_and_one_is_recommended(matrix: Path, tmp_path: Path) -> None:
    """In one folder, whose blocks alternate between the two."""
    result = CliRunner().invoke(
        app,
        [
            *("calibrate", str(matrix), "--blocks", "2", "--each", "2", "--comparisons", "2", "--effect", "100"),
            *("--out", str(tmp_path / "out"), "--json", str(tmp_path / "calibration.json")),
        ],
    )

    assert result.exit_code == 0, result.output
    walls = [row for row in read_calibration(tmp_path / "calibration.json").metrics if row.metric == "wall_s"]
    assert [(row.case, row.interleave) for row in walls] == [("clip", "runs"), ("clip~slices", "slices")]
    assert "clip: the noise of a block is " in result.stdout
    assert result.stdout.rstrip().endswith(("use --interleave slices.", "use --interleave runs."))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--effect", "0"], "--effect must be above 0"),
        (["--subject", "nobody"], "no subject 'nobody'"),
        (["--case", "absent"], "absent"),
    ],
)
def test_wrong_use_exits_with_2(matrix: Path, options: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["calibrate", str(matrix), *options])

    assert result.exit_code == 2, result.output
    assert message in result.stderr
