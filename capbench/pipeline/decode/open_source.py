"""Opening sources: nothing but local files, and one clock throughout."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av

from capbench.errors import SourceError
from capbench.pipeline.decode.hls_playlist import (
    PlaylistPart,
    check_playlist,
    is_playlist,
    media_playlist,
    playlist_parts,
)

__all__ = ["OpenPart", "audio_streams", "earliest_s", "open_parts", "open_source", "reason_of", "video_stream"]

_OPTIONS = {"protocol_whitelist": "file"}
"""FFmpeg follows what a file names; this keeps it from going over the network or through other protocols."""

MAX_PICTURE_PX = 2**26
"""Pixels of a coded picture: 8192 x 8192, twice an 8K screen and above H.264's and HEVC's largest level. A decoder
allocates what a header claims, several times over."""

_DECODER_OPTIONS = {"max_pixels": str(MAX_PICTURE_PX)}
_MOST_STREAMS = 64
"""Streams that are bounded while a file is looked through, in which FFmpeg decodes a picture to learn its format."""

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
"""Demuxers that take what nobody recorded: any text file, and scripts that name files which nobody checked."""


def open_source(path: Path) -> Any:
    """An `av.container.InputContainer` that may open nothing but local files. Raises `SourceError`."""
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
        container = _bounded(str(opened.absolute()))
    except (av.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{path} is not a video that FFmpeg can read: {reason_of(error)}") from error
    refusal = _REFUSED_FORMATS.get(container.format.name)
    if refusal is not None:
        container.close()
        raise SourceError(f"{path} is not a video but {refusal}")
    return container


@dataclass(frozen=True, slots=True, eq=False)
class OpenPart:
    """A stretch of a source that has one clock."""

    container: Any
    """The `av.container.InputContainer`."""
    shift_s: Fraction
    """Seconds to add to its times so that all parts are on one clock."""
    reopen: Callable[[], Any]
    """Opens the same stretch once more, from its start. Raises `SourceError`."""


def open_parts(path: Path) -> Generator[OpenPart, None, None]:
    """Yield one part after another: one alone, with a shift of 0, unless `path` is a playlist with discontinuities.

    A container is closed when the next is asked for, or when the iterator is closed. Raises `SourceError`.
    """
    with open_source(path) as container:
        parts = playlist_parts(media_playlist(path)) if is_playlist(path) else []
        first_s = _start_s(container)
        if not parts:
            yield OpenPart(container, Fraction(0), lambda: open_source(path))
            return
    for part in parts:
        reopen = partial(_open_playlist_part, path, part)
        with reopen() as container:
            yield OpenPart(container, first_s + part.start_s - _start_s(container), reopen)


def _bounded(file: str | io.BytesIO, container_format: str | None = None) -> Any:
    """Open with decoders that refuse pictures of more than `MAX_PICTURE_PX` before they allocate them."""
    # PyAV's annotations know neither files that are objects nor that a stream's options are a dictionary.
    source: Any = file
    per_stream: list[Any] = [dict(_DECODER_OPTIONS) for _ in range(_MOST_STREAMS)]
    return av.open(source, format=container_format, options=_OPTIONS, stream_options=per_stream)


def _open_playlist_part(path: Path, part: PlaylistPart) -> Any:
    try:
        return _bounded(io.BytesIO(part.text.encode()), container_format="hls")
    except (av.FFmpegError, ValueError) as error:
        raise SourceError(f"{path}: the part at {float(part.start_s):.3f} s: {reason_of(error)}") from error


def video_stream(path: Path, container: Any) -> Any:
    """The first stream of moving pictures; a cover picture is none. Raises `SourceError`."""
    videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not videos:
        raise SourceError(f"{path} has no video stream")
    if videos[0].codec_context is None:
        raise SourceError(f"{path}: no decoder for its video stream")
    _bound_decoder(path, videos[0].codec_context)
    return videos[0]


def _bound_decoder(path: Path, context: Any) -> None:
    """Let a decoder refuse what is too large. Raises `SourceError` where the header says already that it is."""
    if context.width * context.height > MAX_PICTURE_PX:
        raise SourceError(
            f"the picture of {path} is {context.width}x{context.height}; {MAX_PICTURE_PX / 1e6:.0f} megapixels are the "
            "most, scale it down"
        )
    if not context.is_open:
        context.options = {**context.options, **_DECODER_OPTIONS}


def audio_streams(container: Any) -> list[Any]:
    """Sound tracks for which there is a decoder."""
    return [stream for stream in container.streams.audio if stream.codec_context is not None]


def earliest_s(streams: list[Any]) -> Fraction | None:
    """Start of the earliest stream in seconds, as the container states it; None where it states nothing."""
    starts = [Fraction(s.start_time * s.time_base) for s in streams if s.start_time is not None and s.time_base]
    return min(starts) if starts else None


def reason_of(error: Exception) -> str:
    """FFmpeg's reason without its number."""
    return getattr(error, "strerror", None) or str(error)


def _start_s(container: Any) -> Fraction:
    return earliest_s([*container.streams.video, *audio_streams(container)]) or Fraction(0)
