"""HLS folders that try to make an exporter read what lies outside them, or wait for ever."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from capbench.recordings import RecordingSpec
from capbench.recordings.write import write_recording

_HEAD = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n"
_GOOD_MAP = '#EXT-X-MAP:URI="init.mp4"\n'
_MASTER = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n"


@dataclass(frozen=True, slots=True)
class HlsFolder:
    """`folder` holds a whole recording and may be exported; `outside`, beside it, holds another that must not be."""

    folder: Path
    outside: Path

    @classmethod
    def create(cls, parent: Path) -> HlsFolder:
        """Make both recordings, two seconds in one segment each."""
        made = cls(parent / "inside", parent / "outside")
        for number, folder in enumerate((made.folder, made.outside)):
            folder.mkdir()
            write_recording(RecordingSpec("hls", 160, 90, 30, 1, "hls", seed=number), folder / "playlist.m3u8")
        return made

    def write(self, text: str) -> Path:
        """A playlist of this text beside the good one."""
        path = self.folder / "chosen.m3u8"
        path.write_bytes(text.encode())
        return path


def of_segment(name: str, *, head: str = _HEAD + _GOOD_MAP, end: str = "#EXT-X-ENDLIST\n") -> str:
    """Text of a playlist with one segment."""
    return f"{head}#EXTINF:1.0,\n{name}\n{end}"


def _through_folder_with_query(hls: HlsFolder) -> str:
    shutil.copy(hls.folder / "segment000.m4s", hls.folder / "x")
    (hls.folder / "x?").mkdir()
    return of_segment("x?/../../outside/segment000.m4s")


def _through_folder_with_hash(hls: HlsFolder) -> str:
    (hls.folder / " #x").mkdir()
    return of_segment("segment000.m4s\n#EXTINF:1.0,\n #x/../../outside/segment000.m4s")


def _link(hls: HlsFolder) -> str:
    (hls.folder / "link.m4s").symlink_to("../outside/segment000.m4s")
    return of_segment("link.m4s")


def _link_that_unquotes_to_a_good_name(hls: HlsFolder) -> str:
    (hls.folder / "segment%30%30%30.m4s").symlink_to("../outside/segment000.m4s")
    return of_segment("segment%30%30%30.m4s")


def _segment_that_is_a_playlist(hls: HlsFolder) -> str:
    (hls.folder / "list.m4s").write_text(of_segment("../outside/segment000.m4s"))
    return of_segment("list.m4s")


def _live_variant(hls: HlsFolder) -> str:
    (hls.folder / "live.m3u8").write_text(of_segment("segment000.m4s", end=""))
    return f"{_MASTER}live.m3u8\n"


OUTSIDERS: dict[str, Callable[[HlsFolder], str]] = {
    "file-url": lambda hls: of_segment(f"file://{hls.outside}/segment000.m4s"),
    "file-colon": lambda hls: of_segment(f"file:{hls.outside}/segment000.m4s"),
    "upper-case-scheme": lambda hls: of_segment(f"FILE:{hls.outside}/segment000.m4s"),
    "absolute": lambda hls: of_segment(f"{hls.outside}/segment000.m4s"),
    "dot-dot": lambda _: of_segment("../outside/segment000.m4s"),
    "quoted-dot-dot": lambda _: of_segment("%2e%2e/outside/segment000.m4s"),
    "dot-dot-after-hash": lambda _: of_segment("a#/../../outside/segment000.m4s"),
    "concat": lambda hls: of_segment(f"concat:{hls.outside}/segment000.m4s"),
    "crypto": lambda hls: of_segment(f"crypto:{hls.outside}/segment000.m4s"),
    "data": lambda _: of_segment("data:text/plain,hello"),
    "map": lambda hls: of_segment("segment000.m4s", head=f'{_HEAD}#EXT-X-MAP:URI="{hls.outside}/init.mp4"\n'),
    "key": lambda hls: of_segment(f'#EXT-X-KEY:METHOD=AES-128,URI="{hls.outside}/init.mp4"\nsegment000.m4s'),
    "variant": lambda _: f"{_MASTER}../outside/playlist.m3u8\n",
    "carriage-return": lambda _: of_segment("segment000.m4s\r../outside/segment000.m4s"),
    "link": _link,
    "segment-is-a-playlist": _segment_that_is_a_playlist,
    "folder-with-query": _through_folder_with_query,
    "folder-with-hash": _through_folder_with_hash,
    "link-that-unquotes": _link_that_unquotes_to_a_good_name,
    "nul-ends-a-comment": lambda _: of_segment("#\0../outside/segment000.m4s\nsegment000.m4s"),
    "nul-in-name": lambda _: of_segment("../outside/segment000.m4s\0"),
    "map-without-quotes": lambda _: of_segment(
        "segment000.m4s", head=f"{_HEAD}#EXT-X-MAP:URI=../outside/init.mp4\n{_GOOD_MAP}"
    ),
    "sound-without-quotes": lambda _: (
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n",URI=../outside/playlist.m3u8\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"\nplaylist.m3u8\n'
    ),
}
"""Texts of playlists that name something outside their folder, in the ways that FFmpeg's parser understands."""

UNUSABLE: dict[str, tuple[Callable[[HlsFolder], str], str]] = {
    "missing-segment": (lambda _: of_segment("segment007.m4s"), "segment007.m4s"),
    "missing-map": (lambda _: of_segment("segment000.m4s", head=f'{_HEAD}#EXT-X-MAP:URI="no.mp4"\n'), "no.mp4"),
    "no-segment": (lambda _: f"{_HEAD}#EXT-X-ENDLIST\n", "names no segment"),
    "live": (lambda _: of_segment("segment000.m4s", end=""), "live"),
    "live-variant": (_live_variant, "live"),
    "end-in-a-comment": (lambda _: of_segment("segment000.m4s", end="# #EXT-X-ENDLIST\n"), "live"),
    "names-itself": (lambda _: f"{_MASTER}./chosen.m3u8\n", "itself"),
    "only-a-line": (lambda _: "#EXTM3U\n", "names no segment"),
}
"""Texts of playlists that cannot be exported, and what the error must say."""
