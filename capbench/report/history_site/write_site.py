"""The pages of a history as files: an index, a page a case, and the report of each result folder that is there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capbench.errors import ResultError
from capbench.gate.history.series import HistoryEntry
from capbench.report.history_site.arrange_history import MOST_CASES, arrange_cases, file_name, newest_steps
from capbench.report.history_site.commit_links import CommitLinks
from capbench.report.page.render_page import render_page
from capbench.report.page.write_page import write_page, write_report
from capbench.report.report_folder import is_result_folder, read_folder

__all__ = ["WrittenSite", "write_history_site"]

MOST_REPORTS = 30
"""Reports of result folders that are written, of the newest entries: two seconds and 200 kB each."""
MOST_STEPS = 100
"""Changes of level on the index, the newest; every one is on its case's page."""
_REPORT_PICTURE_BYTES = 150_000
"""Frames of worst quality in each of them: 30 reports stay under 10 MB, which Pages serves without a thought."""


@dataclass(frozen=True, slots=True)
class WrittenSite:
    """What was written."""

    index: Path
    """The first page."""
    cases: int
    """Pages of cases."""
    reports: int
    """Reports of result folders."""
    problems: tuple[str, ...]
    """Folders whose report could not be written, one sentence each."""


def write_history_site(
    entries: Sequence[HistoryEntry], output: Path, *, links: CommitLinks, results: Path | None
) -> WrittenSite:
    """Write the pages of `entries`, oldest first, into the folder `output`, which is made where it is missing.

    `results` holds the result folders that the entries name; a folder of another time or machine is not taken for
    theirs. Nothing in `output` is removed. Raises `ResultError` without entries, `OutputError`.
    """
    if not entries:
        raise ResultError(
            "the history has no entry, so there is nothing to show; add one with: capbench history add DIR"
        )
    reports, problems = _write_reports(entries, output, results)
    cases = arrange_cases(entries, links, lambda entry: reports.get(entry.key, ""))
    if not cases:
        raise ResultError("no entry of the history has a figure; add a result folder with: capbench history add DIR")
    for case in cases:
        write_page(render_page("history_case.html.j2", {"case": case}), output / case.page)
    steps = newest_steps(cases)
    names = {figure.case for entry in entries for figure in entry.figures}
    index = {
        "cases": cases,
        "case_count": len(names),
        "most_cases": MOST_CASES,
        "steps": steps[:MOST_STEPS],
        "step_count": len(steps),
        "entry_count": len(entries),
        "first": entries[0].taken_at.partition("T")[0],
        "last": entries[-1].taken_at.partition("T")[0],
    }
    return WrittenSite(
        index=write_page(render_page("history.html.j2", index), output / "index.html"),
        cases=len(cases),
        reports=len(reports),
        problems=tuple(problems),
    )


def _write_reports(
    entries: Sequence[HistoryEntry], output: Path, results: Path | None
) -> tuple[dict[tuple[str, str, str], str], list[str]]:
    """Relative URL of each report that was written, by the entry's key, and what could not be written."""
    written: dict[tuple[str, str, str], str] = {}
    problems: list[str] = []
    if results is None:
        return written, problems
    for entry in reversed(entries):
        if len(written) == MOST_REPORTS:
            break
        # The name comes from a file: only a folder directly inside `results` can be meant.
        if (
            Path(entry.folder).name != entry.folder
            or "\0" in entry.folder
            or not is_result_folder(results / entry.folder)
        ):
            continue
        try:
            folder = read_folder(results / entry.folder)
            if folder.started_at != entry.taken_at or (entry.machine and entry.machine not in folder.machines):
                continue
            name = file_name("report", " ".join((entry.folder, *entry.key)))
            write_report([folder.path], output / name, picture_bytes=_REPORT_PICTURE_BYTES, alone=True)
        except ResultError as error:  # one damaged folder must not hide the others
            problems.append(str(error))
            continue
        written[entry.key] = name
    return written, problems
