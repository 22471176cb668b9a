"""`capbench results`: results in the formats of other tools."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from capbench.cli.app import app
from capbench.errors import InputError, OutputError

__all__ = ["results"]


@app.command(epilog="Example: `capbench results reports/mine --to pytest-benchmark -o mine.json`")
def results(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Result folders, from one machine or several.")
    ],
    *,
    to: Annotated[
        str,
        typer.Option(help="Format: csv, parquet, markdown, pytest-benchmark, github-action-benchmark or bencher."),
    ] = "markdown",
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="File to write (default: stdout).")
    ] = None,
) -> None:
    """Convert results for other tools. CSV and Parquet contain every run, the other formats only measured runs."""
    from capbench.files import write_atomic  # --help need not wait
    from capbench.report.formats.run_tables import EXPORTERS
    from capbench.results.folder import read_folder
    from capbench.results.visible_text import plain_line

    if to not in EXPORTERS:
        raise InputError(f"unknown format {to!r}; available: {', '.join(EXPORTERS)}")
    contents = [read_folder(folder) for folder in folders]
    for problem in (problem for content in contents for problem in content.problems):
        typer.echo(f"capbench: {plain_line(problem)}", err=True)
    data = EXPORTERS[to](contents)
    if output is None:
        sys.stdout.buffer.write(data)
        return
    try:
        write_atomic(output, data)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
