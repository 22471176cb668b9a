"""Bundles taken apart, so that a figure inside can be mutated behind hashes that fit again."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from typing import Final

__all__ = ["members_of", "packed"]

_MANIFEST: Final = "manifest.json"


def members_of(bundle: bytes, name: str) -> dict[str, bytes]:
    """Its members, as files of a folder of the bundle's name."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {f"{name}/{member}": archive.read(member) for member in archive.namelist()}


def packed(files: Mapping[str, bytes], name: str, mutated: str) -> dict[str, bytes]:
    """The files with those of a bundle's folder packed into it.

    What the manifest says of sizes and hashes is put right, unless the manifest is what was `mutated`.
    """
    prefix = f"{name}/"
    members = {path.removeprefix(prefix): data for path, data in files.items() if path.startswith(prefix)}
    if mutated != prefix + _MANIFEST:
        manifest = json.loads(members[_MANIFEST])
        for member, said in manifest["files"].items():
            said["size_bytes"], said["sha256"] = len(members[member]), hashlib.sha256(members[member]).hexdigest()
        members[_MANIFEST] = json.dumps(manifest).encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for member, data in members.items():
            archive.writestr(zipfile.ZipInfo(member), data)
    return {path: data for path, data in files.items() if not path.startswith(prefix)} | {name: file.getvalue()}
