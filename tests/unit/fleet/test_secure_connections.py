"""Which connections are made with certificates, which without, and which not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from capbench.errors import InputError
from capbench.fleet.security.certificate_files import make_certificates
from capbench.fleet.security.peer_address import PeerAddress, parse_address
from capbench.fleet.security.secure_connections import connection_security, fleet_address, worker_host

pytest.importorskip("distributed", reason="the extra fleet is not installed")
pytest.importorskip("cryptography", reason="the extra fleet is not installed")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    make_certificates(tmp_path / "keys")
    return tmp_path / "keys"


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8786", "localhost:8786", "[::1]:8786", "tcp://127.0.0.1:8786", "127.1.2.3:1"]
)
def test_loopback_needs_no_certificates(address: str) -> None:
    assert connection_security(address, role="worker", certificates=None, insecure=False) is None
    assert worker_host(address, None) == "127.0.0.1"


@pytest.mark.parametrize(
    "address", ["10.0.0.1:8786", "studio:8786", ":8786", "0.0.0.0:8786", "[::]:8786", "localhost.evil.example:8786"]
)
@pytest.mark.parametrize("role", ["scheduler", "worker", "client"])
def test_what_others_can_reach_needs_certificates(address: str, role: str) -> None:
    with pytest.raises(InputError, match="--certificates DIR") as refused:
        connection_security(address, role=role, certificates=None, insecure=False)  # type: ignore[arg-type]  # a str

    assert refused.value.exit_code == 2


def test_plain_tcp_is_had_by_asking_for_it() -> None:
    assert connection_security("10.0.0.1:8786", role="worker", certificates=None, insecure=True) is None
    assert worker_host("10.0.0.1:8786", None) is None
    assert fleet_address("10.0.0.1:8786", None) == "tcp://10.0.0.1:8786"


def test_certificates_mean_mutual_tls_for_every_role(keys: Path) -> None:
    security = connection_security("10.0.0.1:8786", role="worker", certificates=keys, insecure=False)

    assert security is not None
    assert security.require_encryption
    shown = {role: security.get_tls_config_for_role(role) for role in ("client", "scheduler", "worker")}
    assert {tuple(config.values()) for config in shown.values()} == {
        (str(keys / "fleet-ca.pem"), None, str(keys / "fleet-cert.pem"), str(keys / "fleet-key.pem"))
    }
    assert fleet_address("10.0.0.1:8786", security) == "tls://10.0.0.1:8786"


def test_tls_is_used_on_loopback_too_where_certificates_are_given(keys: Path) -> None:
    security = connection_security("127.0.0.1:8786", role="client", certificates=keys, insecure=False)

    assert security is not None
    assert worker_host("127.0.0.1:8786", security) is None


@pytest.mark.parametrize(
    ("address", "with_keys", "insecure", "said"),
    [
        ("10.0.0.1:8786", True, True, "contradict"),
        ("tcp://10.0.0.1:8786", True, False, "write tls://10.0.0.1:8786"),
        ("tls://127.0.0.1:8786", False, False, "speaks TLS"),
        ("tls://10.0.0.1:8786", False, True, "speaks TLS"),
    ],
)
def test_contradictions_are_refused(keys: Path, address: str, with_keys: bool, insecure: bool, said: str) -> None:
    with pytest.raises(InputError, match=said):
        connection_security(address, role="client", certificates=keys if with_keys else None, insecure=insecure)


@pytest.mark.parametrize(
    "text",
    [
        *("", "studio", "studio:", ":", "studio:x", "studio:99999", "studio:-1", "http://studio:80", "inproc://1:2"),
        *(
            "a@b:1",
            "a/b:1",
            "::1:8786",
            "studio:8786\n",
            "studio :1",
            "x" * 400 + ":1",
            "studio:²",
            "studio:1" + "0" * 99,
        ),
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no address of a scheduler"):
        fleet_address(text, None)


def test_addresses_are_read_with_and_without_protocol() -> None:
    assert parse_address("tls://[fe80::1]:8786") == PeerAddress("tls", "fe80::1", 8786)
    assert parse_address("tls://[fe80::1]:8786").with_protocol("tls") == "tls://[fe80::1]:8786"
    assert parse_address(":0") == PeerAddress(None, "", 0)
