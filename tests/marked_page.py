"""A page of the documentation of which a study writes the part between two marks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["write_between"]


def write_between(path: Path, marks: tuple[str, str], lines: Sequence[str]) -> None:
    """Put other lines between the two marks of a page, and leave the rest as it is.

    Raises:
        ValueError: the page does not have them, in this order.
    """
    before, begin, rest = path.read_text(encoding="utf-8").partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not begin or not end:
        raise ValueError(f"{path} has no {marks[0]} before {marks[1]}")
    path.write_text("\n".join([before + begin, "", *lines, "", end + after]), encoding="utf-8")
