"""The first screen in other forms: markdown for a pull request, JSON and CSV for programs."""

from __future__ import annotations

import csv
import io
import json
import re

from capbench.report.page.folder_view import FolderView
from capbench.report.page.overview_rows import Row
from capbench.report.wording import shorten
from capbench.results import Verdict

__all__ = ["to_csv", "to_json", "to_markdown"]

_QUANTITIES = {
    "wall_s": "wall",
    "times_floor": "floor",
    "times_realtime": "realtime",
    "cpu_s": "cpu",
    "peak_rss_bytes": "memory",
    "readback_bytes": "readback",
    "output_bytes": "output",
}


def to_markdown(view: FolderView) -> str:
    """A paragraph and a table that GitHub renders; whatever a name contains is text."""
    verdict = "" if view.headline.verdict is Verdict.NOT_APPLICABLE else f" ({view.headline.verdict.value})"
    lines = [f"**{_escape(view.headline.sentence)}**{verdict}", ""]
    if view.software:
        lines += [f"> {_escape(view.software)}", ""]
    base = _escape(shorten(view.base or "baseline", 30))
    heads = (
        "case",
        "subject",
        "time",
        f"against {base}",
        "verdict",
        "times floor",
        "CPU",
        "peak memory",
        "readback",
        "quality",
    )
    lines += [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in view.rows:
        effect = f"{row.effect.words} {row.interval}".strip()
        cells = (
            shorten(row.case, 60),
            shorten(row.subject, 40),
            row.wall.words,
            effect,
            row.verdict.label if row.verdict else "",
            row.floor.words,
            row.cpu.words,
            row.memory.words,
            row.readback.words,
            shorten(row.quality, 120),
        )
        lines.append(f"| {' | '.join(_escape(cell) for cell in cells)} |")
    if not view.rows:
        lines.append("No run belongs to a block.")
    machine = ", ".join(part for part in (view.machine.adapter, view.machine.host) if part)
    lines += [
        "",
        f"{_escape(view.scope)} Measured on {_escape(machine)}; revision {_escape(view.revision or 'unknown')}.",
    ]
    lines += [f"- {_escape(shorten(words, 300))}" for words in view.warnings]
    return "\n".join(lines) + "\n"


def _escape(text: str) -> str:
    """Text that markdown and HTML leave alone; a mention of somebody must not notify them."""
    flat = " ".join(text.split())
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("@", "&#64;")):
        flat = flat.replace(character, entity)
    return re.sub(r"([\\`*_{}\[\]|~$])", r"\\\1", flat)


def to_json(view: FolderView) -> str:
    """Headline, rows and the comparison as JSON; a figure that was not measured is null."""
    content = {
        "schema_version": 1,
        "folder": view.name,
        "matrix": view.matrix_name,
        "started_at": view.started_at,
        "revision": view.revision,
        "verdict": view.headline.verdict.value,
        "sentence": view.headline.sentence,
        "software_adapter": view.machine.is_software,
        "adapter": view.machine.adapter,
        "fingerprints": list(view.machine.fingerprints),
        "rows": [_plain(row) for row in view.rows],
        "comparison": view.comparison.model_dump(mode="json") if view.comparison else None,
        "warnings": list(view.warnings),
        "command": view.command,
    }
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=str) + "\n"


def _plain(row: Row) -> dict[str, object]:
    verdict = row.verdict
    return {
        "case": row.case,
        "subject": row.subject,
        "verdict": verdict.verdict.value if verdict else None,
        "ratio": verdict.ratio if verdict else None,
        "ratio_low": verdict.interval[0] if verdict and verdict.interval else None,
        "ratio_high": verdict.interval[1] if verdict and verdict.interval else None,
        "runs": len(row.dots),
        **{name: getattr(row, field).value for name, field in _QUANTITIES.items()},
        "quality": row.quality,
        "quality_is_bad": row.quality_is_bad,
    }


def to_csv(view: FolderView) -> str:
    """One line a case and subject; texts that a spreadsheet would run as a formula are quoted with an apostrophe."""
    buffer = io.StringIO()
    rows = [_plain(row) for row in view.rows]
    names = ["case", "subject", "verdict", "ratio", "ratio_low", "ratio_high", "runs", *_QUANTITIES]
    writer = csv.DictWriter(buffer, [*names, "quality", "quality_is_bad"], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.items()})
    return buffer.getvalue()


def _harmless(value: object) -> object:
    # OWASP, "CSV injection": a cell that begins with one of these is a formula to spreadsheets.
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
