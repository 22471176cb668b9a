"""A comparison as JUnit XML, which every CI system shows as tests."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from capbench.results.comparison import Comparison, MetricVerdict, RunFailure, Verdict
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
        shown: set[tuple[str, str | None]] = set()
        for row in rows:
            _add_test(suite, row)
            if row.verdict in (Verdict.WORSE, Verdict.INVALID) and (row.new, row.machine) not in shown:
                shown.add((row.new, row.machine))  # once: what failed is the same for every figure
                _add_evidence(suite[-1], [each for each in comparison.failures if _is_of(each, row)])
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_test(suite: ET.Element, row: MetricVerdict) -> None:
    where = "" if row.machine is None else f" on {row.machine}"
    name = _text(f"{row.metric} of {row.new} against {row.base}{where}")
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


def _add_evidence(test: ET.Element, failures: list[RunFailure]) -> None:
    """Where to look, in the form that Jenkins and GitLab make links of (`[[ATTACHMENT|path]]`)."""
    lines = []
    for failure in failures:
        lines.append(f"{failure.case}, {failure.subject}, block {failure.block}: {failure.reason}")
        lines += [f"[[ATTACHMENT|{path}]]" for path in (failure.log, failure.output) if path]
    if lines:
        ET.SubElement(test, "system-out").text = "\n".join(map(_text, lines))


def _is_of(failure: RunFailure, row: MetricVerdict) -> bool:
    """Whether a failed run is one of a row's two sides, which may be `FOLDER:SUBJECT`."""
    sides = {side.rpartition(":")[2] for side in (row.base, row.new)}
    return failure.case == row.case and failure.subject in sides and failure.machine == row.machine


def _count(rows: list[MetricVerdict], *verdicts: Verdict) -> int:
    return sum(row.verdict in verdicts for row in rows)


def _text(text: str) -> str:
    return _NOT_IN_XML.sub("\ufffd", plain_line(text))
