"""The code quality report: what GitLab requires of it, and that an issue stays the same one in the next commit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from capbench.report.formats.ci.code_quality import code_quality_json
from capbench.results import Comparison, MetricVerdict, Verdict


def _issues(*verdicts: Verdict, new: str = "gpu", gates: str | None = None) -> list[dict[str, object]]:
    rows = tuple(
        MetricVerdict(case="1080p", metric=f"m{n}", base="cpu@abc1234", new=new, verdict=verdict, sentence=f"row {n}")
        for n, verdict in enumerate(verdicts)
    )
    comparison = Comparison(base="cpu", new=new, verdict=Verdict.WORSE, sentence="worse", verdicts=rows)
    issues: list[dict[str, object]] = json.loads(code_quality_json(comparison, None if gates is None else Path(gates)))
    return issues


def test_only_what_is_worse_invalid_or_undecided_is_an_issue() -> None:
    issues = _issues(*Verdict)

    severities = {str(issue["description"]): issue["severity"] for issue in issues}
    assert sorted(map(str, severities.values())) == ["critical", "info", "major"]
    assert _issues(Verdict.SAME, Verdict.BETTER) == []


def test_an_issue_has_what_gitlab_requires() -> None:
    (issue,) = _issues(Verdict.WORSE)

    assert set(issue) == {"description", "check_name", "fingerprint", "severity", "location"}
    assert issue["location"] == {"path": ".gitlab-ci.yml", "lines": {"begin": 1}}


def test_fingerprints_differ_between_figures_and_not_between_revisions() -> None:
    first, second = _issues(Verdict.WORSE, Verdict.WORSE, new="gpu@1111111")
    (again,) = _issues(Verdict.WORSE, new="gpu@2222222")

    assert first["fingerprint"] != second["fingerprint"]
    assert first["fingerprint"] == again["fingerprint"]


@pytest.mark.parametrize(
    ("gates", "path"),
    [("bench/gates.toml", "bench/gates.toml"), ("/etc/x.toml", ".gitlab-ci.yml"), ("../x.toml", ".gitlab-ci.yml")],
)
def test_an_issue_is_located_in_the_gate_file_where_that_is_in_the_repository(gates: str, path: str) -> None:
    (issue,) = _issues(Verdict.WORSE, gates=gates)

    assert issue["location"] == {"path": path, "lines": {"begin": 1}}
