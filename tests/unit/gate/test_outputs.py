"""What a CI system gets: each format is read back by its own rules, with names that try to break it."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable

import pandas as pd
import pytest

from capbench.gate import compare
from capbench.gate.compare import ComparedSubjects
from capbench.report.formats.ci.github import annotation_lines, badge_json
from capbench.report.formats.ci.junit import junit_xml
from capbench.report.formats.ci.pull_request import COMMENT_MARK, pull_request_comment, step_summary
from capbench.report.formats.grouping import condensed, shared_reasons
from capbench.results.comparison import Comparison, Verdict
from tests.gate_runs import noisy, runs_table

_HOSTILE = "a|b`c` <img src=x>\x1b[31m @team\n::error::gotcha"


def _comparison(ratio: float = 1.2, case: str = "1080p", cases: int = 1) -> Comparison:
    names = [case, *(f"case-{n:03d}" for n in range(1, cases))]
    stages = {"stage.encode.work_s": 0.5, "stage.readback.work_s": 0.2}
    slow = {**stages, "stage.readback.work_s": 0.4}
    base = pd.concat([runs_table("cpu", noisy(12), stages, case=name) for name in names])
    new = pd.concat([runs_table("gpu", noisy(12, ratio=ratio, seed=2), slow, case=name) for name in names])
    return compare(base, new)


def test_junit_counts_what_failed() -> None:
    comparison = _comparison()

    root = ET.fromstring(junit_xml(comparison))

    suite = root.find("testsuite")
    assert suite is not None
    assert suite.get("name") == "1080p"
    assert int(suite.get("tests", "")) == len(suite.findall("testcase")) == len(comparison.verdicts)
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == 1
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "wall time of gpu" in failure.get("message", "")


def test_junit_stays_well_formed_whatever_a_case_is_called() -> None:
    root = ET.fromstring(junit_xml(_comparison(case=_HOSTILE)))

    assert "<img src=x>" in root[0].get("name", "")
    assert "\x1b" not in root[0].get("name", "")


def test_annotations_are_one_line_each_with_a_level() -> None:
    lines = annotation_lines(_comparison(case=_HOSTILE))

    assert [line.startswith("::error title=") for line in lines] == [True]
    assert "\n" not in lines[0]
    assert lines[0].count("::") == 3, "two of the command; of the hostile message's two the first is written out"
    assert "::error::" not in lines[0]


def test_a_broken_output_is_one_annotation_and_not_one_a_figure() -> None:
    broken = runs_table("gpu", noisy(8, ratio=1.3), {"validation.passed": False})

    lines = annotation_lines(compare(runs_table("cpu", noisy(8)), broken))

    assert [re.sub(r".*%2C (\w+)::.*", r"\1", line) for line in lines] == ["validation", "wall_s"]


def test_annotations_say_how_many_they_left_out() -> None:
    lines = annotation_lines(_comparison(cases=14))

    assert len(lines) == 10
    assert lines[-1].endswith("5 more figures; see the step summary")


@pytest.mark.parametrize(
    ("ratio", "message", "color"),
    [
        (1.2, r"worse, (19|20)\.\d% more time", "red"),
        (0.5, r"better, .* less time", "brightgreen"),
        (1.0, "same", "green"),
    ],
)
def test_the_badge_follows_the_endpoint_schema(ratio: float, message: str, color: str) -> None:
    text = badge_json(_comparison(ratio))

    badge = json.loads(text)
    assert text.count("\n") == 1
    assert set(badge) == {"schemaVersion", "label", "message", "color"}
    assert re.fullmatch(message, badge["message"])
    assert badge["color"] == color


def test_the_summary_has_a_row_a_figure_and_names_the_stage() -> None:
    comparison = _comparison()

    text = step_summary(comparison)

    assert text.count("\n| 1080p |") == len(condensed(comparison.verdicts)) == len(comparison.verdicts) - 2
    assert "| quality, 3 figures; lowest: " in text
    assert "stage readback from 0.2 s to 0.4 s" in text
    assert "🔴 worse" in text.splitlines()[0]


def test_no_name_becomes_markup_or_a_mention() -> None:
    text = step_summary(_comparison(case=_HOSTILE))

    assert "<img" not in text.replace(r"\<", "")
    assert "@team" not in text
    assert "@<!-- -->team" in text
    rows = [line for line in text.splitlines() if line.startswith("| a")]
    assert rows
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_a_comment_is_marked_and_folds_what_did_not_change() -> None:
    comparison = _comparison()

    text = pull_request_comment(comparison)

    assert text.startswith(COMMENT_MARK)
    folded = text[text.index("<details>") :]
    assert "wall time" not in folded
    same = [row for row in comparison.verdicts if row.verdict is Verdict.SAME]
    assert folded.count("\n| 1080p |") == len(condensed(same))


def test_a_comment_fits_whatever_the_size_of_the_gate() -> None:
    row = _comparison().verdicts[2].model_copy(update={"case": "x" * 200})
    huge = _comparison().model_copy(update={"verdicts": (row,) * 1000})

    assert len(pull_request_comment(huge)) < 65_536


def test_a_quality_figure_that_got_worse_keeps_its_own_row() -> None:
    base = runs_table("cpu", noisy(8))
    comparison = compare(base, base.assign(subject="gpu", **{"quality.psnr_y.mean": 39.0}))

    shown = [row.words for row in condensed(comparison.verdicts)]

    assert "PSNR Y (mean)" in shown
    assert any(words.startswith("quality, 2 figures") for words in shown)


def test_figures_of_several_subjects_are_told_apart() -> None:
    """`cpu` and `gpu` against another revision have the same figures in the same case."""
    base = pd.concat([runs_table(name, noisy(8)) for name in ("cpu", "gpu")])

    text = step_summary(compare(base, base, subjects=ComparedSubjects(base_label="before", new_label="after")))

    assert "| case | subject | figure |" in text
    assert [text.count(f"| after:{name} | wall time |") for name in ("cpu", "gpu")] == [1, 1]


@pytest.mark.parametrize("render", [step_summary, pull_request_comment])
def test_a_reason_is_said_once_with_the_figures_that_it_holds_for(render: Callable[[Comparison], str]) -> None:
    fell = runs_table("gpu", noisy(8), path_requested="gpu", path_used="cpu")
    comparison = compare(runs_table("cpu", noisy(8)), fell)

    found = shared_reasons(comparison.verdicts)

    figures = "validation, frame count, wall time, CPU time and 7 more"
    assert found == [f"1080p: {figures} of gpu, invalid: gpu requested path gpu but used path cpu"]
    assert render(comparison).count("gpu requested path gpu but used path cpu") == 2, "the sentence, and the note"


def test_one_figure_with_a_reason_stands_by_itself() -> None:
    row = _comparison().verdicts[0].model_copy(update={"reasons": ("why",)})

    assert shared_reasons([row]) == ["1080p: validation of gpu, same: why"]
