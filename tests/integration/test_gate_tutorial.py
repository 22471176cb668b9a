"""docs/gate-your-own-exporter.md, executed as it stands: its files, its commands, their exit codes."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

_TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "gate-your-own-exporter.md"
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(600)  # some twenty exports with validation; a minute on two cores that others use too
def test_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    # `python` and `capbench` are those of the environment that is tested.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    executed = []
    for language, options, text in _BLOCK.findall(_TUTORIAL.read_text(encoding="utf-8")):
        if name := re.search(r"file=(\S+)", options):
            (tmp_path / name[1]).write_text(text, encoding="utf-8")
        if language != "console" or "skip" in options:
            continue
        allowed = re.search(r"exit=(\S+)", options)
        codes = {int(code) for code in allowed[1].split("|")} if allowed else {0}
        for line in text.splitlines():
            command = shlex.split(line.removeprefix("$ "))
            assert command[0] == "capbench", line
            ended = subprocess.run(
                [sys.executable, "-m", *command],
                cwd=tmp_path,
                env={**os.environ, "PATH": path},
                capture_output=True,
                text=True,
                check=False,
            )
            assert ended.returncode in codes, f"{line}\n{ended.stdout}\n{ended.stderr}"
            executed.append(command[1])

    assert executed == ["try", "run", "compare", "compare", "run", "compare"]
    assert ET.fromstring((tmp_path / "gate.xml").read_text(encoding="utf-8")).find(".//failure") is not None
    assert "worse" in (tmp_path / "comment.md").read_text(encoding="utf-8").splitlines()[2]
