"""`capbench fleet certificates`: the files by which machines of a fleet know each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capbench.cli.fleet_verbs.connection import fleet_app

__all__ = ["certificates"]


@fleet_app.command(epilog="Example: `capbench fleet certificates fleet-keys`")
def certificates(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder for the files; made if it is missing.")],
    *,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Days until they expire.")] = 365,
) -> None:
    """Make the certificates of a new fleet. Whoever holds its key can run code on every machine of it.

    Exit codes: 2 where the folder has certificates already or cannot be written, 4 without the package cryptography.
    """
    from capbench.fleet.security.certificate_files import make_certificates  # cryptography takes a moment to load

    files = make_certificates(folder, days=days)
    typer.echo(f"{files.authority}, {files.certificate.name}, {files.key.name}: valid for {days} days")
    typer.echo("Copy the folder to every machine of the fleet, and to no other: its key lets run code on them.")
