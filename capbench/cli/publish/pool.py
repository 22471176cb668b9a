"""`capbench pool`: subjects over the machines of many bundles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

    from capbench.results.bundle.bundle_file import BundleContents
    from capbench.results.bundle.machine_pool import MachinePool

__all__ = ["pool"]

_EXAMPLES = """
Examples:

`capbench pool submissions/*.capbench -o pool.html`

`capbench pool ann.capbench bob.capbench --json -`
"""
_MOST_BUNDLES = 1000
"""Files of one pool: more than any collection of submissions has had."""
_MOST_RUNS = 500_000
"""Runs of one pool, which are all in memory: some 2 kB each."""


@app.command(epilog=_EXAMPLES)
def pool(
    bundles: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Bundles that `capbench bundle` wrote.")],
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write the pool as an HTML page.")
    ] = None,
    json_file: JsonTarget = None,
) -> None:
    """Show how many times as long as the floor each subject takes, over machines, by platform.

    A platform is a system with graphics of one vendor. One number for all platforms stands only where they do not
    differ; see docs/pool.md. Every bundle is checked as by `capbench bundle --check`.
    """
    from capbench.gate.over_machines.pool_machines import pool_bundles
    from capbench.report.formats.terminal_table import open_console, print_line
    from capbench.report.machine_pages.pool_page import write_pool_page
    from capbench.results.bundle.bundle_file import read_bundle

    if len(bundles) > _MOST_BUNDLES:
        raise InputError(f"a pool has at most {_MOST_BUNDLES} bundles, got {len(bundles)}")
    read: list[BundleContents] = []
    for path in bundles:
        read.append(read_bundle(path))
        if (runs := sum(len(each.runs.runs) for each in read)) > _MOST_RUNS:
            raise InputError(
                f"{path}: with it the pool has {runs} runs, and the limit is {_MOST_RUNS}; pool fewer bundles"
            )
    found = pool_bundles(read)
    if output is not None:
        write_pool_page(found, output)
    if json_file is not None:
        write_json(found, json_file)
    if json_file == "-":
        return
    console = open_console()
    console.print(_table(found))
    for row in found.subjects:
        for each in row.residuals:
            if each.stands_out:
                where = f"{row.subject} of {row.case} on {each.machine}"
                print_line(
                    console,
                    f"note: {where} takes {each.ratio:.3g} times the floor, {each.residual:+.1%} off its platform",
                )
    for words in found.left_out:
        print_line(console, f"note: {words}")
    if output is not None:
        print_line(console, str(output))


def _table(found: MachinePool) -> Table:
    from capbench.gate.verdicts.phrases import share_words
    from capbench.report.formats.terminal_table import add_row, open_table
    from capbench.report.machine_pages.pool_page import range_words

    table = open_table(title=f"times the floor on {len(found.machines)} machines")
    for name in ("case", "subject", "platform"):
        table.add_column(name)
    for name in ("times floor", "interval", "machines"):
        table.add_column(name, justify="right")
    table.add_column("all platforms")
    for row in found.subjects:
        across = row.why_no_ratio or f"{row.ratio:.3f} ({range_words(row.interval)})"
        if not row.why_no_ratio and len(row.platforms) > 1:
            across += f", heterogeneity {share_words(row.i_squared)}"
        for number, each in enumerate(row.platforms):
            cells = (f"{each.ratio:.3f}", range_words(each.interval), str(each.machines))
            add_row(table, [row.case, row.subject, each.platform, *cells, "" if number else across])
    return table
