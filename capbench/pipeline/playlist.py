"""HLS playlists: refused before FFmpeg opens what they name.

FFmpeg follows whatever a playlist says. A hostile one reads local files or fetches addresses, so every entry must be a
plain relative name inside the playlist's own folder, and the playlist must have an end (RFC 8216).
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from capbench.errors import SourceError, UnsafePlaylistError

__all__ = ["check_playlist", "is_playlist"]

_URI_ATTRIBUTE = re.compile(r'URI="([^"]*)"')


def is_playlist(path: Path) -> bool:
    """Whether a file is an HLS playlist, by its first line: the name proves nothing."""
    with path.open("rb") as file:
        return file.read(10).lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U")


def check_playlist(path: Path) -> None:
    """Check a media or master playlist and all that it names. Raises `UnsafePlaylistError` or `SourceError`."""
    _check(path.resolve(), path.resolve().parent, seen=set())


def _check(path: Path, folder: Path, seen: set[Path]) -> None:
    if path in seen:
        raise UnsafePlaylistError(f"{path.name} names itself")
    seen.add(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not a playlist: {error}") from error
    names = _names(text)
    if not names:
        raise SourceError(f"{path} names no segment")
    is_master = "#EXT-X-STREAM-INF" in text
    if not is_master and "#EXT-X-ENDLIST" not in text:
        raise SourceError(f"{path} is a live playlist without an end (no EXT-X-ENDLIST); record it first")
    for name in names:
        target = _inside(name, path, folder)
        if not target.is_file():
            raise SourceError(f"{path.name} names {name!r}, which is missing")
        if is_playlist(target):
            _check(target, folder, seen)


def _names(text: str) -> list[str]:
    lines = [line.strip() for line in text.splitlines()]
    segments = [line for line in lines if line and not line.startswith("#")]
    attributes = [name for line in lines if line.startswith("#EXT") for name in _URI_ATTRIBUTE.findall(line)]
    return attributes + segments


def _inside(name: str, playlist: Path, folder: Path) -> Path:
    plain = unquote(name)
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]*:", plain) or plain.startswith(("/", "\\")):
        raise UnsafePlaylistError(f"{playlist.name} names {name!r}; only relative names of local files are opened")
    target = (playlist.parent / plain.split("?")[0]).resolve()
    if not target.is_relative_to(folder):
        raise UnsafePlaylistError(f"{playlist.name} names {name!r}, which lies outside its folder")
    return target
