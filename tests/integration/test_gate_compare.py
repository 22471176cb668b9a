"""`capbench compare` and `capbench baseline` on result folders, as a process would be: exit code, stdout and files."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from capbench import compare
from capbench.cli import main as _registers_the_verbs  # noqa: F401
from capbench.cli.app import app
from capbench.gate import load_gate_file
from capbench.gate.sequential.interim_looks import InterimLook, write_looks
from capbench.results import Comparison, Verdict
from capbench.results.folder import read_folder
from capbench.results.tidy_table import table_of
from tests.gate_folders import write_plan, write_runs
from tests.gate_runs import noisy


def capbench(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path, written: Path) -> Path:
    """Twelve blocks: gpu takes 0.6 of cpu, gpu-late 13 times as long."""
    return shutil.copytree(written, tmp_path / "today")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What each test gets a copy of."""
    path = tmp_path_factory.mktemp("written")
    write_runs(path, "floor", noisy(12, ratio=0.5, seed=5))
    write_runs(path, "cpu", noisy(12, seed=1))
    write_runs(path, "gpu", noisy(12, ratio=0.6, seed=2))
    write_runs(path, "gpu-late", noisy(12, ratio=13, seed=3), readback_bytes=8_000_000)
    return path


@pytest.mark.parametrize(
    ("base", "new", "exit_code", "words"),
    [
        ("cpu", "gpu", 0, "Better: wall time"),
        ("cpu", "gpu-late", 1, "Worse: 1080p: wall time of gpu-late is 1"),
        ("gpu", "cpu", 1, "Worse"),
    ],
)
def test_subjects_of_one_folder(folder: Path, base: str, new: str, exit_code: int, words: str) -> None:
    result = capbench("compare", f"{folder}:{base}", f"{folder}:{new}")

    assert result.exit_code == exit_code, result.output
    assert result.stdout.splitlines()[-1].startswith(words)


def test_a_run_without_power_exits_with_3(tmp_path: Path) -> None:
    write_runs(tmp_path, "cpu", noisy(6, sd=0.06))
    write_runs(tmp_path, "gpu", noisy(6, sd=0.06, seed=9))

    result = capbench("compare", f"{tmp_path}:cpu", f"{tmp_path}:gpu")

    assert result.exit_code == 3
    assert "more blocks would decide" in result.stdout


@pytest.mark.parametrize(("columns", "is_wide"), [(80, False), (120, True)])
def test_the_table_fits_the_terminal(folder: Path, columns: int, is_wide: bool) -> None:
    """Every figure and every verdict in one piece: 80 columns have no room for the smallest visible effect."""
    environment = {"COLUMNS": str(columns), "FORCE_COLOR": "1", "TERM": "xterm"}
    result = CliRunner().invoke(app, ["compare", f"{folder}:cpu", f"{folder}:gpu"], env=environment)

    plain = re.sub(r"\x1b\[[0-9;]*m", "", result.stdout)
    table = plain[: plain.index("note:")].splitlines()
    assert table[0].rstrip() == "1080p: gpu against cpu"
    assert max(map(len, table)) <= columns
    assert not any("…" in line for line in table)
    assert any("detectable" in line for line in table) is is_wide
    assert [line.split()[0] for line in table if line.rstrip().endswith("better")] == ["wall", "readback"]


def test_json_on_stdout_is_alone_and_complete(folder: Path) -> None:
    result = capbench("compare", f"{folder}:cpu", f"{folder}:gpu", "--json", "-")

    comparison = Comparison.model_validate_json(result.stdout)
    assert comparison.verdict is Verdict.BETTER
    assert comparison.machines == ("machine-a",)


def test_every_output_is_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    (tmp_path / "summary.md").write_text("before\n", encoding="utf-8")
    out = tmp_path / "out"

    result = capbench(
        *("compare", f"{folder}:cpu", f"{folder}:gpu-late", "--github"),
        *("--junit", out / "gate.xml", "--summary", out / "all.md"),
        *("--comment", out / "comment.md", "--badge", out / "badge.json"),
    )

    assert result.exit_code == 1
    assert ET.fromstring((out / "gate.xml").read_text(encoding="utf-8")).find(".//failure") is not None
    assert json.loads((out / "badge.json").read_text(encoding="utf-8"))["color"] == "red"
    assert (out / "comment.md").read_text(encoding="utf-8").startswith("<!-- capbench")
    assert (tmp_path / "summary.md").read_text(encoding="utf-8").startswith("before\n### capbench")
    assert "::error title=" in result.stderr


def test_two_folders_of_one_machine(folder: Path, tmp_path: Path) -> None:
    after = tmp_path / "after"
    write_runs(after, "floor", noisy(12, ratio=0.5, seed=15))
    write_runs(after, "cpu", noisy(12, seed=11))
    write_runs(after, "gpu", noisy(12, ratio=0.66, seed=12))
    write_runs(after, "gpu-late", noisy(12, ratio=13, seed=13), readback_bytes=8_000_000)

    result = capbench("compare", folder, after, "--json", "-")

    comparison = Comparison.model_validate_json(result.stdout)
    walls = {row.new: row.verdict for row in comparison.verdicts if row.metric == "wall_s"}
    assert walls == {"after:cpu": Verdict.SAME, "after:gpu": Verdict.WORSE, "after:gpu-late": Verdict.SAME}


def test_times_of_two_machines_are_refused_and_a_baseline_serves(folder: Path, tmp_path: Path) -> None:
    """The other machine is twice as slow in everything: nothing to complain about once ratios are compared."""
    other = tmp_path / "other"
    for name, ratio in (("floor", 1.0), ("cpu", 2.0), ("gpu", 1.2), ("gpu-late", 26.0)):
        machine: dict[str, Any] = {"fingerprint": "machine-b", "cpu_s": 16.0}
        machine |= {"readback_bytes": 8_000_000} if name == "gpu-late" else {}
        write_runs(other, name, noisy(12, ratio=ratio, seed=30), **machine)

    refused = capbench("compare", folder, other)
    taken = capbench("baseline", "update", folder, "-o", tmp_path / "baseline.json")
    held = capbench("compare", tmp_path / "baseline.json", other)

    assert refused.exit_code == 1
    assert "machines differ" in refused.stdout
    assert taken.exit_code == 0, taken.output
    assert held.exit_code == 0, held.output
    assert held.stdout.splitlines()[-1].startswith("Same")


def test_a_gate_file_with_a_baseline_adds_its_rows(folder: Path, tmp_path: Path) -> None:
    capbench("baseline", "update", folder, "-o", tmp_path / "baseline.json")
    gates = tmp_path / "gates.toml"
    gates.write_text("[gate]\nbaseline = 'baseline.json'\n", encoding="utf-8")

    result = capbench("compare", f"{folder}:cpu", f"{folder}:gpu", "--gates", gates, "--json", "-")

    rows = Comparison.model_validate_json(result.stdout).verdicts
    assert {row.base for row in rows} == {"cpu", "baseline"}
    assert {row.new for row in rows} == {"gpu"}


def test_a_broken_output_is_invalid(folder: Path) -> None:
    write_runs(folder, "fast", noisy(12, ratio=0.4), failing_check="colour.bias")

    result = capbench("compare", f"{folder}:cpu", f"{folder}:fast")

    assert result.exit_code == 1
    assert "Invalid" in result.stdout.splitlines()[-1]
    assert "colour.bias" in result.stdout


def test_a_software_adapter_can_be_refused(folder: Path) -> None:
    write_runs(folder, "soft", noisy(12), adapter_is_software=True, readback_bytes=3_000_000)

    assert capbench("compare", f"{folder}:gpu", f"{folder}:soft", "--require-gpu").exit_code == 1
    assert "requires a GPU" in capbench("compare", f"{folder}:gpu", f"{folder}:soft", "--require-gpu").stdout


def test_a_folder_that_was_run_until_decided_is_judged_by_the_looks_at_it(tmp_path: Path) -> None:
    """Killed after six blocks, looked at after five: comparing must not look on its own."""
    write_plan(tmp_path, ["capbench", "run", "quick", "--until-decided"], blocks=40)
    write_looks(tmp_path, [InterimLook(blocks=5, share=0.1)])
    write_runs(tmp_path, "cpu", noisy(6, sd=0.02))
    write_runs(tmp_path, "gpu", noisy(6, ratio=1.04, sd=0.02, seed=2))

    result = capbench("compare", f"{tmp_path}:cpu", f"{tmp_path}:gpu")

    assert "undecided" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}:cpu", "{folder}:nobody"], "has no subject 'nobody'; available: cpu, floor, gpu, gpu-late"),
        (["{folder}", "{folder}"], "both sides are the same runs"),
        (["{folder}:cpu", "{folder}"], "name a subject on both sides or on neither"),
        (["absent:cpu", "absent:gpu"], "no result folder at absent"),
        (["{folder}:cpu", "{folder}:gpu", "--gates", "absent.toml"], "cannot read absent.toml"),
        (["absent.json", "{folder}"], "capbench baseline update"),
        ([":x", "{folder}"], "write DIR or DIR:SUBJECT"),
    ],
)
def test_wrong_arguments_exit_with_2_and_one_line(folder: Path, arguments: list[str], message: str) -> None:
    result = capbench("compare", *(argument.format(folder=folder) for argument in arguments))

    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_outputs_that_cannot_be_written_are_named(folder: Path) -> None:
    (folder / "file").write_text("", encoding="utf-8")

    result = capbench("compare", f"{folder}:cpu", f"{folder}:gpu", "--junit", folder / "file" / "gate.xml")

    assert result.exit_code == 2
    assert "gate.xml" in result.stderr


def test_a_damaged_file_is_left_out_and_said(folder: Path) -> None:
    (folder / "runs" / "1080p--gpu--b003.json").write_text("{", encoding="utf-8")

    result = capbench("compare", f"{folder}:cpu", f"{folder}:gpu")

    assert result.exit_code == 0
    assert "1080p--gpu--b003.json was left out" in result.stdout
    assert "have no finished partner" in result.stdout


def test_a_revision_is_compared_subject_by_subject_in_one_gate(folder: Path) -> None:
    write_runs(folder, "cpu@main", noisy(12, seed=21))
    write_runs(folder, "gpu@main", noisy(12, ratio=0.5, seed=22))
    write_runs(folder, "floor@main", noisy(12, ratio=0.5, seed=23))

    result = capbench("compare", f"{folder}:@main", folder, "--json", "-")

    comparison = Comparison.model_validate_json(result.stdout)
    walls = {(row.base, row.new): row.verdict for row in comparison.verdicts if row.metric == "wall_s"}
    assert walls == {("cpu@main", "cpu"): Verdict.SAME, ("gpu@main", "gpu"): Verdict.WORSE}


def test_a_revision_that_was_not_run_is_named(folder: Path) -> None:
    result = capbench("compare", f"{folder}:@v2", folder)

    assert result.exit_code == 2
    assert "has no NAME@v2" in result.stderr


def test_the_function_takes_names_or_tables(folder: Path, tmp_path: Path) -> None:
    gates = tmp_path / "gates.toml"
    gates.write_text("[[rule]]\nmetric = 'wall_s'\nmargin = 0.5\n", encoding="utf-8")
    (folder / "environment.json").unlink(missing_ok=True)
    runs = table_of([read_folder(folder)])

    by_name = compare(f"{folder}:cpu", f"{folder}:gpu", gates)
    by_table = compare(runs[runs["subject"] == "cpu"], runs[runs["subject"] == "gpu"], load_gate_file(gates))

    assert by_name.verdicts == by_table.verdicts
    with pytest.raises(TypeError, match="not one of each"):
        compare(runs, str(folder))
