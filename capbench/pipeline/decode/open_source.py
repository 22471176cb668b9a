"""Opening sources: only local files, and one clock throughout."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TypeVar

import av
from av.container import InputContainer
from av.stream import Stream

from capbench.bitstream.mp4_boxes import longest_edit_list
from capbench.errors import SourceError
from capbench.pipeline.decode.decoder_device import open_container
from capbench.pipeline.decode.hls_playlist import (
    PlaylistPart,
    check_playlist,
    files_of,
    is_playlist,
    media_playlist,
    playlist_parts,
)
from capbench.results.path_names import SOFTWARE_DECODER

__all__ = [
    "LARGEST_SIDE_PX",
    "MAX_PICTURE_PX",
    "OpenPart",
    "audio_streams",
    "check_size",
    "earliest_s",
    "holds_no_data",
    "open_parts",
    "open_source",
    "reason_of",
    "stored_bytes",
    "tracks_without_decoder",
    "video_stream",
]

LARGEST_SIDE_PX = 16384
"""Longest side of a picture: the largest texture that any common adapter offers (`maxTextureDimension2D`)."""
MAX_PICTURE_PX = 2**26
"""Pixels of a picture: 8192x8192, twice 8K UHD. A PNG of a few kilobytes may state a picture of gigabytes."""

_DECODER_OPTIONS = {"max_pixels": str(MAX_PICTURE_PX)}
_OPTIONS = {"protocol_whitelist": "file", "pattern_type": "none", **_DECODER_OPTIONS}
"""FFmpeg opens what a file names; this keeps it from using the network or other protocols, and from taking a
picture named `%d.png` as a pattern of other files. Picture sizes are bounded here too: opening decodes some."""

_MOST_EDITS = 200
"""Entries of an edit list: cameras and editors write one to a dozen. Each takes 12 bytes, and may show the whole track
once more."""
_TEXT, _LIST = "text, which FFmpeg would draw", "a list of other files"
_REFUSED_FORMATS = {
    "tty": _TEXT,
    "bin": _TEXT,
    "adf": _TEXT,
    "idf": _TEXT,
    "xbin": _TEXT,
    "concat": _LIST,
    "dash": _LIST,
}
"""Demuxers for what is not a recording: any text file, and scripts that name files which were not checked."""
_AnyStream = TypeVar("_AnyStream", bound=Stream)


def open_source(path: Path, decoder: str = SOFTWARE_DECODER) -> InputContainer:
    """Open a container that may read only local files, to be decoded by one of `DECODERS` except `auto`.

    Raises `SourceError`, and `UnavailableError` where a hardware decoder does not take any of its streams.
    """
    if not path.exists():
        raise SourceError(f"no such file: {path}")
    if path.is_dir():
        raise SourceError(f"{path} is a folder; name a video file or a .m3u8 playlist")
    try:
        if path.stat().st_size == 0:
            raise SourceError(f"{path} is empty")
        opened = path
        if is_playlist(path):
            check_playlist(path)
            opened = media_playlist(path)
        container = _bounded(open_container(str(opened.absolute()), decoder, options=_OPTIONS))
    except (av.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{path} is not a video that FFmpeg can read: {reason_of(error)}") from error
    refusal = _REFUSED_FORMATS.get(container.format.name)
    if refusal is not None:
        container.close()
        raise SourceError(f"{path} is not a video but {refusal}")
    if "mp4" in container.format.name.split(",") and (edits := longest_edit_list(path)) > _MOST_EDITS:
        container.close()
        raise SourceError(
            f"the edit list of {path} has {edits} entries; at most {_MOST_EDITS} are supported, so write the file "
            "again with its edits applied"
        )
    return container


@dataclass(frozen=True, slots=True, eq=False)
class OpenPart:
    """A part of a source that has one clock."""

    container: InputContainer
    """The open file, at its start."""
    shift_s: Fraction
    """Seconds to add to its times so that all parts are on one clock."""
    reopen: Callable[[], InputContainer]
    """Opens the same part again, from its start. Raises `SourceError`."""


def open_parts(path: Path, decoder: str = SOFTWARE_DECODER) -> Generator[OpenPart, None, None]:
    """Yield one part after another: one alone, with a shift of 0, unless `path` is a playlist with discontinuities.

    A container is closed when the next is asked for, or when the iterator is closed. `reopen` of a part is for software
    in any case, which reports what a hardware decoder conceals. Raises as `open_source` does.
    """
    with open_source(path, decoder) as container:
        parts = playlist_parts(media_playlist(path)) if is_playlist(path) else []
        first_s = _start_s(container)
        if not parts:
            yield OpenPart(container, Fraction(0), lambda: open_source(path))
            return
    for part in parts:
        reopen = partial(_open_playlist_part, path, part)
        with reopen(decoder) as container:
            yield OpenPart(container, first_s + part.start_s - _start_s(container), reopen)


def _open_playlist_part(path: Path, part: PlaylistPart, decoder: str = SOFTWARE_DECODER) -> InputContainer:
    try:
        return _bounded(
            open_container(io.BytesIO(part.text.encode()), decoder, options=_OPTIONS, container_format="hls")
        )
    except (av.FFmpegError, ValueError) as error:
        raise SourceError(f"{path}: the part at {float(part.start_s):.3f} s: {reason_of(error)}") from error


def _bounded(container: InputContainer) -> InputContainer:
    for stream in container.streams.video:
        if stream.codec_context is not None:
            stream.codec_context.options = _DECODER_OPTIONS
    return container


def video_stream(path: Path, container: InputContainer) -> av.VideoStream:
    """The first video stream that is not a cover picture. Raises `SourceError`."""
    videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not videos:
        raise SourceError(f"{path} has no video stream")
    if videos[0].codec_context is None:
        raise SourceError(f"{path}: no decoder for its video stream")
    check_size(path, videos[0].codec_context.width, videos[0].codec_context.height)
    return videos[0]


def check_size(path: Path, width: int, height: int, *, sample_aspect: Fraction | None = None) -> None:
    """Raise `SourceError` for a picture, in pixels, that is larger than capbench takes.

    With a `sample_aspect` the size is that in square pixels: a small picture may state pixels of any width.
    """
    if max(width, height) > LARGEST_SIDE_PX or width * height > MAX_PICTURE_PX:
        counted = "" if sample_aspect in (None, 1) else f" in square pixels (pixel aspect {sample_aspect})"
        raise SourceError(
            f"{path} is {width}x{height}{counted}; the limit is {LARGEST_SIDE_PX} a side and "
            f"{MAX_PICTURE_PX / 1e6:.0f} million pixels, so scale it down first"
        )


def audio_streams(container: InputContainer) -> list[av.AudioStream]:
    """Sound tracks that belong to the picture and have a decoder.

    Of several programs (transport streams, variants of an HLS master) only the first picture's own is heard.
    """
    return [stream for stream in _own_sound(container) if stream.codec_context is not None]


def tracks_without_decoder(container: InputContainer) -> int:
    """Number of sound tracks that belong to the picture and cannot be heard."""
    return sum(stream.codec_context is None for stream in _own_sound(container))


def _own_sound(container: InputContainer) -> list[av.AudioStream]:
    tracks = list(container.streams.audio)
    videos = container.streams.video
    if len(tracks) < 2 or not videos:
        return tracks
    # PyAV does not show programs, but FFmpeg looks for the best track within the program of a stream: two streams whose
    # best track is the same are of one program. A program without sound gets the best track of all.
    best = container.streams.best
    chosen = best("audio", related=videos[0])
    if chosen is None:
        return tracks  # FFmpeg knows the channels of none, for no packet has come: nothing is heard of them
    if best("video", related=chosen) != best("video", related=videos[0]):
        return []
    return [track for track in tracks if track is chosen or best("audio", related=track) is chosen]


def earliest_s(streams: Sequence[Stream]) -> Fraction | None:
    """Start of the earliest stream in seconds, as the container states it; None where it states nothing."""
    starts = [s.start_time * s.time_base for s in streams if s.start_time is not None and s.time_base]
    return min(starts) if starts else None


def holds_no_data(packet: av.Packet[_AnyStream]) -> bool:
    """Whether a packet has a time and nothing in it, which decoders refuse.

    FLAC's encoder ends with one, for what it knows only then, and NUT stores it. The packet that asks a decoder for its
    last frames has no time.
    """
    return not packet.size and (packet.pts is not None or packet.dts is not None)


def reason_of(error: Exception) -> str:
    """FFmpeg's reason without its number."""
    return getattr(error, "strerror", None) or str(error)


def stored_bytes(path: Path) -> int:
    """Bytes of a source that was opened: of a playlist, of all files that it names."""
    return sum(named.stat().st_size for named in (files_of(path) if is_playlist(path) else [path]))


def _start_s(container: InputContainer) -> Fraction:
    return earliest_s([*container.streams.video, *audio_streams(container)]) or Fraction(0)
