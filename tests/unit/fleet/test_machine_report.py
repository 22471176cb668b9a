"""What a machine says of itself: the doctor's findings, or why there are none. The doctor has tests of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from capbench.fleet.workers import machine_report
from capbench.fleet.workers.machine_report import MachineReport, read_report
from capbench.installation import version_of
from tests.unit.doctor.test_doctor import WELL

_RUN = subprocess.run


def _report(monkeypatch: pytest.MonkeyPatch, folder: Path, *, stdout: str, stderr: str = "") -> MachineReport:
    """The report of a machine whose doctor writes this."""

    def run(command: list[str], **settings: Any) -> subprocess.CompletedProcess[Any]:
        if "doctor" in command:
            return subprocess.CompletedProcess(command, 0, stdout.encode(), stderr.encode())
        return _RUN(command, **settings)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(machine_report, "ask_machine", lambda _folder: {"adapter": "RTX", "adapter_is_software": False})
    return read_report("tower", {"lab": "berlin"}, folder=folder, validation_slots=3)


def test_a_machine_says_what_works_on_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = _report(monkeypatch, tmp_path, stdout=WELL.model_dump_json())

    assert (report.name, report.capbench_version, report.validation_slots) == ("tower", version_of("capbench"), 3)
    assert report.machine.encoders == ("libx264",), "the other one does not work"
    assert report.machine.decoders == ("software",)
    assert report.machine.tags == {"lab": "berlin"}
    assert report.machine.environment.adapter == "RTX"
    assert report.machine.environment.fingerprint


def test_a_machine_without_findings_says_why_and_takes_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    report = _report(monkeypatch, tmp_path, stdout="", stderr="a warning\nno space left on device\n")

    assert report.machine.encoders == ()
    assert report.machine.environment.unmeasured["encoders"] == "the doctor failed: no space left on device"
