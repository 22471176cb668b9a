"""The pages of a folder of several machines: one over machines, and one of each beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from capbench.errors import OutputError
from capbench.gate import GateFile
from capbench.report.comparisons import compare_subjects
from capbench.report.machine_pages.fleet_view import arrange_fleet
from capbench.report.page.folder_view import PICTURE_BUDGET_BYTES, arrange_folder
from capbench.report.page.render_page import render_page
from capbench.report.page.write_page import write_page, write_report
from capbench.report.report_folder import ReportFolder, read_folder
from capbench.results import Comparison, Verdict

__all__ = ["MOST_MACHINE_PAGES", "write_fleet_page", "write_folder_report"]

MOST_MACHINE_PAGES = 64
"""A page of a machine takes seconds and up to some megabytes; of a larger fleet those come first that need a look."""
_MACHINES = "machines"
"""Folder beside the page for the pages of machines."""
_NEEDS_A_LOOK = (Verdict.WORSE, Verdict.INVALID, Verdict.UNDECIDED)


def write_folder_report(
    folders: Sequence[Path],
    output: Path,
    gates: GateFile | None = None,
    *,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
    alone: bool = False,
) -> Path:
    """The page about one folder, or about several with their trend, whichever number of machines they are of.

    As `capbench.report.page.write_page.write_report`. Of one folder of several machines the page is about all of them,
    and each has its own in `machines/` beside it; a page that travels alone comes without those.
    """
    if len(folders) == 1:
        folder = read_folder(folders[0])
        if folder.machine_names:
            return write_fleet_page(folder, output, gates, picture_bytes=picture_bytes, alone=alone)
    return write_report(folders, output, gates, picture_bytes=picture_bytes, alone=alone)


def write_fleet_page(
    folder: ReportFolder,
    output: Path,
    gates: GateFile | None = None,
    *,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
    alone: bool = False,
) -> Path:
    """Write the page over machines and those of the machines; returns `output`. Raises `OutputError`.

    The pages of machines share `picture_bytes` for their pictures of frames, and have none beside them.
    """
    comparisons, problems = compare_subjects(folder, gates)
    names = () if alone else _machines_with_pages(folder, comparisons)
    beside = output.parent / _MACHINES
    if names and beside.is_symlink():
        raise OutputError(f"{beside} is a symbolic link, and pages would be written where it leads; remove it")
    links = {name: quote(f"{_MACHINES}/{name}.html") for name in names}
    view = arrange_fleet(folder, comparisons, None if alone else output.parent, problems=problems, links=links)
    for name in names:
        own = folder.of_machine(name)
        judged = [one.of_machine(name) for one in comparisons if any(each.machine == name for each in one.by_machine)]
        page = arrange_folder(
            own, judged, beside, picture_bytes=picture_bytes // len(names), levels=gates.levels if gates else None
        )
        values = {"view": page, "trend": None, "machine": name, "over": f"../{quote(output.name)}"}
        write_page(render_page("page.html.j2", values, loads_files=page.loads_files), beside / f"{name}.html")
    return write_page(render_page("fleet.html.j2", {"view": view}), output)


def _machines_with_pages(folder: ReportFolder, comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    """All machines of a small fleet; of a large one first those that are worse, invalid or undecided."""
    verdicts = {one.machine: one.verdict for comparison in comparisons for one in comparison.by_machine}
    names = folder.machine_names
    ordered = sorted(names, key=lambda name: verdicts.get(name) not in _NEEDS_A_LOOK)
    return tuple(sorted(ordered[:MOST_MACHINE_PAGES]))
