"""`capbench fleet`: the machines of a fleet, the scheduler between them, and what they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, app, write_json
from capbench.results.visible_text import plain_line

if TYPE_CHECKING:
    from capbench.fleet.dispatch.fleet_run import FleetOptions

__all__ = ["Certificates", "Insecure", "fleet_app", "fleet_options", "scheduler", "status", "worker"]

fleet_app = typer.Typer(no_args_is_help=True, help="Measure one matrix on many machines; docs/fleet.md shows how.")
app.add_typer(fleet_app, name="fleet")

Certificates = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        envvar="CAPBENCH_FLEET_CERTIFICATES",
        help="Certificates of the fleet (`capbench fleet certificates`); needed for other hosts.",
    ),
]
Insecure = Annotated[
    bool,
    typer.Option("--insecure", help="Plain TCP: whoever reaches the port runs code as you."),
]


def fleet_options(fleet: str, *, certificates: Path | None, insecure: bool, budget_s: float | None) -> FleetOptions:
    """What `--fleet` names. Raises `InputError` for an address that is none, or one that needs certificates."""
    from capbench.fleet.dispatch.dispatcher import FleetPace
    from capbench.fleet.dispatch.fleet_run import FleetOptions
    from capbench.fleet.dispatch.local_fleet import local_workers
    from capbench.fleet.security.secure_connections import connection_security, fleet_address

    pace = FleetPace(budget_s=budget_s)
    if local_workers(fleet) is not None:
        return FleetOptions(scheduler=fleet, pace=pace)
    security = connection_security(fleet, role="client", certificates=certificates, insecure=insecure)
    return FleetOptions(scheduler=fleet_address(fleet, security), security=security, pace=pace)


@fleet_app.callback()
def _group() -> None:
    """Measure one matrix on many machines; docs/fleet.md shows how."""


@fleet_app.command(epilog="Example: `capbench fleet worker 10.0.0.1:8786 --name studio-1 --tag lab=berlin`")
def worker(
    scheduler_address: Annotated[str, typer.Argument(metavar="SCHEDULER", help="Address of the scheduler, HOST:PORT.")],
    *,
    name: Annotated[str | None, typer.Option(metavar="N", help="Name of this machine (default: the host's).")] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="K=V", help="What a matrix may choose machines by; repeatable.")
    ] = None,
    validation_slots: Annotated[
        int, typer.Option(min=1, max=16, help="Outputs that are validated side by side, never beside a timed run.")
    ] = 1,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of this worker (default: in the user's cache).")
    ] = None,
    lock: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Lock that all workers of this machine share (default: in the user's cache)."),
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
    from capbench.fleet.machines.machine_report import (
        MachineReport,
        check_machine_name,
        default_machine_name,
        parse_tags,
        read_report,
    )
    from capbench.fleet.machines.start_worker import WorkerOptions, lock_folder, run_worker, worker_folder
    from capbench.fleet.security.secure_connections import connection_security, fleet_address

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
        lock=lock or lock_folder(),
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


@fleet_app.command(epilog="Example: `capbench fleet status 10.0.0.1:8786`")
def status(
    scheduler_address: Annotated[str, typer.Argument(metavar="SCHEDULER", help="Address of the scheduler, HOST:PORT.")],
    *,
    json_file: JsonTarget = None,
    certificates: Certificates = None,
    insecure: Insecure = False,
) -> None:
    """Show the machines of a fleet: what they are, what they can do, what they do now.

    Exit codes: 4 where the scheduler cannot be reached or has no machine.
    """
    from capbench.errors import UnavailableError
    from capbench.fleet.dispatch.fleet_status import read_status
    from capbench.fleet.security.secure_connections import connection_security, fleet_address
    from capbench.report.formats.terminal_table import add_row, open_console, open_table
    from capbench.units import format_seconds

    security = connection_security(scheduler_address, role="client", certificates=certificates, insecure=insecure)
    found = read_status(fleet_address(scheduler_address, security), security)
    if json_file is not None:
        write_json(found, json_file)
    if json_file != "-":
        table = open_table()
        for column in ("machine", "adapter", "system", "cores", "encoders", "decoders", "tags", "capbench", "now"):
            table.add_column(column, overflow="fold")
        for each in found.machines:
            machine, environment = each.report.machine, each.report.machine.environment
            adapter = environment.adapter or "none"
            now: str = each.activity.doing
            if now != "nothing":
                now += f" {each.activity.what} for {format_seconds(each.activity.since_s)}"
            if each.silent_s > found.silent_after_s:
                now = f"silent for {format_seconds(each.silent_s)}"
            cells = (
                each.report.name,
                f"{adapter} (software)" if environment.adapter_is_software else adapter,
                environment.os or each.report.system,
                str(environment.cores_usable or ""),
                ", ".join(machine.encoders),
                ", ".join(machine.decoders),
                ", ".join(f"{key}={value}" for key, value in machine.tags.items()),
                each.report.capbench_version,
                now,
            )
            add_row(table, cells)
        open_console().print(table)
    if not found.machines:
        raise UnavailableError("the fleet has no machine; start one with: capbench fleet worker SCHEDULER")
