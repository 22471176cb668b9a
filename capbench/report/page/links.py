"""Links from the page to files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

__all__ = ["relative_url"]


def relative_url(target: Path, page_folder: Path | None) -> str:
    """URL of a file relative to the page, so that the link survives moving both together.

    Empty for a page that travels alone (`page_folder` None), whose links would lead nowhere and tell where it was made.
    """
    if page_folder is None:
        return ""
    relative = os.path.relpath(target.resolve(), page_folder.resolve())
    return quote(Path(relative).as_posix())
