"""Certificates of a fleet: what is written, what is refused, and what is asked of those that are read."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from capbench.cli.app import app
from capbench.errors import InputError
from capbench.fleet.security.certificate_files import FleetFiles, make_certificates, read_certificates

pytest.importorskip("cryptography", reason="the extra fleet is not installed")


def test_certificates_are_three_files_and_the_key_is_its_owners_alone(tmp_path: Path) -> None:
    files = make_certificates(tmp_path / "new" / "keys")

    assert sorted(path.name for path in (tmp_path / "new" / "keys").iterdir()) == [
        "fleet-ca.pem",
        "fleet-cert.pem",
        "fleet-key.pem",
    ]
    assert read_certificates(tmp_path / "new" / "keys") == files
    if os.name == "posix":
        assert stat.S_IMODE(files.key.stat().st_mode) == 0o600


def test_the_authoritys_own_key_is_not_written(tmp_path: Path) -> None:
    """With it anybody who finds the folder could add members that the fleet's owner knows nothing of."""
    files = make_certificates(tmp_path)

    private = [path.name for path in files.all if b"PRIVATE KEY" in path.read_bytes()]
    assert private == ["fleet-key.pem"]


@pytest.mark.parametrize("name", ["fleet-ca.pem", "fleet-cert.pem", "fleet-key.pem"])
def test_nothing_that_is_there_is_overwritten(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("of a fleet that runs", encoding="utf-8")

    with pytest.raises(InputError, match=name):
        make_certificates(tmp_path)

    assert [path.read_text(encoding="utf-8") for path in tmp_path.iterdir()] == ["of a fleet that runs"]


def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    try:
        (folder / "fleet-key.pem").symlink_to(tmp_path / "elsewhere")
    except OSError:
        pytest.skip("this user may not make links here")

    with pytest.raises(InputError, match=r"fleet-key\.pem exists"):
        make_certificates(folder)

    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", ["fleet-ca.pem", "fleet-cert.pem", "fleet-key.pem"])
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    make_certificates(tmp_path)
    (tmp_path / name).unlink()

    with pytest.raises(InputError, match=f"{name} is missing"):
        read_certificates(tmp_path)


@pytest.mark.parametrize("name", ["fleet-ca.pem", "fleet-cert.pem", "fleet-key.pem"])
@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00" * 40, b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    make_certificates(tmp_path)
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=name):
        read_certificates(tmp_path)


def test_files_of_two_fleets_do_not_go_together(tmp_path: Path) -> None:
    ours, theirs = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "theirs")
    ours.certificate.write_bytes(theirs.certificate.read_bytes())

    with pytest.raises(InputError, match="of two fleets"):
        read_certificates(tmp_path / "ours")


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    ours, theirs = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "theirs")
    ours.key.write_bytes(theirs.key.read_bytes())

    with pytest.raises(InputError, match="do not belong together"):
        read_certificates(tmp_path / "ours")


@pytest.mark.skipif(os.name != "posix", reason="permissions of another kind")
def test_a_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    files.key.chmod(0o644)

    with pytest.raises(InputError, match="chmod 600"):
        read_certificates(tmp_path)


@pytest.mark.parametrize(
    ("days_later", "said"), [(8, "expired on 2026-01-08"), (-1, "valid from 2025-12-31 23:00 UTC")]
)
def test_dates_are_looked_at_before_anything_connects(tmp_path: Path, days_later: int, said: str) -> None:
    made = datetime(2026, 1, 1, tzinfo=UTC)
    make_certificates(tmp_path, days=7, now=lambda: made)

    with pytest.raises(InputError, match=said):
        read_certificates(tmp_path, now=lambda: made + timedelta(days=days_later))

    assert read_certificates(tmp_path, now=lambda: made + timedelta(days=6)) == FleetFiles.of(tmp_path)


def test_the_command_refuses_a_folder_that_has_certificates(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["fleet", "certificates", str(tmp_path / "keys")])
    again = CliRunner().invoke(app, ["fleet", "certificates", str(tmp_path / "keys")])

    assert made.exit_code == 0, made.output
    assert again.exit_code == 2
