"""`capbench try`: two or more commands compared on one clip, without a matrix file."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from capbench.cli.app import JsonTarget, SchedulingChoice, app, write_json
from capbench.cli.compare import exit_code_of_comparison, show_comparison
from capbench.cli.measure.finish_run import show_folder, stopping_test
from capbench.errors import OutputError, ResultError
from capbench.results.run_record import ExportEnd, Interleave

if TYPE_CHECKING:
    from capbench.harness.matrix.model import RunMatrix

__all__ = ["try_commands"]

_EXAMPLES = """
Examples:

`capbench try 'ffmpeg -i {source} -preset veryfast {output}' 'ffmpeg -i {source} -preset medium {output}' -s clip.mp4`

`capbench try './main {source} {output}' './branch {source} {output}' -n main -n branch --save gate.toml`

`capbench try 'ffmpeg -i {source} -preset {preset} {output}' -L preset ultrafast,veryfast,medium`

`capbench try cpu gpu`
"""
_PARAMETER_OPTIONS = ("-L", "--parameter-list")


class _TwoWords(TyperCommand):
    """Takes `-L NAME VALUES` as hyperfine does: two arguments, which typer's repeatable options cannot be."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Join the two words by an equals sign, which no parameter's name has."""
        joined, rest = [], list(args)
        while rest:
            word = rest.pop(0)
            joined.append(word)
            if word == "--":
                break
            if word in _PARAMETER_OPTIONS and len(rest) > 1 and "=" not in rest[0]:
                joined.append(f"{rest.pop(0)}={rest.pop(0)}")
        return super().parse_args(ctx, [*joined, *rest])


@app.command(name="try", cls=_TwoWords, epilog=_EXAMPLES)
def try_commands(
    commands: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...",
            help="Command lines with {source} and {output}, in quotes, or paths such as `gpu`; the first is the base.",
        ),
    ],
    *,
    source: Annotated[
        Path | None,
        typer.Option("--source", "-s", metavar="FILE", help="Clip to export (default: a small synthetic recording)."),
    ] = None,
    budget: Annotated[
        str, typer.Option(metavar="TIME", help="Time budget, such as 90 or 10m; no block starts that would exceed it.")
    ] = "2m",
    blocks: Annotated[
        int | None, typer.Option(min=1, help="Most blocks to run (default: 60, or what the budget allows).")
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--command-name", "-n", metavar="NAME", help="Name of a command, in their order; repeatable."),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            *_PARAMETER_OPTIONS,
            metavar="NAME VALUES",
            help="Run each command that has {NAME} with every value of a list with commas; repeatable.",
        ),
    ] = None,
    prepare: Annotated[
        str | None, typer.Option("--prepare", "-p", metavar="COMMAND", help="Run this before each run, untimed.")
    ] = None,
    conclude: Annotated[
        str | None, typer.Option("--conclude", "-C", metavar="COMMAND", help="Run this after each run, untimed.")
    ] = None,
    begins: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Time each command from this text in its output; what precedes is `launch_s`."
        ),
    ] = None,
    ends: Annotated[
        ExportEnd | None,
        typer.Option(help="Time each command to the last change of its output, then end it (default: to its end)."),
    ] = None,
    gates: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Gate file with margins, claims and limits; see docs/gate.md.")
    ] = None,
    save: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the matrix file that does the same; see docs/matrix.md.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Result folder (default: reports/TIME/).")] = None,
    interleave: Annotated[
        Interleave | None,
        typer.Option(help="How the commands of a block take turns: whole runs or slices (default: runs)."),
    ] = None,
    scheduling: SchedulingChoice = None,
    validate: Annotated[bool, typer.Option(help="Validate each output, after its run was timed.")] = True,
    json_file: JsonTarget = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress, only the result.")] = False,
) -> None:
    """Compare two or more export commands on one clip, and say which is better, the same or worse.

    Adds blocks until the verdict is decided or the time budget is used up. Each command runs in a process of its own,
    never in a shell; its output is validated. Exit codes: those of `capbench compare`, and 2 for a command that cannot
    be run.
    """
    from capbench.harness.matrix.try_matrix import TriedCommands, parse_parameters  # --help need not wait for it
    from capbench.harness.run.progress import open_progress
    from capbench.harness.run.start import RunOptions, new_folder, run
    from capbench.units import parse_seconds

    budget_s = parse_seconds(budget)
    looks = stopping_test(gates, blocks)
    asked = TriedCommands(
        commands=commands,
        names=name or (),
        source=source,
        parameters=parse_parameters(parameters or ()),
        prepare=prepare,
        conclude=conclude,
        begins=begins,
        ends=ends,
        timeout_s=max(budget_s, _SHORTEST_TIME_LIMIT_S),
    )
    matrix = _matrix(asked, save)
    folder = out or new_folder()
    progress = open_progress(sys.stderr, quiet=quiet)
    try:
        contents = run(
            matrix,
            RunOptions(budget_s=budget_s, interleave=interleave, scheduling=scheduling, validate=validate),
            out=folder,
            is_decided=looks.is_decided,
            stops_at_failed_warmup=True,
            progress=progress,
            command=("capbench", *sys.argv[1:]),
        )
    finally:
        progress.close()
    comparison = looks.judge(contents)
    if comparison is None:
        raise ResultError(f"nothing to compare in {folder}: no block was made")
    if json_file is not None:
        write_json(comparison, json_file)
    if json_file != "-":
        show_folder(folder)
        show_comparison(comparison)
    raise typer.Exit(exit_code_of_comparison(comparison))


_SHORTEST_TIME_LIMIT_S = 60.0
"""Of one run: a command that hangs ends the trial, and one that merely starts slowly does not."""


def _matrix(asked: Any, save: Path | None) -> RunMatrix:
    """The matrix, read from the text that is saved where that is asked for. Raises `OutputError`."""
    from capbench.files import describe_os_error, write_atomic
    from capbench.harness.matrix.load_matrix import parse_matrix
    from capbench.harness.matrix.try_matrix import try_matrix_text

    target = (Path.cwd() / (save or "try.toml")).resolve()
    text = try_matrix_text(asked, target)
    matrix = parse_matrix(text, target)
    if save is not None:
        if target.is_dir():
            raise OutputError(f"cannot write the matrix to {save}: it is a folder; name a file")
        try:
            write_atomic(save, text)
        except OSError as error:
            raise OutputError(f"cannot write {save}: {describe_os_error(error)}") from error
        typer.echo(f"matrix: {save}; run it with: capbench run {save} --until-decided", err=True)
    return matrix
