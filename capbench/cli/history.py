"""`capbench history`: figures over time, the steps at which their level changed, and the pages that show them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.errors import ResultError
from capbench.files import is_folder
from capbench.results.visible_text import plain_line

if TYPE_CHECKING:
    from capbench.gate.history.series import Trend

__all__ = ["add", "show", "site"]

_history = typer.Typer(no_args_is_help=True, help="Track figures over time and find where they changed.")
app.add_typer(_history, name="history")

_HistoryFile = Annotated[
    Path, typer.Option("--history", metavar="FILE", help="History file, with one line per result folder.")
]
_DEFAULT = Path("reports/history.jsonl")
_LOG_COLUMNS = 170
"""Width where no terminal says one: the course of a series takes forty columns alone."""


@_history.callback()
def _group() -> None:
    """Track figures over time and find where they changed."""


@_history.command(epilog="Example: `capbench history add reports/* --history bench/history.jsonl`")
def add(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Result folders, or folders of result folders.")
    ],
    *,
    history: _HistoryFile = _DEFAULT,
) -> None:
    """Add result folders to the history; an existing entry of a folder is replaced."""
    from capbench.gate.history.series import entry_of, with_entries  # pandas
    from capbench.results.folder import read_folder
    from capbench.results.tidy_table import table_of

    entries = [entry_of(table_of([read_folder(folder)]), folder.name) for folder in _result_folders(folders)]
    count = with_entries(history, entries)
    typer.echo(f"{history}: {len(entries)} added or replaced, {count} in total")


@_history.command(epilog="Example: `capbench history show --case '4k*' --metric wall_s`")
def show(
    *,
    case: Annotated[str, typer.Option(metavar="GLOB", help="Cases to show.")] = "*",
    subject: Annotated[str, typer.Option(metavar="GLOB", help="Subjects to show.")] = "*",
    metric: Annotated[
        str, typer.Option(metavar="GLOB", help="Figures to show, such as `wall_s` or `quality.*`.")
    ] = "*",
    history: _HistoryFile = _DEFAULT,
    json_file: JsonTarget = None,
) -> None:
    """Show every series with its steps. Each machine has a series of its own, so a new machine is not a step."""
    from capbench.gate.history.series import TrendList, read_history, trends

    entries = read_history(history)
    if not entries:
        raise ResultError(f"no history in {history}; start one with: capbench history add DIR")
    found = trends(entries, case=case, subject=subject, metric=metric)
    if not found:
        raise ResultError(f"nothing in {history} matches --case {case} --subject {subject} --metric {metric}")
    if json_file is not None:
        write_json(TrendList(trends=found), json_file)
    if json_file != "-":
        _show(found)


@_history.command(
    epilog="Example: `capbench history site -o public --repository-url https://github.com/OWNER/NAME` in a job of Pages"
)
def site(
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to write the pages to; made where missing.")
    ],
    history: _HistoryFile = _DEFAULT,
    repository_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Web address of the repository, to link commits; or an address with {revision} in it for other hosts.",
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Folder of the result folders whose reports are written too (default: that of the history file).",
        ),
    ] = None,
) -> None:
    """Write static pages that need no network: each figure over commits, with its steps, and links to commits."""
    from capbench.gate.history.series import read_history
    from capbench.report.history_site.commit_links import CommitLinks
    from capbench.report.history_site.write_site import write_history_site

    links = CommitLinks() if repository_url is None else CommitLinks.parse(repository_url)
    if results is not None and not is_folder(results):
        raise ResultError(f"--results {results} is no folder")
    entries = read_history(history)
    if not entries:
        raise ResultError(f"no history in {history}; start one with: capbench history add DIR")
    written = write_history_site(entries, output, links=links, results=results or history.parent)
    for problem in written.problems:
        typer.echo(f"no report: {plain_line(problem)}", err=True)
    counts = (f"cases: {written.cases}", f"entries: {len(entries)}", f"reports: {written.reports}")
    typer.echo(f"{written.index} ({', '.join(counts)})")


def _result_folders(folders: Sequence[Path]) -> Iterator[Path]:
    for folder in folders:
        inside = sorted(plan.parent for plan in folder.glob("*/runs")) if is_folder(folder) else []
        yield from inside if inside and not is_folder(folder / "runs") else [folder]


def _show(found: Sequence[Trend]) -> None:
    from capbench.report.formats.gate_tables import history_table  # --json needs no table
    from capbench.report.formats.terminal_table import open_console, print_line

    console = open_console(log_columns=_LOG_COLUMNS)
    console.print(history_table(found))
    changed = sum(bool(trend.steps) for trend in found)
    print_line(console, f"{changed} of {len(found)} series have a step.")
