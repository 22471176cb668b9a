"""A comparison as a code quality report, which GitLab shows in the merge request.

The format is the subset of Code Climate's issues that GitLab reads ("Code Quality report format" in its manual).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from capbench.report.formats.json_text import json_text
from capbench.results.comparison import Comparison, MetricVerdict, Verdict
from capbench.results.subject_name import SubjectName
from capbench.results.visible_text import plain_line

__all__ = ["code_quality_json"]

_SEVERITIES = {Verdict.INVALID: "critical", Verdict.WORSE: "major", Verdict.UNDECIDED: "info"}
"""Other verdicts are no issues."""
_CI_FILE = ".gitlab-ci.yml"
"""Where an issue is shown that no file explains: what started the measurement."""


def code_quality_json(comparison: Comparison, gates: Path | None) -> str:
    """One issue for each figure that is worse, invalid or undecided, located in the gate file that judged it.

    An issue keeps its fingerprint from commit to commit, so that GitLab tells new ones from old ones.
    """
    # GitLab takes paths from the repository's root alone, and a link out of it would lead nowhere.
    is_inside = gates is not None and not gates.is_absolute() and ".." not in gates.parts
    path = gates.as_posix() if gates is not None and is_inside else _CI_FILE
    issues = [
        {
            "description": plain_line(row.sentence),
            "check_name": plain_line(f"capbench.{row.metric}"),
            "fingerprint": _fingerprint(row),
            "severity": _SEVERITIES[row.verdict],
            "location": {"path": plain_line(path), "lines": {"begin": 1}},
        }
        for row in comparison.verdicts
        if row.verdict in _SEVERITIES
    ]
    return json_text(issues)


def _fingerprint(row: MetricVerdict) -> str:
    """Without the revisions: `gpu@1234` is the same subject in the next commit."""
    sides = [SubjectName.parse(side.rpartition(":")[2]).subject for side in (row.base, row.new)]
    return hashlib.sha256(
        json.dumps([row.case, row.metric, *sides, *([row.machine] if row.machine else [])]).encode()
    ).hexdigest()
