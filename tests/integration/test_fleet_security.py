"""Nobody without a certificate of the fleet gets in: not as a client, not as a worker, not to a dashboard."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from capbench.errors import UnavailableError
from capbench.fleet.dask_settings import LOOPBACK_ONLY, fleet_settings
from capbench.fleet.dispatch.dask_link import DaskLink
from capbench.fleet.security.certificate_files import FleetFiles, make_certificates
from capbench.fleet.security.secure_connections import connection_security, worker_host
from capbench.fleet.start_scheduler import open_scheduler

distributed = pytest.importorskip("distributed", reason="the extra fleet is not installed")
pytest.importorskip("cryptography", reason="the extra fleet is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
"""Dask's own, of connections that were refused in the middle of a handshake."""

_ADDRESS = "127.0.0.1:0"
_REFUSED_WITHIN_S = 5.0
_WORKER_TRIES_FOR_S = 1.0
"""A worker asks for ever; a member has joined within a tenth of it."""
Body = Callable[[Any, Any], Awaitable[None]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ours")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("theirs")
    make_certificates(folder)
    return folder


def _security(folder: Path | None) -> Any:
    return connection_security(_ADDRESS, role="scheduler", certificates=folder, insecure=False)


def _worker(scheduler: str, security: Any, folder: Path) -> Any:
    """As `capbench fleet worker` opens it, without what a machine can do."""
    return distributed.Worker(
        scheduler,
        security=security,
        host=worker_host(scheduler, security),
        nthreads=1,
        memory_limit=0,
        local_directory=str(folder),
        dashboard=False,
        dashboard_address=LOOPBACK_ONLY,
    )


def _in_fleet(keys: Path | None, folder: Path, body: Body) -> None:
    """Run `body` with a scheduler and a worker that has joined it."""

    async def run() -> None:
        async with (
            open_scheduler("127.0.0.1", 0, _security(keys)) as scheduler,
            _worker(scheduler.address, _security(keys), folder) as worker,
        ):
            await body(scheduler, worker)

    with fleet_settings():
        asyncio.run(run())


async def _is_refused(connecting: Coroutine[Any, Any, Any]) -> bool:
    try:
        await asyncio.wait_for(connecting, _REFUSED_WITHIN_S)
    except (OSError, UnavailableError) as error:
        return not isinstance(error, TimeoutError)  # somebody who neither answers nor hangs up refuses nothing
    return False


async def _join(scheduler: str, security: Any, folder: Path) -> None:
    worker = _worker(scheduler, security, folder)
    try:
        await worker
    finally:
        await worker.close(timeout=1)


async def _knock(address: str, security: Any) -> None:
    """Ask for an identity, as the first thing that a peer may ask. Raises where there is no connection."""
    arguments = {} if security is None else security.get_connection_args("client")
    comm = await distributed.comm.connect(address, timeout=2, **arguments)
    try:
        await comm.write({"op": "identity", "reply": True})
        await comm.read()
    finally:
        comm.abort()


def test_a_member_gets_in(ours: Path, tmp_path: Path) -> None:
    """Without this the refusals below would prove nothing."""

    async def body(scheduler: Any, worker: Any) -> None:
        assert scheduler.address.startswith("tls://")
        assert worker.address.startswith("tls://")
        await _knock(scheduler.address, _security(ours))
        await _knock(worker.address, _security(ours))
        link = await DaskLink.open(scheduler.address, _security(ours))
        await link.close()

    _in_fleet(ours, tmp_path, body)


@pytest.mark.parametrize("whose", ["none", "another fleet's"])
def test_a_stranger_is_refused_as_client_as_worker_and_at_the_workers_own_port(
    ours: Path, theirs: Path, tmp_path: Path, whose: str
) -> None:
    stranger = None if whose == "none" else _security(theirs)
    protocol = "tcp" if stranger is None else "tls"

    async def body(scheduler: Any, worker: Any) -> None:
        ports = [each.address.replace("tls://", f"{protocol}://") for each in (scheduler, worker)]
        assert all([await _is_refused(_knock(port, stranger)) for port in ports])
        assert await _is_refused(DaskLink.open(ports[0], stranger))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(_join(ports[0], stranger, tmp_path / "stranger"), _WORKER_TRIES_FOR_S)
        assert list(scheduler.workers) == [worker.address]

    _in_fleet(ours, tmp_path / "member", body)


def test_tls_without_a_certificate_of_ones_own_is_refused(ours: Path, tmp_path: Path) -> None:
    """A peer that knows the authority's certificate, which is no secret, and shows none."""

    def knock(port: int) -> bytes:
        context = ssl.create_default_context(cafile=str(FleetFiles.of(ours).authority))
        context.check_hostname = False
        with (
            socket.create_connection(("127.0.0.1", port), timeout=_REFUSED_WITHIN_S) as plain,
            context.wrap_socket(plain) as encrypted,
        ):
            return encrypted.recv(1)

    async def body(scheduler: Any, worker: Any) -> None:
        for each in (scheduler, worker):
            with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
                await asyncio.to_thread(knock, each.port)

    _in_fleet(ours, tmp_path, body)


@pytest.mark.parametrize("has_keys", [True, False], ids=["TLS", "plain TCP on loopback"])
def test_what_is_not_behind_tls_listens_on_loopback_and_serves_nothing(
    ours: Path, tmp_path: Path, has_keys: bool
) -> None:
    """A worker of a scheduler on loopback listens on all addresses by Dask's own choice, and runs what it is sent."""

    def pages(port: int) -> list[int]:
        found = []
        for page in ("/", "/status", "/info/main/workers.html", "/api/v1/get_workers", "/metrics", "/json/counts.json"):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_REFUSED_WITHIN_S)
            connection.request("GET", page)
            found.append(connection.getresponse().status)
            connection.close()
        return found

    async def body(scheduler: Any, worker: Any) -> None:
        listening = [each.laddr for each in psutil.Process().net_connections("inet") if each.status == "LISTEN"]
        behind_tls = {scheduler.port, worker.port} if has_keys else set()
        assert [place for place in listening if place.port not in behind_tls and place.ip != "127.0.0.1"] == []
        for each in (scheduler, worker):
            statuses = await asyncio.to_thread(pages, each.http_server.port)
            assert set(statuses) == {404}

    _in_fleet(ours if has_keys else None, tmp_path, body)
