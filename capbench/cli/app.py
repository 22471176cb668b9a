"""The typer application that every verb registers itself on, and how errors become exit codes."""

from __future__ import annotations

import sys

import typer

from capbench.errors import CapbenchError

__all__ = ["app", "run_app"]

app = typer.Typer(
    name="capbench",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Did that change make the video export faster, and is the picture still right?",
)


@app.callback()
def _root() -> None:
    """Did that change make the video export faster, and is the picture still right?."""


def run_app() -> int:
    """Run the command line; returns the exit code of the design instead of raising."""
    try:
        app(standalone_mode=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except CapbenchError as error:
        print(f"capbench: {error}", file=sys.stderr)  # noqa: T201  the command line's own voice
        return error.exit_code
    except KeyboardInterrupt:
        print("capbench: interrupted", file=sys.stderr)  # noqa: T201
        return 130
    return 0
