"""What the verbs of `capbench fleet` share: the group, and the options that say who may connect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from capbench.cli.app import app
from capbench.cli.ignored_options import refuse_ignored

if TYPE_CHECKING:
    from capbench.fleet.dispatch.fleet_run import FleetOptions

__all__ = ["Certificates", "Insecure", "fleet_app", "fleet_options", "refuse_idle_security"]

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


def refuse_idle_security(context: typer.Context, fleet: str | None) -> None:
    """Refuse `--certificates` and `--insecure` where nothing connects to another process by them."""
    if fleet is None:
        refuse_ignored(context, ("certificates", "insecure"), why="without --fleet; omit it or add --fleet SCHEDULER")
    elif fleet.startswith("local:"):
        why = f"with --fleet {fleet}, whose workers this machine alone can reach; omit it"
        refuse_ignored(context, ("certificates", "insecure"), why=why)


def fleet_options(fleet: str, *, certificates: Path | None, insecure: bool, budget_s: float | None) -> FleetOptions:
    """What `--fleet` names. Raises `InputError` for an address that is none, or one that needs certificates."""
    from capbench.fleet.dispatch.fleet_member import FleetPace
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
