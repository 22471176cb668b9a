"""Tables and lines for a terminal or a log: the only place that makes them."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from capbench.results.visible_text import plain_line

__all__ = ["LOG_COLUMNS", "add_row", "open_console", "open_table", "print_line", "text_cell"]

LOG_COLUMNS = 150
"""Width in a file or a CI log, where no terminal says one; no table then folds a figure."""


def open_console(*, log_columns: int = LOG_COLUMNS) -> Console:
    """The console on stdout, wide enough where it is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = log_columns
    return console


def open_table(*columns: str, title: str = "", has_lines: bool = True) -> Table:
    """A table with columns of text and a bold title; without lines neither head rule nor head."""
    return Table(
        *columns,
        title=text_cell(title, "bold") if title else None,
        title_justify="left",
        title_style="",
        box=box.SIMPLE_HEAD if has_lines else None,
        pad_edge=False,
        collapse_padding=True,
        show_header=has_lines or bool(columns),
    )


def text_cell(text: str, style: str = "") -> Text:
    """Text from anywhere as a cell: never markup, never a control sequence, never a command of a CI system."""
    return Text("\n".join(f"{_indent(line)}{plain_line(line)}" for line in text.split("\n")), style)


def _indent(line: str) -> str:
    return " " * (len(line) - len(line.lstrip(" ")))


def add_row(table: Table, cells: Sequence[str | Text]) -> None:
    """A row; cells that are no `Text` yet become one."""
    table.add_row(*(text_cell(cell) if isinstance(cell, str) else cell for cell in cells))


def print_line(console: Console, line: str, style: str = "") -> None:
    """One line, however long: a reader of logs searches for it."""
    console.print(text_cell(line, style), soft_wrap=True)
