"""`capbench baseline`: figures of an accepted state that every machine can be compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capbench.cli.app import app

__all__ = ["update"]

_baseline = typer.Typer(no_args_is_help=True, help="Record machine-independent figures to compare against.")
app.add_typer(_baseline, name="baseline")


@_baseline.command(epilog="Example: `capbench baseline update reports/today -o reports/baseline.json`")
def update(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Result folder of the accepted state.")],
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help="Baseline file to write, to be committed.")
    ] = Path("reports/baseline.json"),
) -> None:
    """Write ratios to the floor and to `cpu`, bytes and quality of every case, with the value of each block.

    A folder in which a run failed, fell back or failed validation is refused.
    """
    from capbench.gate.history.baseline_figures import take_baseline, write_baseline  # pandas
    from capbench.results.folder import read_folder
    from capbench.results.tidy_table import table_of
    from capbench.results.visible_text import plain_line

    contents = read_folder(folder)
    for problem in contents.problems:
        typer.echo(f"capbench: {plain_line(problem)}", err=True)
    baseline = take_baseline(table_of([contents]))
    write_baseline(baseline, output)
    subjects = {(figure.case, figure.subject) for figure in baseline.figures}
    typer.echo(f"{output}: {len(baseline.figures)} figures of {len(subjects)} pairs of case and subject")


@_baseline.callback()
def _group() -> None:
    """Record machine-independent figures to compare against."""
