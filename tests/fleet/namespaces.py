"""Machines that are network namespaces of this one: each has its own interface to a switch, which can be unplugged.

Linux, root and `ip` (iproute2) are needed. What is made is removed in the end, however that comes.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["HUB_ADDRESS", "Network", "network", "why_no_namespaces"]

HUB_ADDRESS = "10.177.0.1"
"""Of the namespace that scheduler and runner live in; machine N is 10.177.0.(N + 1)."""


@dataclass(frozen=True, slots=True)
class Network:
    """A hub and some machines."""

    prefix: str
    machines: int

    def command(self, place: int) -> tuple[str, ...]:
        """What starts a program on a machine, counted from 1, or at the hub, 0."""
        return ("ip", "netns", "exec", f"{self.prefix}{place}")

    def unplug(self, machine: int) -> None:
        """Drop everything that goes to a machine or comes from it."""
        _ip("-n", f"{self.prefix}0", "link", "set", f"port{machine}", "down")

    def plug(self, machine: int) -> None:
        """Connect it again."""
        _ip("-n", f"{self.prefix}0", "link", "set", f"port{machine}", "up")


def why_no_namespaces() -> str | None:
    """Why there can be none here; None where there can be."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if shutil.which("ip") is None:
        return "there is no `ip`; install iproute2"
    if os.geteuid() != 0:
        return "network namespaces need root"
    name = f"cb{secrets.token_hex(3)}t"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces cannot be made here: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=True)
    return None


@contextlib.contextmanager
def network(machines: int) -> Iterator[Network]:
    """A hub and machines 1 to `machines`, each in a namespace of its own."""
    made = Network(f"cb{secrets.token_hex(3)}n", machines)
    hub = f"{made.prefix}0"
    try:
        for place in range(machines + 1):
            _ip("netns", "add", f"{made.prefix}{place}")
            _ip("-n", f"{made.prefix}{place}", "link", "set", "lo", "up")
        _ip("-n", hub, "link", "add", "switch", "type", "bridge")
        _ip("-n", hub, "addr", "add", f"{HUB_ADDRESS}/24", "dev", "switch")
        _ip("-n", hub, "link", "set", "switch", "up")
        for place in range(1, machines + 1):
            own = f"{made.prefix}{place}"
            _ip("-n", hub, "link", "add", f"port{place}", "type", "veth", "peer", "name", "eth0", "netns", own)
            _ip("-n", hub, "link", "set", f"port{place}", "master", "switch", "up")
            _ip("-n", own, "addr", "add", f"10.177.0.{place + 1}/24", "dev", "eth0")
            _ip("-n", own, "link", "set", "eth0", "up")
        yield made
    finally:
        for place in range(machines + 1):
            subprocess.run(["ip", "netns", "del", f"{made.prefix}{place}"], capture_output=True, check=False)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
