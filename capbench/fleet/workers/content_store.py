"""Clips and scenes that a machine was sent, by the digest of their content: sent once, whoever asks for them next."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from capbench.errors import InputError, OutputError
from capbench.files import content_digest, describe_os_error
from capbench.fleet.block_job import Bundle, BundleFile
from capbench.units import format_bytes

__all__ = ["ContentStore"]

_MOST_BYTES = 200 * 10**9
"""Of all content; beyond it what was not used for longest goes. Ten of the largest clips that can be sent."""
_LEAST_FREE_SHARE = 0.1
"""Of the disk: content must leave room for what is measured."""
_MOST_LEFT_FREE_BYTES = 10 * 10**9
"""On a large disk it need not be more: an hour of 4K at 20 Mbit/s."""


class ContentStore:
    """Folders `content/` and `bundles/` of a worker. A file gets its name when its digest is right."""

    def __init__(self, folder: Path, *, most_bytes: int = _MOST_BYTES) -> None:
        self._content = folder / "content"
        self._bundles = folder / "bundles"
        self._most_bytes = most_bytes

    def stored_bytes(self, file: BundleFile) -> int:
        """How much of a file is here; all of it where it is complete."""
        whole = self._content / file.sha256
        if whole.is_file():
            os.utime(whole)  # used: it stays
            return file.size_bytes
        part = self._part(file)
        return part.stat().st_size if part.is_file() else 0

    def store(self, file: BundleFile, offset: int, piece: bytes) -> int:
        """Add a piece; returns how much is here now. Raises `InputError` for a wrong digest, `OutputError`.

        A piece that does not begin where the stored part ends changes nothing: whoever sends goes on from there.
        """
        have = self.stored_bytes(file)
        if have == file.size_bytes and (self._content / file.sha256).is_file():
            return have
        part = self._part(file)
        if offset == have and have + len(piece) <= file.size_bytes:
            try:
                self._content.mkdir(parents=True, exist_ok=True)
                if offset == 0:
                    self._make_room(file.size_bytes)
                with part.open("ab") as stream:
                    stream.write(piece)
            except OSError as error:
                raise OutputError(f"cannot store what was sent in {part}: {describe_os_error(error)}") from error
            have += len(piece)
        if have == file.size_bytes:
            self._complete(file, part)
        return have

    def place(self, bundle: Bundle) -> Path:
        """The entry of a bundle, laid out in a folder of its own. Raises `InputError` where content is missing."""
        folder = self._bundles / bundle.digest
        for file in bundle.files:
            content, target = self._content / file.sha256, folder / file.name
            if target.is_file() and target.stat().st_size == file.size_bytes:
                continue
            if not content.is_file():
                raise InputError(f"{file.name} ({file.sha256[:12]}) was not sent to this machine, or is no longer here")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            try:
                os.link(content, target)
            except OSError:  # a file system without links
                shutil.copyfile(content, target)
        entry = folder / bundle.entry
        if not entry.is_file():
            raise InputError(f"the bundle has no file {bundle.entry!r}")
        return entry

    def _part(self, file: BundleFile) -> Path:
        return self._content / f"{file.sha256}.part"

    def _complete(self, file: BundleFile, part: Path) -> None:
        if file.size_bytes == 0:
            part.touch()
        digest = content_digest(part)
        if digest != file.sha256:
            part.unlink()
            raise InputError(f"{file.name} arrived damaged: its SHA-256 is {digest[:12]}..., not {file.sha256[:12]}...")
        part.replace(self._content / file.sha256)

    def _make_room(self, size_bytes: int) -> None:
        """Remove what was not used for longest until a file fits. Raises `OutputError` where it cannot."""
        usage = shutil.disk_usage(self._content)
        entries = [(entry, entry.stat()) for entry in self._content.iterdir() if entry.is_file()]
        total = sum(stat.st_size for _, stat in entries)
        left_free = min(_LEAST_FREE_SHARE * usage.total, _MOST_LEFT_FREE_BYTES)
        free = usage.free - left_free
        for entry, stat in sorted(entries, key=lambda each: each[1].st_mtime_ns):
            if total + size_bytes <= self._most_bytes and size_bytes <= free:
                return
            entry.unlink()
            self._forget_bundles_of(entry.name)
            total, free = total - stat.st_size, free + stat.st_size
        if total + size_bytes > self._most_bytes or size_bytes > free:
            raise OutputError(
                f"no room for {format_bytes(size_bytes)} in {self._content}, on whose disk {format_bytes(left_free)}"
                " stay free for exports; free some space on this machine"
            )

    def _forget_bundles_of(self, digest: str) -> None:
        """Links keep content on the disk: bundles are laid out again when they are needed."""
        if digest and self._bundles.is_dir():
            shutil.rmtree(self._bundles)
