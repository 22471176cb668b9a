"""`capbench selftest`: plant every specimen, show which check flags it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import app
from capbench.cli.json_output import JsonTarget, write_json

if TYPE_CHECKING:
    from rich.table import Table

    from capbench.selftest.report import SelfTestReport

__all__ = ["selftest"]


@app.command(epilog="Example: `capbench selftest truncation siting --no-clean`")
def selftest(
    specimens: Annotated[
        list[str] | None, typer.Argument(metavar="SPECIMEN", help="Which to plant; all when left out.")
    ] = None,
    json: JsonTarget = None,
    clean: Annotated[bool, typer.Option(help="Also make clean exports, which must raise no alarm.")] = True,
    conversions: Annotated[
        bool, typer.Option("--conversions", help="Also hold each conversion against the oracle.")
    ] = False,
) -> None:
    """Plant known defects and see whether validation and the gate notice; exit 1 when one slips through.

    A defect counts as noticed only when a check fails that names it. Clean exports over scenes, sizes, paths and
    encoders must raise no alarm.
    """
    from rich.console import Console  # noqa: PLC0415  slow to import
    from rich.progress import Progress  # noqa: PLC0415

    from capbench.selftest.clean import CLEAN_EXPORTS  # noqa: PLC0415  it loads the pipeline
    from capbench.selftest.selftest import run_selftest  # noqa: PLC0415
    from capbench.selftest.specimen import REGISTRY  # noqa: PLC0415

    cases = CLEAN_EXPORTS if clean else ()
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("specimens", total=len(specimens or REGISTRY) + len(cases))
        report = run_selftest(
            specimens or (), clean=cases, conversions=conversions, on_outcome=lambda _: progress.advance(task)
        )
    if json is not None:
        write_json(report, json)
    if json != "-":
        console = Console(highlight=False)
        console.print(_specimens_table(report))
        if report.clean:
            console.print(_clean_table(report))
        if report.conversions:
            console.print(_conversions_table(report))
        console.print(_verdict(report))
    if not report.passed:
        raise typer.Exit(1)


def _specimens_table(report: SelfTestReport) -> Table:
    from rich.table import Table  # noqa: PLC0415  slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=None, pad_edge=False)
    for heading in ("specimen", "", "check"):
        table.add_column(heading, no_wrap=True)
    table.add_column("what the user reads")
    for outcome in report.specimens:
        word = Text("flagged", style="green") if outcome.flagged else Text("MISSED", style="bold red")
        others = ", ".join(outcome.other_checks) or "nothing"
        sentence = outcome.sentence or outcome.error or f"only {others} failed: {outcome.defect}"
        table.add_row(outcome.name, word, outcome.check or "", Text(sentence))
    return table


def _clean_table(report: SelfTestReport) -> Table:
    from rich.table import Table  # noqa: PLC0415  slow to import
    from rich.text import Text  # noqa: PLC0415

    table = Table("clean export", "", "alarms", box=None, pad_edge=False)
    for export in report.clean:
        quiet = not export.alarms and export.error is None
        word = Text("quiet", style="green") if quiet else Text("ALARM", style="bold red")
        table.add_row(export.name, word, Text(export.error or "; ".join(export.alarms)))
    return table


def _conversions_table(report: SelfTestReport) -> Table:
    from rich.table import Table  # noqa: PLC0415  slow to import

    table = Table("conversion", "matrix", "range", "siting", box=None, pad_edge=False)
    for heading in ("largest error", "exact", "bias Y", "bias Cb", "bias Cr"):
        table.add_column(heading, justify="right")
    for row in report.conversions:
        bias = [f"{value:+.4f}" for value in row.bias_codes]
        # Rounded down: 100.000% is said of nothing that has a wrong sample.
        exact = f"{int(row.share_exact * 1e5) / 1e3:.3f}%"
        table.add_row(row.path, row.matrix, row.range, row.siting, str(row.largest_error_codes), exact, *bias)
    return table


def _verdict(report: SelfTestReport) -> str:
    line = f"{report.flagged} of {len(report.specimens)} specimens flagged"
    if report.clean:
        line += f", {report.alarms} of {len(report.clean)} clean exports raised an alarm"
    return line if report.seconds is None else f"{line}, {report.seconds:.0f} s"
