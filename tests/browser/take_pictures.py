"""The example page and its pictures: `python -m tests.browser.take_pictures RESULT_FOLDER docs/example-report`.

Writes `index.html` (the page, to be opened without its folder), `report.png` (its first screen) and `viewer.png` (the
viewer side by side, and its heat map below). Needs what the browser tests need, see `conftest.py`.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import Any

from PIL import Image

from capbench.report import write_report
from tests.browser.conftest import started_browser

_SCREEN = {"width": 1280, "height": 860}
_PAGE_BYTES = 255_000
"""For the pictures of a page that is kept in the repository."""
_GAP_PX = 24


def main() -> None:
    """Write the page and take its pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="a result folder")
    parser.add_argument("target", type=Path, help="where the page and the pictures go")
    chosen = parser.parse_args()
    page = write_report([chosen.results], chosen.target / "index.html", picture_bytes=_PAGE_BYTES, alone=True)
    with started_browser() as browser:
        shown = browser.new_page(viewport=_SCREEN, device_scale_factor=1.5, reduced_motion="reduce")
        shown.goto(page.resolve().as_uri())
        shown.screenshot(path=str(chosen.target / "report.png"))
        _take_viewer(shown).save(chosen.target / "viewer.png", optimize=True)


def _take_viewer(page: Any) -> Image.Image:
    """The panes side by side above the heat map of the first subject against the reference."""
    viewer = page.locator(".viewer").first
    taken = [_picture(viewer.locator(".v-panes"))]
    viewer.get_by_role("button", name="Heat map").click()
    page.evaluate("document.activeElement.blur()")
    taken.append(_picture(viewer.locator(".v-single")))
    whole = Image.new("RGB", (max(part.width for part in taken), sum(part.height for part in taken) + _GAP_PX), "white")
    top = 0
    for part in taken:
        whole.paste(part, (0, top))
        top += part.height + _GAP_PX
    return whole


def _picture(locator: Any) -> Image.Image:
    return Image.open(io.BytesIO(locator.screenshot())).convert("RGB")


if __name__ == "__main__":
    main()
