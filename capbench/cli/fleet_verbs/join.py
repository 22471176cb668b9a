"""`capbench fleet worker` and `capbench fleet scheduler`: what runs until it is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from capbench.cli.fleet_verbs.connection import Certificates, Insecure, fleet_app
from capbench.results.visible_text import plain_line

__all__ = ["scheduler", "worker"]

_MOST_SLOTS = 16
"""`MOST_VALIDATING` of the machine's lock: whatever validates beyond would wait for a room."""


@fleet_app.command(epilog="Example: `capbench fleet worker 10.0.0.1:8786 --name studio-1 --tag lab=berlin`")
def worker(
    scheduler_address: Annotated[str, typer.Argument(metavar="SCHEDULER", help="Address of the scheduler, HOST:PORT.")],
    *,
    name: Annotated[str | None, typer.Option(metavar="N", help="Name of this machine (default: the host's).")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="What a matrix may choose machines by; repeatable.")
    ] = None,
    validation_slots: Annotated[
        int,
        typer.Option(min=1, max=_MOST_SLOTS, help="Outputs that are validated side by side, never beside a timed run."),
    ] = 1,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of this worker (default: in the user's cache).")
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            envvar="CAPBENCH_MACHINE_LOCK",
            help="Folder of the lock that all workers and runs on this machine share (default: in the user's cache).",
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on (default: any).")] = 0,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", hidden=True, help="A report of this machine, instead of looking.")
    ] = None,
    certificates: Certificates = None,
    insecure: Insecure = False,
) -> None:
    """Offer this machine to a fleet, until interrupted: one block is timed at a time, with nothing else of ours beside.

    Exit codes: 2 for an address off this host without certificates, 4 where the scheduler cannot be joined.
    """
    from capbench.fleet.security.secure_connections import connection_security, fleet_address
    from capbench.fleet.workers.machine_report import (
        MachineReport,
        check_machine_name,
        default_machine_name,
        parse_tags,
        read_report,
    )
    from capbench.fleet.workers.start_worker import WorkerOptions, run_worker, worker_folder
    from capbench.harness.machine.machine_lock import machine_lock_folder

    tags = parse_tags(tag or [])
    called = default_machine_name() if name is None else check_machine_name(name)
    security = connection_security(scheduler_address, role="worker", certificates=certificates, insecure=insecure)
    own = folder or worker_folder(called)
    if report is None:
        typer.echo("looking at this machine", err=True)
        found = read_report(called, tags, folder=own, validation_slots=validation_slots)
    else:
        known = MachineReport.model_validate_json(report.read_text(encoding="utf-8"))
        found = known.model_copy(
            update={
                "name": called,
                "validation_slots": validation_slots,
                "machine": known.machine.model_copy(update={"tags": tags}),
            }
        )
    options = WorkerOptions(
        scheduler=fleet_address(scheduler_address, security),
        folder=own,
        lock=lock or machine_lock_folder(),
        security=security,
        port=port,
    )
    run_worker(found, options, say=lambda line: typer.echo(plain_line(line), err=True))


@fleet_app.command(epilog="Example: `capbench fleet scheduler --host 10.0.0.1 --certificates fleet-keys`")
def scheduler(
    *,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any.")] = 8786,
    certificates: Certificates = None,
    insecure: Insecure = False,
) -> None:
    """Be the scheduler of a fleet, until interrupted. It keeps nothing: results are in the runner's folder."""
    from capbench.fleet.security.secure_connections import connection_security
    from capbench.fleet.start_scheduler import run_scheduler

    security = connection_security(f"{host}:{port}", role="scheduler", certificates=certificates, insecure=insecure)
    run_scheduler(host, port, security, say=lambda line: typer.echo(plain_line(line)))
