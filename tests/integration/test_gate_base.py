"""Which subject is base, on the command line: a matrix of two foreign exporters, the second three times slower."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from capbench.cli import main as _registers_the_verbs  # noqa: F401
from capbench.cli.app import app

pytestmark = pytest.mark.usefixtures("untimed_jobs_here")

_HEAD = """
[defaults]
recording = {{ width = 160, height = 90, fps = "10" }}
duration_s = 1
warmup = false
settle_s = 0
timeout_s = 60
subjects = {subjects}

[[case]]
name = "clip"
"""
_SUBJECT = """
[[subject]]
name = "{name}"
command = ['{python}', "-c", "import shutil, sys, time; time.sleep({pause}); shutil.copy(*sys.argv[1:])", "{{source}}",
    "{{output}}"]
"""
_PAUSES_S = {"main": 0.1, "branch": 0.9}
"""Beyond start-up times on a busy machine: the blatant factor that three blocks prove."""


def capbench(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def _matrix(folder: Path, order: tuple[str, ...], *, top: str = "") -> Path:
    path = folder / "matrix.toml"
    tables = "".join(
        _SUBJECT.format(name=name, python=sys.executable, pause=_PAUSES_S[name]) for name in order if name != "floor"
    )
    path.write_text(top + _HEAD.format(subjects=json.dumps(order)) + tables, encoding="utf-8")
    return path


@pytest.fixture
def gates(tmp_path: Path) -> Path:
    """Only the time: outputs are copies of the source, and validating them is not what this is about."""
    path = tmp_path / "gates.toml"
    path.write_text(
        "[gate]\nrequire_validation = false\n"
        + "".join(f"[[rule]]\nmetric = '{name}'\njudge = false\n" for name in ("cpu_s", "peak_rss_bytes"))
    )
    return path


@pytest.mark.parametrize(
    ("order", "top"), [(("main", "branch"), ""), (("branch", "main"), 'reference = "main"\n')], ids=["first", "named"]
)
def test_a_slower_branch_exits_with_1_in_both_orders(
    tmp_path: Path, gates: Path, order: tuple[str, str], top: str
) -> None:
    """By the alphabet `branch` would be base, and three times slower once was "Same" with exit code 0."""
    out = tmp_path / "out"
    run = capbench(
        *("run", _matrix(tmp_path, order, top=top), "--out", out, "--until-decided", "--blocks", 5),
        *("--gates", gates, "--no-validate"),
    )
    compared = capbench("compare", out, "--gates", gates)

    assert (run.exit_code, compared.exit_code) == (1, 1), run.output + compared.output
    for result in (run, compared):
        assert "The base is main:" in result.stdout
        assert result.stdout.splitlines()[-1].startswith("Worse: clip: wall time of branch")
    assert "The base is main:" in (out / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("top", "options", "message"),
    [
        ("", ["--base", "nobody"], "no subject 'nobody'"),
        ("", ["--base", "floor"], "'floor' cannot be base"),
        ("", ["--base", "main", "--subject", "floor", "--subject", "branch"], "no subject 'main'"),
        ('reference = "main"\n', ["--subject", "branch"], "no subject 'main'"),
        ('reference = "nobody"\n', [], "matrix.toml:reference: no subject 'nobody'"),
        ('reference = "floor"\n', [], "matrix.toml:reference: 'floor' cannot be base"),
    ],
)
def test_a_base_that_cannot_be_one_exits_with_2_before_anything_runs(
    tmp_path: Path, top: str, options: list[str], message: str
) -> None:
    out = tmp_path / "out"

    result = capbench("run", _matrix(tmp_path, ("floor", "main", "branch"), top=top), "--out", out, *options)

    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "branch" in result.stderr
    assert not out.exists()


def test_calibrate_takes_the_base_of_the_matrix(tmp_path: Path) -> None:
    result = capbench(
        *("calibrate", _matrix(tmp_path, ("branch", "main"), top='reference = "main"\n'), "--out", tmp_path / "out"),
        *("--blocks", 2, "--each", 2, "--comparisons", 1, "--effect", 100, "--interleave", "runs"),
        *("--json", tmp_path / "found.json"),
    )

    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "found.json").read_text())["subject"] == "main"


def test_base_is_for_one_folder_alone(tmp_path: Path) -> None:
    result = capbench("compare", f"{tmp_path}:a", f"{tmp_path}:b", "--base", "a")

    assert result.exit_code == 2
    assert "--base" in result.stderr


@pytest.mark.parametrize("alone", ["baseline.json", "folder:main"])
def test_what_is_no_folder_needs_new(tmp_path: Path, alone: str) -> None:
    result = capbench("compare", tmp_path / alone)

    assert result.exit_code == 2
    assert "needs NEW" in result.stderr
