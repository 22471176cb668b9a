"""Where `--json FILE` goes: to a file, or alone to stdout for `-`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from capbench.errors import OutputError
from capbench.files import write_atomic

__all__ = ["JsonTarget", "write_json"]


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
    text = record.model_dump_json(indent=2) + "\n"
    if target == "-":
        typer.echo(text.encode(), nl=False)  # bytes: JSON is UTF-8 whatever the terminal's encoding is
        return
    try:
        write_atomic(Path(target), text)
    except OSError as error:
        raise OutputError(f"cannot write {target}: {error.strerror or error}") from error
