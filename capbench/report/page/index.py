"""The page over all result folders of a place such as reports/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from capbench.errors import CapbenchError
from capbench.report.page.folder_view import FolderView
from capbench.report.page.render_page import render_page
from capbench.report.page.write_page import view_folder, write_page
from capbench.report.report_folder import is_result_folder, read_folder, relative_url

__all__ = ["IndexEntry", "result_folders", "write_index"]


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One folder of the list."""

    name: str
    """Name of the folder."""
    link: str
    """Relative URL of its page, empty where none was written."""
    view: FolderView | None
    """What it shows; None where it cannot be read."""
    problem: str
    """Why it cannot be read."""


def result_folders(place: Path) -> list[Path]:
    """Result folders directly inside a place, newest name first: the runner names them by time."""
    return sorted((path for path in place.iterdir() if path.is_dir() and is_result_folder(path)), reverse=True)


def write_index(place: Path, output: Path) -> Path:
    """Write the list of all result folders of `place`; returns `output`. Raises `OutputError`."""
    entries = []
    for path in result_folders(place):
        page = path / "index.html"
        link = relative_url(page, output.parent) if page.is_file() else ""
        try:
            view = view_folder(read_folder(path), path, charts=False)
            entries.append(IndexEntry(path.name, link, view, ""))
        except CapbenchError as error:  # one foreign folder must not hide the others
            entries.append(IndexEntry(path.name, link, None, str(error)))
    return write_page(render_page("index.html.j2", {"entries": entries, "place": place.name}), output)
