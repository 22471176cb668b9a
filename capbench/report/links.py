"""Links from the page to files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

__all__ = ["relative_url"]


def relative_url(target: Path, page_folder: Path) -> str:
    """URL of a file relative to the page, so that the link survives moving both together."""
    relative = os.path.relpath(target.resolve(), page_folder.resolve())
    return quote(Path(relative).as_posix())
