"""CSV for programs and spreadsheets: the only place that writes it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from capbench.results.visible_text import plain_line

__all__ = ["csv_cell", "csv_text"]

_FORMULA = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"
"""What a spreadsheet takes for the start of a formula, full-width forms too (OWASP, "CSV injection")."""
_SEPARATORS = ";|"
"""What separates cells in other countries' spreadsheets: text behind one may become a formula of its own."""


def csv_text(names: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A header and one line a row; texts are single lines that no spreadsheet runs. A missing value is empty."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in names])
    for row in rows:
        writer.writerow([csv_cell(row.get(name)) for name in names])
    return buffer.getvalue()


def csv_cell(value: object) -> object:
    """A value as a cell: numbers as they are, text harmless, with an apostrophe before what would be a formula."""
    if not isinstance(value, str):
        return value
    text = plain_line(value)
    for separator in _SEPARATORS:
        text = separator.join(
            part if place == 0 else _guarded(part) for place, part in enumerate(text.split(separator))
        )
    return _guarded(text)


def _guarded(text: str) -> str:
    return f"'{text}" if text.lstrip(" '\"")[:1] in tuple(_FORMULA) else text
