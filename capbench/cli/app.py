"""The typer application that every verb registers itself on, and how its end becomes an exit code."""

from __future__ import annotations

import io
import os
import select
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from typer.core import TyperGroup

from capbench.errors import CapbenchError, OutputError
from capbench.files import write_atomic
from capbench.results.visible_text import json_escaped, plain_line

__all__ = ["INTERRUPTED", "READER_GONE", "JsonTarget", "app", "run_app", "write_json"]

INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM."""
READER_GONE = 141
"""Exit code when the reader of stdout went away (`capbench ... | head`): what a shell shows for SIGPIPE, 128 + 13."""


class _Verbs(TyperGroup):
    """Runs a verb; turns errors into exit codes before typer sees them: its own rules differ between its versions."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except CapbenchError as error:
            _complain(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            _complain("interrupted")
            raise typer.Exit(INTERRUPTED) from None
        except BrokenPipeError as error:
            if not _stdout_reader_is_gone():
                # typer would end quietly on any broken pipe; one that is not stdout's is a bug and keeps its traceback
                raise RuntimeError("a pipe other than stdout broke") from error
            raise typer.Exit(READER_GONE) from None


app = typer.Typer(
    name="capbench",
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capbench {version('capbench')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Did that change make the video export faster, and is the picture still right?"""  # noqa: D400  it is a question


def run_app() -> int:
    """Run the command line and return its exit code; an exception that is not capbench's own is a bug and is raised.

    A `CapbenchError` becomes one line on stderr and its `exit_code`, a wrong command line 2, Ctrl-C and SIGTERM 130.
    """
    # SIGTERM ends an export like Ctrl-C does: handlers run, half-written files go.
    signal.signal(signal.SIGTERM, _interrupt)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a terminal that has no character for a file's name must not turn a result into a UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")
    code = 0
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return READER_GONE if _stdout_reader_is_gone() else code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(message: str) -> None:
    """Print one line on stderr, whatever the message holds: a file's name can have a line break or a colour in it."""
    line = "; ".join(part.strip() for part in message.splitlines() if part.strip())
    print("capbench:", plain_line(line), file=sys.stderr)  # noqa: T201


def _stdout_reader_is_gone() -> bool:
    """Flush stdout. If its reader is gone, point it at nothing, so that the flush at exit has no more to say."""
    try:
        sys.stdout.flush()
        gone = _is_broken_pipe(sys.stdout.fileno())
    except BrokenPipeError:
        gone = True
    except io.UnsupportedOperation:  # a test's or a notebook's stdout has no file number
        return False
    if gone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return gone


def _is_broken_pipe(file_number: int) -> bool:
    """Ask without writing: an unbuffered stdout has nothing left to flush when its write has failed."""
    if not hasattr(select, "poll"):  # Windows
        return False
    poll = select.poll()
    poll.register(file_number, 0)  # errors are always reported
    return any(events & select.POLLERR for _, events in poll.poll(0))


def _check_target(target: str | None) -> str | None:
    """Find a file that cannot be written before minutes of work depend on it. Raises `OutputError`."""
    if target is None or target == "-":
        return target
    path = Path(target)
    if path.is_dir():
        raise OutputError(f"cannot write JSON to {target}: it is a folder; name a file, or - for stdout")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"cannot write JSON to {target}: there is no folder {path.parent}")
    return target


JsonTarget = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the result as JSON to FILE; `-` is stdout.",
        callback=_check_target,
    ),
]
"""The `--json` option of every verb that has one. With `-`, the verb prints nothing else to stdout."""


def write_json(record: BaseModel, target: str) -> None:
    """Write a record as UTF-8 JSON to the file `target`, or to stdout for `-`. Raises `OutputError`."""
    text = json_escaped(record.model_dump_json(indent=2)) + "\n"
    if target == "-":
        typer.echo(text.encode(), nl=False)  # bytes: JSON is UTF-8 whatever the terminal's encoding is
        return
    try:
        write_atomic(Path(target), text)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
