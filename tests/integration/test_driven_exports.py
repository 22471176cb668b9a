"""Programs that are driven: timed from the begin of their export to its end, and ended when they do not end."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.harness.process import export_clock, output_watch
from capbench.harness.run.start import RunOptions, run
from capbench.report.formats.terminal import run_table
from capbench.report.report_folder import read_folder as read_folder_for_report
from capbench.results import FailureKind, RunResult, RunRole
from capbench.results.folder import read_folder
from capbench.results.tidy_table import load
from tests.jobs_in_process import jobs_done_here

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the subjects are POSIX commands")

_SAVE = 'cp "$1" "$2.part"; mv "$2.part" "$2"'
_APP_SLEEPS_S = f"65.{os.getpid()}"
"""All processes are looked at for what is left of it: no other test, of this run or another, sleeps for as long."""
_APP = f"exec sleep {_APP_SLEEPS_S}"
"""The program goes on."""
_FILE_TICK_S = 0.02
"""The time that a file system records may be a tick of the kernel's coarse clock early."""
_DRIVERS = {
    "app": (f"sleep 0.3; echo Exporting; sleep 0.2; {_SAVE}; {_APP}", 'begins = "Exporting"\nends = "output"'),
    "lines": (f"echo 'capbench: begin'; sleep 0.5; {_SAVE}; echo 'capbench: end'; {_APP}", ""),
    "whole": (_SAVE, ""),
    "mute": (f"{_SAVE}; {_APP}", 'begins = "Exporting"\nends = "output"'),
    "astray": ('echo Exporting; cp "$1" "$(dirname "$2")/export (1).mp4"', 'begins = "Exporting"\nends = "output"'),
    # An export that is over before the reader of its output has a core would end before it is known to have begun.
    "twice": (f"echo Exporting; echo Exporting; sleep 0.5; {_SAVE}", 'begins = "Exporting"\nends = "output"'),
    "late": (f"{_SAVE}; sleep 0.3; echo 'capbench: begin'", ""),
}


def _matrix(folder: Path, names: list[str], settings: str = "") -> Path:
    tables = "".join(
        f"[[subject]]\nname = {name!r}\n{_DRIVERS[name][1]}\n"
        f"command = ['sh', '-c', '''{_DRIVERS[name][0]}''', 'sh', '{{source}}', '{{output}}']\n"
        for name in names
    )
    file = folder / "driven.toml"
    file.write_text(
        "[defaults]\nrecording = {width = 320, height = 180}\nduration_s = 0.5\nblocks = 1\nsettle_s = 0\n"
        f"warmup = false\ndrift_control = false\ntimeout_s = 30\n{settings}{tables}"
        f"[[case]]\nname = 'tiny'\nsubjects = {names}\n"
    )
    return file


@pytest.fixture(scope="module", autouse=True)
def _impatient() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch, jobs_done_here():
        patch.setattr(export_clock, "LINGER_S", 0.2)
        patch.setattr(output_watch, "QUIET_S", 0.2)
        yield


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("driven")
    run(_matrix(folder, list(_DRIVERS)), RunOptions(validate=False), out=folder / "out")
    return folder / "out"


def _run_of(folder: Path, subject: str) -> RunResult:
    (found,) = (each for each in read_folder(folder).runs if each.subject == subject and each.role is RunRole.MEASURE)
    return found


@pytest.mark.parametrize(("subject", "begin", "end"), [("app", "text", "output"), ("lines", "line", "line")])
def test_a_program_that_goes_on_is_timed_to_the_end_of_its_export_and_ended(
    driven: Path, subject: str, begin: str, end: str
) -> None:
    result = _run_of(driven, subject)

    assert result.error is None
    assert result.clock is not None
    assert (result.clock.begin, result.clock.end, result.clock.process_ended_by) == (begin, end, "request")
    assert result.wall_s is not None
    assert result.launch_s is not None
    assert result.process_wall_s is not None
    assert result.clock.linger_s == pytest.approx(result.process_wall_s - result.launch_s - result.wall_s)
    assert result.fps == pytest.approx(15 / result.wall_s)
    assert not any(process.info["cmdline"] == ["sleep", _APP_SLEEPS_S] for process in psutil.process_iter(["cmdline"]))


def test_the_launch_is_beside_the_wall_time(driven: Path) -> None:
    app_run, whole = _run_of(driven, "app"), _run_of(driven, "whole")

    assert app_run.launch_s is not None
    assert app_run.wall_s is not None
    assert app_run.process_wall_s is not None
    assert app_run.launch_s >= 0.3
    # Of the program's sleep before its export, of that within it, and of the patience with it after its export.
    assert 0.5 - _FILE_TICK_S <= app_run.launch_s + app_run.wall_s <= app_run.process_wall_s - 0.4 + _FILE_TICK_S
    assert (whole.launch_s, whole.clock) == (None, None)
    assert whole.wall_s == whole.process_wall_s


@pytest.mark.parametrize(
    ("subject", "kind", "error"),
    [
        ("mute", FailureKind.CLOCK, "sh did not begin its export: no 'Exporting' in its output"),
        ("astray", FailureKind.NO_OUTPUT, "wrote nothing to {output}; it made export (1).mp4 beside it"),
        ("late", FailureKind.CLOCK, "before it began its export: 'capbench: begin' came late; flush it"),
    ],
)
def test_a_clock_that_cannot_be_read_fails_the_run_in_one_line(
    driven: Path, subject: str, kind: FailureKind, error: str
) -> None:
    result = _run_of(driven, subject)

    assert result.error_kind is kind
    assert error in (result.error or "")
    assert result.wall_s is None


def test_a_begin_that_is_said_twice_is_a_warning_of_the_run(driven: Path) -> None:
    result = _run_of(driven, "twice")

    assert result.error is None
    assert result.warnings == ("it said 'Exporting' 2 times; its export is timed from the first",)


def test_table_page_and_data_show_the_launch(driven: Path, tmp_path: Path) -> None:
    from rich.console import Console

    console = Console(width=400, record=True, file=io.StringIO())
    console.print(run_table(read_folder_for_report(driven)))
    page = tmp_path / "page.html"
    reported = CliRunner().invoke(app, ["report", str(driven), "-o", str(page)])
    listed = CliRunner().invoke(app, ["results", str(driven), "--to", "markdown"])
    table = load(driven)

    assert re.search(r"\(one run, launch [\d.]+ m?s\)", console.export_text())
    assert reported.exit_code == 0
    assert "launch, before the export began" in page.read_text()
    assert "one run, launch " in page.read_text()
    assert "launch s" in listed.stdout
    assert table["launch_s"].max() >= 0.3
    assert {"output", "line"} <= set(table["clock.end"].dropna())


def test_warm_ups_hooks_and_slices_keep_the_clock(tmp_path: Path) -> None:
    """In slices, launch and export are running time, and who goes on gets slices until it has ended."""
    settings = 'interleave = "slices"\nslice_ms = 50\n'
    matrix = _matrix(tmp_path, ["app", "lines"], settings)
    hooks = "prepare = 'true'\nconclude = 'true'\nbegins ="
    matrix.write_text(matrix.read_text().replace("warmup = false", "warmup = true").replace("begins =", hooks))

    run(matrix, RunOptions(validate=False), out=tmp_path / "out")

    found = [each for each in read_folder(tmp_path / "out").runs if each.subject == "app"]
    assert {each.role for each in found} == {RunRole.WARMUP, RunRole.TRIAL, RunRole.MEASURE}
    for each in found:
        assert each.error is None
        assert each.interleave == ("runs" if each.role is RunRole.WARMUP else "slices")
        assert each.launch_s is not None
        assert each.clock is not None
        assert each.clock.process_ended_by == "request"
        assert each.launch_s + (each.wall_s or 0) <= (each.process_wall_s or 0) + 1e-9
