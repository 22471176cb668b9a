"""What ends a run that grows until it is decided, and what is shown when it is over: for `run` and for `try`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from capbench.gate.sequential.stopping import SequentialTest

__all__ = ["show_folder", "stopping_test"]


def stopping_test(gates: Path | None, blocks: int | None) -> SequentialTest:
    """What ends a run that is to go on until it is decided. Raises `GateFileError` for a wrong gate file."""
    from capbench.gate.gate_file import GateFile, load_gate_file  # pandas and scipy
    from capbench.gate.rule_coverage import check_rules
    from capbench.gate.sequential.alpha_spending import DEFAULT_MAX_BLOCKS
    from capbench.gate.sequential.stopping import SequentialTest

    loaded = GateFile() if gates is None else load_gate_file(gates)
    check_rules(loaded.rule)  # a misspelt figure is said before hours of runs, not after
    return SequentialTest(loaded, blocks or DEFAULT_MAX_BLOCKS)


def show_folder(folder: Path) -> None:
    """The table on stdout, the page beside the results, and where both are."""
    from capbench.report import write_report  # --help needs no table
    from capbench.report.formats.terminal import run_table
    from capbench.report.formats.terminal_table import open_console
    from capbench.report.report_folder import read_folder

    open_console().print(run_table(read_folder(folder)))
    page = write_report([folder], folder / "index.html")
    typer.echo(f"results: {folder}; page: {page}", err=True)
