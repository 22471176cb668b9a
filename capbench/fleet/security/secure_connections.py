"""The security that Dask is given. A stub until certificates are there: loopback, or `insecure`."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from capbench.errors import InputError
from capbench.fleet.dask_settings import scheduler_address

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["connection_security", "fleet_address"]


def connection_security(
    address: str, *, role: Literal["scheduler", "worker", "client"], certificates: Path | None, insecure: bool
) -> Security | None:
    """None on loopback or with `insecure`. Raises `InputError`."""
    host = (address.partition("://")[2] or address).rpartition(":")[0].strip("[]")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if certificates is not None or not (is_loopback or insecure):
        raise InputError(f"the {role} needs --certificates DIR for {address}, or --insecure on a network of your own")
    return None


def fleet_address(text: str, security: Security | None) -> str:
    """The address with its protocol. Raises `InputError`."""
    address = scheduler_address(text)
    return address if "://" in address else f"{'tcp' if security is None else 'tls'}://{address}"
