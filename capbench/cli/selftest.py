"""`capbench selftest`: inject every specimen and show which check flags it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.errors import CapbenchError, UnavailableError

if TYPE_CHECKING:
    from rich.table import Table

    from capbench.selftest.selftest_report import SelfTestReport

__all__ = ["selftest"]


@app.command(epilog="Example: `capbench selftest truncation siting --no-clean`")
def selftest(
    specimens: Annotated[
        list[str] | None, typer.Argument(metavar="SPECIMEN", help="Defects to inject (default: all).")
    ] = None,
    json: JsonTarget = None,
    clean: Annotated[bool, typer.Option(help="Also test clean exports, which must raise no alarm.")] = True,
    conversions: Annotated[
        bool, typer.Option("--conversions", help="Also compare each conversion with the oracle.")
    ] = False,
) -> None:
    """Inject known defects and test whether validation and the gate flag them; exit code 1 when one is missed.

    A defect counts as flagged only when a check that names it fails. Clean exports over scenes, sizes, paths and
    encoders must raise no alarm.
    """
    from rich.console import Console  # slow to import
    from rich.progress import Progress

    from capbench.report.formats.terminal_table import open_console, print_line
    from capbench.selftest.negative_controls import CLEAN_EXPORTS  # it loads the pipeline
    from capbench.selftest.run_specimens import run_selftest
    from capbench.selftest.specimen import REGISTRY

    cases = CLEAN_EXPORTS if clean else ()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("specimens", total=len(specimens or REGISTRY) + len(cases))
        report = run_selftest(
            specimens or (), clean=cases, conversions=conversions, on_outcome=lambda _: progress.advance(task)
        )
    if json is not None:
        write_json(report, json)
    if json != "-":
        console = open_console()
        console.print(_specimens_table(report))
        if report.clean:
            console.print(_clean_table(report))
        if report.conversions:
            console.print(_conversions_table(report))
        print_line(console, _verdict(report))
    if not report.passed:
        raise typer.Exit(UnavailableError.exit_code if report.only_unavailable else CapbenchError.exit_code)


def _specimens_table(report: SelfTestReport) -> Table:
    from rich.text import Text  # slow to import

    from capbench.report.formats.terminal_table import open_table, text_cell

    table = open_table(has_lines=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for outcome in report.specimens:
        planted = Text.assemble((outcome.name, "bold"), f" ({outcome.mutates}): {outcome.defect}")
        others = ", ".join(outcome.other_checks) or "none"
        if outcome.error is not None:
            word, found = Text("NOT RUN", style="bold red"), text_cell(outcome.error)
        elif outcome.flagged:
            word, found = Text("flagged", style="green"), text_cell(f"{outcome.check}: {outcome.sentence}", "dim")
        else:
            word, found = (
                Text("MISSED", style="bold red"),
                text_cell(f"no check that names this defect failed; others that failed: {others}"),
            )
        table.add_row(word, planted)
        table.add_row("", found)
    return table


def _clean_table(report: SelfTestReport) -> Table:
    from rich.text import Text  # slow to import

    from capbench.report.formats.terminal_table import open_table, text_cell

    table = open_table(has_lines=False)
    table.add_column(no_wrap=True)
    table.add_column()
    for export in report.clean:
        if export.error is not None:
            word = Text("NOT RUN", style="bold red")
        else:
            word = Text("ALARM", style="bold red") if export.alarms else Text("quiet", style="green")
        table.add_row(word, text_cell(export.name))
        for line in (*export.alarms, *([export.error] if export.error else [])):
            table.add_row("", text_cell(line))
    return table


def _conversions_table(report: SelfTestReport) -> Table:
    from capbench.report.formats.terminal_table import add_row, open_table  # slow to import

    table = open_table("path", "matrix", "range", "siting", has_lines=False)
    for heading in ("largest error", "exact", "bias Y", "bias Cb", "bias Cr"):
        table.add_column(heading, justify="right")
    for row in report.conversions:
        bias = [f"{value:+.4f}" for value in row.bias_codes]
        # Rounded down: 100.000% is said of nothing that has a wrong sample.
        exact = f"{int(row.share_exact * 1e5) / 1e3:.3f}%"
        add_row(table, [row.path, row.matrix, row.range, row.siting, str(row.largest_error_codes), exact, *bias])
    return table


def _verdict(report: SelfTestReport) -> str:
    kinds = Counter(outcome.mutates.value for outcome in report.specimens)
    line = f"{report.flagged} of {len(report.specimens)} specimens flagged"
    line += f" ({', '.join(f'{count} {kind}' for kind, count in kinds.most_common())})"
    if report.clean:
        line += f", {report.alarms} of {len(report.clean)} clean exports raised an alarm"
    if report.untried:
        line += f", {report.untried} could not be run"
    return line if report.seconds is None else f"{line}, {report.seconds:.0f} s"
