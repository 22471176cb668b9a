"""A comparison as JUnit XML, which every CI system shows as tests."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from capbench.results.visible_text import plain_line

__all__ = ["junit_xml"]

# XML 1.0 has no way to write these, not even escaped (section 2.2 of the recommendation).
_NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(comparison: Comparison) -> str:
    """One suite a case, one test a metric: worse and invalid fail, undecided is an error, not applicable is skipped."""
    root = ET.Element("testsuites", name="capbench")
    cases = dict.fromkeys(row.case for row in comparison.verdicts)
    for case in cases:
        rows = [row for row in comparison.verdicts if row.case == case]
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_text(case),
            tests=str(len(rows)),
            failures=str(_count(rows, Verdict.WORSE, Verdict.INVALID)),
            errors=str(_count(rows, Verdict.UNDECIDED)),
            skipped=str(_count(rows, Verdict.NOT_APPLICABLE)),
        )
        for row in rows:
            _add_test(suite, row)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_test(suite: ET.Element, row: MetricVerdict) -> None:
    name = _text(f"{row.metric} of {row.new} against {row.base}")
    test = ET.SubElement(suite, "testcase", name=name, classname=_text(f"capbench.{row.case}"))
    sentence = _text(row.sentence)
    if row.verdict in (Verdict.WORSE, Verdict.INVALID):
        ET.SubElement(test, "failure", type=row.verdict.value, message=sentence)
    elif row.verdict is Verdict.UNDECIDED:
        ET.SubElement(test, "error", type=row.verdict.value, message=sentence)
    elif row.verdict is Verdict.NOT_APPLICABLE:
        ET.SubElement(test, "skipped", message=sentence)
    else:
        ET.SubElement(test, "system-out").text = sentence


def _count(rows: list[MetricVerdict], *verdicts: Verdict) -> int:
    return sum(row.verdict in verdicts for row in rows)


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", plain_line(text))
