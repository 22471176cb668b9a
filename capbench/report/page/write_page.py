"""From result folders to files: the page, and the same figures in other forms."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from capbench.errors import InputError, OutputError
from capbench.files import write_atomic
from capbench.gate import GateFile
from capbench.report.comparisons import compare_subjects
from capbench.report.page.folder_view import PICTURE_BUDGET_BYTES, FolderView, arrange_folder
from capbench.report.page.render_page import render_page
from capbench.report.page.trend_view import arrange_trend
from capbench.report.palette import style_subjects
from capbench.report.report_folder import ReportFolder, read_folder

__all__ = ["view_folder", "write_page", "write_report"]


def view_folder(
    folder: ReportFolder,
    page_folder: Path | None,
    gates: GateFile | None = None,
    *,
    charts: bool,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
) -> FolderView:
    """Judge and arrange one folder for a page that will lie in `page_folder`, or travel alone where it is None."""
    comparisons, problems = compare_subjects(folder, gates)
    return arrange_folder(
        folder, comparisons, page_folder, problems=problems, charts=charts, picture_bytes=picture_bytes
    )


def write_report(
    folders: Sequence[Path],
    output: Path,
    gates: GateFile | None = None,
    *,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
    alone: bool = False,
) -> Path:
    """Write the page about one folder, or about the newest of several with the trend over all; returns `output`.

    `picture_bytes` is what the pictures of worst frames may take together: lossless where they fit, else compressed.
    `alone` leaves out links to raw files, for a page that is sent or published without its folder.
    Raises `ResultError` for a folder that holds no results, `InputError` without folders, `OutputError` if the page
    cannot be written.
    """
    if not folders:
        raise InputError("no result folder was named; create one with: capbench run quick")
    read = [read_folder(folder) for folder in folders]
    newest = max(read, key=lambda folder: (folder.started_at, folder.name))
    page_folder = None if alone else output.parent
    view = view_folder(newest, page_folder, gates, charts=True, picture_bytes=picture_bytes)
    trend = None
    if len(read) > 1:
        styles = style_subjects([*view.styles, *(file.run.subject for folder in read for file in folder.blocks)])
        trend = arrange_trend(read, styles, page_folder, gates)
    return write_page(render_page("page.html.j2", {"view": view, "trend": trend}), output)


def write_page(page: str, output: Path) -> Path:
    """Write a page atomically; returns `output`. Raises `OutputError`."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(output, page)
    except OSError as error:
        raise OutputError(f"cannot write the report {output}: {error.strerror or error}") from error
    return output
