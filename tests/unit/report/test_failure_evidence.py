"""What a failed run left is named where its verdict is read: JUnit, the GitHub summary, the page's table of runs."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from capbench.gate.compare_targets import compare_folder, compare_sides, parse_side
from capbench.report import write_report
from capbench.report.formats.ci.junit import junit_xml
from capbench.report.formats.ci.pull_request import pull_request_comment, step_summary
from capbench.results import Check, CheckStatus, RunResult, ValidationReport
from capbench.results.comparison import Comparison
from capbench.results.folder import FAILED_OUTPUTS, run_stem, write_record
from capbench.results.run_record import CustomFigure

_HOSTILE = "no \x1b[31mcodec ::error::x | <b> [a](b)"


def _folder(folder: Path, *, blocks: int = 3, hostile: bool = False) -> Path:
    """A folder in which `mine` fails in block 0 and is not valid afterwards."""
    for block in range(blocks):
        for subject in ("cpu", "mine"):
            is_bad = subject == "mine"
            error = (_HOSTILE if hostile else "enc ended with exit code 3") if is_bad and block == 0 else None
            status = CheckStatus.FAIL if is_bad else CheckStatus.PASS
            check = Check(name="frames.count", status=status, message="")
            run = RunResult(
                case="clip",
                subject=subject,
                block=block,
                error=error,
                wall_s=None if error else 1.0 + 0.01 * block,
                frames=None if error else 30,
                custom={} if error else {"queue": CustomFigure(value=3.5 + block, unit="frames")},
                validation=None if error else ValidationReport(reference="a", output="b", checks=(check,)),
            )
            write_record(folder / "runs" / f"{run_stem(run)}.json", run)
            (folder / "runs" / f"{run_stem(run)}.log").write_text("x")
            if is_bad:
                (folder / FAILED_OUTPUTS).mkdir(exist_ok=True)
                (folder / FAILED_OUTPUTS / f"{run_stem(run)}.mp4").write_bytes(b"x")
    return folder


@pytest.fixture
def judged(tmp_path: Path) -> Comparison:
    """The comparison of such a folder."""
    return compare_folder(_folder(tmp_path / "out"))


def test_each_failed_run_has_its_reason_its_log_and_its_output(judged: Comparison, tmp_path: Path) -> None:
    assert [(each.subject, each.block) for each in judged.failures] == [("mine", 0), ("mine", 1), ("mine", 2)]
    assert judged.failures[0].reason == "enc ended with exit code 3"
    assert judged.failures[1].reason == "its output fails frames.count"
    for each in judged.failures:
        assert each.log == str(tmp_path / "out" / "runs" / f"clip--mine--b{each.block:03d}.log")
        assert each.output == str(tmp_path / "out" / "failed" / f"clip--mine--b{each.block:03d}.mp4")


def test_two_sides_name_only_their_own_failures(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "out")
    same = compare_sides(parse_side(f"{folder}:cpu"), parse_side(f"{folder}:mine"))

    assert {each.subject for each in same.failures} == {"mine"}


def test_junit_attaches_them_once(judged: Comparison) -> None:
    root = ET.fromstring(junit_xml(judged))

    texts = [element.text or "" for element in root.iter("system-out") if "ATTACHMENT" in (element.text or "")]
    assert len(texts) == 1
    assert texts[0].count("[[ATTACHMENT|") == 6
    assert "clip--mine--b000.log]]" in texts[0]


@pytest.mark.parametrize("render", [step_summary, pull_request_comment])
def test_markdown_lists_them(judged: Comparison, render: object) -> None:
    text = render(judged).replace("\\", "")  # type: ignore[operator]

    assert "Failed runs:" in text
    assert "clip--mine--b000.log" in text


def test_a_hostile_reason_stays_text(tmp_path: Path) -> None:
    judged = compare_folder(_folder(tmp_path / "out", hostile=True))

    for text in (step_summary(judged), junit_xml(judged)):
        assert "\x1b" not in text
        assert not re.search(r"^::error", text, re.MULTILINE)
        assert "<b>" not in text


def test_the_page_links_logs_and_outputs_and_draws_own_figures(tmp_path: Path) -> None:
    page = write_report([_folder(tmp_path / "out")], tmp_path / "out" / "index.html").read_text(encoding="utf-8")

    assert 'href="runs/clip--mine--b000.log"' in page
    assert 'href="failed/clip--mine--b000.mp4"' in page
    assert "queue, lower is better" in page
    assert "4.5 frames" in page


def test_a_page_that_travels_alone_has_no_such_links(tmp_path: Path) -> None:
    written = write_report([_folder(tmp_path / "out")], tmp_path / "alone.html", alone=True)

    assert ".log" not in written.read_text(encoding="utf-8")
