"""The security that Dask is given: mutual TLS between members of one fleet, plain TCP on loopback or by request."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from capbench.errors import InputError
from capbench.fleet.dask_settings import import_distributed
from capbench.fleet.security.certificate_files import read_certificates
from capbench.fleet.security.peer_address import parse_address

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["connection_security", "fleet_address", "worker_host"]


def connection_security(
    address: str, *, role: Literal["scheduler", "worker", "client"], certificates: Path | None, insecure: bool
) -> Security | None:
    """What Dask is given for a connection to `address`, or to listen there; None for plain TCP.

    With certificates both ends show one of the same fleet, or there is no connection. Without, only an address that
    nobody else can reach is taken, or any with `insecure`: whoever reaches the port of a scheduler or of a worker runs
    code there. Raises `InputError` with the remedy, `UnavailableError` without the extra.
    """
    where = parse_address(address)
    if certificates is not None:
        if insecure:
            raise InputError("--insecure and --certificates contradict each other; pass one of them")
        if where.protocol == "tcp":
            raise InputError(f"{address} is plain TCP, and certificates are given; write {where.with_protocol('tls')}")
        files = read_certificates(certificates)
        shown = {
            f"tls_{each}_{kind}": str(path)
            for each in ("client", "scheduler", "worker")
            for kind, path in (("cert", files.certificate.absolute()), ("key", files.key.absolute()))
        }
        security: Security = import_distributed().Security(
            require_encryption=True,
            tls_ca_file=str(files.authority.absolute()),
            # Every member has the same capbench, and so an OpenSSL that knows it.
            tls_min_version=ssl.TLSVersion.TLSv1_3,
            **shown,
        )
        return security
    if where.protocol == "tls":
        raise InputError(f"{address} speaks TLS: pass --certificates DIR, the folder with the files of this fleet")
    if not where.is_loopback and not insecure:
        raise InputError(
            f"a {role} at {address} is within reach of other machines, and whoever reaches it runs code here; pass "
            "--certificates DIR (`capbench fleet certificates DIR` makes it), or --insecure on a network of your own"
        )
    return None


def fleet_address(text: str, security: Security | None) -> str:
    """The address with its protocol, as Dask wants it. Raises `InputError`."""
    where = parse_address(text)
    if where.port == 0 or not where.host:
        raise InputError(f"{text!r} is no address of a scheduler; write HOST:PORT, such as 10.0.0.1:8786")
    return where.with_protocol("tcp" if security is None else "tls")


def worker_host(scheduler: str, security: Security | None) -> str | None:
    """Address that a worker listens on; None for all of the machine's, which Dask takes by itself.

    A worker of a scheduler on loopback speaks plain TCP: nobody but this machine may reach it either.
    """
    where = parse_address(scheduler)
    return "127.0.0.1" if security is None and where.is_loopback else None
