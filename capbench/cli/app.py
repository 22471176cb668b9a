"""The typer application that every verb registers itself on, and how its end becomes an exit code."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, TextIO

import typer
from pydantic import BaseModel
from typer.core import TyperGroup

from capbench.errors import CapbenchError, OutputError
from capbench.files import describe_os_error, is_folder, write_atomic
from capbench.installation import version_of
from capbench.results.record import record_json
from capbench.results.run_record import Scheduling
from capbench.results.visible_text import json_escaped, plain_line

__all__ = ["INTERRUPTED", "READER_GONE", "JsonTarget", "SchedulingChoice", "app", "run_app", "write_json"]

INTERRUPTED = 130
"""Exit code after Ctrl-C or SIGTERM."""
READER_GONE = 141
"""Exit code when the reader of stdout went away (`capbench ... | head`): what a shell shows for SIGPIPE, 128 + 13."""


_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO})
"""A disk, or `/dev/full`, that takes no more, whoever was writing."""


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
        except OSError as error:
            if (line := _as_users_error(error)) is None:
                raise  # nothing that the user named or can change: a bug, which keeps its traceback
            _complain(line)
            raise typer.Exit(OutputError.exit_code) from None


def _as_users_error(error: OSError) -> str | None:
    """One line on a failure of the system that is not ours: of a file on the command line, or of a full disk."""
    name = None if error.filename is None else os.fsdecode(error.filename)
    reason = describe_os_error(error)
    if name is not None and any(argument and name.startswith(argument) for argument in sys.argv[1:]):
        return f"{name}: {reason}"
    if error.errno in _DISK_ERRORS:
        return f"cannot write{'' if name is None else f' {name}'}: {reason}"
    return None


app = typer.Typer(
    name="capbench",
    cls=_Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"capbench {version_of('capbench')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Did that change make the video export faster, and is the picture still right?"""  # noqa: D400  it is a question


def run_app() -> int:
    """Run the command line and return its exit code; an exception that is not capbench's own is a bug and is raised.

    A `CapbenchError` becomes one line on stderr and its `exit_code`, a wrong command line 2, Ctrl-C and SIGTERM 130.
    """
    # SIGTERM ends an export like Ctrl-C does: handlers run, half-written files go.
    for number in (signal.SIGTERM, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:
            signal.signal(number, _interrupt)
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # a terminal that has no character for a file's name must not turn a result into a UnicodeEncodeError
            stream.reconfigure(errors="backslashreplace")
    code = 0
    try:
        app()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except OSError as error:  # of the help, which is printed before a verb begins
        if (line := _as_users_error(error)) is None:
            raise
        _complain(line)
        code = OutputError.exit_code
    except KeyboardInterrupt:  # before the verb had begun, or after it had ended
        _complain("interrupted")
        code = INTERRUPTED
    return _end_streams(code)


def _open_closed_streams() -> None:
    """Give a standard stream that the caller closed (`capbench ... >&-`) somewhere to go.

    Otherwise the next file that is opened gets its number, and what a library prints ends up in a video.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
        if getattr(sys, name) is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def _end_streams(code: int) -> int:
    """Flush both; returns the exit code, which is another one where stdout's reader is gone or it cannot be written.

    What could not be written is still in the buffer of a stream: Python would try once more at its end, and say so.
    """
    try:
        code = READER_GONE if _stdout_reader_is_gone() else code
    except OSError as error:
        if code != OutputError.exit_code:  # the write that failed has not been complained of
            _complain(f"cannot write to stdout: {describe_os_error(error)}")
        _point_at_nothing(sys.stdout)
        code = OutputError.exit_code
    try:
        sys.stderr.flush()
    except OSError:  # the exit code is all that can be said
        _point_at_nothing(sys.stderr)
    return code


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _complain(message: str) -> None:
    """Print one line on stderr, whatever the message holds: a file's name can have a line break or a colour in it."""
    line = "; ".join(part.strip() for part in message.splitlines() if part.strip())
    with contextlib.suppress(OSError):  # where stderr cannot be written, the exit code is all that can be said
        print("capbench:", plain_line(line), file=sys.stderr)  # noqa: T201
        sys.stderr.flush()


def _stdout_reader_is_gone() -> bool:
    """Flush stdout. If its reader is gone, point it at nothing. Raises `OSError` where it cannot be written."""
    try:
        sys.stdout.flush()
        gone = _is_broken_pipe(sys.stdout.fileno())
    except BrokenPipeError:
        gone = True
    except io.UnsupportedOperation:  # a test's or a notebook's stdout has no file number
        return False
    if gone:
        _point_at_nothing(sys.stdout)
    return gone


def _point_at_nothing(stream: TextIO) -> None:
    """So that the flush at exit has no more to say."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


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
    if is_folder(path):
        raise OutputError(f"cannot write JSON to {target}: it is a folder; name a file, or - for stdout")
    if not is_folder(path.absolute().parent):
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
SchedulingChoice = Annotated[
    Scheduling | None,
    typer.Option(
        help="How the kernel schedules the subjects: normal, or realtime, before every other program (Linux, needs the "
        "right to it; default: as in the matrix, else normal)."
    ),
]
"""The `--json` option of every verb that has one. With `-`, the verb prints nothing else to stdout."""


def write_json(record: BaseModel, target: str) -> None:
    """Write a record as UTF-8 JSON to the file `target`, or to stdout for `-`. Raises `OutputError`."""
    text = json_escaped(record_json(record, indent=2)) + "\n"
    if target == "-":
        typer.echo(text.encode(), nl=False)  # bytes: JSON is UTF-8 whatever the terminal's encoding is
        return
    try:
        write_atomic(Path(target), text)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {describe_os_error(error)}") from error
