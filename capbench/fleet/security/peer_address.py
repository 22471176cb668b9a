"""Addresses of schedulers: what may be written, and whether anybody else can reach it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from capbench.errors import InputError

__all__ = ["PeerAddress", "parse_address"]

_PROTOCOLS = ("tcp", "tls")
_MOST_PORT = 65535
_LONGEST = 300
"""Characters: a DNS name has at most 253."""


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a scheduler listens."""

    protocol: str | None
    """`tcp` or `tls`; None where it was not said."""
    host: str
    """Name or address, IPv6 without brackets; empty for all of a machine's addresses."""
    port: int
    """Port, 0 for any."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def with_protocol(self, protocol: str) -> str:
        """As Dask wants it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{protocol}://{host}:{self.port}"


def parse_address(text: str) -> PeerAddress:
    """Read `HOST:PORT`, `tcp://HOST:PORT` or `tls://HOST:PORT`. Raises `InputError` for anything else."""
    wrong = InputError(f"{text[:_LONGEST]!r} is no address of a scheduler; write HOST:PORT, such as 10.0.0.1:8786")
    protocol, has_protocol, rest = text.rpartition("://")
    host, has_port, port = rest.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    if has_protocol and protocol not in _PROTOCOLS:
        raise wrong
    if not has_port or not port.isascii() or not port.isdigit() or int(port[:6]) > _MOST_PORT or len(text) > _LONGEST:
        raise wrong
    if (":" in host and not is_bracketed) or any(mark in host for mark in "/@?# ") or not host.isprintable():
        raise wrong
    return PeerAddress(protocol if has_protocol else None, host[1:-1] if is_bracketed else host, int(port))
