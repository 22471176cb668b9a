"""From result folders to files: the page, and the same figures in other forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from capbench.errors import InputError, OutputError
from capbench.files import write_atomic
from capbench.gate import GateFile
from capbench.report.comparisons import compare_subjects
from capbench.report.page.folder_view import PICTURE_BUDGET_BYTES, FolderView, arrange_folder
from capbench.report.page.headline import Headline
from capbench.report.page.machines_apart import machines_apart
from capbench.report.page.render_page import render_page
from capbench.report.page.trend_view import arrange_trend
from capbench.report.palette import style_subjects
from capbench.report.report_folder import ReportFolder, read_folder

__all__ = ["view_folder", "write_page", "write_report"]

_PICTURES = "frames"
"""Folder beside the page for pictures that it has no room for; that of a result folder has the whole frames too."""


def view_folder(
    folder: ReportFolder,
    page_folder: Path | None,
    gates: GateFile | None = None,
    *,
    charts: bool,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
    picture_files_url: str | None = None,
) -> FolderView:
    """Judge and arrange one folder for a page that will lie in `page_folder`, or travel alone where it is None.

    In a folder of several machines each machine's cases are cases of their own.
    `picture_files_url` is where pictures will lie that the page has no room for; see `arrange_folder`.
    """
    comparisons, problems = compare_subjects(folder, gates)
    apart, of_machines = machines_apart(folder, comparisons)
    view = arrange_folder(
        apart,
        of_machines,
        page_folder,
        problems=problems,
        charts=charts,
        picture_bytes=picture_bytes,
        picture_files_url=picture_files_url,
        levels=gates.levels if gates else None,
    )
    if not folder.machine_names or view.comparison is None:
        return view
    return replace(view, headline=Headline(view.comparison.sentence, view.comparison.verdict, ()))


def write_report(
    folders: Sequence[Path],
    output: Path,
    gates: GateFile | None = None,
    *,
    picture_bytes: int = PICTURE_BUDGET_BYTES,
    alone: bool = False,
) -> Path:
    """Write the page about one folder, or about the newest of several with the trend over all; returns `output`.

    `picture_bytes` is what the pictures of frames may take inside the page, always lossless; those for which there is
    no room are written to `frames/<name of the page>/` beside it.
    `alone` leaves out links to raw files and those pictures, for a page that is sent or published without its folder.
    Raises `ResultError` for a folder that holds no results, `InputError` without folders, `OutputError` if the page
    cannot be written.
    """
    if not folders:
        raise InputError("no result folder was named; create one with: capbench run quick")
    read = [read_folder(folder) for folder in folders]
    newest = max(read, key=lambda folder: (folder.started_at, folder.name))
    page_folder = None if alone else output.parent
    beside = output.parent / _PICTURES / output.stem
    files_url = None if alone or picture_bytes <= 0 else f"{_PICTURES}/{quote(output.stem)}"
    view = view_folder(
        newest, page_folder, gates, charts=True, picture_bytes=picture_bytes, picture_files_url=files_url
    )
    trend = None
    if len(read) > 1:
        styles = style_subjects([*view.styles, *(file.run.subject for folder in read for file in folder.blocks)])
        trend = arrange_trend(read, styles, page_folder, gates)
    for folder in (beside.parent, beside):
        if view.picture_files and folder.is_symlink():
            raise OutputError(f"{folder} is a symbolic link, and pictures would be written where it leads; remove it")
    for name, picture in view.picture_files.items():
        _write(beside / name, picture)
    page = render_page("page.html.j2", {"view": view, "trend": trend}, loads_files=view.loads_files)
    return write_page(page, output)


def write_page(page: str, output: Path) -> Path:
    """Write a page atomically; returns `output`. Raises `OutputError`."""
    _write(output, page)
    return output


def _write(output: Path, content: str | bytes) -> None:
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(output, content)
    except OSError as error:
        raise OutputError(f"cannot write the report {output}: {error.strerror or error}") from error
