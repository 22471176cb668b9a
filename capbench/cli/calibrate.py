"""`capbench calibrate`: the gate's false-alarm rate and sensitivity on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from capbench.cli.app import JsonTarget, SchedulingChoice, app, write_json
from capbench.errors import InputError

if TYPE_CHECKING:
    from capbench.gate.calibration import Calibration

__all__ = ["calibrate"]

Way = Literal["runs", "slices", "both"]

_SEED = 20240601
_EXAMPLES = """
Examples:

`capbench calibrate quick --budget 20m --json reports/calibration.json`

`capbench calibrate quick --case 1080p --subject cpu --blocks 60 --each 20 --effect 3 --effect 5`
"""


@app.command(epilog=_EXAMPLES)
def calibrate(
    matrix: Annotated[str, typer.Argument(metavar="MATRIX", help="`quick`, `standard` or a TOML file.")],
    *,
    case: Annotated[list[str] | None, typer.Option(metavar="GLOB", help="Only cases that match; repeatable.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Subject to compare with itself (default: the base of the matrix).")
    ] = None,
    blocks: Annotated[
        int | None, typer.Option(min=2, help="Blocks to record (default: 30, unless --budget is set).")
    ] = None,
    each: Annotated[int, typer.Option(min=2, help="Blocks in one comparison.")] = 10,
    comparisons: Annotated[int, typer.Option(min=1, help="Comparisons to draw for each figure.")] = 200,
    effect: Annotated[
        list[float] | None, typer.Option(metavar="PERCENT", help="Slowdown to inject; repeatable (default: 5 and 10).")
    ] = None,
    stage: Annotated[str, typer.Option(help="Pipeline stage that the slowdown is attributed to.")] = "encode",
    interleave: Annotated[
        Way | None,
        typer.Option(
            help="How the subjects of a block take turns: runs or slices (default: on Linux both, with a "
            "recommendation; otherwise runs)."
        ),
    ] = None,
    scheduling: SchedulingChoice = None,
    budget: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Time budget, such as 90 or 20m; no block starts that would exceed it."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result folder (default: reports/TIME/).")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Resume a result folder; completed runs are kept.")] = False,
    json_file: JsonTarget = None,
) -> None:
    """Measure the gate's false-alarm rate and sensitivity on this machine.

    Compares a subject with an equal copy of itself and with copies that have an injected slowdown. A gate file that
    names the JSON as its `calibration` widens every margin below the noise floor of this machine.
    """
    from capbench.gate.calibration import (
        calibrate_runs,
        calibration_matrix,
        slowed_name,
        twin_name,
    )
    from capbench.gate.slice_advice import advise, both_ways
    from capbench.harness.matrix.load_matrix import load_matrix
    from capbench.harness.run.progress import open_progress
    from capbench.harness.run.start import RunOptions, run
    from capbench.results.tidy_table import table_of
    from capbench.units import parse_seconds

    shares = [percent / 100 for percent in effect or (5.0, 10.0)]
    if not all(0 < share <= 10 for share in shares):
        raise InputError(f"--effect must be above 0 and at most 1000 percent, got {effect}")
    loaded = load_matrix(matrix).select(tuple(case or ()), ())
    planned = calibration_matrix(loaded, subject=subject, effects=shares, stage=stage)
    name = planned.subjects[0].name
    way = interleave or ("both" if sys.platform == "linux" else "runs")
    if way == "both":
        planned = both_ways(planned)
    options = RunOptions(
        blocks=blocks if blocks or budget else 30,
        budget_s=None if budget is None else parse_seconds(budget),
        interleave=None if way == "both" else way,
        scheduling=scheduling,
        validate=False,
    )
    progress = open_progress(sys.stderr, quiet=False)
    try:
        contents = run(
            planned,
            options,
            out=out,
            resume=resume,
            progress=progress,
            command=("capbench", *sys.argv[1:]),
        )
    finally:
        progress.close()
    found = calibrate_runs(
        table_of([contents]),
        subject=name,
        twin=twin_name(name),
        slowed={share: slowed_name(name, share) for share in shares},
        blocks_each=each,
        comparisons=comparisons,
        seed=_SEED,
    )
    if json_file is not None:
        write_json(found, json_file)
    if json_file != "-":
        _show(found)
        for sentence in advise(found):
            typer.echo(sentence)


def _show(found: Calibration) -> None:
    from capbench.report.formats.gate_tables import calibration_table  # --json needs no table
    from capbench.report.formats.terminal_table import open_console, print_line

    console = open_console()
    console.print(calibration_table(found))
    print_line(console, "Intervals are exact (95%, Clopper-Pearson). A noise floor above the margin widens the margin.")
