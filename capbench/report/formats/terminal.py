"""The table that `capbench run` prints at its end: case by subject, medians with their range."""

from __future__ import annotations

from collections.abc import Mapping

from rich.console import Group
from rich.text import Text

from capbench.report.aggregate import Cell, all_cells_of, cells_of
from capbench.report.capacity import capacity_rows
from capbench.report.cell_words import Tone, quality_words, software_note, timing_notes, wall_words_of
from capbench.report.formats.terminal_table import open_table, text_cell
from capbench.report.report_folder import ReportFolder
from capbench.report.wording import TIMES, bytes_words, seconds_words, shorten, times_words
from capbench.results.subject_name import SubjectName

__all__ = ["run_table"]

_STYLES = {Tone.PLAIN: "", Tone.DOUBT: "yellow", Tone.BAD: "bold red"}


def run_table(folder: ReportFolder) -> Group:
    """The table and its notes as one rich renderable. Names are text, never markup."""
    cells = cells_of(folder)
    table = open_table()
    software = software_note(folder)
    for title in ("case", "subject", f"{'software ' if software else ''}wall (range)"):
        table.add_column(title, justify="left" if title in ("case", "subject") else "right", overflow="fold")
    for title in (f"{TIMES} floor", f"{TIMES} realtime", "CPU", "peak RSS", "readback", "output"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("quality", overflow="fold")
    for case, subjects in cells.items():
        for position, (subject, cell) in enumerate(subjects.items()):
            table.add_row(
                text_cell(shorten(case) if position == 0 else ""),
                text_cell(shorten(subject)),
                text_cell(wall_words_of(cell)),
                text_cell(times_words(cell.median("times_floor"))),
                text_cell(times_words(cell.median("times_realtime"))),
                text_cell(seconds_words(cell.median("cpu_s"))),
                text_cell(bytes_words(cell.median("peak_rss_bytes"))),
                text_cell(bytes_words(cell.median("readback_bytes"))),
                text_cell(bytes_words(None if cell.points else cell.median("output_bytes"))),
                _quality_text(cell),
                end_section=position == len(subjects) - 1,
            )
    notes = [text_cell(note, "yellow") for note in (software, *timing_notes(folder), *folder.problems) if note]
    capacities = all_cells_of(folder)
    ceilings = [
        text_cell(f"{shorten(row.case)}, {shorten(row.subject)}: {row.sentence}") for row in capacity_rows(capacities)
    ]
    notes += [text_cell(note, "yellow") for note in _failed_capacities(capacities)]
    if not capacities:
        notes.append(Text("no block has a run yet: nothing was measured", style="yellow"))
    return Group(*([table] if cells else []), *ceilings, *notes)


def _failed_capacities(cells: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """What the table has no row for."""
    return [
        f"{shorten(case)}: {shorten(subject)} failed in {len(cell.failed)} runs: "
        f"{shorten(cell.failed[0].run.error or '', 160)}"
        for case, subjects in cells.items()
        for subject, cell in subjects.items()
        if cell.failed and SubjectName.parse(subject).is_capacity
    ]


def _quality_text(cell: Cell) -> Text:
    words = quality_words(cell)
    return text_cell(words.text, _STYLES[words.tone])
