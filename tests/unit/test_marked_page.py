"""What a study writes into a page stays between its marks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.marked_page import write_between

_MARKS = ("<!-- begin -->", "<!-- end -->")


def test_a_page_keeps_what_lies_outside_its_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- begin -->\nold\n<!-- end -->\nafter\n", encoding="utf-8")

    for _ in range(2):
        write_between(page, _MARKS, ["new"])

        assert page.read_text(encoding="utf-8") == "before\n<!-- begin -->\n\nnew\n\n<!-- end -->\nafter\n"


@pytest.mark.parametrize("text", ["none", "<!-- begin -->\n", "<!-- end -->\n<!-- begin -->\n"])
def test_a_page_without_its_marks_is_left_alone(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match="has no"):
        write_between(page, _MARKS, ["new"])

    assert page.read_text(encoding="utf-8") == text
