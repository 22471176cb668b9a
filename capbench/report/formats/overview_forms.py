"""The first screen in other forms: markdown for a pull request, JSON and CSV for programs."""

from __future__ import annotations

from capbench.report.formats.csv_text import csv_text
from capbench.report.formats.json_text import json_text
from capbench.report.formats.markdown_text import escape_markdown, markdown_list, markdown_paragraph, markdown_table
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
    lines = [f"**{escape_markdown(view.headline.sentence)}**{verdict}", ""]
    if view.software:
        lines += [f"> {escape_markdown(view.software)}", ""]
    base = shorten(view.base or "base", 30)
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
    rows = (
        (
            shorten(row.case, 60),
            shorten(row.subject, 40),
            row.wall.words,
            f"{row.effect.words} {row.interval}".strip(),
            row.verdict.label if row.verdict else "",
            row.floor.words,
            row.cpu.words,
            row.memory.words,
            row.readback.words,
            shorten(row.quality, 120),
        )
        for row in view.rows
    )
    lines.append(markdown_table(heads, rows))
    if not view.rows:
        lines.append("No block has a run yet.")
    machine = ", ".join(part for part in (view.machine.adapter, view.machine.host) if part)
    measured = f"Measured on {machine}; revision" if machine else "Revision"
    origin = f"{view.scope} {measured} {view.revision or 'unknown'}."
    lines += ["", markdown_paragraph(origin)]
    if view.warnings:
        lines.append(markdown_list(shorten(words, 300) for words in view.warnings))
    return "\n".join(lines) + "\n"


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
        "adapter": view.machine.adapter or None,
        "fingerprints": list(view.machine.fingerprints),
        "rows": [_plain(row) for row in view.rows],
        "comparison": view.comparison.model_dump(mode="json") if view.comparison else None,
        "warnings": list(view.warnings),
        "command": view.command,
    }
    return json_text(content)


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
    names = ["case", "subject", "verdict", "ratio", "ratio_low", "ratio_high", "runs", *_QUANTITIES]
    return csv_text([*names, "quality", "quality_is_bad"], map(_plain, view.rows))
