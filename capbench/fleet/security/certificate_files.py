"""The files by which members of one fleet know each other: a certificate authority, and one certificate for all.

Dask checks of a peer that its certificate was signed by the fleet's authority, and nothing else: neither its name nor
what it is. One certificate for every machine says so; certificates of their own would look like a barrier between
machines, and be none.
"""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from capbench.errors import InputError, OutputError, UnavailableError
from capbench.files import describe_os_error
from capbench.installation import install_command

__all__ = ["FleetFiles", "make_certificates", "read_certificates"]

_CLOCK_SLACK = timedelta(hours=1)
"""Machines of a fleet may have clocks that differ: certificates are valid from this long before they are made."""
_COMMON_NAME = "capbench fleet"
_PRIVATE = 0o600
_OTHERS = stat.S_IRWXO
"""What anybody on the machine may do. A group may read the key: Kubernetes gives a secret to the group of its pod."""


@dataclass(frozen=True, slots=True)
class FleetFiles:
    """The three files of a fleet, in a folder that every machine of it has a copy of."""

    authority: Path
    """Certificate of the fleet's authority, PEM. The authority's own key was never written: nothing can be added."""
    certificate: Path
    """Certificate that every member shows, PEM."""
    key: Path
    """Its private key, PEM: whoever holds it is a member."""

    @classmethod
    def of(cls, folder: Path) -> FleetFiles:
        """The files of a folder, whether they exist or not."""
        return cls(folder / "fleet-ca.pem", folder / "fleet-cert.pem", folder / "fleet-key.pem")

    @property
    def all(self) -> tuple[Path, Path, Path]:
        """All three."""
        return self.authority, self.certificate, self.key


def make_certificates(
    folder: Path, *, days: int = 365, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> FleetFiles:
    """Make the files of a new fleet in `folder`. Raises `InputError` where files of a fleet are there, `OutputError`.

    Raises `UnavailableError` without the package cryptography. Keys are on the curve P-256; the key's file is readable
    by its owner alone.
    """
    files = FleetFiles.of(folder)
    if there := [path for path in files.all if path.exists() or path.is_symlink()]:
        raise InputError(f"{there[0]} exists; name another folder: machines with a copy would no longer be members")
    contents = _pem(now(), days)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The key last: a folder without it is no fleet.
        for path, content, mode in zip(files.all, contents, (0o644, 0o644, _PRIVATE), strict=True):
            # Never opened where something is: another run may make the same folder, and a link would lead elsewhere.
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
    except FileExistsError as error:
        raise InputError(f"{error.filename or folder} exists; name another folder") from error
    except OSError as error:
        raise OutputError(f"cannot write certificates to {folder}: {describe_os_error(error)}") from error
    return files


def read_certificates(folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> FleetFiles:
    """The files of a fleet, checked: there, of one fleet, not expired, and the key nobody else's to read.

    Raises `InputError` with the remedy, and `UnavailableError` without the package cryptography.
    """
    files = FleetFiles.of(folder)
    for path in files.all:
        if not path.is_file():
            raise InputError(
                f"no certificates of a fleet in {folder}: {path.name} is missing; make a fleet's with `capbench fleet "
                f"certificates {folder}`, or copy all three files from a machine of it"
            )
    if os.name == "posix" and files.key.stat().st_mode & _OTHERS:
        raise InputError(f"everybody on this machine can read {files.key}; run: chmod 600 {files.key}")
    _check_dates(files, now())
    try:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.authority))
        context.load_cert_chain(files.certificate, files.key)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise InputError(f"{files.key} and {files.certificate.name} do not belong together: {error}") from error
    return files


def _check_dates(files: FleetFiles, now: datetime) -> None:
    """Raise `InputError` for a certificate that is none, was not signed by this authority, or is out of date."""
    try:
        from cryptography import x509
        from cryptography.exceptions import InvalidSignature
    except ImportError as error:
        raise UnavailableError(
            f"certificates need cryptography; install it with: {install_command('fleet')}"
        ) from error
    found = {}
    for path in (files.authority, files.certificate):
        try:
            found[path] = x509.load_pem_x509_certificate(path.read_bytes())
        except (ValueError, OSError) as error:
            raise InputError(f"{path} is not a certificate: {error}") from error
    own = found[files.certificate]
    try:
        own.verify_directly_issued_by(found[files.authority])
    except (ValueError, TypeError, InvalidSignature) as error:
        raise InputError(
            f"{files.certificate} was not signed by {files.authority.name}: they are of two fleets; copy all three "
            "files from one machine"
        ) from error
    if now >= own.not_valid_after_utc:
        ended = f"{own.not_valid_after_utc:%Y-%m-%d}"
        raise InputError(
            f"{files.certificate} expired on {ended}; make new ones with `capbench fleet certificates NEW_FOLDER`, and "
            "give every machine a copy"
        )
    if now < own.not_valid_before_utc:
        raise InputError(
            f"{files.certificate} is valid from {own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC, and it is "
            f"{now:%Y-%m-%d %H:%M} by this machine's clock; set the clock"
        )


def _pem(now: datetime, days: int) -> tuple[bytes, bytes, bytes]:
    """Certificate of a new authority, a certificate that it signed, and that one's private key."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
    except ImportError as error:
        raise UnavailableError(
            f"certificates need cryptography; install it with: {install_command('fleet')}"
        ) from error
    authority_key, own_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{_COMMON_NAME} authority")])
    # RFC 5280, section 4.2.1: what OpenSSL asks of a chain from Python 3.13 on.
    issuer = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    signs_only = dict.fromkeys(
        (
            *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
            *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
        ),
        False,
    )

    def builder(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _CLOCK_SLACK)
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        )

    authority_certificate = (
        builder(authority, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.KeyUsage(**signs_only | {"key_cert_sign": True}), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    member = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, _COMMON_NAME)])
    both_ends = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate = (
        builder(member, own_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**signs_only | {"digital_signature": True}), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both_ends), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("capbench-fleet")]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    private = own_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    as_pem = serialization.Encoding.PEM
    return authority_certificate.public_bytes(as_pem), certificate.public_bytes(as_pem), private
