"""What MkDocs does not do by itself: pages that lie outside of docs/, links to them, and the Python API.

The pages are written for a forge, where `../matrix/gates.toml` and a folder are links like any other. Whatever a page
links outside of docs/ becomes part of the site below `project/`, and a link to a folder leads to its README or first
file.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import capbench

_ROOT = Path(__file__).resolve().parents[2]
_DOCS = _ROOT / "docs"
_OUTSIDE = "project"
_PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#|/)([^)#\s]+)")
_API = "python-api.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages of the project, every file that a page links outside of docs/, and the page of the Python API."""
    pages = [*(_ROOT / name for name in _PAGES), *_DOCS.glob("*.md"), *_DOCS.glob("recipes/*.md")]
    linked = {_target(page, link) for page in pages for link in _LINK.findall(page.read_text(encoding="utf-8"))}
    outside = {path for path in linked if path.is_file() and not path.is_relative_to(_DOCS)}
    for path in sorted(outside | {_ROOT / name for name in _PAGES}):
        if not path.is_relative_to(_ROOT):
            continue  # MkDocs says that the link leads nowhere
        files.append(File.generated(config, _place(path), abs_src_path=str(path)))
    names = "\n\n".join(f"::: capbench.{name}" for name in capbench.__all__ if not name.startswith("_"))
    files.append(File.generated(config, _API, content=f"# Python\n\n`import capbench` has these names.\n\n{names}\n"))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001  MkDocs calls it by name
    """Point links at where the files are in the site."""
    source = _source(page.file.src_uri)

    def replace(match: re.Match[str]) -> str:
        path = _target(source, match[1])
        if not path.is_relative_to(_ROOT) or not path.exists():
            return match[1]
        return posixpath.relpath(_place(path), posixpath.dirname(page.file.src_uri) or ".")

    return _LINK.sub(replace, markdown)


def _source(place: str) -> Path:
    """Where a page of the site comes from."""
    return _ROOT / place.removeprefix(f"{_OUTSIDE}/") if place.startswith(f"{_OUTSIDE}/") else _DOCS / place


def _target(page: Path, link: str) -> Path:
    """The file that a link of a page means."""
    path = Path(os.path.normpath(page.parent / link))
    if path.is_dir():
        readme = path / "README.md"
        files = sorted(file for file in path.iterdir() if file.is_file())
        return readme if readme.is_file() or not files else files[0]
    return path


def _place(path: Path) -> str:
    """Where a file of the project lies in the site."""
    if path.is_relative_to(_DOCS):
        return path.relative_to(_DOCS).as_posix()
    # MkDocs leaves out hidden folders.
    return f"{_OUTSIDE}/{path.relative_to(_ROOT).as_posix().removeprefix('.')}"
