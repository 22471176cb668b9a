"""What the measured process does before it has loaded anything heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numpy", "av", "pydantic", "wgpu")
NOT_FOR_AN_EXPORT = ("matplotlib", "pandas", "scipy", "skimage", "typer", "rich")

PROGRAM = """
import json, sys
from pathlib import Path
from capbench.harness.worker import __main__ as worker
from capbench.pipeline.render.first_device import FirstDevice

def start(device):
    print(json.dumps([name for name in sys.argv[2].split(",") if name in sys.modules]))

FirstDevice.start = start
worker.main(Path(sys.argv[1]))
print(json.dumps([name for name in sys.argv[2].split(",") if name in sys.modules]))
"""


def loaded(tmp_path: Path, names: tuple[str, ...], *, draws: bool) -> list[list[str]]:
    """Which of `names` were loaded when a device was asked for, each time, and which at the end."""
    spec = tmp_path / "spec.json"
    job = {"job": "export", "source": str(tmp_path / "none.mp4"), "output": str(tmp_path / "out.mp4"), "trace": None}
    spec.write_text(json.dumps(job | {"options": {}, "draws": draws, "answer": str(tmp_path / "answer.json")}))
    command = [sys.executable, "-c", PROGRAM, str(spec), ",".join(names)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_device_opens_before_libraries_load(tmp_path: Path) -> None:
    at_start, at_end = loaded(tmp_path, HEAVY, draws=True)

    assert at_start == []
    assert {"numpy", "av"} <= set(at_end)


def test_no_device_is_opened_for_what_may_need_none(tmp_path: Path) -> None:
    assert len(loaded(tmp_path, HEAVY, draws=False)) == 1


@pytest.mark.parametrize("draws", [True, False])
def test_what_only_reports_need_is_not_loaded_to_export(tmp_path: Path, *, draws: bool) -> None:
    assert loaded(tmp_path, NOT_FOR_AN_EXPORT, draws=draws)[-1] == []
