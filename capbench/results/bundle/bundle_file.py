"""The file of a bundle: a zip archive with a manifest, the same bytes from the same results.

Nothing is ever extracted: the few members have fixed names and are read into memory, within limits that are looked at
before anything is unpacked. The hashes show damage and carelessness; whoever edits on purpose can write a new manifest,
which only a signature beside the file would show.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from capbench.errors import OutputError, ResultError
from capbench.files import describe_os_error, parse_json, read_bytes, write_atomic
from capbench.results.bundle.anonymous_records import AnonymousResults
from capbench.results.bundle.bundle_records import (
    BUNDLE_FORMAT,
    BUNDLE_VERSION,
    BundledCases,
    BundledFile,
    BundledMachines,
    BundledRuns,
    BundleManifest,
    BundleRecord,
)
from capbench.results.record import first_fault

__all__ = ["MAX_BUNDLE_BYTES", "BundleContents", "read_bundle", "write_bundle"]

MAX_BUNDLE_BYTES = 64 * 2**20
"""Size of the file: the largest that a mail or an upload form usually takes, and 100,000 runs as they are stored."""
MAX_UNPACKED_BYTES = 128 * 2**20
"""Of all members together: `MAX_RUNS` runs of 600 bytes each."""
MAX_RATIO = 100
"""Of a member's size to its size in the archive: repetitive JSON comes to about 20, a bomb to 1000."""
_MANIFEST = "manifest.json"
_MEMBERS = ("machines.json", "cases.json", "runs.json")
_MAX_DIRECTORY_BYTES = 4096
"""Of the archive's directory: it has four entries of some 70 bytes. zipfile makes an object of each entry it finds."""
_END = struct.Struct("<4s4H2LH")
"""End of central directory (APPNOTE.TXT 4.3.16): signature, disks, entries twice, size, offset, length of comment."""
_END_SIGNATURE, _ZIP64_LOCATOR = b"PK\5\6", b"PK\6\7"
_LONGEST_COMMENT = 2**16
_OLDEST_DATE = (1980, 1, 1, 0, 0, 0)
"""The first that a zip archive can hold: when a bundle was made is not in it."""
Model = TypeVar("Model", bound=BundleRecord)


@dataclass(frozen=True, slots=True)
class BundleContents:
    """A bundle that was read and found in order."""

    path: Path
    """The file."""
    manifest: BundleManifest
    """What it says of itself."""
    machines: BundledMachines
    """Its machines."""
    cases: BundledCases
    """Its cases."""
    runs: BundledRuns
    """Its runs."""
    sha256: str
    """Of the whole file."""


def write_bundle(results: AnonymousResults, target: Path) -> BundleContents:
    """Write a bundle atomically; the same results give the same bytes. Returns what `read_bundle` finds in it.

    Raises `OutputError` where it cannot be written, and `ResultError` where nobody could read it, before it is written.
    """
    contents = {
        "machines.json": _json(results.machines),
        "cases.json": _json(results.cases),
        "runs.json": _json(results.runs),
    }
    files = {name: _file(data) for name, data in contents.items()}
    manifest = BundleManifest(capbench=importlib.metadata.version("capbench"), files=files)
    buffer = io.BytesIO()
    # Stored, not deflated: what a compressor makes of the same text differs from one library to the next.
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in ((_MANIFEST, _json(manifest)), *contents.items()):
            member = zipfile.ZipInfo(name, _OLDEST_DATE)
            member.create_system, member.external_attr = 3, 0o644 << 16
            archive.writestr(member, data)
    if buffer.tell() > MAX_BUNDLE_BYTES:
        raise OutputError(
            f"cannot write {target}: it would have {buffer.tell()} bytes, and a bundle has at most {MAX_BUNDLE_BYTES}; "
            "bundle folders of fewer machines"
        )
    try:
        written = _contents(target, buffer.getvalue())
    except ResultError as error:
        raise ResultError(f"cannot write {error}") from error
    try:
        write_atomic(target, buffer.getvalue())
    except OSError as error:
        raise OutputError(f"cannot write {target}: {describe_os_error(error)}") from error
    return written


def read_bundle(path: Path) -> BundleContents:
    """Read a bundle, and check everything that can be: sizes, names, hashes, version, records, and that they agree.

    Raises `ResultError` in one line.
    """
    return _contents(path, read_bytes(path, ResultError, limit_bytes=MAX_BUNDLE_BYTES))


def _contents(path: Path, data: bytes) -> BundleContents:
    """What a bundle of these bytes holds; `path` is for messages."""
    _check_directory(path, data)
    members = _unpacked(path, data)
    manifest = _manifest(path, _parsed(path, _MANIFEST, members))
    for name in _MEMBERS:
        said = manifest.files.get(name)
        if said is None or name not in members:
            raise ResultError(f"{path} has no {name}, or its manifest does not name it: not a whole bundle")
        if said != _file(members[name]):
            raise ResultError(f"{path}: {name} was edited or damaged: its hash is not the one in the manifest")
    if extra := sorted({*members, *manifest.files} - {_MANIFEST, *_MEMBERS}):
        raise ResultError(f"{path} names {extra[0]!r}, which is no part of a bundle")
    contents = BundleContents(
        path=path,
        manifest=manifest,
        machines=_record(path, "machines.json", _parsed(path, "machines.json", members), BundledMachines),
        cases=_record(path, "cases.json", _parsed(path, "cases.json", members), BundledCases),
        runs=_record(path, "runs.json", _parsed(path, "runs.json", members), BundledRuns),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    _check_agreement(contents)
    return contents


def _check_directory(path: Path, data: bytes) -> None:
    """Look at the end of the archive before zipfile does, which makes an object of each entry."""
    at = data.rfind(_END_SIGNATURE, max(0, len(data) - _END.size - _LONGEST_COMMENT))
    if at < 0 or len(data) < at + _END.size:
        what = "it is truncated" if data.startswith(b"PK") else "it is no zip archive"
        raise ResultError(f"{path} is not a bundle: {what}")
    _, _, _, _, entries, size, _, _ = _END.unpack_from(data, at)
    if data[max(0, at - 20) : at].startswith(_ZIP64_LOCATOR):
        raise ResultError(f"{path} is not a bundle: its directory is in the form for archives of over 4 GiB")
    if entries > len(_MEMBERS) + 1 or size > _MAX_DIRECTORY_BYTES:
        raise ResultError(f"{path} is not a bundle: it has {entries} members instead of {len(_MEMBERS) + 1}")


def _unpacked(path: Path, data: bytes) -> dict[str, bytes]:
    members: dict[str, bytes] = {}
    left = MAX_UNPACKED_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for member in archive.infolist():
                _check_member(path, member, members, left)
                members[member.filename] = _content(path, archive, member)
                left -= member.file_size
    except ResultError:
        raise
    # All that zipfile raises of a broken archive, down to a wrong name of a member and an offset before the file.
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, RuntimeError, OSError, ValueError) as error:
        raise ResultError(f"{path} is damaged: {error}") from error
    if _MANIFEST not in members:
        raise ResultError(f"{path} is not a bundle: it has no {_MANIFEST}")
    return members


def _content(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ResultError(f"{path}: {member.filename} is larger than the archive says: it was edited")
    return content


def _check_member(path: Path, member: zipfile.ZipInfo, known: dict[str, bytes], left: int) -> None:
    name = member.filename
    if name not in (_MANIFEST, *_MEMBERS):
        raise ResultError(f"{path} holds {name[:80]!r}, which is no part of a bundle")
    if name in known:
        raise ResultError(f"{path} holds {name} twice")
    if member.flag_bits & 0x1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ResultError(f"{path}: {name} is encrypted, or compressed in a way that a bundle never is")
    if member.file_size > left:
        raise ResultError(f"{path}: {name} has {member.file_size} bytes, and a bundle has room for {left} more")
    ratio = member.file_size // max(member.compress_size, 1)
    if ratio > MAX_RATIO:
        raise ResultError(f"{path}: {name} is compressed {ratio} times, and a bundle at most {MAX_RATIO}")


def _manifest(path: Path, raw: object) -> BundleManifest:
    if not isinstance(raw, dict) or raw.get("format") != BUNDLE_FORMAT:
        raise ResultError(f"{path} is not a bundle: its manifest does not say so")
    version = raw.get("schema_version")
    if isinstance(version, int) and version > BUNDLE_VERSION:
        raise ResultError(
            f"{path} has bundle version {version}, this program reads up to {BUNDLE_VERSION}; use a newer capbench"
        )
    return _record(path, _MANIFEST, raw, BundleManifest)


def _record(path: Path, name: str, raw: object, model: type[Model]) -> Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        where, message = first_fault(error)
        raise ResultError(f"{path}: {name}: {where[:120] or 'the file'}: {message[:200]}") from error


def _parsed(path: Path, name: str, members: Mapping[str, bytes]) -> object:
    try:
        text = members[name].decode("utf-8")
    except UnicodeDecodeError as error:
        raise ResultError(f"{path}: {name} is not text in UTF-8: {error.reason} at byte {error.start}") from error
    return parse_json(text, path, ResultError)


def _check_agreement(contents: BundleContents) -> None:
    """What records say of each other."""
    path, seen = contents.path, set()
    for run in contents.runs.runs:
        if run.machine not in contents.machines.machines:
            raise ResultError(f"{path}: a run names {run.machine}, which is not among its machines")
        if run.case not in contents.cases.cases:
            raise ResultError(f"{path}: a run names the case {run.case!r}, which is not among its cases")
        key = (run.machine, run.case, run.subject, run.role, run.parameter, run.value, run.block)
        if key in seen:
            raise ResultError(f"{path}: {run.subject} has two runs of block {run.block} of {run.case} on {run.machine}")
        seen.add(key)


def _json(record: BundleRecord) -> bytes:
    written = record.model_dump(mode="json", exclude_defaults=not isinstance(record, BundleManifest))
    return (json.dumps(written, sort_keys=True, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def _file(data: bytes) -> BundledFile:
    return BundledFile(size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
