"""docs/gate-your-own-exporter.md, executed as it stands: its files, its commands, their exit codes."""

from __future__ import annotations

import os
import re
import shlex
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import capbench.cli  # noqa: F401  registers the verbs
from capbench.cli.app import run_app

_TUTORIAL = Path(__file__).resolve().parents[2] / "docs" / "gate-your-own-exporter.md"
_BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.timeout(600)  # some twenty exports with validation; a minute on two cores that others use too
@pytest.mark.usefixtures("untimed_jobs_here")
def test_the_tutorial_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The exporter runs as a process of its own; capbench's commands are run here, where its libraries are loaded."""
    # `python` is that of the environment that is tested.
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))
    monkeypatch.chdir(tmp_path)
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
            monkeypatch.setattr(sys, "argv", command)
            code = run_app()
            assert code in codes, (line, *capfd.readouterr())
            executed.append(command[1])

    assert executed == ["try", "run", "compare", "compare", "run", "compare"]
    assert ET.fromstring((tmp_path / "gate.xml").read_text(encoding="utf-8")).find(".//failure") is not None
    assert "worse" in (tmp_path / "comment.md").read_text(encoding="utf-8").splitlines()[2]
