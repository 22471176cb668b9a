"""`capbench run`."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import app
from capbench.errors import InputError, UnavailableError
from capbench.results import CheckStatus, FailureKind, RunResult
from capbench.results.visible_text import plain_line

if TYPE_CHECKING:
    from capbench.gate.sequential.stopping import SequentialTest

__all__ = ["exit_code_of", "run"]

_EXAMPLES = """
Examples:

`capbench run quick`

`capbench run standard --case '4k*' --subject floor --subject gpu --budget 30m`

`capbench run quick --out reports/mine --resume`

`capbench run quick --against main --blocks 10`

`capbench run quick --against main --until-decided --budget 20m`
"""


@app.command(epilog=_EXAMPLES)
def run(
    matrix: Annotated[str, typer.Argument(metavar="MATRIX", help="`quick`, `standard` or a TOML file.")],
    *,
    case: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only cases that match; may repeat.")] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only subjects that match, or names of paths to add; may repeat."),
    ] = None,
    blocks: Annotated[int | None, typer.Option(min=1, help="Blocks of each case, instead of the matrix's.")] = None,
    budget: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin no block that is not expected to end in time: 90, 10m.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result folder; else reports/TIME/.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a folder: recorded runs are kept.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="With --resume: make recorded runs that failed again.")
    ] = False,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="Measure this git revision side by side, as NAME@REV.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(metavar="SUBJECT", help="Compare the others with this subject, not with the matrix's reference."),
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option("--until-decided", help="Add blocks until every verdict is decided."),
    ] = False,
    gates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gate file with the margins, for --until-decided.")
    ] = None,
    timeout: Annotated[
        str | None, typer.Option(metavar="TIME", help="Kill a run after this time, instead of the matrix's.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Order of everything; else random and recorded.")] = None,
    validate: Annotated[bool, typer.Option(help="Validate each output after it was timed.")] = True,
    keep_outputs: Annotated[bool, typer.Option("--keep-outputs", help="Leave the videos in DIR/outputs.")] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Write DIR/traces/*.json for ui.perfetto.dev; tracing costs a little time.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the table.")] = False,
) -> None:
    """Run the cases of a matrix and keep every run as one JSON file; docs/matrix.md describes matrix files.

    Exits with 1 when a run or a check failed, and with 4 when something that was asked for cannot run on this machine;
    with --until-decided also as `capbench compare` does.
    """
    from capbench.harness.run.progress import open_progress  # --help need not wait for it
    from capbench.harness.run.start import new_folder, resumable_folder
    from capbench.harness.run.start import run as run_matrix
    from capbench.units import parse_seconds

    looks = _looks(gates, blocks) if until_decided else None
    if gates is not None and looks is None:
        raise InputError("--gates says what to decide and needs --until-decided; or use `capbench compare` afterwards")
    if retry_failed and not resume:
        raise InputError("--retry-failed goes on with a folder and needs --resume")
    budget_s = None if budget is None else parse_seconds(budget)
    timeout_s = None if timeout is None else parse_seconds(timeout)
    folder = out or (resumable_folder(Path(matrix).stem) if resume else new_folder())
    progress = open_progress(sys.stderr, quiet=quiet)
    try:
        contents = run_matrix(
            matrix,
            out=folder,
            cases=case or (),
            subjects=subject or (),
            blocks=blocks,
            budget_s=budget_s,
            seed=seed,
            timeout_s=timeout_s,
            against=against,
            base=base,
            resume=resume,
            retry_failed=retry_failed,
            validate=validate,
            keep_outputs=keep_outputs,
            trace=trace,
            is_decided=None if looks is None else looks.is_decided,
            progress=progress,
            command=("capbench", *sys.argv[1:]),
        )
    except KeyboardInterrupt:
        progress.close()
        looking = " --until-decided" if until_decided else ""  # without it nobody looks any more
        typer.echo(f"go on with: capbench run {matrix} --out {folder} --resume{looking}", err=True)
        raise
    finally:
        progress.close()
    _show(folder)
    codes = [exit_code_of(contents.runs)]
    comparison = None if looks is None else looks.judge(contents)
    if comparison is not None:
        typer.echo(plain_line(comparison.base_note))
        typer.echo(plain_line(comparison.sentence))
        codes.append(comparison.exit_code)
    raise typer.Exit(next((code for code in (1, 4, 3) if code in codes), 0))


def _looks(gates: Path | None, blocks: int | None) -> SequentialTest:
    """What ends a run that is to go on until it is decided."""
    from capbench.gate.gate_file import GateFile, load_gate_file  # pandas and scipy
    from capbench.gate.rule_coverage import check_rules
    from capbench.gate.sequential.alpha_spending import DEFAULT_MAX_BLOCKS
    from capbench.gate.sequential.stopping import SequentialTest

    loaded = GateFile() if gates is None else load_gate_file(gates)
    check_rules(loaded.rule)  # a misspelt figure is said before hours of runs, not after
    return SequentialTest(loaded, blocks or DEFAULT_MAX_BLOCKS)


def _show(folder: Path) -> None:
    """The table on stdout, the page beside the results, and where both are."""
    from capbench.report import write_report  # --help needs no table
    from capbench.report.formats.terminal import run_table
    from capbench.report.formats.terminal_table import open_console
    from capbench.report.report_folder import read_folder

    open_console().print(run_table(read_folder(folder)))
    page = write_report([folder], folder / "index.html")
    typer.echo(f"results: {folder}; page: {page}", err=True)


def exit_code_of(runs: Iterable[RunResult]) -> int:
    """0 when every run succeeded and passed its checks, else 1; 4 when all that is wrong is this machine's lack."""
    codes = {_exit_code_of_run(run) for run in runs}
    return 1 if 1 in codes else max(codes, default=0)


def _exit_code_of_run(run: RunResult) -> int:
    if run.error_kind is FailureKind.UNAVAILABLE or (run.succeeded and not run.ran_as_requested):
        return UnavailableError.exit_code
    invalid = run.validation is not None and not run.validation.passed
    broken = any(check.status is not CheckStatus.PASS for check in run.thresholds)
    return 1 if not run.succeeded or invalid or broken else 0
