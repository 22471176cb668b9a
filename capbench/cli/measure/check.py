"""`capbench check`: what a matrix file says, who takes part, and what is wrong, without running anything."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import app
from capbench.errors import MatrixError

if TYPE_CHECKING:
    from rich.table import Table

    from capbench.harness.matrix.model import OwnRecording, RunMatrix

__all__ = ["check"]


@app.command(epilog="Example: `capbench check gate.toml`")
def check(
    matrix: Annotated[str, typer.Argument(metavar="MATRIX", help="`quick`, `standard` or a TOML file.")],
    *,
    base: Annotated[
        str | None,
        typer.Option(metavar="SUBJECT", help="Subject to compare with (default: the reference of the matrix)."),
    ] = None,
) -> None:
    """Check a matrix file without running it: keys, files, options, who takes part and who does not, and why.

    Sources are opened, but nothing is exported and no recording is made. Exit codes: 0 when the matrix can be run, 2
    when something in it is wrong. A program that this machine lacks is named, but it is no fault of the file.
    """
    from capbench.harness.matrix.load_matrix import load_matrix  # --help need not wait for it
    from capbench.harness.matrix.participation import absences, undrawn_scenes
    from capbench.harness.run.prepare_source import check_cases
    from capbench.harness.run.runner import unavailable_subjects
    from capbench.report.formats.terminal_table import open_console, print_line
    from capbench.results.base_subject import choose_base

    loaded = load_matrix(matrix)
    choice = choose_base([subject.name for subject in loaded.subjects], asked=base, reference=loaded.reference)
    with tempfile.TemporaryDirectory(prefix="capbench-") as scratch:
        problems = check_cases(loaded, scratch=Path(scratch))
    if problems:
        raise MatrixError("\n".join(f"{matrix}: {problem}" for problem in problems))
    console = open_console()
    console.print(_table(loaded))
    notes = (*absences(loaded, unavailable_subjects(loaded)), *undrawn_scenes(loaded))
    for note in notes:
        print_line(console, f"note: {note}")
    print_line(console, choice.sentence or "Nothing to compare: only one subject.")


def _table(matrix: RunMatrix) -> Table:
    from capbench.report.formats.terminal_table import add_row, open_table  # slow to import

    table = open_table("case", "source", "scene", "blocks", "subjects", has_lines=False)
    for case in matrix.cases:
        source = case.source.name if case.source is not None else _recording(case.recording)
        taking_part = ", ".join(subject.name for subject in matrix.subjects_of(case)) or "none"
        add_row(table, [case.name, source, Path(case.scene).name, str(case.blocks), taking_part])
    return table


def _recording(recording: str | OwnRecording | None) -> str:
    if isinstance(recording, str):
        return recording
    return "" if recording is None else f"recording {recording.width}x{recording.height}"
