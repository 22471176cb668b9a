"""HLS playlists: refused before FFmpeg opens what they name, and split at discontinuities.

FFmpeg follows whatever a playlist says. A hostile one reads local files or fetches addresses, so every entry must be a
plain relative name inside the playlist's own folder, and the playlist must have an end (RFC 8216). Lines are
parsed exactly as FFmpeg's demuxer does; otherwise a name could be hidden from this check and not from FFmpeg.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import unquote

from capbench.errors import SourceError, UnsafePlaylistError

__all__ = ["PlaylistPart", "check_playlist", "files_of", "is_playlist", "media_playlist", "playlist_parts"]

# FFmpeg takes a value without quotation marks too.
_URI_ATTRIBUTE = re.compile(r'(?<=URI=)(?:"([^"]*)"|([^",\s]+))')
_LINE_END = re.compile(r"\r\n|[\r\n\0]")
_LONGEST_LINE = 4095
"""FFmpeg reads lines into 4096 bytes and cuts the rest off: a longer name would be checked whole and opened cut."""
_LARGEST_PLAYLIST_BYTES = 8 * 2**20
"""A day of segments of two seconds is 3 MB."""
_MOST_PLAYLISTS = 200
"""Masters have a dozen variants and a few dozen languages; FFmpeg opens them all, and gives up before 800."""
_MOST_NAMES = 200_000
"""Names in all playlists of a source together, four days of segments of two seconds: each is looked up."""
_MOST_REPEATS = 500
"""Segments that a playlist names again, from the same byte on: a slate that is shown over and over. Each takes a line,
and is opened and decoded once more."""
_MOST_LEVELS = 4
"""A master names media playlists, and those name segments (RFC 8216, 2): two levels. FFmpeg follows any number."""
_LENGTH = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,30})?")
"""A number of RFC 8216, 4.2, has no exponent: FFmpeg takes 1e99999999 too, and its digits would fill the memory."""
_LONGEST_SEGMENT_S = 24 * 3600
_RANGE_TAG = "#EXT-X-BYTERANGE:"
_SEGMENT_TAG, _VARIANT_TAG, _END_TAG = "#EXTINF:", "#EXT-X-STREAM-INF", "#EXT-X-ENDLIST"
_DISCONTINUITY_TAG = "#EXT-X-DISCONTINUITY"
_RENDITION_TAG = "#EXT-X-MEDIA:"
_LASTING_TAGS = ("#EXT-X-MAP:", "#EXT-X-VERSION:", "#EXT-X-TARGETDURATION:")
"""Tags that hold for all segments after them."""


@dataclass(frozen=True, slots=True)
class PlaylistPart:
    """Segments that share one clock, as a separate playlist with absolute names."""

    start_s: Fraction
    """When the part begins, by the lengths that the playlist states for the segments before it."""
    text: str


def is_playlist(path: Path) -> bool:
    """Whether a file is an HLS playlist, by its first line: the name proves nothing."""
    with path.open("rb") as file:
        return file.read(10).lstrip(b"\xef\xbb\xbf").startswith(b"#EXTM3U")


def check_playlist(path: Path) -> None:
    """Check a media or master playlist and all that it names. Raises `UnsafePlaylistError` or `SourceError`."""
    _Check(path.resolve().parent).check(path.resolve(), within=())


def files_of(path: Path) -> list[Path]:
    """A checked playlist and every file that it names, or that a playlist names that it names, each once."""
    found = {path.resolve(): None}
    waiting = [path.resolve()]
    while waiting:
        playlist = waiting.pop()
        for name in _names(_lines(playlist)):
            target = (playlist.parent / name).resolve()
            if target not in found:
                found[target] = None
                waiting += [target] if is_playlist(target) else []
    return list(found)


def media_playlist(path: Path) -> Path:
    """What to read of a checked playlist: itself, or a master's first variant where variants have discontinuities.

    FFmpeg reads all variants of a master in parallel, so they could not be split at discontinuities.
    """
    variants = _variants(path)
    return variants[0] if any(_DISCONTINUITY_TAG in _lines(variant) for variant in dict.fromkeys(variants)) else path


def playlist_parts(path: Path) -> list[PlaylistPart]:
    """The parts of a checked media playlist with discontinuities (RFC 8216, 4.3.2.3); empty where it has none.

    FFmpeg passes on the segments' own times, which restart after a discontinuity.
    """
    lines = _lines(path)
    if _DISCONTINUITY_TAG not in lines:
        return []
    folder = path.resolve().parent
    parts: list[tuple[Fraction, list[str]]] = []
    lasting: dict[str, str] = {}
    pending: list[str] = []
    clock_s, begin = Fraction(0), True
    for line in lines:
        if line == _DISCONTINUITY_TAG:
            begin = True
        elif not line.startswith("#"):
            if begin:
                parts.append((clock_s, list(lasting.values())))
                begin = False
            parts[-1][1].extend([*pending, str(folder / line)])
            clock_s += _segment_s(pending)
            pending = []
        elif tag := next((tag for tag in _LASTING_TAGS if line.startswith(tag)), None):
            lasting[tag] = _URI_ATTRIBUTE.sub(lambda found: f'"{folder / _value(found)}"', line)
            if not begin:
                parts[-1][1].append(lasting[tag])
        elif line.startswith("#EXT") and line not in ("#EXTM3U", _END_TAG):
            pending.append(line)
    return [PlaylistPart(start_s, "\n".join(["#EXTM3U", *body, _END_TAG, ""])) for start_s, body in parts]


def _variants(path: Path) -> list[Path]:
    """Playlists that a master names for its variants; empty for a media playlist."""
    folder, found, is_next = path.resolve().parent, [], False
    for line in _lines(path):
        if line.startswith(_VARIANT_TAG):
            is_next = True
        elif is_next and not line.startswith("#"):
            # The name is the next line that is not a tag or a comment (RFC 8216, 4.3.4.2).
            found.append(folder / line)
            is_next = False
    return found


def _segment_s(tags: list[str]) -> Fraction:
    return next((_stated_s(tag) for tag in tags if tag.startswith(_SEGMENT_TAG)), Fraction(0))


def _stated_s(tag: str) -> Fraction:
    """Length in seconds of an EXTINF line. Raises `SourceError`."""
    text = tag.removeprefix(_SEGMENT_TAG).split(",")[0].strip()
    if not _LENGTH.fullmatch(text):
        raise SourceError(f"the playlist states a length that is not a number: {tag[:60]!r}")
    length_s = Fraction(text)
    if length_s > _LONGEST_SEGMENT_S:
        raise SourceError(f"the playlist states a segment of {text[:12]} s; at most {_LONGEST_SEGMENT_S} s are allowed")
    return length_s


class _Check:
    """Checks a playlist and everything that it names. Raises `UnsafePlaylistError` or `SourceError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[Path] = set()
        self._names = 0

    def check(self, path: Path, within: tuple[Path, ...]) -> None:
        """Check a playlist that these others name, the outermost first."""
        if path in within:
            raise UnsafePlaylistError(f"{path.name} names itself")
        if len(within) >= _MOST_LEVELS:
            raise UnsafePlaylistError(f"{within[0].name} names playlists in more than {_MOST_LEVELS} levels")
        if path in self._checked:  # a master may name one variant with several kinds of sound
            return
        self._checked.add(path)
        if len(self._checked) > _MOST_PLAYLISTS:
            raise UnsafePlaylistError(
                f"{(*within, path)[0].name} names more than {_MOST_PLAYLISTS} playlists; name the one to export"
            )
        lines = _lines(path)
        names = self._all_names(path, lines)
        self._check_kind(path, lines)
        for name in names:
            target = _inside(name, path, self._folder)
            if not target.is_file():
                raise SourceError(f"{path.name} names {name!r}, which is missing")
            if is_playlist(target):
                self.check(target, (*within, path))
        _check_apart(path, lines)

    def _all_names(self, path: Path, lines: list[str]) -> dict[str, None]:
        """Each name that a playlist holds, once, in order."""
        names = _names(lines)
        if not names:
            raise SourceError(f"{path} names no segments")
        self._names += len(names)
        if self._names > _MOST_NAMES:
            raise UnsafePlaylistError(f"{path.name} and the playlists around it name more than {_MOST_NAMES} files")
        return names

    @staticmethod
    def _check_kind(path: Path, lines: list[str]) -> None:
        if any(line.startswith("#EXT-X-KEY:") and "METHOD=NONE" not in line for line in lines):
            raise SourceError(f"{path} is encrypted (EXT-X-KEY); export a decrypted copy")
        lengths = [line for line in lines if line.startswith(_SEGMENT_TAG)]
        is_master = any(line.startswith(_VARIANT_TAG) for line in lines)
        if (lengths or not is_master) and _END_TAG not in lines:
            raise SourceError(f"{path} is a live playlist without an end (no EXT-X-ENDLIST); record it first")
        for line in lengths:
            _stated_s(line)
        if (repeats := _repeats(lines)) > _MOST_REPEATS:
            raise UnsafePlaylistError(
                f"{path.name} names segments again {repeats} times; {_MOST_REPEATS} are allowed, so export what it "
                "repeats once"
            )


def _repeats(lines: list[str]) -> int:
    """How many segments are the same part of the same file as one before them."""
    seen: set[tuple[str, str]] = set()
    named, start = 0, ""
    for line in lines:
        if line.startswith(_RANGE_TAG):
            # Without a start it is what follows the part before (RFC 8216, 4.3.2.2).
            start = line.partition("@")[2] or str(named)
        elif not line.startswith("#"):
            seen.add((line, start))
            named, start = named + 1, ""
    return named - len(seen)


def _check_apart(path: Path, lines: list[str]) -> None:
    """Raise `SourceError` if a variant with discontinuities has separate playlists for sound or pictures."""
    apart = [found for line in lines if line.startswith(_RENDITION_TAG) for found in _URI_ATTRIBUTE.finditer(line)]
    if not apart:
        return
    everything = [*_variants(path), *(path.parent / _value(found) for found in apart)]
    if any(_DISCONTINUITY_TAG in _lines(playlist) for playlist in dict.fromkeys(everything)):
        raise SourceError(
            f"{path} has discontinuities, and separate playlists for sound or pictures, which is not "
            f"supported; name {everything[0]} to export that alone"
        )


def _lines(path: Path) -> list[str]:
    """Lines that are not empty, trailing blanks cut off as FFmpeg cuts them; leading ones belong to a name."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_PLAYLIST_BYTES + 1)
        if len(content) > _LARGEST_PLAYLIST_BYTES:
            raise UnsafePlaylistError(f"{path.name} is a playlist of more than {_LARGEST_PLAYLIST_BYTES} bytes")
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceError(f"{path} is not a playlist: {error}") from error
    lines = [line.rstrip(" \t\n\v\f\r") for line in _LINE_END.split(text)]
    if longest := next((line for line in lines if len(line.encode()) > _LONGEST_LINE), None):
        raise UnsafePlaylistError(f"{path.name} has a line of {len(longest)} characters; {_LONGEST_LINE} are allowed")
    return [line for line in lines if line]


def _names(lines: list[str]) -> dict[str, None]:
    """What lines of a playlist name, in tags and without, each once."""
    found = [_value(match) for line in lines if line.startswith("#EXT") for match in _URI_ATTRIBUTE.finditer(line)]
    return dict.fromkeys([*found, *(line for line in lines if not line.startswith("#"))])


def _value(found: re.Match[str]) -> str:
    return found[1] if found[1] is not None else found[2]


def _inside(name: str, playlist: Path, folder: Path) -> Path:
    # FFmpeg takes local names as they are, but what is unsafe when decoded is refused too.
    for form in (name, unquote(name)):
        if re.match(r"\s*[A-Za-z][A-Za-z0-9+.-]*:", form) or form.lstrip().startswith(("/", "\\")):
            raise UnsafePlaylistError(f"{playlist.name} names {name!r}; only relative names of local files are opened")
        if ".." in re.split(r"[/\\]", form):
            raise UnsafePlaylistError(f"{playlist.name} names {name!r}; names with .. are not opened")
    target = (playlist.parent / name).resolve()
    if not target.is_relative_to(folder):
        raise UnsafePlaylistError(f"{playlist.name} names {name!r}, which lies outside its folder")
    return target
