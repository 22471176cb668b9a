"""`capbench fleet status`: the machines of a fleet, what they can do and what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import JsonTarget, write_json
from capbench.cli.fleet_verbs.connection import Certificates, Insecure, fleet_app

if TYPE_CHECKING:
    from capbench.fleet.dispatch.fleet_status import FleetStatus, MachineStatus

__all__ = ["status"]


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

    security = connection_security(scheduler_address, role="client", certificates=certificates, insecure=insecure)
    found = read_status(fleet_address(scheduler_address, security), security)
    if json_file is not None:
        write_json(found, json_file)
    if json_file != "-":
        _show(found)
    if not found.machines:
        raise UnavailableError("the fleet has no machine; start one with: capbench fleet worker SCHEDULER")


def _show(found: FleetStatus) -> None:
    """Print a table to stdout."""
    from capbench.report.formats.terminal_table import add_row, open_console, open_table

    table = open_table()
    for column in ("machine", "adapter", "system", "cores", "encoders", "decoders", "tags", "capbench", "now"):
        table.add_column(column, overflow="fold")
    for each in found.machines:
        machine, environment = each.report.machine, each.report.machine.environment
        adapter = environment.adapter or "none"
        cells = (
            each.report.name,
            f"{adapter} (software)" if environment.adapter_is_software else adapter,
            environment.os or each.report.system,
            str(environment.cores_usable or ""),
            ", ".join(machine.encoders),
            ", ".join(machine.decoders),
            ", ".join(f"{key}={value}" for key, value in machine.tags.items()),
            each.report.capbench_version,
            _now(each, found.silent_after_s),
        )
        add_row(table, cells)
    open_console().print(table)


def _now(machine: MachineStatus, silent_after_s: float) -> str:
    from capbench.units import format_seconds

    if machine.silent_s > silent_after_s:
        return f"silent for {format_seconds(machine.silent_s)}"
    activity = machine.activity
    if activity.doing == "nothing":
        return activity.doing
    return f"{activity.doing} {activity.what} for {format_seconds(activity.since_s)}"
