"""From result folders to files: the page, and the same figures in other forms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capbench.errors import InputError, OutputError
from capbench.files import write_atomic
from capbench.gate import GateFile
from capbench.report.comparisons import compare_subjects
from capbench.report.page import render_page
from capbench.report.read import ReportFolder, read_folder
from capbench.report.view import FolderView, arrange_folder

__all__ = ["view_folder", "write_report"]


def view_folder(folder: ReportFolder, page_folder: Path, gates: GateFile | None = None, *, charts: bool) -> FolderView:
    """Judge and arrange one folder for a page that will lie in `page_folder`."""
    comparisons, problems = compare_subjects(folder, gates)
    return arrange_folder(folder, comparisons, page_folder, problems=problems, charts=charts)


def write_report(folders: Sequence[Path], output: Path, gates: GateFile | None = None) -> Path:
    """Write the page about one folder, or about the last of several with the trend over all; returns `output`.

    Raises `ResultError` for a folder that holds no results, `InputError` without folders, `OutputError` if the page
    cannot be written.
    """
    if not folders:
        raise InputError("no result folder was named; make one with: capbench run quick")
    read = [read_folder(folder) for folder in folders]
    view = view_folder(read[-1], output.parent, gates, charts=True)
    page = render_page("page.html.j2", {"view": view, "trend": None})
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(output, page)
    except OSError as error:
        raise OutputError(f"cannot write the report {output}: {error.strerror or error}") from error
    return output
