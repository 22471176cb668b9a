"""Markdown that GitHub renders: the only place that escapes it and that draws its tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from capbench.results.visible_text import plain_line

__all__ = ["escape_markdown", "markdown_list", "markdown_paragraph", "markdown_table"]

_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_MARKUP = re.compile(r"([\\`*_{}\[\]|~$])")
_LINE_START = re.compile(r"^(?:(\d+)(?=[.)](?:\s|$))|(?=[#=+-]+(?:\s|$)))")
"""A heading, a rule or a list, where a text stands alone on its line."""
_NOTHING = "<!-- -->"
"""Renders as nothing and parts what GitHub would link: it looks for mentions and numbers of issues in rendered text,
where an entity or a backslash is gone already."""
_LINKED = re.compile(r"(@|#(?=\d))")
_ADDRESS = re.compile(r":(?=//)|(?<=www)\.", re.IGNORECASE)


def escape_markdown(text: str) -> str:
    """Text as a part of a line that stays text: no markup, no HTML, no mention, no link, no cell of its own."""
    flat = plain_line(text)
    for character, entity in _ENTITIES:
        flat = flat.replace(character, entity)
    return _LINKED.sub(rf"\1{_NOTHING}", _ADDRESS.sub(r"\\\g<0>", _MARKUP.sub(r"\\\1", flat)))


def markdown_paragraph(text: str) -> str:
    """The same for text that begins a line: no heading, no rule, no list."""
    return _LINE_START.sub(lambda match: f"{match[1] or ''}\\", escape_markdown(text))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], *, to_the_right: Iterable[str] = ()) -> str:
    """A table of texts; the columns named in `to_the_right` hold figures."""
    right = set(to_the_right)
    lines = [f"| {' | '.join(map(escape_markdown, head))} |"]
    lines.append(f"|{'|'.join('---:' if name in right else '---' for name in head)}|")
    lines += [f"| {' | '.join(map(escape_markdown, row))} |" for row in rows]
    return "\n".join(lines)


def markdown_list(lines: Iterable[str]) -> str:
    """A list of texts."""
    return "\n".join(f"- {markdown_paragraph(line)}" for line in lines)
