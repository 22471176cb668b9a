"""A fleet on this machine: real Dask, real workers, and subjects that cost nothing. The faults are in `fault_study`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import capbench.cli  # noqa: F401  registers the verbs
from capbench.cli.app import run_app
from capbench.errors import UnavailableError
from capbench.fleet.dispatch import dask_link
from capbench.fleet.dispatch.fleet_run import FleetOptions, run_on_fleet
from capbench.fleet.dispatch.fleet_status import FleetStatus, read_status
from capbench.harness.run.result_folder import read_plan
from capbench.harness.run.start import RunOptions
from capbench.results.environment import Environment, FleetMachine
from capbench.results.folder import read_folder
from capbench.results.record import record_json
from tests.fleet.cheap_matrix import measured_runs, split_blocks, write_matrix
from tests.unit.fleet.fake_fleet import report_of

_WITHOUT_LIBRARIES = """
import sys
sys.modules["av"] = sys.modules["wgpu"] = None  # the runner's own machine needs neither
from capbench.cli import main
main()
"""
_KNOWN_MACHINE = """
from capbench.fleet.dispatch import local_fleet
from capbench.fleet.workers.machine_report import MachineReport
from capbench.installation import version_of
from capbench.results.environment import Environment, FleetMachine
machine = FleetMachine(environment=Environment(adapter="A100", fingerprint="0" * 16))
local_fleet.read_report = lambda name, _tags, **_how: MachineReport(
    name=name, capbench_version=version_of("capbench"), system="Linux", machine=machine
)
"""
"""The doctor tries every encoder and path: what it makes of a machine is tested without a fleet."""
_TIMEOUT_S = 580
"""Fifteen seconds on a machine that has nothing else to do."""


def _capbench(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", _KNOWN_MACHINE + _WITHOUT_LIBRARIES, *arguments],
        cwd=cwd,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


@pytest.mark.timeout(600)
def test_a_matrix_on_two_local_workers_is_the_matrix(tmp_path: Path) -> None:
    """The set of runs, each once, validated, with its machine; the runner itself has neither av nor wgpu."""
    write_matrix(tmp_path, cases=1, blocks=2, subjects=2)

    done = _capbench(
        *("run", "cheap.toml", "--fleet", "local:2", "--out", "out", "--keep-outputs"),
        cwd=tmp_path,
        CAPBENCH_CACHE=str(tmp_path / "cache"),
    )

    assert done.returncode == 0, done.stderr
    assert measured_runs(tmp_path / "out") == {("case0", subject, block): 1 for subject in "ab" for block in (0, 1)}
    assert not split_blocks(tmp_path / "out")
    contents = read_folder(tmp_path / "out")
    assert set(contents.machines) == {"local-1", "local-2"}
    assert all(run.machine in contents.machines for run in contents.runs)
    assert all(run.validation is not None and run.validation.passed for run in contents.runs)
    assert all(noise.machine in contents.machines for noise in contents.noise)
    assert not contents.problems
    names = {file.name for file in (tmp_path / "out" / "outputs").iterdir()}
    assert len(names) == 4
    saved = [frame for run in contents.runs if run.validation is not None for frame in run.validation.worst_frames]
    assert all((tmp_path / "out" / frame.output_png).is_file() for frame in saved)
    assert "local-1" in done.stderr


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a scheduler without machines."""
    with _process("fleet", "scheduler", "--port", "0", cwd=tmp_path_factory.mktemp("scheduler")) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("scheduler at tcp://127.0.0.1:"), line
        yield line.split()[2].rstrip(";")


@contextlib.contextmanager
def _process(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "capbench", *arguments]
    environment = os.environ | {"CAPBENCH_CACHE": str(cwd / "cache")}
    with subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def _status(
    address: str, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> tuple[int, FleetStatus]:
    monkeypatch.setattr(sys, "argv", ["capbench", "fleet", "status", address, "--json", "-"])
    capfdbinary.readouterr()
    code = run_app()
    return code, FleetStatus.model_validate_json(capfdbinary.readouterr().out)


def _wait_for(address: str, machines: int) -> None:
    end_s = time.monotonic() + 60
    while len((found := read_status(address, None)).machines) != machines:
        assert time.monotonic() < end_s, f"{len(found.machines)} machines instead of {machines}"


def test_a_machine_joins_is_shown_and_leaves(
    scheduler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    known = report_of("known").model_copy(
        update={"machine": FleetMachine(environment=Environment(adapter="A100"), encoders=("h264_nvenc",))}
    )
    (tmp_path / "report.json").write_text(record_json(known))
    worker = ("fleet", "worker", "--name", "studio-1", "--tag", "lab=berlin", "--report", "report.json")
    assert _status(scheduler, monkeypatch, capfdbinary)[0] == 4, "a fleet without a machine can measure nothing"
    with _process(*worker, scheduler, cwd=tmp_path):
        _wait_for(scheduler, 1)
        code, status = _status(scheduler, monkeypatch, capfdbinary)
    _wait_for(scheduler, 0)

    assert code == 0
    (machine,) = status.machines
    assert machine.report.name == "studio-1"
    assert machine.report.machine.tags == {"lab": "berlin"}
    assert machine.report.machine.environment.adapter == "A100"
    assert machine.activity.doing == "nothing"


def test_an_interrupted_runner_ends_in_order_and_says_how_to_go_on(scheduler: str, tmp_path: Path) -> None:
    write_matrix(tmp_path, cases=1, blocks=50, subjects=1)
    with _process("run", "cheap.toml", "--fleet", scheduler, "--out", "out", cwd=tmp_path) as runner:
        assert runner.stderr is not None
        assert "nothing to compare" in runner.stderr.readline()
        assert "waiting up to" in runner.stderr.readline()  # it has nothing to do but to look for machines
        runner.send_signal(signal.SIGINT)
        _, said = runner.communicate(timeout=30)

    assert runner.returncode == 130, said
    assert f"--fleet {scheduler} --out out --resume" in said
    assert "Traceback" not in said
    assert json.loads((tmp_path / "out" / "matrix.json").read_text())["matrix"]["name"] == "cheap"


def test_a_fleet_goes_on_in_slices_or_in_runs_as_it_was_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No scheduler is there: what counts is the plan that the folder is left with."""
    matrix = write_matrix(tmp_path, cases=1, blocks=1, subjects=2)
    monkeypatch.setattr(dask_link, "_CONNECT_TIMEOUT_S", 0.1)
    nowhere = FleetOptions(scheduler="tcp://127.0.0.1:1")
    for options, resume in ((RunOptions(interleave="slices", slice_ms=50), False), (RunOptions(), True)):
        with pytest.raises(UnavailableError, match="no scheduler"):
            run_on_fleet(matrix, nowhere, options, out=tmp_path / "out", resume=resume)

    (case,) = read_plan(tmp_path / "out").matrix.cases
    assert (case.interleave, case.slice_ms) == ("slices", 50)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("fleet", "status", "127.0.0.1:1"), 4, "no scheduler of a fleet"),
        (("fleet", "status", "nowhere"), 2, "HOST:PORT"),
        (("run", "cheap.toml", "--fleet", "local:0"), 2, "local:N"),
        (("run", "cheap.toml", "--fleet", "local:2", "--against", "main"), 2, "--against"),
        (("run", "cheap.toml", "--fleet", "local:2", "--until-decided"), 2, "--blocks or --budget"),
        (("fleet", "worker", "127.0.0.1:1", "--name", "a--b"), 2, "name of a machine"),
        (("fleet", "worker", "127.0.0.1:1", "--tag", "berlin"), 2, "KEY=VALUE"),
    ],
)
def test_what_cannot_be_is_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    arguments: tuple[str, ...],
    code: int,
    words: str,
) -> None:
    write_matrix(tmp_path, cases=1, blocks=1, subjects=1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["capbench", *arguments])
    # Dask asks again for as long, but one refusal at a port without a listener says as much as twenty seconds of them.
    monkeypatch.setattr(dask_link, "_CONNECT_TIMEOUT_S", 0.5)

    assert run_app() == code

    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "out").exists()
