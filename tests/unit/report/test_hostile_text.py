"""Whatever names and last words hold, no format hands it on as more than text."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from capbench.report.formats.ci.code_quality import code_quality_json
from capbench.report.formats.ci.github import annotation_lines, badge_json
from capbench.report.formats.ci.junit import junit_xml
from capbench.report.formats.ci.pull_request import pull_request_comment, step_summary
from capbench.report.formats.csv_text import csv_cell
from capbench.report.formats.gate_tables import comparison_tables
from capbench.report.formats.markdown_text import escape_markdown, markdown_paragraph
from capbench.report.formats.run_tables import EXPORTERS
from capbench.report.formats.terminal_table import text_cell
from capbench.results import Comparison, MetricVerdict, RunResult, StageShift, Verdict
from capbench.results.folder import FolderContents
from capbench.results.visible_text import json_escaped, plain_line, visible

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Control characters but tab and newline, separators, every directional control, and halves of characters."""
_COMMAND = re.compile(
    r"^\s*::(?:add-mask|add-path|add-matcher|remove-matcher|save-state|set-env|set-output|stop-commands"
    r"|internal-set-repo-path|debug|echo|endgroup|error|group|notice|warning)\b(?! title=capbench)|##\[",
    re.MULTILINE | re.IGNORECASE,
)
"""What a GitHub runner reads as a command (`::` and a name that it knows), but the ones that are meant."""
_PIECES = st.sampled_from(
    [
        *("\x1b[31m", "\x1b]8;;http://x\x07", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069", "\u200f", "\u061c"),
        *("\x00", "\r", "\r\n", "\n", "\t", "\x7f", "\x85", "\x9b", "\u2028", "\ufeff", "\ud800", "\udcff"),
        *("::error::", "::set-output name=a::b", "::stop-commands::x", "##[error]", "##[", "\n::warning ::", ":", "#"),
        *("=1+1", "+1", "-1", "@SUM(A1)", ";=1", "|", "`", "*", "<b>", "&", "]]>", "[a](http://x)", "@someone", "#12"),
        *("plain", " ", "\u05e9\u05dc", "\u4e2d\u6587", "\U0001f3ac", "%0A", '"', "'", "\\"),
    ]
)
_TEXT = st.lists(_PIECES | st.text(st.characters(exclude_categories=()), max_size=3), max_size=8).map("".join)
_SOME = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _comparison(case: str, new: str, sentence: str) -> Comparison:
    rows = tuple(
        MetricVerdict(
            case=case,
            metric=metric,
            base="cpu",
            new=new,
            verdict=verdict,
            sentence=sentence,
            reasons=(sentence,),
            ratio=1.5,
            interval=(1.4, 1.6),
        )
        for metric, verdict in (("wall_s", Verdict.WORSE), (f"stage.{new}.work_s", Verdict.UNDECIDED))
    )
    shift = StageShift(case=case, stage=new, base_s=1, new_s=2, share_of_change=1, base="cpu", new=new)
    return Comparison(
        base="cpu",
        new=new,
        verdict=Verdict.WORSE,
        sentence=sentence,
        verdicts=rows,
        stage_shifts=(shift,),
        warnings=(sentence,),
        base_note=sentence,
    )


def _printed(comparison: Comparison, columns: int) -> str:
    console = Console(file=io.StringIO(), width=columns, force_terminal=False)
    for table in comparison_tables(comparison, is_narrow=False):
        console.print(table)
    console.print(text_cell(comparison.sentence), soft_wrap=True)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(_TEXT)
def test_a_plain_line_is_one_line_without_controls_and_commands(text: str) -> None:
    line = plain_line(text)

    assert not _FORBIDDEN.search(line)
    assert "\n" not in line
    assert not _COMMAND.search(line)
    assert plain_line(line) == line


@given(_TEXT.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
def test_json_stays_the_same_document(text: str) -> None:
    document = _comparison(text, text, text)

    escaped = json_escaped(document.model_dump_json(indent=2))

    assert not _FORBIDDEN.search(escaped)
    assert not _COMMAND.search(escaped)
    assert Comparison.model_validate_json(escaped) == document


@given(_TEXT)
def test_visible_text_has_no_control_but_closed_isolates(text: str) -> None:
    shown = visible(text)

    assert not _FORBIDDEN.search(re.sub("\u2068[^\u2066-\u2069]*\u2069", "", shown))
    assert visible(shown) == shown


@given(
    st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=40).filter(
        lambda t: "::" not in t and "##[" not in t
    )
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert plain_line(text) == text
    assert visible(text) == text


@_SOME
@given(case=_TEXT, new=_TEXT, sentence=_TEXT, columns=st.integers(20, 160))
def test_a_comparison_stays_text_in_every_format(case: str, new: str, sentence: str, columns: int) -> None:
    comparison = _comparison(case, new, sentence)

    for text in (
        _printed(comparison, columns),
        step_summary(comparison),
        pull_request_comment(comparison),
        junit_xml(comparison),
        code_quality_json(comparison, Path(case.replace("\0", "") or ".")),
        "\n".join(annotation_lines(comparison)),
        badge_json(comparison),
    ):
        assert not _FORBIDDEN.search(text)
        assert not _COMMAND.search(text)
    suites = ET.fromstring(junit_xml(comparison))
    assert len(suites.findall("testsuite/testcase")) == 2
    lines = annotation_lines(comparison)
    assert len(lines) == 2
    assert all(re.match(r"::(error|warning) title=capbench%3A [^:]*::", line) for line in lines)
    table = [line for line in step_summary(comparison).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {7}


@_SOME
@given(case=_TEXT, subject=_TEXT, error=_TEXT)
@pytest.mark.parametrize("form", sorted(set(EXPORTERS) - {"parquet"}))
def test_results_stay_text_in_every_format(form: str, case: str, subject: str, error: str) -> None:
    run = RunResult(case=case, subject=subject, block=0, wall_s=1.0, warnings=(error,), telemetry={subject: error})
    failed = RunResult(case=case, subject=subject, block=1, error=error)
    contents = FolderContents(Path(case.replace("\0", "") or "."), (run, failed), (), None, ())

    text = EXPORTERS[form]([contents]).decode()

    assert not _FORBIDDEN.search(text)
    assert not _COMMAND.search(text)
    if form == "csv":
        rows = list(csv.reader(io.StringIO(text)))
        assert len(rows) == 3
        assert not any(
            cell.lstrip()[:1] in {"=", "+", "@"} or re.match(r"\s*-\D", cell) for row in rows for cell in row
        )
    elif form != "markdown":
        json.loads(text)


@given(_TEXT)
def test_a_cell_of_csv_is_no_formula_in_any_country(text: str) -> None:
    cell = csv_cell(text)

    assert isinstance(cell, str)
    parts = re.split("[;|]", cell)
    assert not any(part.lstrip(" '\"")[:1] in {"=", "+", "-", "@"} and not part.startswith("'") for part in parts)


@pytest.mark.parametrize("value", [1, -1.5, None, True])
def test_a_cell_that_is_no_text_stays_what_it_is(value: object) -> None:
    assert csv_cell(value) is value


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("a|b", r"a\|b"),
        ("**bold** `code`", r"\*\*bold\*\* \`code\`"),
        ("<script>", "&lt;script&gt;"),
        ("@someone and #12", "@<!-- -->someone and #<!-- -->12"),
        ("see https://example.com", r"see https\://example.com"),
        ("4.21 s (-3% to +5%)", "4.21 s (-3% to +5%)"),
    ],
)
def test_markdown_stays_text(text: str, markdown: str) -> None:
    assert escape_markdown(text) == markdown


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("# heading", r"\# heading"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("---", r"\---"),
        ("4.21 s", "4.21 s"),
        ("-3% is less", "-3% is less"),
    ],
)
def test_a_line_of_markdown_begins_no_heading_and_no_list(text: str, markdown: str) -> None:
    assert markdown_paragraph(text) == markdown
