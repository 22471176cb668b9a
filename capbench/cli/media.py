"""`capbench media`: make the synthetic recordings, or list the cached ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import app
from capbench.errors import InputError
from capbench.recordings import STANDARD_RECORDINGS, cached_path, make_recording
from capbench.units import format_bytes

if TYPE_CHECKING:
    from rich.progress import TaskID

    from capbench.recordings import RecordingSpec

__all__ = ["media"]

_KNOWN = ", ".join(STANDARD_RECORDINGS)


@app.command(epilog="Example: `capbench media 1080p-1min && capbench media --list`")
def media(
    cases: Annotated[
        list[str] | None,
        typer.Argument(metavar="CASE", help=f"Recordings to make (default: all): {_KNOWN}."),
    ] = None,
    list_only: Annotated[bool, typer.Option("--list", help="List cached recordings and their sizes.")] = False,
) -> None:
    """Make the synthetic screen recordings that are not cached yet, and print the path of each.

    The cache is the folder `CAPBENCH_CACHE` (default: capbench's folder in the user's cache folder).
    """
    specs = _chosen(cases or list(STANDARD_RECORDINGS))
    if list_only:
        for spec in specs:
            typer.echo(_describe(spec))
    else:
        _make(specs)


def _chosen(cases: list[str]) -> list[RecordingSpec]:
    unknown = [case for case in cases if case not in STANDARD_RECORDINGS]
    if unknown:
        raise InputError(f"unknown recording {', '.join(map(repr, unknown))}; available: {_KNOWN}")
    return [STANDARD_RECORDINGS[case] for case in dict.fromkeys(cases)]


def _describe(spec: RecordingSpec) -> str:
    path = cached_path(spec)
    if not path.is_file():
        size = "not cached"
    elif spec.container == "hls":
        size = format_bytes(sum(file.stat().st_size for file in path.parent.iterdir()))
    else:
        size = format_bytes(path.stat().st_size)
    return f"{spec.name:<16} {spec.frames:>6} frames  {size:>9}  {path}"


def _make(specs: list[RecordingSpec]) -> None:
    from rich.console import Console  # slow to import
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        tasks = [progress.add_task(spec.name, total=spec.frames, start=False) for spec in specs]
        for spec, task in zip(specs, tasks, strict=True):

            def show(done: int, task: TaskID = task) -> None:
                progress.update(task, completed=done)

            progress.start_task(task)
            path = make_recording(spec, on_frame=show)
            show(spec.frames)  # one that was there already has reported nothing
            # At once: should the disk be full at the next one, this one is known.
            typer.echo(str(path))
