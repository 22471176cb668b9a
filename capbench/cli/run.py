"""`capbench run`: measure the cases of a matrix into a result folder."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import SchedulingChoice, app
from capbench.cli.fleet_verbs.connection import Certificates, Insecure, fleet_options, refuse_idle_security
from capbench.cli.measure.finish_run import show_folder, stopping_test
from capbench.errors import InputError, UnavailableError
from capbench.results import CheckStatus, FailureKind, RunResult
from capbench.results.run_record import Interleave
from capbench.results.visible_text import plain_line

if TYPE_CHECKING:
    from capbench.fleet.dispatch.fleet_progress import FleetProgress
    from capbench.harness.run.progress import Progress
    from capbench.results.folder import FolderContents

__all__ = ["exit_code_of", "run"]

_EXAMPLES = """
Examples:

`capbench run quick`

`capbench run standard --case '4k*' --subject floor --subject gpu --budget 30m`

`capbench run quick --out reports/mine --resume`

`capbench run quick --against main --blocks 10`

`capbench run quick --against main --until-decided --budget 20m`

`capbench run quick --subject cpu --subject gpu --interleave slices`

`capbench run quick --fleet 10.0.0.1:8786 --certificates fleet-keys`
"""


@app.command(epilog=_EXAMPLES)
def run(
    context: typer.Context,
    matrix: Annotated[str, typer.Argument(metavar="MATRIX", help="`quick`, `standard` or a TOML file.")],
    *,
    case: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only cases that match; repeatable.")] = None,
    subject: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only subjects that match, or paths to add by name; repeatable."),
    ] = None,
    blocks: Annotated[int | None, typer.Option(min=1, help="Blocks of each case (default: as in the matrix).")] = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time budget, such as 90 or 10m; no block starts that would exceed it."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result folder (default: reports/TIME/).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a result folder; completed runs are kept.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="With --resume, rerun failed runs.")] = False,
    against: Annotated[
        str | None, typer.Option(metavar="REV", help="Also measure this git revision, side by side, as NAME@REV.")
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            metavar="SUBJECT", help="Subject to compare the others with (default: the reference of the matrix)."
        ),
    ] = None,
    until_decided: Annotated[
        bool,
        typer.Option("--until-decided", help="Add blocks until every verdict is decided; see docs/gate.md."),
    ] = False,
    gates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With --until-decided, the gate file with the margins.")
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time limit of one run, such as 90 or 10m (default: as in the matrix)."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Seed for the run order (default: random; always recorded).")
    ] = None,
    validate: Annotated[bool, typer.Option(help="Validate each output, after its run was timed.")] = True,
    interleave: Annotated[
        Interleave | None,
        typer.Option(
            help="How the subjects of a block take turns: runs one after the other, or slices of time, which detect "
            "smaller changes on a noisy machine (default: as in the matrix)."
        ),
    ] = None,
    slice_ms: Annotated[
        float | None, typer.Option(min=5, max=10_000, help="Mean length of a time slice in milliseconds.")
    ] = None,
    scheduling: SchedulingChoice = None,
    keep_outputs: Annotated[bool, typer.Option("--keep-outputs", help="Keep the videos in DIR/outputs.")] = False,
    trace: Annotated[
        bool, typer.Option("--trace", help="Write DIR/traces/*.json for ui.perfetto.dev; adds a little overhead.")
    ] = False,
    fleet: Annotated[
        str | None,
        typer.Option(
            metavar="SCHEDULER", help="Measure on the machines of a fleet, HOST:PORT, or on local:N; see docs/fleet.md."
        ),
    ] = None,
    certificates: Certificates = None,
    insecure: Insecure = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, only the table.")] = False,
) -> None:
    """Measure the cases of a matrix and record every run as a JSON file; docs/matrix.md describes matrix files.

    Exit codes: 1 when a run or a check failed, 4 when this machine cannot run something that was asked for; with
    --until-decided also those of `capbench compare`.
    """
    from capbench.harness.run.progress import open_progress  # --help need not wait for it
    from capbench.harness.run.start import RunOptions, new_folder, resumable_folder
    from capbench.harness.run.start import run as run_matrix
    from capbench.units import parse_seconds

    refuse_idle_security(context, fleet)
    looks = stopping_test(gates, blocks) if until_decided else None
    if gates is not None and looks is None:
        raise InputError("--gates needs --until-decided; to judge a finished run, use `capbench compare --gates`")
    if retry_failed and not resume:
        raise InputError("--retry-failed needs --resume")
    options = RunOptions(
        cases=case or (),
        subjects=subject or (),
        blocks=blocks,
        budget_s=None if budget is None else parse_seconds(budget),
        timeout_s=None if timeout is None else parse_seconds(timeout),
        seed=seed,
        against=against,
        base=base,
        interleave=interleave,
        slice_ms=slice_ms,
        scheduling=scheduling,
        validate=validate,
        keep_outputs=keep_outputs,
        trace=trace,
    )
    if fleet is not None and until_decided:
        raise InputError("--until-decided looks at the blocks of one machine; with --fleet, give --blocks or --budget")
    folder = out or (resumable_folder(Path(matrix).stem) if resume else new_folder())
    progress: Progress | FleetProgress
    make: Callable[..., FolderContents]
    if fleet is None:
        progress = open_progress(sys.stderr, quiet=quiet)
        is_decided = None if looks is None else looks.is_decided
        make = partial(run_matrix, matrix, options, is_decided=is_decided, progress=progress)
    else:
        from capbench.fleet.dispatch.fleet_progress import open_fleet_progress
        from capbench.fleet.dispatch.fleet_run import run_on_fleet

        chosen = fleet_options(fleet, certificates=certificates, insecure=insecure, budget_s=options.budget_s)
        progress = open_fleet_progress(sys.stderr, quiet=quiet)
        make = partial(run_on_fleet, matrix, chosen, options, progress=progress)
    try:
        contents = make(out=folder, resume=resume, retry_failed=retry_failed, command=("capbench", *sys.argv[1:]))
    except KeyboardInterrupt:
        progress.close()
        # With all that was typed: of other cases, subjects or settings a folder is not continued.
        more = (*(() if out else ("--out", str(folder))), *(() if resume else ("--resume",)))
        typer.echo(plain_line(f"resume with: {shlex.join(('capbench', *sys.argv[1:], *more))}"), err=True)
        raise
    finally:
        progress.close()
    show_folder(folder)
    codes = [exit_code_of(contents.runs)]
    comparison = None if looks is None else looks.judge(contents)
    if comparison is not None:
        typer.echo(plain_line(comparison.base_note))
        typer.echo(plain_line(comparison.sentence))
        codes.append(comparison.exit_code)
    raise typer.Exit(next((code for code in (1, 4, 3) if code in codes), 0))


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
