"""Whether a built site is whole: `python -m tests.check_built_site FOLDER`. Exit code 1 with what is not.

Every link and anchor leads somewhere inside the folder, and no page loads anything from elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
_LOADING_LINKS = {"stylesheet", "icon", "preload", "preconnect", "modulepreload", "dns-prefetch", "manifest"}


class _Page(HTMLParser):
    """Links, what is loaded, and anchors of one page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        self.anchors |= {known[name] for name in ("id", "name") if name in known}
        is_loading_link = tag == "link" and _LOADING_LINKS & set(known.get("rel", "").split())
        target = known.get(_LOADING.get(tag, "href"))
        if target is None:
            return
        if tag in _LOADING or is_loading_link:
            self.loaded.append(target)
        elif tag == "a":
            self.links.append(target)


def problems(folder: Path) -> Iterator[str]:
    """One line for each link that leads nowhere and each thing that is loaded from elsewhere."""
    pages = {path.resolve(): _Page(path.read_text(encoding="utf-8")) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        yield f"{folder} holds no page"
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        if name.name == "404.html":
            continue  # its links begin at the root of a server
        for target in page.loaded:
            if urlsplit(target).scheme not in ("", "data") or target.startswith("//"):
                yield f"{name} loads {target}"
        for target in (*page.loaded, *page.links):
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            file = file / "index.html" if file.is_dir() else file
            if not file.is_file() or not file.is_relative_to(folder.resolve()):
                yield f"{name} links {target}, which is not there"
            elif parts.fragment and file in pages and not _has_anchor(pages[file], parts.fragment):
                yield f"{name} links {target}, which has no such anchor"


def _has_anchor(page: _Page, fragment: str) -> bool:
    return unquote(fragment) in page.anchors or fragment.startswith("__")  # Material's own, made by its script


def main(folder: Path) -> int:
    """Print what is wrong; returns the exit code."""
    found = list(problems(folder))
    sys.stdout.write("\n".join([*found[:50], f"{folder}: {len(found)} problems"]) + "\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
